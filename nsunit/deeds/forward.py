"""What a container with Notify=yes tells systemd, handed on at a bounded rate.

PID 1 reads what comes by its own socket before anything else, so whoever has that socket and sends in a loop keeps it
from answering anybody.  A payload has a socket of the container's own instead, nsunit-sd-notify@.socket, and systemd
starts this, as `python3 -SI run.py deeds.forward NAME`, when something has come by it.  It ends when it is quiet.

A user's manager is kept from being busy in the same way, by units of the same names that it has, which give `user`
after NAME.  It may not speak for another process, so it has a process of its own say it from the container's group.

A payload that sends more waits for its turn.  Not handed on is what is about processes and who may speak (MAINPID=,
NOTIFYACCESS=), since in there those are others, and descriptors to be stored, which no container has.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C half of signal: the Python half imports enum
import _socket  # the C half of socket: the Python half imports enum and selectors
import os
import select
import struct
import time

from nsunit.names import former_unit, service_name
from nsunit.setup import CGROUP_ROOT, notify

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Protocol

    class Speaker(Protocol):
        """Who says what a container tells."""

        def say(self, manager: _socket.socket, text: bytes) -> None:
            """Send *text* by *manager*, a connected socket."""


HANDED_ON = frozenset(
    "READY RELOADING STOPPING STATUS ERRNO BUSERROR VARLINKERROR EXIT_STATUS MONOTONIC_USEC WATCHDOG WATCHDOG_USEC"
    " EXTEND_TIMEOUT_USEC RESTART_RESET".split()
)
BARRIER = b"BARRIER=1"
RATE = 10  # messages a second
BURST = 50  # as many more after a pause
QUIET_SECONDS = 10  # after which it ends
LISTEN_FD = 3  # sd_listen_fds(3)
SUBGROUP = "notify"  # of the service of a user's container
_MESSAGE_BYTES = 4096  # more is none: sd_notify(3) of systemd itself
_INT = struct.Struct("i")


def main(argv: list[str]) -> int:
    """Hand on what the container has sent to the manager until nothing has come for a while."""
    name = argv[1]
    address = os.environ["MANAGER_SOCKET"]
    if argv[2:] == ["user"]:
        speaker: Speaker = Within(address, lambda: control_group(name))
    else:
        speaker = ForAnother(lambda: main_process(name))
    forwarder = Forwarder(address, speaker)
    source = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM, 0, LISTEN_FD)
    poll = select.poll()
    poll.register(LISTEN_FD, select.POLLIN)
    turns = Turns(time.monotonic())
    while poll.poll(QUIET_SECONDS * 1000):
        forwarder.hand_on(*receive(source))
        time.sleep(turns.next(time.monotonic()))
    return 0


class Turns:
    """When the next message may be handed on: `RATE` a second, after a pause `BURST` at once."""

    def __init__(self, now: float) -> None:
        self.left = float(BURST)
        self.seen = now

    def next(self, now: float) -> float:
        """Take one at *now*, in seconds; returns for how long to wait before the one after it."""
        self.left = min(BURST, self.left + (now - self.seen) * RATE) - 1
        self.seen = now
        return max(0.0, -self.left / RATE)


def receive(source: _socket.socket) -> tuple[bytes, int]:
    """The next message that has come by *source*, empty if it is too long to be one, and a descriptor with it or -1."""
    message, controls, flags, _ = source.recvmsg(
        _MESSAGE_BYTES, _socket.CMSG_SPACE(_INT.size), _socket.MSG_CMSG_CLOEXEC
    )
    # There may be room for two by alignment; whatever more there was, the kernel has closed.
    fds = [
        fd
        for level, kind, data in controls
        if (level, kind) == (_socket.SOL_SOCKET, _socket.SCM_RIGHTS)
        for (fd,) in _INT.iter_unpack(data[: len(data) // _INT.size * _INT.size])
    ]
    for fd in fds[1:]:
        os.close(fd)
    return b"" if flags & _socket.MSG_TRUNC else message, fds[0] if fds else -1


def chosen(message: bytes) -> bytes:
    """The lines of *message* that are handed on."""
    lines = message.split(b"\n")
    return b"\n".join(line for line in lines if line.partition(b"=")[0].decode("ascii", "replace") in HANDED_ON)


class Forwarder:
    """The way to the manager, whose socket is at *address*; *speaker* has it take a text for the container's."""

    def __init__(self, address: str, speaker: Speaker) -> None:
        self.speaker = speaker
        self.manager = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC)
        self.manager.connect(address)

    def hand_on(self, message: bytes, fd: int) -> None:
        """Send *message* with *fd*, which is closed: for a barrier that has been what its sender waits for."""
        try:
            if fd >= 0 and message == BARRIER:
                self.manager.sendmsg([message], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, _INT.pack(fd))])
            elif text := chosen(message):
                self.speaker.say(self.manager, text)
        finally:
            if fd >= 0:
                os.close(fd)


