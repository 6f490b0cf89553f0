"""Namespaces that are not simply made: the host's, another container's, pinned ones, and clocks with an offset.

The helper imports it when a plan names one of its operations.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C half of signal: the Python half imports enum
import errno
import fcntl
import os

from nsunit.setup import CGROUP_ROOT, files, linux, namespaces
from nsunit.setup.build import Build
from nsunit.setup.operation import Operation

# ioctl_ns(2)
NS_GET_USERNS = 0xB701
NS_GET_PARENT = 0xB702
NS_GET_NSTYPE = 0xB703

TOP_SLICE = "nsunit.slice"
INVOCATIONS = "/run/systemd/units/invocation:"
# Whoever is inside makes groups and takes them away, too deep for a path (ENAMETOOLONG) and threaded (EOPNOTSUPP).
_PASSED_OVER = (errno.ENOENT, errno.ENODEV, errno.ENAMETOOLONG, errno.EOPNOTSUPP)
_KERNEL = linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NODEV | linux.MOUNT_ATTR_NOEXEC
_READ_ONLY = _KERNEL | linux.MOUNT_ATTR_RDONLY


class Join(Operation):
    """Use a namespace *kind* that is there already: *source* is `host`, `unit:SERVICE` or `path:PATH`.

    All are joined with the host's privileges, before the container's process gives them up, and what the kernel mounts
    only for the owner of a namespace is mounted then, too.
    """

    __slots__ = ("kind", "source")
    keyword = "join"
    enters = True
    kind: str
    source: str

    def describe(self) -> str:
        """See Operation."""
        whose, _, what = self.source.partition(":")
        return f"join the {self.kind} namespace of the {whose}" + (f" '{what}'" if what else "")

    def clone_flags(self) -> int:
        """That of its kind."""
        return namespaces.KINDS[self.kind]

    def open(self, build: Build) -> None:
        """Open it; the user namespace is needed first, since all mounts are made for its ids."""
        build.shares_mounts |= self.kind == "mnt"
        if self.source == "host":
            return
        whose, _, what = self.source.partition(":")
        fd = _open_pinned(self.kind, what) if whose == "path" else open_of_unit(self.kind, what)
        if self.kind == "user":
            namespaces.use_ids(build, fd)
        else:
            build.keep(self, fd)

    def prepare(self, build: Build) -> None:
        """Make the mounts that show the host's namespaces; see who owns one that only its owner can use."""
        if self.source != "host":
            if self.kind in ("pid", "mnt"):
                _check_owner(build, build.prepared[self])
        elif self.kind == "pid":
            proc = os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            clone = linux.clone_tree(proc)
            os.close(proc)
            linux.mount_setattr(clone, _KERNEL, propagation=linux.MS_PRIVATE)
            build.keep("proc", clone)
        else:
            _mount_for_owner(build, self.kind)

    def join(self, build: Build) -> None:
        """setns(2)."""
        fd = build.take(self)
        if fd >= 0:
            linux.setns(fd, namespaces.KINDS[self.kind])
            os.close(fd)
            _mount_for_owner(build, self.kind)


def _mount_for_owner(build: Build, kind: str) -> None:
    """Mount the file system that shows the caller's own namespace *kind*."""
    if build.shares_mounts:
        return
    if kind == "net":
        build.keep("sysfs", linux.new_mount("sysfs", _READ_ONLY))
    elif kind == "ipc":
        build.keep("mqueue", linux.new_mount("mqueue", _KERNEL))
    elif kind == "cgroup":
        try:
            build.keep("cgroup2", linux.new_mount("cgroup2", _READ_ONLY))
        except FileNotFoundError:
            raise OSError(2, "the cgroup at its root is gone") from None


