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

    def wait(self, pid: int) -> int:
        """Wait for the end of process *pid*, a child; returns the exit status as a shell has it."""
        self.pidfd = os.pidfd_open(pid)
        if self.socket:
            os.close(self.theirs)
            _, rights, _, _ = self.socket.recvmsg(64, _socket.CMSG_SPACE(4), _socket.MSG_CMSG_CLOEXEC)
            if rights:
                self.master = struct.unpack("i", rights[0][2])[0]
        for number in _FORWARDED:
            _signal.signal(number, self._forward)
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
        poll = select.poll()
        poll.register(self.master, select.POLLIN)
        poll.register(0, select.POLLIN)
        try:
            while True:
                for fd, _ in poll.poll():
                    if fd == 0:
                        data = os.read(0, _CHUNK)
                        if data:
                            os.write(self.master, data)
                        else:
                            poll.unregister(0)
                    else:
                        os.write(1, os.read(self.master, _CHUNK))
        except OSError as error:
            if error.errno not in (errno.EIO, errno.EPIPE):  # the last one has closed it
                raise
        finally:
            if before:
                termios.tcsetattr(0, termios.TCSADRAIN, before)
