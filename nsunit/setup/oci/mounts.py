"""The root and the mounts of config.json.

What is bound from the host is cloned by the runtime, with its privileges and its paths, before there is a namespace;
the container's process only attaches it.  A runtime without privileges has that process clone it as well, which has
them in its own user namespace.
"""

from __future__ import annotations

import _stat

from nsunit.setup import files, linux, namespaces
from nsunit.setup import system as os
from nsunit.setup.build import Build
from nsunit.setup.oci import calls
from nsunit.setup.oci.step import Box, Step

# These have no options that mount(2) would read otherwise than fsconfig(2); anything else is left to mount(2).
_NEW_API = frozenset(("tmpfs", "proc", "sysfs", "mqueue", "devpts", "cgroup2", "ramfs"))
_SUPERBLOCK = {"sync": 0x10, "dirsync": 0x80, "mand": 0x40, "silent": 0x8000, "iversion": 1 << 23, "lazytime": 1 << 25}
_MS = {linux.MOUNT_ATTR_RDONLY: 1, linux.MOUNT_ATTR_NOSUID: 2, linux.MOUNT_ATTR_NODEV: 4, linux.MOUNT_ATTR_NOEXEC: 8}
_EPERM, _EINVAL = 1, 22


class Root(Step):
    """Use the directory *path* of the host; *propagation* is what binds and the root have of the host's."""

    __slots__ = ("path", "propagation")
    keyword = "oci-root"
    path: str
    propagation: int

    def describe(self) -> str:
        """See Operation."""
        return f"use '{self.path}' as the root"

    def open(self, build: Build) -> None:
        """Go there: the working directory follows into the new mount namespace, whoever may walk the path there."""
        assert isinstance(build, Box)
        build.place_fd = os.open(self.path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def prepare(self, build: Build) -> None:
        """Clone its mounts."""
        assert isinstance(build, Box)
        fd = build.place_fd if build.privileged else os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        build.root_fd = linux.clone_tree(fd, recursive=True)
        # Not shared in any case: what is mounted inside would appear on the host, and pivot_root(2) refuses it.
        below = linux.MS_SLAVE if self.propagation == linux.MS_SHARED else self.propagation
        calls.mount_setattr(build.root_fd, propagation=below, recursive=True)
        calls.mount_setattr(build.root_fd, propagation=linux.MS_PRIVATE)

    def execute(self, build: Build) -> None:
        """Cut the new namespace off from the host's, and attach the root where it lies there."""
        linux.mount_propagation("/", linux.MS_SLAVE | linux.MS_REC)
        place = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        linux.move_mount(build.root_fd, place)
        os.close(place)


class Bind(Step):
    """Bind the host's *source* at *target*.

    *set_* and *clear* are attributes of mount_setattr(2) for the mount, *set_all* and *clear_all* for those below as
    well; *inherited* and *propagation* are what the mount has of the host's by the root's rule and by its own.
    *maps* is empty, or the user and the group map of an id-mapped mount, *maps_all* whether of those below as well.
    """

    __slots__ = (
        *("source", "target", "recursive", "set_", "clear", "set_all", "clear_all"),
        *("inherited", "propagation", "maps", "maps_all"),
    )
    keyword = "oci-bind"
    source: str
    target: str
    recursive: bool
    set_: int
    clear: int
    set_all: int
    clear_all: int
    inherited: int
    propagation: tuple[int, ...]
    maps: tuple[str, str] | tuple[()]
    maps_all: bool

    def describe(self) -> str:
        """See Operation."""
        return f'mount "{self.source}" to rootfs at "{self.target}"'

    def prepare(self, build: Build) -> None:
        """Clone the mount and give it its attributes."""
        fd = os.open(self.source, os.O_PATH | os.O_CLOEXEC)
        clone = linux.clone_tree(fd, recursive=self.recursive)
        os.close(fd)
        if self.inherited:
            calls.mount_setattr(clone, propagation=self.inherited, recursive=True)
        if self.maps:
            users = namespaces.make_user_namespace(*self.maps)
            calls.mount_setattr(clone, set_=linux.MOUNT_ATTR_IDMAP, userns_fd=users, recursive=self.maps_all)
            os.close(users)
        if self.set_ or self.clear:
            calls.mount_setattr(clone, set_=self.set_, clear=self.clear)
        if self.set_all or self.clear_all:
            calls.mount_setattr(clone, set_=self.set_all, clear=self.clear_all, recursive=True)
        build.keep(id(self), clone)

    def execute(self, build: Build) -> None:
        """Attach it."""
        fd = build.take(id(self))
        attach(build, fd, self.target, directory=_stat.S_ISDIR(os.fstat(fd).st_mode))
        propagate(fd, self.propagation)
        os.close(fd)


class Mount(Step):
    """Mount a new file system *kind* at *target*; *data* are its own options, `key=value` or a word.

    With *kept* a ReadOnly follows when all is there that belongs into it.
    """

    __slots__ = (
        *("kind", "source", "target", "data", "set_", "clear", "set_all", "clear_all", "propagation", "copy_up"),
        "kept",
    )
    keyword = "oci-mount"
    kind: str
    source: str
    target: str
    data: tuple[str, ...]
    set_: int
    clear: int
    set_all: int
    clear_all: int
    propagation: tuple[int, ...]
    copy_up: bool
    kept: bool

    def describe(self) -> str:
        """See Operation."""
        return f'mount "{self.source or self.kind}" of type {self.kind} to rootfs at "{self.target}"'

    def execute(self, build: Build) -> None:
        """Make it, attach it, and fill it with what was there if that is asked for."""
        is_new = self.kind == "tmpfs" and _is_missing(build.root_fd, self.target)
        place = self._place(build)
        if self.kind in _NEW_API:
            fd = self._new(place, self.set_, is_new)
            if self.copy_up:
                from nsunit.setup.oci import copy  # few mounts are filled

                copy.tree(place, fd)
            linux.move_mount(fd, place)
        else:
            fd = self._old(build, place)
        os.close(place)
        if self.set_all or self.clear_all:
            calls.mount_setattr(fd, set_=self.set_all, clear=self.clear_all, recursive=True)
        propagate(fd, self.propagation)
        if self.kept:
            build.keep(id(self), fd)
        else:
            os.close(fd)

    def _place(self, build: Build) -> int:
        name = self.target.strip("/")
        if self.kind in ("proc", "sysfs") and "/" not in name:
            return files.open_ordinary_directory(build.root_fd, name)
        place = open_directory(build.root_fd, self.target)
        refuse_kernel_place(place, self.target)
        return place

    def _new(self, place: int, attributes: int, is_new: bool) -> int:
        options: list[tuple[str, str | None]] = []
        for word in self.data:
            key, equals, value = word.partition("=")
            options.append((key, value if equals else None))
        # It has the mode of what it hides, as with the other runtimes; where there was nothing, its own, for all.
        if self.kind == "tmpfs" and not is_new and not any(key == "mode" for key, _ in options):
            options.append(("mode", f"{_stat.S_IMODE(os.fstat(place).st_mode):04o}"))
        try:
            return linux.new_mount(self.kind, attributes, tuple(options), self.source)
        except OSError as error:
            if self.kind != "sysfs" or error.errno != _EPERM:
                raise
        # Only the owner of the network namespace may make one; the host's shows no more.
        clone = linux.open_tree(linux.AT_FDCWD, "/sys", linux.OPEN_TREE_CLONE | linux.AT_RECURSIVE)
        calls.mount_setattr(clone, set_=attributes | linux.MOUNT_ATTR_RDONLY, recursive=True)
        return clone

    def _old(self, build: Build, place: int) -> int:
        flags = sum(_MS[bit] for bit in _MS if self.set_ & bit)
        flags |= sum(_SUPERBLOCK.get(word, 0) for word in self.data)
        options = ",".join(word for word in self.data if word not in _SUPERBLOCK)
        try:
            linux.mount(self.source or self.kind, f"/proc/self/fd/{place}", self.kind, flags, options)
        except OSError as error:
            raise OSError(error.errno, os.strerror(error.errno or 0)) from error
        fd = files.open_directory(build.root_fd, self.target)
        rest = self.set_ & ~sum(_MS)
        if rest:
            calls.mount_setattr(fd, set_=rest)
        return fd


def _is_missing(root_fd: int, path: str) -> bool:
    try:
        os.close(files.open_in_root(root_fd, path, os.O_PATH))
    except FileNotFoundError:
        return True
    return False


class ReadOnly(Step):
    """Make the mount of another step, *mount*, read-only: there was something to be made in it before."""

    __slots__ = ("mount",)
    keyword = "oci-read-only"
    mount: Mount

    def describe(self) -> str:
        """See Operation."""
        return self.mount.describe()

    def execute(self, build: Build) -> None:
        """See the class."""
        fd = build.take(id(self.mount))
        calls.mount_setattr(fd, set_=linux.MOUNT_ATTR_RDONLY)
        os.close(fd)


class Cgroup(Step):
    """Mount the container's cgroups at *target*: of its own namespace if it *has_namespace*, else its directory."""

    __slots__ = ("target", "set_", "has_namespace", "propagation")
    keyword = "oci-cgroup"
    target: str
    set_: int
    has_namespace: bool
    propagation: tuple[int, ...]

    def describe(self) -> str:
        """See Operation."""
        return f'mount "cgroup" to rootfs at "{self.target}"'

    def execute(self, build: Build) -> None:
        """Make a mount of cgroup2, or bind the directory where the kernel does not let us."""
        fd = self._mount()
        attach(build, fd, self.target, directory=True)
        propagate(fd, self.propagation)
        os.close(fd)

    def _mount(self) -> int:
        if self.has_namespace:
            try:
                return linux.new_mount("cgroup2", self.set_, source="cgroup")
            except OSError as error:
                if error.errno not in (_EPERM, 16):  # a user may not, or it is a hybrid host
                    raise
        own = "/sys/fs/cgroup" + ("" if self.has_namespace else namespaces.own_cgroup())
        clone = linux.open_tree(linux.AT_FDCWD, own, linux.OPEN_TREE_CLONE | linux.AT_RECURSIVE)
        calls.mount_setattr(clone, set_=self.set_, recursive=True)
        return clone


class RootPropagation(Step):
    """Give the new root its propagation towards mounts within: *flags*."""

    __slots__ = ("flags",)
    keyword = "oci-root-propagation"
    flags: tuple[int, ...]

    def describe(self) -> str:
        """See Operation."""
        return "set the propagation of the root"

    def execute(self, build: Build) -> None:
        """mount(2)."""
        for flag in self.flags:
            linux.mount_propagation("/", flag)


class ReadOnlyPaths(Step):
    """Make *paths* read-only, as far as they are there."""

    __slots__ = ("paths",)
    keyword = "oci-read-only"
    paths: tuple[str, ...]

    def describe(self) -> str:
        """See Operation."""
        return "make paths read-only"

    def execute(self, build: Build) -> None:
        """Bind each over itself."""
        for path in self.paths:
            place = open_inside(path)
            if place < 0:
                continue
            clone = linux.clone_tree(place, recursive=True)
            calls.mount_setattr(clone, set_=linux.MOUNT_ATTR_RDONLY)
            linux.move_mount(clone, place)
            os.close(clone)
            os.close(place)


class MaskedPaths(Step):
    """Hide *paths*, as far as they are there: a directory is covered empty, a file by /dev/null."""

    __slots__ = ("paths",)
    keyword = "oci-mask"
    paths: tuple[str, ...]

    def describe(self) -> str:
        """See Operation."""
        return "mask paths"

    def execute(self, build: Build) -> None:
        """Cover them."""
        files.hide(map(open_inside, self.paths), "/dev/null")


def open_inside(path: str) -> int:
    """Open *path* of the container, whose root is the caller's, or return -1 where it is not there."""
    try:
        return linux.openat2(linux.AT_FDCWD, path, os.O_PATH, linux.RESOLVE_NO_MAGICLINKS)
    except (FileNotFoundError, NotADirectoryError):
        return -1


def attach(build: Build, fd: int, target: str, *, directory: bool) -> None:
    """Attach the mount behind *fd* at *target* below the root, making the mount point where it is missing."""
    place = (open_directory if directory else open_file)(build.root_fd, target)
    refuse_kernel_place(place, target)
    linux.move_mount(fd, place)
    os.close(place)


def open_directory(root_fd: int, target: str) -> int:
    """Open a directory below the root, making what is missing of it, also of that which links lead to, as runc does."""
    try:
        return files.open_directory(root_fd, target)
    except NotADirectoryError:
        return files.open_directory(root_fd, _real(root_fd, target))


def _real(root_fd: int, target: str) -> str:
    """*target* without links: a path and no more, each part of which is opened in the root, whatever becomes of it."""
    return files.without_links(target, lambda place: _link_at(root_fd, place))


def _link_at(root_fd: int, place: str) -> str | None:
    try:
        fd = files.open_in_root(root_fd, place, os.O_PATH | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        return os.readlink("", dir_fd=fd) if _stat.S_ISLNK(os.fstat(fd).st_mode) else None
    finally:
        os.close(fd)


def open_file(root_fd: int, target: str) -> int:
    """Open what is no directory below the root, following links in it, and making an empty file where it is missing.

    Where a link leads to nothing, that is made, as runc does.
    """
    try:
        return files.open_in_root(root_fd, target, os.O_PATH)
    except FileNotFoundError:
        return files.open_file(root_fd, _real(root_fd, target))


def refuse_kernel_place(place: int, target: str) -> None:
    """Refuse a *place* in procfs where *target* is not below /proc: a link of the image has led there.

    Raises:
        OSError: it is one.
    """
    top = target.strip("/").partition("/")[0]
    if top == "proc" or linux.fstatfs_type(place) != linux.PROC_SUPER_MAGIC:
        return
    raise OSError(_EINVAL, "it lies in /proc", target)


def propagate(fd: int, flags: tuple[int, ...]) -> None:
    """Give the mount behind *fd* its propagation, each of *flags* with or without MS_REC."""
    for flag in flags:
        calls.mount_setattr(fd, propagation=flag & ~linux.MS_REC, recursive=bool(flag & linux.MS_REC))
