"""Carry bytes between the operator's standard streams and a payload's, until the payload ends.

The operator's own streams are never handed to a payload: it gets a terminal of its own container, or pipes.  These
belong to its user, so /dev/stdin, /dev/stdout and /dev/stderr can be opened by name, which a pipe or file of somebody
else's, or a socket, would not allow; and it cannot change the mode, owner or flags of anything of the operator's.
"""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]  # the C half: the Python half imports enum
import _stat as stat  # the C half of stat
import errno
import fcntl
import os
import select
import termios

from nsunit.errors import SessionError
from nsunit.setup.build import carried_streams
from nsunit.setup.spawn import EXIT_SETUP, TIOCGPTPEER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from nsunit.setup.build import Build

CHUNK = 65536
_PIPE_BUF = 4096  # what a pipe that poll(2) calls writable takes without blocking, pipe(7)
_LEFT_OVER = 1 << 20  # the most that a pipe of a user's can hold, fs.pipe-max-size in proc_sys_fs(5)
_NAMES = ("standard input", "standard output", "standard error")
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
    """The three standard streams of a payload, which `spawn` makes in its process as *build* asks for it.

    *passes_input*: it gets what can be read here; else its standard input is empty.
    """

    def __init__(self, build: Build, *, passes_input: bool) -> None:
        self.build = build
        self.passes_input = passes_input
        self.routes: list[_Route] = []
        self.failures: list[str] = []
        self.held = -1
        self.terminal = next((fd for fd in (0, 1, 2) if os.isatty(fd)), -1)
        if build.terminal and self.terminal >= 0:
            build.terminal_size = _size_of(self.terminal)
        build.pipes = ()
        if not build.terminal:
            if not passes_input or build.console:
                build.null_fd = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
            build.pipes = (((0,),) if build.null_fd < 0 else ()) + carried_streams()

    def attach(self) -> None:
        """Use what the payload has got: its terminal for all three streams, or a pipe for each that has one."""
        build = self.build
        for group, mine in zip(build.pipes, build.pipe_fds, strict=True):
            if group == (0,):
                os.set_blocking(mine, False)
                self.routes.append(_Route(0, mine))
            else:
                self.routes.append(_Route(mine, group[0]))
        master = build.master_fd
        if master < 0:
            return
        os.set_blocking(master, False)
        # A system opens its console only for as long as it writes: what is read ends when the payload does.
        self.held = fcntl.ioctl(master, TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY)
        os.set_inheritable(self.held, False)
        self.routes.append(_Route(master, 1))
        if self.passes_input:
            self.routes.append(_Route(0, master))

    def relay(self, payload: int, translate: Callable[[int], int] | None = None) -> int:
        """Carry bytes until the child *payload* has ended and what was written by then is out; returns its wait status.

        It is waited for as soon as it has ended, however long nobody reads what it has written: as long as somebody who
        has joined a PID namespace has not been waited for, that does not end, and its container does not stop.

        A terminal of the operator's is in raw mode meanwhile and passes on its size; without one, SIGINT, SIGTERM,
        SIGHUP and SIGQUIT that this process gets go to the payload, as the signal that *translate* makes of them.

        Raises:
            SessionError: a stream of the caller's could not be read or written.
        """
        pidfd = os.pidfd_open(payload)
        with _Signals(pidfd, self, translate) as signals:
            restore = _raw(0) if self.build.master_fd >= 0 and self.passes_input else None
            try:
                status = self._carry(payload, pidfd, signals.woken)
            finally:
                if restore:
                    restore()
        if self.failures:
            raise SessionError(self.failures[0], EXIT_SETUP)
        return status

    def _carry(self, payload: int, pidfd: int, woken: int) -> int:
        ended, status = False, 0
        while self.routes or not ended:
            wanted = {} if ended else {pidfd: select.POLLIN, woken: select.POLLIN}
            for route in self.routes:
                fd, event = route.waits_for()
                wanted[fd] = wanted.get(fd, 0) | event
            # What others that still have the payload's streams will write is not waited for, only what is there.
            ready = _poll(wanted, wait=not ended or any(route.pending for route in self.routes))
            if woken in ready:
                os.read(woken, CHUNK)  # what there was to do is done by now
            if pidfd in ready:
                ended, status = True, os.waitpid(payload, 0)[1]
                self._prepare_for_end()
            elif ended and not ready:
                break
            for route in [route for route in self.routes if route.waits_for()[0] in ready]:
                if not self._step(route) or (ended and not route.pending and route.carried > _LEFT_OVER):
                    self._end(route)
        return status

    def _prepare_for_end(self) -> None:
        for route in list(self.routes):
            route.carried = 0
            if route.source == 0:
                self._end(route)

    def _step(self, route: _Route) -> bool:
        """Whether *route* goes on after one read or write."""
        try:
            return route.step()
        except BlockingIOError:
            return True  # the caller's own descriptor does not block, or somebody else was quicker
        except BrokenPipeError:
            return False
        except OSError as error:
            if error.errno != errno.EIO or self.build.master_fd not in (route.source, route.sink):
                number = route.source if route.source == 0 else route.sink
                self.failures.append(f"{_NAMES[number]}: {error.strerror}")
            return False

    def _end(self, route: _Route) -> None:
        """Close the payload's side of *route*, so that it learns of it: end of file, SIGPIPE, or SIGHUP."""
        if route not in self.routes:
            return
        self.routes.remove(route)
        mine = route.sink if route.source == 0 else route.source
        if mine != self.build.master_fd:
            os.close(mine)
        elif route.sink == 1:
            self.routes = [other for other in self.routes if other.sink != mine]
            self._let_go()
            os.close(mine)
            self.build.master_fd = -1

    def resize(self) -> None:
        """Give the payload's terminal the size of the operator's."""
        if self.terminal >= 0 and self.build.master_fd >= 0:
            fcntl.ioctl(self.build.master_fd, termios.TIOCSWINSZ, _size_of(self.terminal))

    def _let_go(self) -> None:
        if self.held >= 0:
            os.close(self.held)
            self.held = -1

    def close(self) -> None:
        """Close what is left of the payload's side."""
        for route in list(self.routes):
            self._end(route)
        self._let_go()
        if self.build.null_fd >= 0:
            os.close(self.build.null_fd)
            self.build.null_fd = -1


