"""What the steps of an OCI container share: these never travel in a file, so their arguments are any values."""

from __future__ import annotations

from nsunit.setup import system as os
from nsunit.setup.build import Build
from nsunit.setup.operation import Operation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class HookError(Exception):
    """A hook has failed; the text is one line."""


class Step(Operation):
    """An operation whose arguments have whatever types it declares."""

    if TYPE_CHECKING:

        def __init__(self, *arguments: Any) -> None: ...


class Channel:
    """One end of a socket pair between the runtime and the container's processes, which lives until execve(2).

    A message is a word and a text.  `call` waits for an answer; the end of the other side ends the caller.
    """

    def __init__(self, socket: Any) -> None:
        self.socket = socket

    @classmethod
    def pair(cls) -> tuple[Channel, Channel]:
        """The runtime's end and the container's."""
        import _socket  # the C half of socket, the Python half imports enum

        one, other = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
        return cls(one), cls(other)

    def fileno(self) -> int:
        """Its descriptor."""
        number: int = self.socket.fileno()
        return number

    def send(self, word: str, text: str = "") -> None:
        """Send a message; nobody may be there to hear it."""
        try:
            self.socket.send(f"{word} {text}".encode("utf-8", "surrogateescape")[:60000])
        except OSError:
            pass

    def call(self, word: str, text: str = "") -> None:
        """Send a message, and wait until the runtime has done what it asks for."""
        self.send(word, text)
        self.wait()

    def wait(self) -> None:
        """Wait for an answer; this process ends where the runtime has."""
        if not self.socket.recv(1):
            os._exit(125)

    def receive(self) -> tuple[str, str]:
        """The next message; two empty texts at the end of the other side."""
        content = self.socket.recv(65536)
        word, _, text = content.decode("utf-8", "surrogateescape").partition(" ")
        return word, text

    def answer(self) -> None:
        """Let the caller at the other end go on."""
        try:
            self.socket.send(b".")
        except OSError:
            pass  # its end is noticed by the next receive

    def close(self) -> None:
        """Close this end."""
        self.socket.close()


class Box(Build):
    """What the steps of one container hand to each other."""

    def __init__(self, channel: Channel) -> None:
        super().__init__("")
        self.channel = channel
        self.is_ready = False  # the runtime has let go of it: what fails is told to `start`
        self.privileged = True  # whether the host's mounts can be cloned from outside of the new user namespace
        self.place_fd = -1  # where the root is on the host
        self.go_fd = -1  # the container waits for a byte from it
        self.reply_fd = -1  # and tells by it how execve(2) went
        self.console_fd = -1  # a socket that takes the terminal's master
        self.cgroup = ""  # the container's, below the mount point
        self.program = ""
        self.keep_first = 3  # descriptors from 3 up to this one are the payload's
        self.home = ""  # of the user, where it was looked up
        self.is_there = False  # in its working directory
