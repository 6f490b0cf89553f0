"""A process that this one waits for: its terminal, its signals, its status."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C half of signal: the Python half imports enum
import _socket
import errno
import fcntl
import os
import select
import struct
import termios
import tty

from nsunit.setup.oci.step import Box

_FORWARDED = (1, 2, 3, 10, 12, 15, 18, 28)
_WINCH = 28
_CHUNK = 65536


class Foreground:
    """What carries a terminal, and passes signals on."""

    def __init__(self, box: Box | None = None, *, terminal: bool = False) -> None:
        self.socket = None
        self.master = -1
        self.pidfd = -1
        if terminal and box:
            self.socket, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
            box.console_fd = theirs.detach()
            self.theirs = box.console_fd

    def pass_on(self, pid: int) -> None:
        """From here on signals go to process *pid*: before it executes, so that none ends the runtime in between."""
        self.pidfd = os.pidfd_open(pid)
        for number in _FORWARDED:
            _signal.signal(number, self._forward)

    def wait(self, pid: int) -> int:
        """Wait for the end of process *pid*, a child to which signals go; returns the exit status as a shell has it."""
        if self.socket:
            os.close(self.theirs)
            _, rights, _, _ = self.socket.recvmsg(64, _socket.CMSG_SPACE(4), _socket.MSG_CMSG_CLOEXEC)
            if rights:
                self.master = struct.unpack("i", rights[0][2])[0]
        if self.master >= 0:
            self._carry()
        status = self._reap(pid)
        return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)

    def _reap(self, pid: int) -> int:
        """Wait for *pid*, and for whatever else was left to this subreaper meanwhile."""
        while True:
            found, status = os.waitpid(-1, 0)
            if found == pid:
                return status

    def _forward(self, number: int, _frame: object) -> None:
        if number == _WINCH and self.master >= 0:
            self._resize()
            return
        try:
            _signal.pidfd_send_signal(self.pidfd, number)
        except ProcessLookupError:
            pass  # it has just ended

    def _resize(self) -> None:
        terminal = next((fd for fd in (0, 1, 2) if os.isatty(fd)), -1)
        if terminal >= 0:
            size = fcntl.ioctl(terminal, termios.TIOCGWINSZ, b"\0" * 8)
            fcntl.ioctl(self.master, termios.TIOCSWINSZ, size)

    def _carry(self) -> None:
        self._resize()
        before = termios.tcgetattr(0) if os.isatty(0) else None
        if before:
            tty.setraw(0, termios.TCSADRAIN)
        os.set_blocking(self.master, False)
        try:
            self._copy()
        except OSError as error:
            if error.errno not in (errno.EIO, errno.EPIPE):  # the last one has closed it
                raise
        finally:
            if before:
                termios.tcsetattr(0, termios.TCSADRAIN, before)

    def _copy(self) -> None:
        """Carry both ways, until the terminal is hung up.

        A program that does not read may write all the same: what it does not take yet is kept, and no more read.
        """
        poll = select.poll()
        poll.register(0, select.POLLIN)
        kept = b""
        while True:
            poll.register(self.master, select.POLLIN | (select.POLLOUT if kept else 0))
            ready = dict(poll.poll())
            if ready.get(self.master, 0) & ~select.POLLOUT:
                _write(1, _read(self.master))
            if kept:
                if ready.get(self.master, 0) & select.POLLOUT:
                    kept = kept[_written(self.master, kept) :]
                if not kept:
                    poll.register(0, select.POLLIN)
            elif 0 in ready:
                kept = os.read(0, _CHUNK)
                poll.unregister(0)


def _read(fd: int) -> bytes:
    """What is there; the other side may have thrown it away meanwhile."""
    try:
        return os.read(fd, _CHUNK)
    except BlockingIOError:
        return b""


def _written(fd: int, data: bytes) -> int:
    """How much of *data* could be written without waiting."""
    try:
        return os.write(fd, data)
    except BlockingIOError:
        return 0


def _write(fd: int, data: bytes) -> None:
    """Write all of *data*; who has opened *fd* may have said not to wait."""
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    while data:
        data = data[_written(fd, data) :]
        if data:
            poll.poll()
