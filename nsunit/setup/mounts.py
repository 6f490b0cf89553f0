"""The file systems inside the root: the kernel's own, temporary ones, and binds from the host."""

from __future__ import annotations

import _stat as stat  # the C half of stat

from nsunit.setup import CGROUP_ROOT, accounts, files, linux, namespaces
from nsunit.setup import system as os
from nsunit.setup.operation import Operation
from nsunit.setup.root import idmap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.setup.build import Build

_NOSUID, _NODEV = linux.MOUNT_ATTR_NOSUID, linux.MOUNT_ATTR_NODEV
_NOEXEC, _RDONLY = linux.MOUNT_ATTR_NOEXEC, linux.MOUNT_ATTR_RDONLY
_KERNEL = _NOSUID | _NODEV | _NOEXEC
TERMINALS_MAX = "1024"  # as LXC has it; the kernel has 3072 (kernel.pty.max, .reserve) for all containers together
_BENEATH = linux.RESOLVE_BENEATH | linux.RESOLVE_NO_MAGICLINKS | linux.RESOLVE_NO_SYMLINKS


class Proc(Operation):
    """Mount a procfs of the container's own PID namespace on /proc."""

    keyword = "proc"
    mount_point = "/proc"

    def describe(self) -> str:
        """See Operation."""
        return "mount /proc"

    def execute(self, build: Build) -> None:
        """Mount it, and make sure that it is what it should be."""
        build.proc_fd = build.take("proc")
        if build.proc_fd < 0:
            build.proc_fd = linux.new_mount("proc", _KERNEL)
        if linux.fstatfs_type(build.proc_fd) != linux.PROC_SUPER_MAGIC or os.fstat(build.proc_fd).st_ino != 1:
            raise OSError(5, "what was mounted is not procfs", "/proc")
        _mount_on_ordinary(build, build.proc_fd, "proc")


