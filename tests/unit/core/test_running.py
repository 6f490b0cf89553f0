"""What a process does about a signal, as /proc tells it."""

import signal
import subprocess
import sys

import pytest

from nsunit.core.running import catches

PROGRAM = "import signal, sys; {}; print(flush=True); sys.stdin.read()"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("signal.signal(15, print)", True),
        ("signal.pthread_sigmask(0, [15])", True),  # signalfd(2) and sigwait(3) need it blocked
        ("signal.signal(15, signal.SIG_IGN)", False),
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