class _Route:
    """Bytes on their way from *source* to *sink*: 0 is where the caller's come from, 1 and 2 where the payload's go."""

    def __init__(self, source: int, sink: int) -> None:
        self.source = source
        self.sink = sink
        self.pending = memoryview(b"")
        self.carried = 0
        # The caller's streams must not block this process, and other descriptors of them would see O_NONBLOCK.
        self.mode = 0 if source == 0 else stat.S_IFMT(os.fstat(sink).st_mode)
        self.may_block = False

    def waits_for(self) -> tuple[int, int]:
        """The descriptor, and the event of poll(2)."""
        return (self.sink, select.POLLOUT) if self.pending else (self.source, select.POLLIN)

    def step(self) -> bool:
        """Write if there is something, else read; False at the end of the source."""
        if self.pending:
            self.pending = self.pending[self._write() :]
            return True
        data = os.read(self.source, CHUNK)
        self.pending = memoryview(data)
        self.carried += len(data)
        return bool(data)

    def _write(self) -> int:
        if self.mode in (0, stat.S_IFREG):
            return os.write(self.sink, self.pending)
        if self.mode == stat.S_IFIFO and not self.may_block:
            try:
                return os.pwritev(self.sink, (self.pending,), -1, os.RWF_NOWAIT)
            except OSError as error:
                if error.errno != errno.EOPNOTSUPP:
                    raise
                self.may_block = True  # until Linux 6.4
        return os.write(self.sink, self.pending[:_PIPE_BUF])


class _Signals:
    """While it is entered, signals to this process are the payload's.

    Python's handlers run between two of its steps.  So that no signal waits for the end of a wait that was about to
    begin, each of them makes *woken* readable, a descriptor.
    """

    def __init__(self, pidfd: int, streams: Streams, translate: Callable[[int], int] | None) -> None:
        self.pidfd = pidfd
        self.streams = streams
        self.translate = translate
        self.previous: dict[int, object] = {}
        self.woken, self._waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def __enter__(self) -> _Signals:
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        for number in FORWARDED:
            self.previous[number] = signal.signal(number, self._forward)
        if self.streams.build.master_fd >= 0:
            self.previous[signal.SIGWINCH] = signal.signal(signal.SIGWINCH, self._resize)
            self.streams.resize()  # it may have changed meanwhile
        signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
        return self

    def __exit__(self, *_exception: object) -> None:
        for number, handler in self.previous.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(-1)
        os.close(self.woken)
        os.close(self._waker)

    def _forward(self, number: int, _frame: object) -> None:
        try:
            signal.pidfd_send_signal(self.pidfd, self.translate(number) if self.translate else number)
        except ProcessLookupError:
            return  # it has just ended; the loop is about to see that

    def _resize(self, _number: int, _frame: object) -> None:
        self.streams.resize()


def _poll(wanted: dict[int, int], *, wait: bool) -> set[int]:
    """The descriptors among *wanted*, each with its events, that are ready."""
    poll = select.poll()
    for fd, events in wanted.items():
        poll.register(fd, events)
    return {fd for fd, _ in poll.poll(None if wait else 0)}


def _size_of(terminal: int) -> bytes:
    return fcntl.ioctl(terminal, termios.TIOCGWINSZ, b"\0" * 8)


def _raw(fd: int) -> Callable[[], object] | None:
    if not os.isatty(fd):
        return None
    before = termios.tcgetattr(fd)
    termios.tcsetattr(fd, termios.TCSADRAIN, raw_mode(before))
    return lambda: termios.tcsetattr(fd, termios.TCSADRAIN, before)


def raw_mode(attributes: list[Any]) -> list[Any]:
    """*attributes* of tcgetattr(3) as cfmakeraw(3) makes them; the module tty is a file to read, for this alone."""
    t = termios
    iflag, oflag, cflag, lflag, ispeed, ospeed, characters = attributes
    iflag &= ~(t.IGNBRK | t.BRKINT | t.PARMRK | t.ISTRIP | t.INLCR | t.IGNCR | t.ICRNL | t.IXON)
    lflag &= ~(t.ECHO | t.ECHONL | t.ICANON | t.ISIG | t.IEXTEN)
    characters = list(characters)
    characters[t.VMIN], characters[t.VTIME] = 1, 0
    return [iflag, oflag & ~t.OPOST, cflag & ~(t.CSIZE | t.PARENB) | t.CS8, lflag, ispeed, ospeed, characters]


def wants_terminal() -> bool:
    """Whether a command typed here should get a terminal: when the operator sits at one on both ends."""
    return os.isatty(0) and os.isatty(1)
