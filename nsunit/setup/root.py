"""The root file system: a directory as it is, or layers merged by overlayfs.

Layers are id-mapped one by one before they are merged, because a merged overlay cannot be (EINVAL).  The kernel takes
overlay layers only from mounts of the caller's own namespace (detached ones from 6.15 on), so each is attached in a
scratch tmpfs of a private mount namespace first; its short names also keep hundreds of layers below the one page that
mount(2) takes.
"""

from __future__ import annotations

import _stat as stat  # the C half of stat

from nsunit.setup import files, linux
from nsunit.setup import system as os
from nsunit.setup.operation import Operation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.setup.build import Build

PR_SET_SECUREBITS = 28
SECBIT_NO_SETUID_FIXUP = 1 << 2
# Foreign layers must not be able to redirect a directory or hide data behind a metacopy.
OVERLAY_OPTIONS = (("redirect_dir", "nofollow"), ("metacopy", "off"), ("index", "off"), ("xino", "off"))


LINKS = "links"  # a file beside the plan


class Directory(Operation):
    """Use a host directory as the root; writes land in it."""

    __slots__ = ("path",)
    keyword = "root-directory"
    path: str

    def describe(self) -> str:
        """See Operation."""
        return f"use '{self.path}' as the root"

    def prepare(self, build: Build) -> None:
        """Clone the directory's mount, id-mapped."""
        fd = open_root(self.path, follow=build.follows_links)
        _note_links(build, {self.path: _place(fd)})
        build.root_fd = clone_mapped(build, fd, linux.MOUNT_ATTR_NODEV)
        os.close(fd)


class Overlay(Operation):
    """Merge layers (top first) below an upper layer: a host directory, or a tmpfs where *upper* is empty."""

    __slots__ = ("upper", "lowers")
    keyword = "root-overlay"
    rest = "lowers"
    upper: str
    lowers: tuple[str, ...]

    def describe(self) -> str:
        """See Operation."""
        return f"mount the overlay of {len(self.lowers)} layers"

    def prepare(self, build: Build) -> None:
        """Attach every layer in the workspace and merge them there."""
        _note_links(build, merge(build, self.lowers, self.upper, volatile=not self.upper))


def _note_links(build: Build, places: dict[str, str]) -> None:
    """Note which paths of *places* are symbolic links and where they lead: they may be others by the time one asks."""
    found = [f"{path}\0{real}\n" for path, real in places.items() if path != real]
    if found:
        files.write_new(build.prepared["workspace"], LINKS, os.fsencode("".join(found)))


def open_root(path: str, *, follow: bool) -> int:
    """Open the host's directory *path* to be a root or a layer of one; see `files.open_source`.

    Raises:
        OSError: that, or who mounts it, a user's root, may not look into it: the first mount below would tell.
    """
    fd = files.open_source(path, directory=True, follow=follow)
    try:
        os.close(os.open(".", os.O_PATH | os.O_CLOEXEC, dir_fd=fd))
    except PermissionError:
        os.close(fd)
        raise OSError(13, f"'{path}' is closed to the user and the user's ids") from None
    return fd


def _place(fd: int) -> str:
    return os.readlink(f"/proc/self/fd/{fd}")


def merge(build: Build, lowers: tuple[str, ...], upper: str, *, volatile: bool) -> dict[str, str]:
    """Make the root of *build* of *lowers*, top first, below *upper*, a directory with `upper` and `work` or empty.

    Returns where each of *lowers* is in fact.
    """
    top_mode = 0o755
    places = {}
    for number, path in enumerate(lowers):
        fd = open_root(path, follow=build.follows_links)
        places[path] = _place(fd)
        if number == 0:
            top_mode = stat.S_IMODE(os.fstat(fd).st_mode)
        _attach(clone_mapped(build, fd, linux.MOUNT_ATTR_RDONLY), str(number))
        os.close(fd)
    if upper:
        fd = os.open(upper, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        _attach(clone_mapped(build, fd, 0), "u")
        os.close(fd)
    else:
        _attach(linux.new_mount("tmpfs", linux.MOUNT_ATTR_NOSUID, (("mode", "0755"),)), "u")
        for name, mode in (("u/upper", top_mode), ("u/work", 0o755)):
            os.mkdir(name)
            os.chmod(name, mode)
            os.chown(name, build.userns_start, build.userns_group)
    with _MounterIdentity(build):
        build.root_fd = _mount_overlay(len(lowers), volatile=volatile, user=build.own_users)
    return places


class _MounterIdentity:
    """Merge as the container's root.

    overlayfs keeps the mounter's credentials and makes files in workdir with them; through an id-mapped mount the
    host's root has no id there (EOVERFLOW).  The capabilities stay those of the host, so that trusted.* attributes
    and whiteouts work as in any other overlay.
    """

    def __init__(self, build: Build) -> None:
        self.identity = build.userns_start, build.userns_group

    def __enter__(self) -> None:
        if any(self.identity):
            linux.prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP)
            linux.setfsid(*self.identity)

    def __exit__(self, *_exception: object) -> None:
        if any(self.identity):
            linux.setfsid(0, 0)
            linux.prctl(PR_SET_SECUREBITS, 0)