class ForAnother:
    """Speaks in the name of the process that *find* returns, or 0; that takes CAP_SYS_ADMIN.

    The manager takes a message for that of the unit of the process whose credentials it carries, unix(7): that is the
    main process of the container, whoever in there has sent it.
    """

    def __init__(self, find: Callable[[], int]) -> None:
        self.find = find
        self.pid = 0
        self.pidfd = -1

    def say(self, manager: _socket.socket, text: bytes) -> None:
        """Send *text* by *manager*, a connected socket."""
        if not self._send(manager, text):
            self._find()  # the first time, and after an automatic restart
            self._send(manager, text)

    def _find(self) -> None:
        if self.pidfd >= 0:
            os.close(self.pidfd)
        self.pid, self.pidfd = self.find(), -1
        if self.pid:
            try:
                self.pidfd = os.pidfd_open(self.pid)
            except ProcessLookupError:
                self.pid = 0

    def _is_there(self) -> bool:
        """Whether its number is still that of the process: nobody else has it until its parent has waited for it."""
        try:
            _signal.pidfd_send_signal(self.pidfd, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass  # it is another user's
        return True

    def _send(self, manager: _socket.socket, text: bytes) -> bool:
        if not self.pid or not self._is_there():
            return False
        credentials = struct.pack("3i", self.pid, 0, 0)
        try:
            manager.sendmsg([text], [(_socket.SOL_SOCKET, _SCM_CREDENTIALS, credentials)])
        except ProcessLookupError:
            return False
        return True


class Within:
    """Speaks from within the control group that *find* returns, or "", to the manager at *address*.

    The manager takes a message for that of the unit in whose group the sender is when it is read.
    """

    def __init__(self, address: str, find: Callable[[], str]) -> None:
        self.address = address
        self.find = find
        self.group = ""

    def say(self, manager: _socket.socket, text: bytes) -> None:
        """Have a process send *text*, which is in a group below the unit's for as long as that takes."""
        group = self._make()
        if not group:
            self.group = self.find()  # the first time
            group = self._make()
        if not group:
            return
        child = os.fork()
        if not child:
            try:
                with open(f"{group}/cgroup.procs", "w") as file:
                    file.write("0")
                notify.send(self.address, text.decode("utf-8", "replace"))
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        try:
            os.rmdir(group)
        except OSError:
            pass  # it went with the container; or what is left of its end takes a moment, and the next one has it

    def _make(self) -> str:
        if not self.group:
            return ""
        group = f"{self.group}/{SUBGROUP}"
        try:
            os.mkdir(group, 0o755)
        except FileExistsError:
            return group
        except OSError:
            return ""
        return group


_SCM_CREDENTIALS = 2


def main_process(name: str) -> int:
    """The main process of container *name* of the system's manager, 0 for none."""
    found = (_property("MainPID", unit) for unit in _units(name))
    return next((int(text) for text in found if text.isdigit() and text != "0"), 0)


def control_group(name: str) -> str:
    """The directory of the control group of container *name* of the user's manager, empty for none."""
    found = (_property("ControlGroup", unit, "--user") for unit in _units(name))
    return next((f"{CGROUP_ROOT}{path}" for path in found if path), "")


def _units(name: str) -> Iterator[str]:
    unit = service_name(name)
    yield unit
    if former := former_unit(unit):
        yield former


def _property(key: str, unit: str, *options: str) -> str:
    command = ("systemctl", *options, "show", f"--property={key}", "--value", unit)
    reader, writer = os.pipe()
    actions = [(os.POSIX_SPAWN_DUP2, writer, 1)]
    child = os.posix_spawnp(command[0], command, os.environ, file_actions=actions)
    os.close(writer)
    with open(reader, "rb") as output:
        found = output.read().strip()
    os.waitpid(child, 0)
    return os.fsdecode(found)
