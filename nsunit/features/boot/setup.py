"""Steps that only a container with a whole system inside needs (`Boot=yes`); loaded where a plan has one of them.

What systemd expects of whoever runs it is told at https://systemd.io/CONTAINER_INTERFACE.
"""

from __future__ import annotations

import fcntl
import os
import struct

from nsunit.features.boot.console import carry
from nsunit.setup import CGROUP_ROOT, cgroup_of, files, linux, mounts, namespaces
from nsunit.setup.build import Build
from nsunit.setup.operation import Operation
from nsunit.setup.spawn import TIOCSPTLCK

CONSOLE_SUBGROUP = "console"
DELEGATED_FILES = "/sys/kernel/cgroup/delegate"  # the files whose owner may manage a subtree, a name a line
KERNEL_ATTRIBUTES = linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NODEV | linux.MOUNT_ATTR_NOEXEC
_UNKNOWN_MACHINE = (b"", b"uninitialized")


class Subtree(namespaces.Subgroup):
    """Move into the subgroup *name*, hand it over to the user *owner*, and give it the unit's controllers."""

    __slots__ = ("owner", "name", "attributes")
    keyword = "boot-subgroup"
    owner: str  # uid on the host

    def move(self) -> None:
        """Leave nothing in the unit's own cgroup: it could not enable controllers for those below it otherwise."""
        own = namespaces.own_cgroup()
        unit = own.removesuffix("/" + self.name)
        top = f"{CGROUP_ROOT}{unit}"
        for name in (self.name, CONSOLE_SUBGROUP):
            try:
                os.mkdir(f"{top}/{name}")
            except FileExistsError:
                pass  # systemd made it, or it is left from the run before a restart
        for pid in _others(own, unit):
            try:
                namespaces.write_file(f"{top}/{CONSOLE_SUBGROUP}/cgroup.procs", pid)
            except ProcessLookupError:
                continue  # it has ended
        namespaces.write_file(f"{top}/{self.name}/cgroup.procs", "0")
        controllers = namespaces.read_file(f"{top}/cgroup.controllers").split()
        namespaces.write_file(f"{top}/cgroup.subtree_control", " ".join(f"+{name}" for name in controllers))
        owner = int(self.owner)
        for name in ("", *namespaces.read_file(DELEGATED_FILES).split()):
            try:
                os.chown(f"{top}/{self.name}/{name}", owner, owner)
            except FileNotFoundError:
                continue  # of a controller that the unit does not have
        self.write_attributes(unit)


def _others(own: str, unit: str) -> list[str]:
    """The other processes of the set-up that are in the cgroup of the *unit*, or with this one; none of a `run`'s."""
    parent = str(os.getppid())
    there = namespaces.read_file(f"{CGROUP_ROOT}{unit}/cgroup.procs").split()
    beside = [parent] if cgroup_of(parent) == own != unit else []
    return [pid for pid in (*there, *beside) if pid != str(os.getpid())]


class WritableCgroup(mounts.SliceCgroup):
    """Mount the container's part of the cgroup tree on /sys/fs/cgroup, for the systemd inside to write to.

    It has to begin with a group of its own, so all limits are shown by files on top of that one's.
    """

    __slots__ = ()
    keyword = "boot-cgroup"
    follow = "yes"
    shows_slice = False
    attributes = KERNEL_ATTRIBUTES


class ReadOnlyPaths(mounts.ReadOnlyPaths):
    """Make paths of /proc read-only, all but the parameters of the container's own network."""

    keyword = "boot-read-only"

    def execute(self, build: Build) -> None:
        """Take the mount of /proc/sys/net before the others are closed, and put it on top of them."""
        network = mounts.open_kernel_path(build, "/proc/sys/net")
        clone = linux.clone_tree(network)
        os.close(network)
        super().execute(build)
        place = mounts.open_kernel_path(build, "/proc/sys/net")
        linux.move_mount(clone, place)
        os.close(place)
        os.close(clone)


