"""Carry bytes between the operator's standard streams and a payload's, until the payload ends.

The operator's terminal itself is never handed to a payload: it gets a terminal of its own container, or a pipe.
"""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]  # the C half: the Python half imports enum
import fcntl
import os
import select
import termios
import tty

from nsunit.setup.spawn import TIOCGPTPEER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK = 65536
FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def hold_signals(_payload: int = 0) -> None:
    """Keep the signals that `Streams.relay` passes on until it does: the payload is there, and is to get them."""
    signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)


class Held:
    """While it is entered, those signals wait, so that a clean-up is not cut short."""

    def __enter__(self) -> None:
        self.before = signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)

    def __exit__(self, *_exception: object) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self.before)


class Streams:
    """The three standard streams as the payload will see them.

    Where one of them is the operator's terminal, a pipe takes its place in this process before the payload is forked,
    and `relay` carries the bytes; any other stream is inherited as it is.
    """

    def __init__(self, *, terminal: bool, stdin: bool) -> None:
        self.terminal = terminal
        self.saved = [os.dup(fd) for fd in (0, 1, 2)]
        for fd in self.saved:
            os.set_inheritable(fd, False)
        self.routes: dict[int, int] = {}  # readable descriptor -> where its bytes go
        self.given: list[int] = []  # ends that belong to the payload
        self.held = -1
        if not terminal:
            self._replace_terminals(stdin)

    def _replace_terminals(self, stdin: bool) -> None:
        if not stdin:
            null = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
            os.dup2(null, 0)
            os.close(null)
        for fd in (0, 1, 2):
            if not os.isatty(fd):
                continue
            reader, writer = os.pipe()
            mine, theirs = (writer, reader) if fd == 0 else (reader, writer)
            self.routes[self.saved[0] if fd == 0 else mine] = mine if fd == 0 else self.saved[fd]
            os.dup2(theirs, fd)
            os.close(theirs)
            self.given.append(fd)

    def restore(self) -> None:
        """Give this process its own streams back; the payload has its copies by now."""
        for fd, saved in enumerate(self.saved):
            os.dup2(saved, fd)

    def attach(self, master: int) -> None:
        """Use *master*, the payload's terminal, for all three streams.

        Its other half is kept open until the payload ends: a system opens its console only for as long as it writes.
        """
        self.routes = {self.saved[0]: master, master: self.saved[1]}
        self.held = fcntl.ioctl(master, TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY)
        os.set_inheritable(self.held, False)

    def relay(self, pidfd: int, master: int, translate: Callable[[int], int] | None = None) -> None:
        """Carry bytes until the process behind *pidfd* has ended and all it wrote is out.

        A terminal of the operator's is in raw mode meanwhile and passes on its size; without one, SIGINT, SIGTERM,
        SIGHUP and SIGQUIT that this process gets go to the payload, as the signal that *translate* makes of them.
        """
        with _Signals(pidfd, master, self.saved[0], translate):
            restore = _raw(self.saved[0]) if master >= 0 else None
            try:
                self._carry(pidfd, master)
            finally:
                if restore:
                    restore()

    def _carry(self, pidfd: int, master: int) -> None:
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        for source in self.routes:
            poll.register(source, select.POLLIN)
        outgoing = {source for source in self.routes if source != self.saved[0]}
        ended = False
        while not ended or outgoing:
            for fd, _event in poll.poll():
                if fd == pidfd:
                    ended = True
                    poll.unregister(fd)
                    self._let_go()
                elif not self._carry_once(fd):
                    poll.unregister(fd)
                    outgoing.discard(fd)
                    if fd == self.saved[0] and self.routes[fd] != master:
                        os.close(self.routes[fd])
            if ended and master < 0 and not outgoing:
                return

    def _carry_once(self, source: int) -> bool:
        try:
            data = os.read(source, CHUNK)
            if data:
                _write_all(self.routes[source], data)
        except (BrokenPipeError, BlockingIOError):
            return False
        except OSError as error:
            if error.errno != 5:  # EIO: the other side of a terminal is closed
                raise
            return False
        return bool(data)

    def _let_go(self) -> None:
        if self.held >= 0:
            os.close(self.held)
            self.held = -1

    def close(self) -> None:
        """Let go of the saved streams."""
        self._let_go()
        for fd in self.saved:
            os.close(fd)


class _Signals:
    """While it is entered, signals to this process are the payload's."""

    def __init__(self, pidfd: int, master: int, terminal: int, translate: Callable[[int], int] | None) -> None:
        self.pidfd = pidfd
        self.master = master
        self.terminal = terminal
        self.translate = translate
        self.previous: dict[int, object] = {}

    def __enter__(self) -> None:
        for number in FORWARDED:
            self.previous[number] = signal.signal(number, self._forward)
        if self.master >= 0:
            self.previous[signal.SIGWINCH] = signal.signal(signal.SIGWINCH, self._resize)
            self._resize(0, None)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)

    def __exit__(self, *_exception: object) -> None:
        for number, handler in self.previous.items():
            signal.signal(number, handler)

    def _forward(self, number: int, _frame: object) -> None:
        try:
            signal.pidfd_send_signal(self.pidfd, self.translate(number) if self.translate else number)
        except ProcessLookupError:
            return  # it has just ended; the loop is about to see that

    def _resize(self, _number: int, _frame: object) -> None:
        if os.isatty(self.terminal):
            size = fcntl.ioctl(self.terminal, termios.TIOCGWINSZ, b"\0" * 8)
            fcntl.ioctl(self.master, termios.TIOCSWINSZ, size)


def _raw(fd: int) -> Callable[[], object] | None:
    if not os.isatty(fd):
        return None
    before = termios.tcgetattr(fd)
    tty.setraw(fd, termios.TCSADRAIN)
    return lambda: termios.tcsetattr(fd, termios.TCSADRAIN, before)


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def wants_terminal() -> bool:
    """Whether a command typed here should get a terminal: when the operator sits at one on both ends."""
    return os.isatty(0) and os.isatty(1)
