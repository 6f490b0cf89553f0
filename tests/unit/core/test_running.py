"""What a process does about a signal, as /proc tells it."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nsunit.core.running import catches

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
