"""What the operations of one start share."""

from __future__ import annotations

import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any


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
        self.seccomp = b""
        self.environment: dict[str, str] = {}
        self.path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        self.uid = 0
        self.gid = 0
        self.groups: list[int] = []
        self.home = "/"
        self.capabilities = 0
        self.no_new_privileges = True
        self.ignores_sigpipe = False
        self.terminal = False  # give the payload a terminal of the container's own devpts
        self.terminal_link: Any = ()
        self.assistant: Any = None  # the socket of nsunit.features.pasta.setup
        self.master_fd = -1
        self.console = False  # the payload has a /dev/console
        self.carry: Callable[[int], None] = os.close  # becomes what reads the terminal behind a descriptor
        self.console_fd = -1  # in the payload's process, before it executes: the other end of that
        self.kept_fds: tuple[int, ...] = ()  # what Exec itself still needs, close-on-exec like all

    def make_terminal_link(self) -> None:
        """Make the sockets the terminal's descriptor comes through, before the payload is forked.

        pidfd_getfd(2) would take privileges over a process that hides from its container, which users have not.
        """
        self.terminal_link = _sockets().socketpair()

    def send_terminal(self, fd: int) -> None:
        """Send *fd* to the other side of the link, unix(7)."""
        sockets = _sockets()
        self.terminal_link[1].sendmsg([b"."], [(sockets.SOL_SOCKET, sockets.SCM_RIGHTS, struct.pack("i", fd))])

    def receive_terminal(self) -> int:
        """Take what `send_terminal` has sent; it is close-on-exec."""
        sockets = _sockets()
        _, rights, _, _ = self.terminal_link[0].recvmsg(1, sockets.CMSG_SPACE(4), sockets.MSG_CMSG_CLOEXEC)
        return int(struct.unpack("i", rights[0][2])[0])

    @property
    def has_userns(self) -> bool:
        """Whether the container's user namespace is still to be entered, and shifts the ids of mounts."""
        return self.userns_fd >= 0

    def keep(self, operation: object, fd: int) -> None:
        """Remember *fd*, opened by *operation* in prepare, for its execute."""
        self.prepared[operation] = fd

    def take(self, operation: object) -> int:
        """The descriptor *operation* kept, or -1 if it kept none; it is the caller's now."""
        return self.prepared.pop(operation, -1)

    def close(self) -> None:
        """Close what is still open."""
        for fd in (*self.prepared.values(), self.root_fd, self.userns_fd, self.proc_fd, self.sys_fd, self.dev_fd):
            if fd >= 0:
                os.close(fd)


def _sockets() -> ModuleType:
    import _socket  # the C half of socket, the Python half imports enum; only for terminals

    return _socket