def _open_pinned(kind: str, path: str) -> int:
    """A descriptor of the namespace file *path*, which must be of *kind*."""
    place = files.open_source(path)
    try:
        if linux.fstatfs_type(place) not in (linux.NSFS_MAGIC, linux.PROC_SUPER_MAGIC):
            raise OSError(22, "it is not the file of a namespace", path)
        fd = os.open(f"/proc/self/fd/{place}", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(place)
    found = _kind_of(fd)
    if found != kind:
        os.close(fd)
        raise OSError(22, f"it is a {found} namespace" if found else "it is not the file of a namespace", path)
    return fd


def _kind_of(fd: int) -> str | None:
    if linux.fstatfs_type(fd) != linux.NSFS_MAGIC:
        return None
    flag = fcntl.ioctl(fd, NS_GET_NSTYPE)
    return next(kind for kind, known in namespaces.KINDS.items() if known == flag)


def open_of_unit(kind: str, unit: str) -> int:
    """A descriptor of the namespace *kind* of the payload of the running service *unit*.

    The unit may be restarted, and the number of its process given to another, at any moment.  So the process is pinned
    by a pidfd first, and only then compared with the unit's cgroup and invocation.
    """
    unit = _as_loaded(unit)
    invocation = _invocation_of(unit)
    directory = _cgroup_of_unit(unit)
    pid = _first_process(directory)
    if not invocation or not pid:
        raise OSError(3, "it is not running" if not pid else "systemd has no record of its invocation", unit)
    pidfd = os.pidfd_open(pid)
    try:
        fd = os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
        same = _first_process(directory) == pid and _invocation_of(unit) == invocation
        _signal.pidfd_send_signal(pidfd, 0)  # so the number has meant the same process all the time
    finally:
        os.close(pidfd)
    if not same:
        os.close(fd)
        raise OSError(3, "it was restarted meanwhile", unit)
    return fd


def _as_loaded(unit: str) -> str:
    """*unit*, or its former name where it runs by that: see nsunit.names."""
    former = "nsunit-" + unit.removeprefix("nsunit-").replace("-", "\\x2d")
    return former if _invocation_of(former) and not _invocation_of(unit) else unit


def _invocation_of(unit: str) -> str:
    try:
        return os.readlink(INVOCATIONS + unit)
    except FileNotFoundError:
        return ""


def _cgroup_of_unit(unit: str) -> str:
    """The cgroup directory of *unit*: slices nest by name, so it is looked for below nsunit's own."""
    own = namespaces.own_cgroup()
    head, slash, _ = own.partition(f"/{TOP_SLICE}/")
    waiting = [f"{CGROUP_ROOT}{head if slash else ''}/{TOP_SLICE}"]
    while waiting:
        directory = waiting.pop()
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.name == unit:
                    return entry.path
                if entry.name.endswith(".slice"):
                    waiting.append(entry.path)
    raise OSError(3, "it is not running", unit)


def _first_process(directory: str) -> int:
    """The process below the cgroup *directory* that is process 1 of a PID namespace just below the caller's, or 0."""
    depth = len(_pids_of("self")) + 1
    waiting = [directory]
    while waiting:
        place = waiting.pop()
        try:
            with os.scandir(place) as entries:
                waiting += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
            fd = os.open(f"{place}/cgroup.procs", os.O_RDONLY | os.O_CLOEXEC)
            with open(fd, "rb") as file:
                pids = file.read().split()
        except OSError as error:
            if error.errno not in _PASSED_OVER:
                raise
            continue
        for pid in pids:
            numbers = _pids_of(os.fsdecode(pid))
            if len(numbers) == depth and numbers[-1] == b"1":
                return int(pid)
    return 0


def _pids_of(pid: str) -> list[bytes]:
    try:
        fd = os.open(f"/proc/{pid}/status", os.O_RDONLY | os.O_CLOEXEC)
        with open(fd, "rb") as file:
            content = file.read()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return content.partition(b"\nNSpid:")[2].partition(b"\n")[0].split()


def _check_owner(build: Build, fd: int) -> None:
    """See that the container's user namespace, or one below it, owns the namespace behind *fd*."""
    wanted = os.fstat(build.userns_fd) if build.has_userns else os.stat("/proc/self/ns/user")
    owner = fcntl.ioctl(fd, NS_GET_USERNS)
    while not os.path.samestat(os.fstat(owner), wanted):
        try:
            parent = fcntl.ioctl(owner, NS_GET_PARENT)
        except PermissionError:
            reason = "the container's user namespace does not own it, so the kernel gives it no rights there"
            raise OSError(1, reason) from None
        finally:
            os.close(owner)
        owner = parent
    os.close(owner)


class TimeOffsets(Operation):
    """Set clocks of the new time namespace, each `CLOCK SECONDS NANOSECONDS` ahead of the host's."""

    __slots__ = ("offsets",)
    keyword = "time-offsets"
    rest = "offsets"
    enters = True
    offsets: tuple[str, ...]

    def describe(self) -> str:
        """See Operation."""
        return f"set the clocks: {', '.join(self.offsets)}"

    def join(self, build: Build) -> None:
        """Open the file as the host's root: the container's own may not write to it."""
        build.keep(self, os.open("/proc/self/timens_offsets", os.O_WRONLY | os.O_CLOEXEC))

    def settle(self, build: Build) -> None:
        """Write them before the namespace has a process, time_namespaces(7)."""
        fd = build.take(self)
        try:
            os.write(fd, "".join(f"{offset}\n" for offset in self.offsets).encode())
        except OSError as error:
            if error.errno != 34:  # ERANGE
                raise
            raise OSError(34, "a clock would be before 0, or too far ahead") from error
        finally:
            os.close(fd)


class Domainname(Operation):
    """Set the NIS domain name of the container's UTS namespace."""

    __slots__ = ("domainname",)
    keyword = "domainname"
    domainname: str

    def describe(self) -> str:
        """See Operation."""
        return f"set the domain name '{self.domainname}'"

    def execute(self, build: Build) -> None:
        """setdomainname(2)."""
        linux.setdomainname(self.domainname)


class ExistingRoot(Operation):
    """Use the root of the mount namespace that was joined, as it is."""

    keyword = "root-existing"

    def describe(self) -> str:
        """See Operation."""
        return "use the file systems that are there"

    def execute(self, build: Build) -> None:
        """Open it."""
        build.root_fd = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
