"""Commands in a running machine, over one of its agent ports (protocol: guest/agent.py)."""

import abc
import base64
import contextlib
import fcntl
import io
import json
import os
import select
import signal
import socket
import sys
import tarfile
import tempfile
import termios
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

Sink = Callable[[int, bytes], object]
HELLO_SECONDS = 2  # after which it is said again
SEND_SECONDS = 240  # for one message: an emulated machine that boots while all else runs reads none for two minutes
# Not by --wait: that of Debian 12 waits for ever where the start ends just then.
STARTED = """
end=$(($(date +%s) + {seconds}))
while state=$(timeout 20 systemctl is-system-running 2>/dev/null); [ "$(date +%s)" -lt $end ]; do
    case ${{state:-unknown}} in initializing | starting | unknown | offline) sleep 0.3 ;; *) break ;; esac
done
echo "${{state:-unknown}}"
[ "$state" = running ] || {{ systemctl list-jobs; systemctl list-units --failed --plain; }}
"""


class Lost(Exception):
    """The machine went away, or said nothing for too long."""


def to_terminal(fd: int, data: bytes) -> None:
    """Be the sink that passes output on to this process's own streams."""
    stream = sys.stdout.buffer if fd == 1 else sys.stderr.buffer
    stream.write(data)
    stream.flush()


class Commands(abc.ABC):
    """A way to run commands in a system, whatever it is that runs it."""

    @abc.abstractmethod
    def run(
        self,
        argv: list[str],
        sink: Sink = to_terminal,
        *,
        timeout: float | None = None,
        silence: float | None = None,
        env: dict[str, str] | None = None,
        stdin: bytes = b"",
        cwd: str = "/root",
    ) -> int:
        """Run a command and return its exit status, negative for a signal.

        Raises Lost when it takes longer than `timeout` or prints nothing for `silence` seconds.
        """

    @abc.abstractmethod
    def put(self, archive: bytes, path: str = "/", prune: tuple[str, ...] = (), timeout: float = 120) -> None:
        """Unpack a tar file in the system; below the `prune` directories whatever is not in it is removed."""

    def output(self, command: str, timeout: float = 60) -> tuple[int, str]:
        """Run a shell command; return its exit status and all it printed."""
        collected = bytearray()
        status = self.run(["sh", "-c", command], lambda fd, data: collected.extend(data), timeout=timeout)
        return status, collected.decode(errors="replace")

    def started(self, timeout: float) -> str:
        """Wait until systemd has finished starting; return "running", or what else it is in and what it waits for."""
        return self.output(STARTED.format(seconds=int(timeout * 0.8)), timeout)[1]


