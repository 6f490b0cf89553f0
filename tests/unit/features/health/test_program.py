"""Whom the program of checks looks at."""

import os
import subprocess
import sys
import time
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

    def close(self):
        os.close(self.pidfd)


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


def test_no_descriptor_is_left_of_what_goes_meanwhile(monkeypatch):
    """Of one that starts for long there were more and more, up to the limit of a process."""
    looks = iter(range(20))

    def container(*_words):
        if next(looks, None) is None:
            raise FileNotFoundError
        return types.SimpleNamespace(payload=Payload(1), plan=())

    def is_gone(*_words):
        raise FileNotFoundError

    monkeypatch.setattr(program, "Container", container)
    monkeypatch.setattr(program, "_is_helper", lambda _pid: False)
    monkeypatch.setattr(program, "is_inside", is_gone)
    monkeypatch.setattr(program, "_is_starting", lambda *_: looks.__length_hint__() > 0)
    monkeypatch.setattr(program.time, "sleep", lambda _seconds: None)
    before = os.listdir("/proc/self/fd")
    assert program._as_it_runs("/run/x", "/group", "nsunit-x.service", "system") is None
    with pytest.raises(ProcessLookupError):
        check.Payload(os.getpid(), "/the/group/of/another")
    assert os.listdir("/proc/self/fd") == before


def test_nor_of_one_whose_start_nobody_knows_any_more(monkeypatch):
    monkeypatch.setattr(program, "read_plan", lambda _directory: [object.__new__(program.Wanted)])
    monkeypatch.setattr(program, "first_process", lambda _group: os.getpid())
    monkeypatch.setattr(check, "cgroup_of", lambda _pid: "/group")

    def run_of(_pid):
        raise ProcessLookupError

    monkeypatch.setattr(program.health, "run_of", run_of)
    before = os.listdir("/proc/self/fd")
    with pytest.raises(ProcessLookupError):
        program.Container("/run/x", "/group", "nsunit-x.service", "system")
    assert os.listdir("/proc/self/fd") == before


WITHOUT_ITS_FIRST_THREAD = """
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(1000,)).start()
ctypes.CDLL(None).pthread_exit(None)
"""


def test_one_whose_first_thread_has_ended_fails_its_checks():
    """It counted for one that has ended: nothing was checked any more, and it stayed healthy."""
    with subprocess.Popen([sys.executable, "-c", WITHOUT_ITS_FIRST_THREAD]) as process:
        payload = object.__new__(check.Payload)
        payload.pid, payload.pidfd = process.pid, os.pidfd_open(process.pid)
        try:
            deadline = time.monotonic() + 60
            while os.path.exists(f"/proc/{process.pid}/ns/net") and time.monotonic() < deadline:
                time.sleep(0.02)
            assert not is_inside(process.pid, [Namespaces(("mnt",))])  # it is in the host's, as can be seen
            with pytest.raises(OSError, match="^the first thread of its program has ended, and the kernel lets nobody"):
                check._run(payload, None, (), ())
        finally:
            process.kill()
            os.close(payload.pidfd)
