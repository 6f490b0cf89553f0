"""Making and entering the container's namespaces."""

from __future__ import annotations

import _struct as struct  # the C half: the other is a file to read, and no more
import errno
import fcntl

from nsunit.setup import CGROUP_ROOT, cgroup_of, linux, write_over
from nsunit.setup import read_file as read_file
from nsunit.setup import system as os
from nsunit.setup import write_file as write_file
from nsunit.setup.operation import Operation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nsunit.setup.build import Build

SIOCGIFFLAGS = 0x8913
SIOCSIFFLAGS = 0x8914
IFF_UP = 1
_FIRST_ID_OF_NONE = 65536  # below it are those of accounts, see uids-gids of systemd's documents
# What programs look at to find out how much they may use: JVM, Go, Node, .NET.
LIMITS = ("cpu.max", "memory.high", "memory.max", "memory.swap.max", "pids.max")
SHOWN_DIRECTORY = "limits"
SHOWN_GROUP = "cgroup"
SHOWN_WANTED = "../../limits"  # /run/nsunit/limits
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
        build.userns_start = build.userns_group = int(self.start)
        build.userns_count = int(self.count)
        build.shifts_ids = build.userns_start != 0
        build.has_hosts_root = not build.shifts_ids
        entry = f"0 {self.start} {self.count}\n"
        build.userns_fd = make_owned_namespace(entry, entry)


def owner_of(uid_map: str) -> int:
    """Whose the user namespace with this map is to be: the highest of the ids at which its lines begin outside.

    What its processes take of limits that the kernel has for users (inotify(7), mq_overview(7), pending signals) counts
    for the owner as well, who has every right in it: so that is nobody who is on the host.  0 where the lines have only
    ids that accounts may have.
    """
    outside = max(int(line.split()[1]) for line in uid_map.splitlines())
    return outside if outside >= _FIRST_ID_OF_NONE else 0


def make_owned_namespace(uid_map: str, gid_map: str) -> int:
    """As `make_user_namespace`, for a container's: it belongs to `owner_of` its map.  For a process with one thread.

    Raises:
        OSError: the kernel makes none, or does not take a map.
    """
    owner = owner_of(uid_map)
    if not owner:
        return make_user_namespace(uid_map, gid_map)
    bits = linux.prctl(linux.PR_GET_SECUREBITS)
    linux.prctl(linux.PR_SET_SECUREBITS, bits | linux.SECBIT_NO_SETUID_FIXUP)  # all capabilities stay
    os.setresuid(-1, owner, -1)
    try:
        return make_user_namespace(uid_map, gid_map)
    finally:
        os.setresuid(-1, 0, -1)
        linux.prctl(linux.PR_SET_SECUREBITS, bits)


def make_user_namespace(uid_map: str, gid_map: str) -> int:
    """A descriptor of a new user namespace with these maps, which belongs to the caller.

    Raises:
        OSError: the kernel makes none, or does not take a map.
    """
    with linux.sleeper(linux.CLONE_NEWUSER) as child:
        for name, entries in (("uid_map", uid_map), ("gid_map", gid_map)):
            write_file(f"/proc/{child.pid}/{name}", entries)
        return os.open(f"/proc/{child.pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)


def maps_of(userns_fd: int) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]:
    """The user and group map of the user namespace behind *userns_fd*, which may have no process: one joins it."""
    with Child(lambda: linux.setns(userns_fd, linux.CLONE_NEWUSER)) as child:
        if not child.is_ready:
            raise OSError(1, "the user namespace cannot be joined")
        return _map(f"/proc/{child.pid}/uid_map"), _map(f"/proc/{child.pid}/gid_map")


def has_hosts_root(pid: int) -> bool:
    """Whether the host's root is among the ids of the user namespace of process *pid*."""
    return "0" in read_file(f"/proc/{pid}/uid_map").split()[1::3]


class Child:
    """A process that does *deed* and then waits, as long as the context lasts.

    It `is_ready`, or `errno` says why not: that of an OSError, else EIO.
    """

    def __init__(self, deed: Callable[[], None]) -> None:
        ready_reader, ready_writer = os.pipe()
        hold_reader, hold_writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(hold_writer)  # else this copy would keep the read below from ever ending
                try:
                    deed()
                except OSError as error:
                    os.write(ready_writer, b"%d" % (error.errno or errno.EIO))
                    os._exit(0)
                os.write(ready_writer, b"0")
                os.read(hold_reader, 1)
            finally:
                os._exit(0)
        os.close(ready_writer)
        os.close(hold_reader)
        self.ready_fd, self.hold_fd = ready_reader, hold_writer
        self.is_ready = False
        self.errno = errno.EIO

    def __enter__(self) -> Child:
        self.errno = int(os.read(self.ready_fd, 16) or errno.EIO)
        self.is_ready = not self.errno
        return self

    def __exit__(self, *_exception: object) -> None:
        os.close(self.hold_fd)
        os.close(self.ready_fd)
        os.waitpid(self.pid, 0)


