"""A command of the host's in some namespaces of a container."""

from __future__ import annotations

import os

from nsunit.setup import linux, namespaces
from nsunit.setup.build import Build
from nsunit.setup.operation import Operation
from nsunit.setup.process import Exec

_ATTRIBUTES = linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NODEV | linux.MOUNT_ATTR_NOEXEC
# What is mounted below /sys belongs to the host, whatever network is looked at: cgroups, tracing, EFI variables.
_KEPT_BELOW_SYS = ("/sys/fs", "/sys/kernel", "/sys/firmware")


class View(Operation):
    """Have /proc and /sys, each "yes" or "no", show the namespaces joined, by mounts that only the command sees."""

    __slots__ = ("proc", "sys")
    keyword = "view"
    proc: str
    sys: str

    def describe(self) -> str:
        """See Operation."""
        return "mount /proc and /sys for the command"

    def execute(self, build: Build) -> None:
        """Cover them.  What the host mounts later appears here too, what is mounted here does not appear there."""
        linux.unshare(linux.CLONE_NEWNS)
        linux.mount_propagation("/", linux.MS_SLAVE | linux.MS_REC)
        if self.proc == "yes":
            _cover("/proc", linux.new_mount("proc", _ATTRIBUTES))
        if self.sys == "yes":
            flags = linux.OPEN_TREE_CLONE | linux.AT_RECURSIVE
            kept = [(path, linux.open_tree(linux.AT_FDCWD, path, flags)) for path in _KEPT_BELOW_SYS]
            _cover("/sys", linux.new_mount("sysfs", _ATTRIBUTES))
            for path, tree in kept:
                _cover(path, tree)


def _cover(path: str, mount: int) -> None:
    place = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    linux.move_mount(mount, place)
    os.close(place)
    os.close(mount)


class Program(Exec):
    """Become *argv*, the program behind *program_fd* where that is not -1.

    The user namespace behind *user_fd*, if it is not -1, is joined last of all: what comes before takes the privileges
    of the host.
    """

    def __init__(self, argv: tuple[str, ...], *, program_fd: int = -1, user_fd: int = -1) -> None:
        self.init = ""
        self.argv = argv
        self.program_fd = program_fd
        self.user_fd = user_fd

    def execute(self, build: Build) -> None:
        """setns(2), execveat(2); returns only by raising."""
        if self.user_fd >= 0:
            namespaces.become_root_of(self.user_fd)
            linux.prctl(linux.PR_SET_PDEATHSIG, 9)  # other ids have made the kernel forget it
        if self.program_fd >= 0:
            self.reset(build)
            os.execve(self.program_fd, self.argv, {"PATH": build.path, **build.environment})
        super().execute(build)
