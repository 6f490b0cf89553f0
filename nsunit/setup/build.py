"""What the operations of one start share."""

from __future__ import annotations

import os


class Build:
    """State handed from operation to operation; -1 is a descriptor that is not there yet."""

    def __init__(self, workspace: str) -> None:
        self.workspace = workspace  # host directory the scratch tmpfs is mounted on, in the private mount namespace
        self.userns_fd = -1
        self.userns_start = 0
        self.userns_count = 0
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
        self.terminal = False  # give the payload a terminal of the container's own devpts
        self.master_fd = -1

    @property
    def has_userns(self) -> bool:
        """Whether the container has a user namespace of its own."""
        return self.userns_count > 0

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
