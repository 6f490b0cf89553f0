"""Whom the program of checks looks at."""

import os
import subprocess
import types

import pytest

from nsunit.features.health import check, program
from nsunit.features.health.keys import LONGEST
from nsunit.features.health.program import is_inside
from nsunit.setup.namespaces import Namespaces


def test_what_is_in_none_of_the_namespaces_is_no_payload():
    """systemd's own process before it executes the helper, and those of ExecStartPre=."""
    assert not is_inside(os.getpid(), [Namespaces(("mnt", "pid"))])
    assert is_inside(os.getpid(), [])  # a container that shares them all
    with pytest.raises(FileNotFoundError):
        is_inside(1 << 22, [Namespaces(("mnt",))])


def test_its_end_is_waited_for_longer_than_poll_can():
    payload = object.__new__(check.Payload)
    with subprocess.Popen(["true"]) as process:
        payload.pidfd = os.pidfd_open(process.pid)
        assert payload.has_ended(LONGEST / 1_000_000)
    os.close(payload.pidfd)


class Payload:
    """The process *pid*, as a check has it; `pauses` is for how long its end was waited for."""

    pauses: list[float] = []

    def __init__(self, pid):
        self.pid, self.pidfd = pid, os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)

    def has_ended(self, seconds):
        self.pauses.append(seconds)


@pytest.mark.parametrize(
    ("seen", "pauses"),
    [
        ([(7, False)] * 8, [0.02, 0.04, 0.08, 0.16, 0.32, 0.5, 0.5, 0.5]),  # a long ExecStartPre=
        ([(7, False), (7, False), (8, False)], [0.02, 0.04, 0.02]),  # and another one
        ([(7, False)] * 3 + [(7, True)] * 3, [0.02, 0.04, 0.08, 0.02, 0.02, 0.02]),  # systemd's, then the helper
        ([], []),
    ],
)
def test_what_stays_as_it_is_is_looked_at_rarely(monkeypatch, seen, pauses):
    """It was every 20 ms, for as long as a command of ExecStartPre= took."""
    looks = iter([*seen, (9, False)])
    now = []

    def container(*_words):
        now[:] = [next(looks)]
        return types.SimpleNamespace(payload=Payload(now[0][0]), plan=())

    Payload.pauses = []
    monkeypatch.setattr(program, "Container", container)
    monkeypatch.setattr(program, "_is_helper", lambda pid: now[0][1])
    monkeypatch.setattr(program, "is_inside", lambda pid, plan: pid == 9)
    found = program._as_it_runs("/run/x", "/group", "nsunit-x.service", "system")
    assert (found.payload.pid, Payload.pauses) == (9, pauses)