def _map(path: str) -> list[tuple[int, int, int]]:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    with open(fd, "rb") as file:
        numbers = [int(word) for word in file.read().split()]
    return list(zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True))


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
            directory = f"{CGROUP_ROOT}{unit}/{self.name}"
            try:
                os.mkdir(directory)
            except FileExistsError:
                pass  # left from the run before a restart
            write_file(f"{directory}/cgroup.procs", "0")
        self.write_attributes(unit)

    def write_attributes(self, unit: str) -> None:
        """Give the cgroup *unit* what the plan says."""
        if self.attributes:
            from nsunit.setup import attributes  # few containers have some

            for attribute in self.attributes:
                attributes.write(unit, attribute)


def own_cgroup() -> str:
    """The calling process's cgroup, as /proc/self/cgroup tells it on a pure version 2 host."""
    return cgroup_of("self")


def unit_and_slice(group: str) -> tuple[str, str]:
    """The cgroups of the unit that *group* is, or is in, and of its slice."""
    parts = group.split("/")
    depth = max(index for index, part in enumerate(parts) if part.endswith(".slice")) + 1
    return "/".join(parts[: depth + 1]), "/".join(parts[:depth])


def amount(limit: str) -> float:
    """How much *limit* is, the text of one of the files of LIMITS, to compare it with others of the file."""
    quota, _, period = limit.partition(" ")
    return float("inf") if quota.strip() in ("max", "") else int(quota) / int(period or 1)


def tightest(group: str, name: str, root: str = CGROUP_ROOT) -> str:
    """The least that file *name* says in *group* and those above it; empty where none has the file."""
    found = []
    parts = group.split("/")
    for depth in range(len(parts), 0, -1):
        try:
            found.append(read_file(f"{root}{'/'.join(parts[:depth])}/{name}"))
        except FileNotFoundError:
            continue  # it has not got the controller, or is the root of all
    return min(found, key=amount, default="")


def limits_to_show(unit: str, slice_: str, *, everything: bool, root: str = CGROUP_ROOT) -> dict[str, str]:
    """What holds for the cgroup *unit*, by file: what its *slice_* does not say itself, or *everything*."""
    found = {name: tightest(unit, name, root) for name in LIMITS}
    return {
        name: limit
        for name, limit in found.items()
        if limit and (everything or amount(limit) < amount(_read_if_there(f"{root}{slice_}/{name}")))
    }


def has_limits(group: str) -> bool:
    """Whether the cgroup *group* limits something itself."""
    return any(amount(_read_if_there(f"{CGROUP_ROOT}{group}/{name}")) < amount("max") for name in LIMITS)


def ask_to_follow(workspace: int) -> None:
    """Have nsunit-limits.path see that the container with the runtime directory *workspace* is to follow changes."""
    os.close(os.open(SHOWN_WANTED, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=workspace))


def _read_if_there(path: str) -> str:
    try:
        return read_file(path)
    except FileNotFoundError:
        return ""


def write_shown(parent: int, unit: str, names: Iterable[str], root: str = CGROUP_ROOT) -> int:
    """Write the limits of the cgroup *unit* that are called *names* to a directory below *parent*, which is closed.

    Those from before a restart are written over.  Returns a descriptor of the directory, which is locked: who writes
    last has read last, this or nsunit.deeds.shown.
    """
    try:
        os.mkdir(SHOWN_DIRECTORY, 0o755, dir_fd=parent)
    except FileExistsError:
        pass
    directory = os.open(SHOWN_DIRECTORY, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    os.close(parent)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        for name in names:
            write_over(directory, name, tightest(unit, name, root))
        write_over(directory, SHOWN_GROUP, unit)
    except BaseException:
        os.close(directory)  # who goes on with other containers would wait for this lock of its own
        raise
    return directory


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


def use_ids(build: Build, fd: int) -> None:
    """Note the user namespace behind *fd*, and which of the host's ids its root has."""
    if os.samestat(os.fstat(fd), os.stat("/proc/self/ns/user")):
        os.close(fd)
        return  # it is the host's
    build.userns_fd = fd
    maps = maps_of(fd)
    build.has_hosts_root = any(outside == 0 for _, outside, _ in maps[0])
    roots = []
    for entries in maps:
        outside = [start for inside, start, _ in entries if inside == 0]
        if not outside:
            raise OSError(22, "its id 0 is not mapped, and the container is set up as its root")
        roots += outside
    build.userns_start, build.userns_group = roots
    build.userns_count = max(inside + count for inside, _, count in maps[1])
    build.shifts_ids = any(inside != outside for entries in maps for inside, outside, _ in entries)


class Loopback(Operation):
    """Bring up lo: a new network namespace has nothing else, and has it down."""

    keyword = "loopback"

    def describe(self) -> str:
        """See Operation."""
        return "bring up the loopback interface"

    def execute(self, build: Build) -> None:
        """Set IFF_UP by ioctl(2), see netdevice(7)."""
        import _socket  # the C half of socket: the Python half imports enum

        with_fd = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
        request = struct.pack("16sH22x", b"lo", 0)
        flags = struct.unpack_from("H", fcntl.ioctl(with_fd.fileno(), SIOCGIFFLAGS, request), 16)[0]
        fcntl.ioctl(with_fd.fileno(), SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", flags | IFF_UP))
        with_fd.close()