class Client(Commands):
    """One connection to the agent in a machine; `shared` is a directory that it sees below /usr/lib/nsunit-test."""

    def __init__(self, connection: socket.socket):
        self.connection = connection
        self.shared: Path | None = None
        self.buffer = bytearray()

    def hello(self, timeout: float) -> None:
        """Wait until the agent answers. Raises Lost after `timeout` seconds."""
        token = os.urandom(8).hex()
        deadline = time.monotonic() + timeout
        while True:
            # What is sent while the agent opens the port anew is lost, so it is said again.  A serial line echoes until
            # then: the answer has no "asked" in it.
            self.send({"hello": token, "asked": True})
            until = min(time.monotonic() + HELLO_SECONDS, deadline)
            try:
                while self.receive(max(0.0, until - time.monotonic())) != {"hello": token}:
                    pass
                return
            except Lost:
                if time.monotonic() >= deadline:
                    raise

    def send(self, message: dict[str, object]) -> None:
        """Send one message."""
        try:
            self.connection.settimeout(SEND_SECONDS)
            self.connection.sendall(json.dumps(message).encode() + b"\n")
        except TimeoutError:
            raise Lost(f"the machine did not read a message in {SEND_SECONDS} s") from None
        except OSError as error:
            raise Lost(f"the machine is gone ({error.strerror})") from error

    def receive(self, timeout: float | None) -> dict[str, object]:
        """Return the next message. Raises Lost at the end of the connection and after `timeout` seconds without one."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while b"\n" not in self.buffer:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not select.select([self.connection], [], [], left)[0]:
                raise Lost(f"no word from the machine for {timeout:.0f} s")
            self.fill()
        line, _, rest = self.buffer.partition(b"\n")
        self.buffer = rest
        try:
            message = json.loads(line)
        except ValueError:
            return {}
        return message if isinstance(message, dict) else {}

    def fill(self) -> None:
        """Read what has arrived."""
        try:
            data = self.connection.recv(1 << 16)
        except OSError as error:
            raise Lost(f"the machine is gone ({error.strerror})") from error
        if not data:
            raise Lost("the machine is gone")
        self.buffer += data

    def run(
        self,
        argv: list[str],
        sink: Sink = to_terminal,
        *,
        timeout: float | None = None,
        silence: float | None = None,
        env: dict[str, str] | None = None,
        stdin: bytes = b"",
        cwd: str = "/root",
    ) -> int:
        """Run a command as Commands.run() says; hanging up kills it."""
        self.send({"op": "run", "argv": argv, "env": env or {}, "cwd": cwd})
        if stdin:
            self.send({"data": base64.b64encode(stdin).decode()})
        self.send({"eof": True})
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            limits = [silence] if silence is not None else []
            if deadline is not None:
                limits.append(deadline - time.monotonic())
                if limits[-1] <= 0:
                    raise Lost(f"'{' '.join(argv)}' took longer than {timeout:.0f} s")
            try:
                message = self.receive(min(limits) if limits else None)
            except Lost:
                if deadline is not None and time.monotonic() >= deadline:
                    continue  # to say it of the whole command, not of the rest of its time
                raise
            if "exit" in message:
                return int(str(message["exit"]))
            if "data" in message:
                sink(int(str(message["fd"])), base64.b64decode(str(message["data"])))

    def put(self, archive: bytes, path: str = "/", prune: tuple[str, ...] = (), timeout: float = 120) -> None:
        """Unpack a tar file in the machine; below the `prune` directories whatever is not in it is removed."""
        with self.handed_over(archive) as handed:
            self.send({"op": "put", "path": path, "prune": list(prune), **handed})
            self.unpacked(timeout)

    @contextmanager
    def handed_over(self, archive: bytes) -> Iterator[dict[str, str]]:
        """Say where the machine finds a tar file: in a shared file where it can be, a serial line is slow."""
        if not self.shared:
            yield {"tar": base64.b64encode(archive).decode()}
            return
        with tempfile.NamedTemporaryFile(dir=self.shared) as file:
            file.write(archive)
            file.flush()
            yield {"file": Path(file.name).name}

    def unpacked(self, timeout: float) -> None:
        """Wait until it is unpacked. Raises Lost if that fails."""
        said = b""
        while True:
            message = self.receive(timeout)
            if "data" in message:
                said += base64.b64decode(str(message["data"]))
            if "exit" in message:
                if message["exit"] != 0:
                    raise Lost(f"unpacking in the machine failed: {said.decode()}")
                return

    def interact(self, argv: list[str]) -> int:
        """Run a command on this terminal and return its exit status."""
        size = os.get_terminal_size() if sys.stdin.isatty() else os.terminal_size((80, 24))
        env = {"TERM": os.environ.get("TERM", "dumb")}
        self.send({"op": "run", "argv": argv, "tty": True, "size": [size.lines, size.columns], "env": env})
        with raw_terminal(lambda lines, columns: self.send({"size": [lines, columns]})):
            sources = [self.connection.fileno(), sys.stdin.fileno()]
            while True:
                for fd in select.select(sources, [], [])[0]:
                    if fd == sys.stdin.fileno():
                        data = os.read(fd, 4096)
                        if data:
                            self.send({"data": base64.b64encode(data).decode()})
                        else:
                            sources.remove(fd)
                            self.send({"data": base64.b64encode(b"\x04").decode()})
                        continue
                    self.fill()
                    while b"\n" in self.buffer:
                        message = self.receive(0)
                        if "exit" in message:
                            return int(str(message["exit"]))
                        to_terminal(1, base64.b64decode(str(message.get("data", ""))))


@contextmanager
def raw_terminal(resized: Callable[[int, int], None]) -> Iterator[None]:
    """Pass every key on while the body runs, and call `resized` when the window changes; nothing without a terminal."""
    if not sys.stdin.isatty():
        yield
        return
    saved = termios.tcgetattr(sys.stdin)

    def changed(signum: int, frame: object) -> None:
        size = os.get_terminal_size()
        resized(size.lines, size.columns)

    previous = signal.signal(signal.SIGWINCH, changed)
    tty.setraw(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, saved)
        signal.signal(signal.SIGWINCH, previous)


Dial = Callable[[Path], socket.socket]  # how to connect to a port


@contextmanager
def connect(directory: Path, ports: int, timeout: float, dial: Dial, kind: str = "agent") -> Iterator[Client]:
    """Connect to the first of a machine's ports that nobody else uses; wait at most `timeout` seconds for an answer."""
    if not directory.exists():
        raise Lost(f"there is no machine {directory.name}, see 'tests/vm/dev list'")
    with contextlib.ExitStack() as stack:
        for number in range(ports):
            lock = stack.enter_context((directory / f"agent.{number}.lock").open("w"))
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
        else:
            raise Lost(f"all {ports} ports of the machine are in use")
        try:
            connection = stack.enter_context(dial(directory / f"{kind}.{number}"))
        except OSError as error:
            raise Lost(f"no machine runs in {directory} ({error.strerror})") from error
        client = Client(connection)
        client.hello(timeout)
        yield client


def dial_socket(path: Path) -> socket.socket:
    """Connect to a socket.  Raises OSError."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        raise
    return connection


def packed(files: dict[str, Path]) -> bytes:
    """Return a tar file of directories and files, by the path each gets in it; owners are root, caches stay out."""

    def clean(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
        if info.name.rsplit("/", 1)[-1] in ("__pycache__", ".pytest_cache"):
            return None
        info.uid = info.gid = 0
        info.uname = info.gname = "root"
        return info

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        for name, path in files.items():
            archive.add(path, name.lstrip("/"), filter=clean)
    return buffer.getvalue()