class HostFiles(Operation):
    """Tell the systemd inside in /run/host who runs it: *manager*, the machine's *uuid*, and the host's os-release."""

    __slots__ = ("manager", "uuid")
    keyword = "boot-host-files"
    manager: str
    uuid: str

    def describe(self) -> str:
        """See Operation."""
        return "tell of the host in /run/host"

    def prepare(self, build: Build) -> None:
        """Open the host's os-release."""
        for path in ("/etc/os-release", "/usr/lib/os-release"):
            try:
                build.keep(self, os.open(path, os.O_RDONLY | os.O_CLOEXEC))
                return
            except FileNotFoundError:
                continue

    def execute(self, build: Build) -> None:
        """Write the files; /run is a file system of the container's own."""
        directory = files.open_directory(build.root_fd, "/run/host")
        files.write_new(directory, "container-manager", self.manager.encode() + b"\n")
        files.write_new(directory, "container-uuid", self.uuid.encode() + b"\n")
        release = build.take(self)
        if release >= 0:
            files.write_new(directory, "os-release", os.read(release, files.FILE_SIZE_MAX))
            os.close(release)
        os.close(directory)


class Identity(Operation):
    """Give the system inside an identity of its own: *uuid* as its machine id, *hostname* as its host name.

    Layers are shared, so what they have of both belongs to somebody else and is replaced where *shared* is "yes".  A
    root directory of the container's own keeps what it has.
    """

    __slots__ = ("uuid", "hostname", "shared")
    keyword = "boot-identity"
    uuid: str
    hostname: str
    shared: str

    def describe(self) -> str:
        """See Operation."""
        return "write /etc/machine-id"

    def execute(self, build: Build) -> None:
        """Write the files anew: a link there is the image's."""
        directory = files.open_directory(build.root_fd, "/etc")
        if self.shared == "yes" or _content(build, "/etc/machine-id").strip() in _UNKNOWN_MACHINE:
            files.write_new(directory, "machine-id", self.uuid.encode() + b"\n")
        if self.shared == "yes" or not _content(build, "/etc/hostname").strip():
            files.write_new(directory, "hostname", self.hostname.encode() + b"\n")
        os.close(directory)


class Shared(Operation):
    """Have what is mounted from now on seen by services inside that have a mount namespace of their own.

    systemd does that to its mounts where the kernel has started it, and leaves it to the manager in a container.
    """

    keyword = "boot-shared"

    def describe(self) -> str:
        """See Operation."""
        return "share mounts with services inside"

    def execute(self, build: Build) -> None:
        """Make all mounts shared: those of a new peer group each, which nobody outside is in."""
        linux.mount_propagation("/", linux.MS_SHARED | linux.MS_REC)


class Console(Operation):
    """Make /dev/console a terminal, whose other end goes to the parent."""

    keyword = "boot-console"

    def describe(self) -> str:
        """See Operation."""
        return "make /dev/console"

    def prepare(self, build: Build) -> None:
        """Have a way for the other end made."""
        build.console = True
        build.carry = lambda: carry(build)

    def execute(self, build: Build) -> None:
        """Open a pair in the container's own devpts and bind its second half."""
        master = os.open("pts/ptmx", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC, dir_fd=build.dev_fd)
        fcntl.ioctl(master, TIOCSPTLCK, struct.pack("i", 0))
        terminal = os.open("pts/0", os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=build.dev_fd)
        os.mknod("console", 0o600, dir_fd=build.dev_fd)
        place = os.open("console", os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=build.dev_fd)
        clone = linux.clone_tree(terminal)
        linux.move_mount(clone, place)
        for fd in (terminal, place, clone):
            os.close(fd)
        build.console_fd = master


def _content(build: Build, path: str) -> bytes:
    try:
        return files.read_file(build.root_fd, path)
    except FileNotFoundError:
        return b""
