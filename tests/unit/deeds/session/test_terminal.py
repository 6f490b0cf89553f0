"""How bytes are written to a caller's stream, which may be full."""

import errno
import os
import select
import signal
import subprocess
import termios
import tty

import pytest

from nsunit.deeds.session import terminal
from nsunit.deeds.session.terminal import CHUNK, _Route, raw_mode
from nsunit.setup.build import Build


@pytest.fixture
def route():
    reader, sink = os.pipe()
    found = _Route(reader + 100, sink)
    found.pending = memoryview(b"x" * (CHUNK + 1))
    yield found
    os.close(reader)
    os.close(sink)


def test_a_full_pipe_does_not_hold_the_rest_up(route):
    assert route.step()
    assert len(route.pending) == 1
    assert route.waits_for() == (route.sink, 4)  # POLLOUT
    with pytest.raises(BlockingIOError):
        route.step()
    assert os.get_blocking(route.sink)  # others have it, too


def test_before_linux_6_4_it_is_as_much_as_surely_fits(route, monkeypatch):
    def refuse(*_arguments):
        raise OSError(errno.EOPNOTSUPP, "not for pipes")

    monkeypatch.setattr(os, "pwritev", refuse)
    assert route.step()
    assert len(route.pending) == CHUNK + 1 - 4096


def test_a_file_takes_it_all(tmp_path):
    fd = os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT)
    found = _Route(100, fd)
    found.pending = memoryview(b"x" * CHUNK)
    assert found.step()
    assert found.waits_for() == (100, 1)  # POLLIN
    os.close(fd)


def test_a_signal_that_comes_just_before_a_wait_ends_it(monkeypatch):
    """Python has run its handler by then, and no system call is interrupted by it."""
    real, ready = terminal._poll, []

    def poll(wanted, *, wait):
        if ready:
            return real(wanted, wait=wait)
        os.kill(os.getpid(), signal.SIGHUP)
        waiting = select.poll()
        for fd, events in wanted.items():
            waiting.register(fd, events)
        ready.append({fd for fd, _ in waiting.poll(1000)})
        payload.kill()
        return ready[0]

    monkeypatch.setattr(terminal, "_poll", poll)
    streams = terminal.Streams(Build(""), passes_input=False)
    with subprocess.Popen(("sleep", "60")) as payload:
        assert streams.relay(payload.pid, lambda _number: signal.SIGCONT) == signal.SIGKILL
    streams.close()
    assert len(ready[0]) == 1
    assert signal.set_wakeup_fd(-1) == -1


def test_raw_mode_is_that_of_the_standard_library():
    (master, terminal), (other_master, other) = os.openpty(), os.openpty()
    try:
        tty.setraw(terminal)
        odd = termios.tcgetattr(other)
        odd[0] |= termios.ISTRIP | termios.INLCR | termios.IGNCR | termios.PARMRK | termios.BRKINT
        odd[3] |= termios.ECHONL
        termios.tcsetattr(other, termios.TCSANOW, odd)
        termios.tcsetattr(other, termios.TCSANOW, raw_mode(termios.tcgetattr(other)))
        assert termios.tcgetattr(other) == termios.tcgetattr(terminal) != odd
    finally:
        for fd in (master, terminal, other_master, other):
            os.close(fd)
