"""What a process does about a signal, as /proc tells it; and what is left of one."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nsunit.core import running
from nsunit.core.running import Running, catches, open_pidfd, thread_of
from nsunit.errors import BusError

PROGRAM = "import signal, sys; {}; print(flush=True); sys.stdin.read()"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("signal.signal(15, print)", True),
        ("signal.pthread_sigmask(0, [15])", True),  # signalfd(2) and sigwait(3) need it blocked
        ("signal.signal(15, signal.SIG_IGN)", False),
        # Its name is the first line of /proc/PID/status, in which the kernel escapes the newline alone.
        ("open('/proc/self/comm', 'w').write('\\rSigCgt:\\tffffff')", False),
        ("pass", False),
    ],
)
def test_catches(code, expected):
    words = [sys.executable, "-c", PROGRAM.format(code)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        assert catches(process.pid, signal.SIGTERM) is expected
        assert catches(process.pid, signal.SIGKILL)
    assert catches(process.pid, signal.SIGTERM)  # it is gone: nobody is to be killed


def test_one_that_waits_for_a_signal_catches_it():
    """sigwait(3), as the inits of busybox and tini do: as long as it waits, SigBlk does not have the signal."""
    code = "import signal; signal.pthread_sigmask(0, [15, 10]); print(flush=True); signal.sigwait([15])"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        deadline = time.monotonic() + 10
        while "SigBlk:\t0000000000004200" in Path(f"/proc/{process.pid}/status").read_text():
            assert time.monotonic() < deadline
        assert catches(process.pid, signal.SIGTERM)
        assert catches(process.pid, signal.SIGUSR1)
        assert not catches(process.pid, signal.SIGUSR2)
        process.terminate()
        assert process.wait(10) == 0


def test_no_descriptor_is_left_where_systemd_does_not_answer():
    """What covers all that runs, or takes samples, goes on after that."""

    class Context:
        @property
        def bus(self):
            raise BusError("Timeout", "systemd did not answer in time")

    before = os.listdir("/proc/self/fd")
    with pytest.raises(BusError):
        open_pidfd(Context(), Running("web", "nsunit-web.service", "/x", "ab", os.getpid()))
    assert os.listdir("/proc/self/fd") == before


def test_a_process_that_goes_while_its_threads_are_looked_at(monkeypatch):
    """Its first thread had ended alone, and now all have: whoever looks for a thread finds the process gone."""
    monkeypatch.setattr(running, "status_field", lambda _pid, field: {"State": "Z (zombie)", "Threads": "2"}[field])
    assert thread_of(2**31 - 1) == f"/proc/{2**31 - 1}"
