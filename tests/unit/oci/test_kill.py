"""A signal to all of a container, some of which may have ended since the kernel listed them."""

import signal
import subprocess
from pathlib import Path

import pytest

from nsunit import setup
from nsunit.oci.cgroup.place import CGROUPFS, Place
from nsunit.oci.state import Container
from nsunit.oci.verbs import kill

_NOBODY = (1 << 22) - 1


def test_a_number_that_is_another_process_by_now_gets_no_signal(monkeypatch):
    own = Path("/proc/self/cgroup").read_text().rpartition("0::")[2].rstrip("\n").rstrip("/")
    assert _end_of_one_that_is_in(f"{own}/elsewhere", monkeypatch) == -signal.SIGTERM
    assert _end_of_one_that_is_in(own, monkeypatch) == -signal.SIGUSR1


@pytest.mark.parametrize("name", ["0::x", "\r0::/x", "\u2028"])
def test_no_name_of_a_group_keeps_a_signal_away(monkeypatch, name):
    """A program that has groups of its own, as those of a privileged container, can call one so and be in it."""
    monkeypatch.setattr(setup, "read_file", lambda _path: f"1:name=systemd:/\n0::/box/{name}\n")
    assert setup.cgroup_of("1") == f"/box/{name}"
    assert _end_of_one_that_is_in("/box", monkeypatch) == -signal.SIGUSR1


def _end_of_one_that_is_in(group: str, monkeypatch) -> int:
    """How a process ends that is listed in *group*; of several signals the kernel delivers the lowest first."""
    with subprocess.Popen(("sleep", "60")) as other:
        monkeypatch.setattr(kill.fs, "processes", lambda _path: [other.pid, _NOBODY])
        monkeypatch.setattr(kill.manager, "is_own", lambda _place: True)
        kill._all(Container("a", "/", "/", "", 0, 0, Place(CGROUPFS, group), {}, "", pid=other.pid), signal.SIGUSR1)
        other.terminate()
        return other.wait(10)