class Sysfs(Operation):
    """Mount sysfs read-only on /sys: a new one, or the host's where the network namespace is the host's."""

    __slots__ = ("host",)
    keyword = "sysfs"
    mount_point = "/sys"
    host: str  # "host", "" for a new one, or anything else where one was made in the namespace that was joined

    def describe(self) -> str:
        """See Operation."""
        return "mount /sys"

    def prepare(self, build: Build) -> None:
        """Clone the host's /sys: sysfs can only be mounted by the owner of the network namespace."""
        if self.host == "host":
            fd = os.open("/sys", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            clone = linux.clone_tree(fd, recursive=True)
            os.close(fd)
            linux.mount_setattr(clone, _KERNEL | _RDONLY, propagation=linux.MS_PRIVATE, recursive=True)
            build.keep("sysfs", clone)

    def execute(self, build: Build) -> None:
        """Attach it."""
        build.sys_fd = build.take("sysfs") if self.host else linux.new_mount("sysfs", _KERNEL | _RDONLY)
        _mount_on_ordinary(build, build.sys_fd, "sys")


class Cgroup(Operation):
    """Mount the container's part of the cgroup tree on /sys/fs/cgroup, read-only."""

    keyword = "cgroup"
    attributes = _KERNEL | _RDONLY

    def describe(self) -> str:
        """See Operation."""
        return "mount /sys/fs/cgroup"

    def execute(self, build: Build) -> None:
        """Mount cgroup2: what it shows begins at the root of the caller's cgroup namespace."""
        place = linux.openat2(build.sys_fd, "fs/cgroup", os.O_PATH | os.O_DIRECTORY, _BENEATH)
        stacked = self.trees(build)
        for fd in stacked:
            linux.move_mount(fd, place)
        self.cover(build, stacked[-1])
        for fd in (*stacked, place):
            os.close(fd)

    def trees(self, build: Build) -> list[int]:
        """What to mount, one above the other: the one that was made outside, where the namespace is the host's."""
        fd = build.take("cgroup2")
        return [fd if fd >= 0 else linux.new_mount("cgroup2", self.attributes)]

    def cover(self, build: Build, fd: int) -> None:
        """Change what is seen in the tree behind *fd*."""


class SliceCgroup(Cgroup):
    """Mount the cgroup of the container's slice on /sys/fs/cgroup, read-only: programs look for their limits there.

    The payload's own group, which the namespace begins at, has none; this one has most of them, and its files change
    with them.  Limits that are tighter elsewhere, in the unit or above the slice, are files of nsunit's on top of the
    slice's: they *follow* a change of those where something asks for that (nsunit.deeds.shown), and where that may
    be, all of them are of that kind; it is asked for from here where nsunit.slice has one.  Below it lies the mount of
    the namespace's own part: Go goes by one whose root is the program's own group, and opens what is at that place.
    """

    __slots__ = ("follow",)
    keyword = "cgroup-slice"
    enters = True
    follow: str  # "yes" or empty
    shows_slice = True

    def join(self, build: Build) -> None:
        """Take the slice's cgroup as long as it can be seen, and write the files."""
        unit, slice_ = namespaces.unit_and_slice(namespaces.own_cgroup())
        if self.shows_slice:
            fd = os.open(CGROUP_ROOT + slice_, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            build.keep("cgroup2", _clone(fd, self.attributes))
        limits = namespaces.limits_to_show(unit, slice_, everything=bool(self.follow))
        # A user has no nsunit-limits.path.
        if not (self.follow or build.own_users) and namespaces.has_limits(slice_.rpartition("/")[0]):
            namespaces.ask_to_follow(build.prepared["workspace"])
        if limits:
            directory = namespaces.write_shown(build.take("workspace"), unit, limits)
            for name in limits:
                build.keep((self, name), clone_shown(directory, name))
            os.close(directory)

    def trees(self, build: Build) -> list[int]:
        """The namespace's own part, and the slice's above it."""
        own, fd = linux.new_mount("cgroup2", self.attributes), build.take("cgroup2")
        return [own] if fd < 0 else [own, fd]

    def cover(self, build: Build, fd: int) -> None:
        """Put the files over the kernel's."""
        for name in namespaces.LIMITS:
            clone = build.take((self, name))
            if clone >= 0:
                try:
                    _mount_at(clone, fd, name)
                except FileNotFoundError:
                    os.close(clone)  # without the controller there is nothing that a program would look at


class Devices(Operation):
    """Make /dev: a small tmpfs with the host's harmless nodes bound into it, pts, shm and mqueue."""

    __slots__ = ("shm_size", "nodes")
    keyword = "dev"
    mount_point = "/dev"
    rest = "nodes"
    shm_size: str  # bytes
    nodes: tuple[str, ...]

    def describe(self) -> str:
        """See Operation."""
        return "make /dev"

    def prepare(self, build: Build) -> None:
        """Clone a mount of each host node; a user namespace cannot make nodes of its own."""
        for node in self.nodes:
            fd = os.open("/dev/" + node, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
            if not stat.S_ISCHR(os.fstat(fd).st_mode):
                raise OSError(22, "not a character device", "/dev/" + node)
            build.keep((self, node), _clone(fd, _NOSUID | _NOEXEC))

    def execute(self, build: Build) -> None:
        """Fill the tmpfs by its descriptor, so that nothing the image put at /dev is ever followed."""
        dev = linux.new_mount("tmpfs", _NOSUID | _NOEXEC, (("mode", "0755"), ("size", "64k")))
        build.dev_fd = dev
        _mount_on_ordinary(build, dev, "dev")
        for name in ("pts", "shm", "mqueue"):
            os.mkdir(name, 0o755, dir_fd=dev)
        links = {"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1"}
        links |= {"stderr": "/proc/self/fd/2", "ptmx": "pts/ptmx"}
        for name, target in links.items():
            os.symlink(target, name, dir_fd=dev)
        for node in self.nodes:
            os.mknod(node, 0o666 | stat.S_IFREG, dir_fd=dev)
            _mount_at(build.take((self, node)), dev, node)
        devpts = (("newinstance", None), ("ptmxmode", "0666"), ("mode", "0620"), ("max", TERMINALS_MAX))
        with_tty_group = (*devpts, ("gid", "5")) if build.userns_count == 0 or build.userns_count > 5 else devpts
        _mount_at(linux.new_mount("devpts", _NOSUID | _NOEXEC, with_tty_group), dev, "pts")
        shm = (("mode", "1777"), ("size", self.shm_size))
        _mount_at(linux.new_mount("tmpfs", _KERNEL, shm), dev, "shm")
        mqueue = build.take("mqueue")
        _mount_at(mqueue if mqueue >= 0 else linux.new_mount("mqueue", _KERNEL), dev, "mqueue")


class Tmpfs(Operation):
    """Mount an empty tmpfs at *target*; *options* are `key=value` of tmpfs(5)."""

    __slots__ = ("target", "options")
    keyword = "tmpfs"
    rest = "options"
    target: str
    options: tuple[str, ...]

    def describe(self) -> str:
        """See Operation."""
        return f"mount a tmpfs on '{self.target}'"

    def execute(self, build: Build) -> None:
        """Mount it on what the target resolves to inside the root."""
        options = (option.partition("=") for option in self.options)
        pairs = tuple((key, _id_of(build, key, value)) for key, _, value in options)
        fd = linux.new_mount("tmpfs", _NOSUID | _NODEV, pairs)
        place = files.open_directory(build.root_fd, self.target)
        files.refuse_kernel_file_systems(place, self.target)
        linux.move_mount(fd, place)
        os.close(place)
        os.close(fd)


class Bind(Operation):
    """Bind the host's *source* at *target*; *flags* are words of: ro, norbind, optional, idmap, slave, spare, roots.

    One that is *spare* is done without where there is no mount point for it and none can be made.  One with *roots* is
    a file of nsunit's own, and becomes that of root inside: programs look whose /etc/hosts is.
    """

    __slots__ = ("source", "target", "flags")
    keyword = "bind"
    rest = "flags"
    source: str
    target: str
    flags: tuple[str, ...]

    def describe(self) -> str:
        """See Operation."""
        return f"bind '{self.source}' at '{self.target}'"

    @property
    def path(self) -> str:
        """What of the host is mounted."""
        return self.source

    @property
    def has_ids_inside(self) -> bool:
        """Whether its files belong on disk to whom they belong inside."""
        return "idmap" in self.flags

    def prepare(self, build: Build) -> None:
        """Clone the source's mounts and set their attributes, on every mount below it too."""
        fd = files.open_wanted(self.source, self.flags, follow=build.follows_links)
        if fd < 0:
            return
        if "roots" in self.flags and not build.own_users:
            # Not id-mapped: Linux 6.1 has no such tmpfs.
            os.chown(f"/proc/self/fd/{fd}", build.userns_start, build.userns_group)
        recursive = "norbind" not in self.flags
        mode = os.fstat(fd).st_mode
        is_device = stat.S_ISCHR(mode) or stat.S_ISBLK(mode)
        attributes = _NOSUID | (0 if is_device else _NODEV) | (_RDONLY if "ro" in self.flags else 0)
        clone = linux.clone_tree(fd, recursive=recursive)
        os.close(fd)
        # The helper's own mount namespace is a slave of the host's, and what is cloned there is one too.
        propagation = linux.MS_SLAVE if "slave" in self.flags else linux.MS_PRIVATE
        linux.mount_setattr(clone, attributes, propagation=propagation, recursive=recursive)
        if "idmap" in self.flags and build.shifts_ids:
            idmap(build, clone, recursive=recursive)
        build.keep(self, clone)

    def execute(self, build: Build) -> None:
        """Attach it, making a missing mount point of the right kind."""
        fd = build.take(self)
        if fd < 0:
            return  # optional, and not there
        make = files.open_directory if stat.S_ISDIR(os.fstat(fd).st_mode) else files.open_file
        try:
            place = make(build.root_fd, self.target)
        except PermissionError:
            if "spare" not in self.flags:
                raise
            os.close(fd)
            return
        files.refuse_kernel_file_systems(place, self.target)
        linux.move_mount(fd, place)
        os.close(place)
        os.close(fd)


class MaskPaths(Operation):
    """Hide paths of /proc and /sys that tell of the host: a directory is covered empty, a file by /dev/null.

    A `*` at the end of a component stands for any ending.
    """

    __slots__ = ("paths",)
    keyword = "mask"
    rest = "paths"
    paths: tuple[str, ...]

    def describe(self) -> str:
        """See Operation."""
        return "mask paths of /proc and /sys"

    def execute(self, build: Build) -> None:
        """Cover what exists of them."""
        places = (open_kernel_path(build, path) for path in _expand(build, self.paths))
        files.hide(places, "null", build.dev_fd)


class ReadOnlyPaths(Operation):
    """Make paths of /proc read-only."""

    __slots__ = ("paths",)
    keyword = "read-only"
    rest = "paths"
    paths: tuple[str, ...]

    def describe(self) -> str:
        """See Operation."""
        return "make paths of /proc read-only"

    def execute(self, build: Build) -> None:
        """Bind each one over itself, read-only."""
        for path in self.paths:
            place = open_kernel_path(build, path)
            if place < 0:
                continue
            clone = linux.clone_tree(place, recursive=True)
            linux.mount_setattr(clone, _KERNEL | _RDONLY, recursive=True)
            linux.move_mount(clone, place)
            os.close(clone)
            os.close(place)


SEPARATORS = {ord("."): "/", ord("/"): "."}  # of a parameter's name, for its path; a slash is a dot of one part


class Sysctl(Operation):
    """Set a kernel parameter of the container's namespaces."""

    __slots__ = ("key", "value")
    keyword = "sysctl"
    key: str
    value: str

    def describe(self) -> str:
        """See Operation."""
        return f"set sysctl '{self.key}' to '{self.value}'"

    def execute(self, build: Build) -> None:
        """Write it through the container's own procfs, crossing neither links nor mounts."""
        path = "sys/" + self.key.translate(SEPARATORS)
        fd = linux.openat2(build.proc_fd, path, os.O_WRONLY, _BENEATH | linux.RESOLVE_NO_XDEV)
        os.write(fd, self.value.encode())
        os.close(fd)


def _id_of(build: Build, key: str, value: str) -> str:
    """*value* of the option *key* with the number of a user or group in place of the name."""
    if key not in ("uid", "gid") or accounts.parse_id(value) is not None:
        return value
    if key == "uid":
        return str(accounts.look_up(build.root_fd, value, "", ()).uid)
    return str(accounts.look_up(build.root_fd, "", value, ()).gid)


def _expand(build: Build, paths: tuple[str, ...]) -> list[str]:
    """Replace a path with one `*` at the end of a component by what matches it."""
    found = []
    for path in paths:
        start, star, rest = path.partition("*")
        if not star:
            found.append(path)
            continue
        parent, _, prefix = start.rpartition("/")
        place = open_kernel_path(build, parent)
        if place >= 0:
            listing = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=place)
            found += [f"{parent}/{name}{rest}" for name in os.listdir(listing) if name.startswith(prefix)]
            os.close(listing)
            os.close(place)
    return found


def open_kernel_path(build: Build, path: str) -> int:
    """Open *path* of /proc or /sys through the mounts made here, or return -1 where this kernel has no such path."""
    base, _, rest = path.removeprefix("/").partition("/")
    try:
        return linux.openat2(build.proc_fd if base == "proc" else build.sys_fd, rest, os.O_PATH, _BENEATH)
    except FileNotFoundError:
        return -1


def _mount_on_ordinary(build: Build, fd: int, name: str) -> None:
    try:
        place = files.open_ordinary_directory(build.root_fd, name)
    except OSError as error:
        if error.errno not in (20, 40):  # ENOTDIR, ELOOP
            raise
        raise OSError(error.errno, "it must be an ordinary directory in the root", "/" + name) from error
    linux.move_mount(fd, place)
    os.close(place)


def _mount_at(fd: int, dir_fd: int, name: str) -> None:
    place = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=dir_fd)
    linux.move_mount(fd, place)
    os.close(place)
    os.close(fd)


def clone_shown(directory: int, name: str) -> int:
    """A detached mount of the file *name* in *directory*, to be seen over the kernel's of that name."""
    fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    return _clone(fd, _KERNEL | _RDONLY)


def _clone(fd: int, attributes: int) -> int:
    """A detached mount of what is behind *fd*, which is closed."""
    clone = linux.clone_tree(fd)
    os.close(fd)
    linux.mount_setattr(clone, attributes, propagation=linux.MS_PRIVATE)
    return clone