def _mount_overlay(lowers: int, *, volatile: bool, user: bool) -> int:
    attributes = linux.MOUNT_ATTR_NODEV
    # trusted.* attributes take the host's CAP_SYS_ADMIN.
    flags = (*(("volatile",) if volatile else ()), *(("userxattr",) if user else ()))
    options = OVERLAY_OPTIONS + tuple((flag, None) for flag in flags)
    if _kernel_version() >= (6, 8):
        layers = tuple(("lowerdir+", str(number)) for number in range(lowers))
        return linux.new_mount(
            "overlay", attributes, (*layers, ("upperdir", "u/upper"), ("workdir", "u/work"), *options)
        )
    joined = ":".join(str(number) for number in range(lowers))
    texts = [f"lowerdir={joined}", "upperdir=u/upper", "workdir=u/work"]
    texts += [key if value is None else f"{key}={value}" for key, value in options]
    os.mkdir("m")
    linux.mount("overlay", "m", "overlay", 0, ",".join(texts))
    fd = os.open("m", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    detached = linux.clone_tree(fd)
    os.close(fd)
    linux.mount_setattr(detached, attributes)
    return detached


def _kernel_version() -> tuple[int, int]:
    major, minor = os.uname().release.split(".")[:2]
    return int(major), int("".join(c for c in minor if c.isdigit()))


def clone_mapped(build: Build, fd: int, attributes: int) -> int:
    """A detached, private, id-mapped clone of the mount behind *fd*."""
    clone = linux.clone_tree(fd)
    linux.mount_setattr(clone, attributes, propagation=linux.MS_PRIVATE)
    if build.shifts_ids:
        idmap(build, clone)
    return clone


def idmap(build: Build, fd: int, *, recursive: bool = False) -> None:
    """Shift the ids of the mount behind *fd* as the container's user namespace does."""
    try:
        linux.mount_setattr(fd, linux.MOUNT_ATTR_IDMAP, userns_fd=build.userns_fd, recursive=recursive)
    except OSError as error:
        if error.errno != 22:
            raise
        raise OSError(22, "its file system cannot id-map mounts") from error


def _attach(mount_fd: int, name: str) -> None:
    os.mkdir(name)
    place = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    linux.move_mount(mount_fd, place)
    os.close(place)
    os.close(mount_fd)


def make_workspace(build: Build) -> None:
    """Enter a private mount namespace and cover the workspace directory with a scratch tmpfs, as working directory.

    The working directory follows the process into the container's mount namespace, so the root can be attached there
    without looking up any host path with the container's identity.
    """
    linux.unshare(linux.CLONE_NEWNS)
    linux.mount_propagation("/", linux.MS_SLAVE | linux.MS_REC)
    attributes = linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NODEV | linux.MOUNT_ATTR_NOEXEC
    scratch = linux.new_mount("tmpfs", attributes, (("mode", "0755"),))
    os.mkdir("root", dir_fd=scratch)
    place = os.open(build.workspace, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    linux.move_mount(scratch, place)
    build.keep("workspace", place)  # what is covered: others find there what they are told
    os.fchdir(scratch)
    os.close(scratch)
    build.has_workspace = True


def leave_workspace(build: Build) -> None:
    """Let go of the scratch tmpfs, for a caller that goes on living in the private mount namespace."""
    if build.has_workspace:
        os.chdir("/")
        linux.umount2(build.workspace, linux.MNT_DETACH)


class ReadOnlyRoot(Operation):
    """Make the root mount read-only, after everything that had to be made in it."""

    keyword = "root-read-only"

    def describe(self) -> str:
        """See Operation."""
        return "make the root read-only"

    def execute(self, build: Build) -> None:
        """Set MOUNT_ATTR_RDONLY on the root mount alone."""
        linux.mount_setattr(build.root_fd, linux.MOUNT_ATTR_RDONLY)


class Pivot(Operation):
    """Make the container's root the root, and let go of the host's."""

    keyword = "pivot"

    def describe(self) -> str:
        """See Operation."""
        return "pivot to the new root"

    def execute(self, build: Build) -> None:
        """pivot_root(".", "."): the old root ends up on top of the new one, and is detached from there."""
        old_root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        os.fchdir(build.root_fd)
        linux.pivot_root(".", ".")
        os.fchdir(old_root)
        # As a slave the detach does not travel to the host.
        linux.mount_propagation(".", linux.MS_SLAVE | linux.MS_REC)
        linux.umount2(".", linux.MNT_DETACH)
        os.close(old_root)
        os.chdir("/")
