"""What the operations of one start share."""

from __future__ import annotations

import _struct as struct  # the C half: the other is a file to read, and no more
import time

from nsunit.setup import linux
from nsunit.setup import system as os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType
    from typing import Any


_FDS_MAX = 4  # a terminal, and a pipe for each standard stream


class Build:
    """State handed from operation to operation; -1 is a descriptor that is not there yet."""

    def __init__(self, workspace: str) -> None:
        self.workspace = workspace  # host directory the scratch tmpfs is mounted on, in the private mount namespace
        self.userns_fd = -1
        self.userns_start = 0
        self.userns_group = 0
        self.userns_count = 0
        self.has_hosts_root = False  # whether the host's root is among the ids of userns_fd
        self.own_users = False  # the caller has entered the user namespace itself: a container without root
        self.keeps_groups = False  # and may not change its supplementary groups there, user_namespaces(7)
        self.shifts_ids = False  # whether mounts are to be id-mapped, since ids inside differ from those outside
        self.shares_mounts = False  # the mount namespace is there already: nothing is mounted
        self.has_workspace = False
        self.root_fd = -1  # the container's root mount: detached after prepare, attached by AttachRoot
        self.proc_fd = -1
        self.sys_fd = -1
        self.dev_fd = -1
        self.prepared: dict[object, int] = {}  # operation, or operation and part -> descriptor opened in prepare
        self.descriptors_max = b""  # the limits that the payload gets, see linux.descriptors_max()
        self.seccomp = b""
        self.environment: dict[str, str] = {}
        self.path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        self.uid = 0
        self.gid = 0
        self.groups: list[int] = []
        self.home = "/"
        self.ignores_sigpipe = False
        self.terminal = False  # give the payload a terminal of the container's own devpts
        self.terminal_size = b""  # a winsize of ioctl_tty(2), or nothing
        self.pipes: tuple[tuple[int, ...], ...] = ()  # standard streams, those that share a pipe together
        self.pipe_fds: list[int] = []  # and the other ends of these pipes
        self.null_fd = -1  # what the payload's standard input becomes, if it is not inherited
        self.link: Any = ()
        self.attached = False  # the payload ends with the command that starts it, and no manager ends what it leaves
        self.assistant: Any = None  # the socket of nsunit.features.pasta.setup
        self.connector = 0  # the process of nsunit.features.network.setup
        self.master_fd = -1
        self.console = False  # the payload has a /dev/console
        # Becomes what reads the payload's console or pipes, if there is anything to read.
        self.carry: Callable[[], None] = lambda: None
        self.console_fd = -1  # in the payload's process, before it executes: the other end of that
        self.kept_fds: tuple[int, ...] = ()  # what Exec itself still needs, close-on-exec like all

        self.marks: list[str] = []  # what has ended when, see `mark`

    def mark(self, what: str, moment: int = 0) -> None:
        """Note that *what* has just ended, or at *moment* (nanoseconds of CLOCK_MONOTONIC), for `nsunit analyze`.

        A list and one write after the start: under half a microsecond each.
        """
        self.marks.append(f"{what} {moment or time.monotonic_ns()}")

    def make_link(self) -> None:
        """Make the sockets that descriptors come through, before the payload is forked.

        pidfd_getfd(2) would take privileges over a process that hides from its container, which users have not.
        """
        self.link = _sockets().socketpair()

    def send(self, fds: Sequence[int]) -> None:
        """Send *fds* to the other side of the link, unix(7)."""
        sockets = _sockets()
        rights = struct.pack(f"{len(fds)}i", *fds)
        self.link[1].sendmsg([b"."], [(sockets.SOL_SOCKET, sockets.SCM_RIGHTS, rights)])

    def receive(self) -> list[int]:
        """Take what `send` has sent; they are close-on-exec."""
        sockets = _sockets()
        _, rights, _, _ = self.link[0].recvmsg(1, sockets.CMSG_SPACE(4 * _FDS_MAX), sockets.MSG_CMSG_CLOEXEC)
        return [fd for (fd,) in struct.iter_unpack("i", rights[0][2])]

    @property
    def has_userns(self) -> bool:
        """Whether the container's user namespace is still to be entered, and shifts the ids of mounts."""
        return self.userns_fd >= 0

    @property
    def follows_links(self) -> bool:
        """Whether symbolic links of root's lead to sources: without root those of containers would look like that."""
        return not self.own_users

    def keep(self, operation: object, fd: int) -> None:
        """Remember *fd*, opened by *operation* in prepare, for its execute."""
        self.prepared[operation] = fd

    def take(self, operation: object) -> int:
        """The descriptor *operation* kept, or -1 if it kept none; it is the caller's now."""
        return self.prepared.pop(operation, -1)

    def attach_root(self) -> None:
        """Attach the prepared root below the working directory, inside the container's mount namespace."""
        place = os.open("root", os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        linux.move_mount(self.root_fd, place)
        os.close(place)

    def close(self) -> None:
        """Close what is still open."""
        for fd in (*self.prepared.values(), self.root_fd, self.userns_fd, self.proc_fd, self.sys_fd, self.dev_fd):
            if fd >= 0:
                os.close(fd)


def _sockets() -> ModuleType:
    import _socket  # the C half of socket, the Python half imports enum; only for terminals and pipes

    return _socket


def carried_streams() -> tuple[tuple[int, ...], ...]:
    """Standard output and error as pipes are to take their place, for `Build.pipes`.

    Both have one if they are the same, so that the order of what is written lasts.  Anybody can open the null device.
    """
    found: list[list[int]] = []
    for fd in (1, 2):
        status = os.fstat(fd)
        if found and os.samestat(status, os.fstat(1)):
            found[0].append(fd)
        elif status.st_rdev != os.makedev(1, 3):
            found.append([fd])
    return tuple(tuple(group) for group in found)
