"""What a process does about a signal, as /proc tells it."""

import signal
import subprocess
import sys

import pytest

from nsunit.definition.model import Container
from nsunit.manager.run import _signal_for
from nsunit.manager.running import catches

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
        # What a foreground `run` makes of it
        assert _signal_for(Container(("x",)), process.pid, signal.SIGTERM) == (15 if expected else 9)
    assert catches(process.pid, signal.SIGTERM)  # it is gone: nobody is to be killed


def test_a_system_gets_its_stop_signal(monkeypatch):
    asked = []
    monkeypatch.setattr("nsunit.manager.run.catches", lambda pid, number: asked.append((pid, number)) or True)
    assert _signal_for(Container(("x",), boot=True, stop_signal=37), 42, signal.SIGHUP) == 37
    assert asked == [(42, 37)]
