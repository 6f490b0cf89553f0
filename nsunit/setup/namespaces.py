"""Making and entering the container's namespaces."""

from __future__ import annotations

import os

from nsunit.setup import linux
from nsunit.setup.build import Build
from nsunit.setup.operation import Operation

# In the order of the kernel's list, namespaces(7).
KINDS = {
    "cgroup": linux.CLONE_NEWCGROUP,
    "ipc": linux.CLONE_NEWIPC,
    "net": linux.CLONE_NEWNET,
    "mnt": linux.CLONE_NEWNS,
    "pid": linux.CLONE_NEWPID,
    "time": linux.CLONE_NEWTIME,
    "user": linux.CLONE_NEWUSER,
    "uts": linux.CLONE_NEWUTS,
}


class UserNamespace(Operation):
    """Map *count* ids from 0 inside to *start* on outside, in a user namespace of the container's own."""

    __slots__ = ("start", "count")
    keyword = "user-namespace"
    start: str
    count: str

    def describe(self) -> str:
        """See Operation."""
        return f"make a user namespace of {self.count} ids from {self.start} on"

    def prepare(self, build: Build) -> None:
        """Let a child make the namespace, write its maps with the host's privileges, and keep a descriptor of it."""
        build.userns_start, build.userns_count = int(self.start), int(self.count)
        ready_reader, ready_writer = os.pipe()
        hold_reader, hold_writer = os.pipe()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.close(hold_writer)  # else this copy would keep the read below from ever ending
                linux.unshare(linux.CLONE_NEWUSER)
                os.write(ready_writer, b".")
                os.read(hold_reader, 1)
                status = 0
            finally:
                os._exit(status)
        os.close(ready_writer)
        os.close(hold_reader)
        try:
            if not os.read(ready_reader, 1):
                raise OSError(28, "the kernel refused it; see user.max_user_namespaces in sysctl(8)")
            entry = f"0 {self.start} {self.count}\n"
            for name in ("uid_map", "gid_map"):
                _write(f"/proc/{child}/{name}", entry)
            build.userns_fd = os.open(f"/proc/{child}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            os.close(hold_writer)
            os.close(ready_reader)
            os.waitpid(child, 0)


class Namespaces(Operation):
    """The other namespaces the container gets for itself, each one of KINDS."""

    __slots__ = ("kinds",)
    keyword = "namespaces"
    rest = "kinds"
    kinds: tuple[str, ...]

    def describe(self) -> str:
        """See Operation."""
        return "make the namespaces " + ", ".join(self.kinds)


class Subgroup(Operation):
    """Move into the subgroup *name* of the unit's delegated cgroup.

    A cgroup with processes of its own cannot hand controllers to children (cgroups(7), "no internal processes"), and
    the unit's control processes live beside the payload.  systemd 254 does this itself (DelegateSubgroup=).

    The unit's cgroup, which the container cannot reach, gets *attributes* that systemd has no property for, each
    `FILE=VALUE`.
    """

    __slots__ = ("name", "attributes")
    keyword = "subgroup"
    rest = "attributes"
    name: str
    attributes: tuple[str, ...]

    def describe(self) -> str:
        """See Operation."""
        return "set up the control group" if self.attributes else f"move to the subgroup '{self.name}'"

    def move(self) -> None:
        """Make it and move the calling process there, unless systemd has done so already."""
        unit = own_cgroup()
        if unit.rsplit("/", 1)[-1] == self.name:
            unit = unit.rsplit("/", 1)[0]
        else:
            directory = f"/sys/fs/cgroup{unit}/{self.name}"
            try:
                os.mkdir(directory)
            except FileExistsError:
                pass  # left from the run before a restart
            _write(f"{directory}/cgroup.procs", "0")
        if self.attributes:
            from nsunit.setup import attributes

            for attribute in self.attributes:
                attributes.write(unit, attribute)


def own_cgroup() -> str:
    """The calling process's cgroup, as /proc/self/cgroup tells it on a pure version 2 host."""
    fd = os.open("/proc/self/cgroup", os.O_RDONLY | os.O_CLOEXEC)
    try:
        for line in os.fsdecode(os.read(fd, 65536)).splitlines():
            if line.startswith("0::"):
                return line[3:]
    finally:
        os.close(fd)
    raise OSError(2, "this host has no cgroup version 2 hierarchy", "/proc/self/cgroup")


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def become_root_of(userns_fd: int) -> None:
    """Join the user namespace behind *userns_fd* as its root; the caller's ids on the host are not mapped there."""
    linux.setns(userns_fd, linux.CLONE_NEWUSER)
    become_root()


def become_root(*, keeps_groups: bool = False) -> None:
    """Take the ids 0 of the user namespace just joined, and no supplementary groups unless it *keeps_groups*."""
    if not keeps_groups:
        os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
