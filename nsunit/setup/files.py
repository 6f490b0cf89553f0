"""Paths inside a container's root, and the host's paths that are brought into it, walked by file descriptor.

Everything below the root is hostile: a symbolic link may point anywhere and may change while we look.  So a path is
resolved once, by openat2(2) with RESOLVE_IN_ROOT, and from then on only its descriptor is used.
"""

from __future__ import annotations

import _stat as stat  # the C half of stat
import errno

from nsunit.setup import linux
from nsunit.setup import system as os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

FILE_SIZE_MAX = 1024 * 1024
LINKS_MAX = 40  # as the kernel has it
KERNEL_FILE_SYSTEMS = (linux.PROC_SUPER_MAGIC, linux.SYSFS_MAGIC, linux.CGROUP2_SUPER_MAGIC)
_COVER = linux.MOUNT_ATTR_RDONLY | linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NODEV | linux.MOUNT_ATTR_NOEXEC
_IN_ROOT = linux.RESOLVE_IN_ROOT | linux.RESOLVE_NO_MAGICLINKS


def open_in_root(root_fd: int, path: str, flags: int) -> int:
    """Open *path* as a process chrooted to *root_fd* would see it."""
    return linux.openat2(root_fd, path, flags, _IN_ROOT)


def open_source(path: str, *, directory: bool = False, follow: bool = True) -> int:
    """Open the host's *path* (O_PATH), following no symbolic link but root's own; without *follow*, none at all.

    The path may lead through a volume that another container writes to, whose payload could put a link to any place of
    the host there (CVE-2017-1002101).

    Raises:
        OSError: also if it is no *directory* where one is wanted (ENOTDIR).
    """
    flags = os.O_PATH | (os.O_DIRECTORY if directory else 0)
    try:
        return linux.openat2(linux.AT_FDCWD, path, flags, linux.RESOLVE_NO_SYMLINKS)
    except OSError as error:
        if error.errno != errno.ELOOP or not follow:
            raise
    # Whatever is changed after this look at the links makes the second attempt fail.
    return linux.openat2(linux.AT_FDCWD, _without_links(path), flags, linux.RESOLVE_NO_SYMLINKS)


def resolve_source(path: str) -> str:
    """*path* without root's symbolic links; as it is where it has none, or where `open_source` will say what is wrong.

    Raises:
        OSError: a link in it is not root's.
    """
    try:
        os.close(linux.openat2(linux.AT_FDCWD, path, os.O_PATH, linux.RESOLVE_NO_SYMLINKS))
    except OSError as error:
        if error.errno == errno.ELOOP:
            return _without_links(path)
    return path


def _without_links(path: str) -> str:
    return without_links(path, _target_of_root)


def _target_of_root(place: str) -> str | None:
    """Where the link *place* of root's leads; None for what is no link."""
    status = os.lstat(place)
    if not stat.S_ISLNK(status.st_mode):
        return None
    if status.st_uid != 0:
        reason = f"the symbolic link '{place}' belongs to user {status.st_uid}, not to root"
        raise OSError(errno.ELOOP, reason, place)
    return os.readlink(place)


def without_links(path: str, target_of: Callable[[str], str | None]) -> str:
    """The absolute *path* with its links followed, as *target_of* has them, which is asked for each place on the way.

    Raises:
        OSError: there are too many links (ELOOP); or what *target_of* raises.
    """
    found = ""
    names = path.split("/")[::-1]
    links = 0
    while names:
        name = names.pop()
        if name in ("", "."):
            continue
        if name == "..":
            found = found.rpartition("/")[0]
            continue
        target = target_of(f"{found}/{name}")
        if target is None:
            found += f"/{name}"
            continue
        links += 1
        if links > LINKS_MAX:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        if target.startswith("/"):
            found = ""
        names += target.split("/")[::-1]
    return found or "/"


def open_wanted(path: str, flags: tuple[str, ...], *, follow: bool) -> int:
    """Like `open_source`; -1 where the source is not there, and is *optional* by its flags."""
    try:
        return open_source(path, follow=follow)
    except FileNotFoundError:
        if "optional" not in flags:
            raise
        return -1


def open_directory(root_fd: int, path: str) -> int:
    """Open the directory *path* below *root_fd*, making what is missing of it.  Returns an O_PATH descriptor."""
    try:
        return open_in_root(root_fd, path, os.O_PATH | os.O_DIRECTORY)
    except FileNotFoundError:
        parent, name = _split(path)
        parent_fd = open_directory(root_fd, parent)
    try:
        _make_node(name, parent_fd, stat.S_IFDIR | 0o755)
        # O_NOFOLLOW: what stands there now is what was just made, or else an error.
        return os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent_fd)
    finally:
        os.close(parent_fd)


def open_file(root_fd: int, path: str) -> int:
    """Open the non-directory *path* below *root_fd*, making an empty file where it is missing (O_PATH)."""
    try:
        fd = open_in_root(root_fd, path, os.O_PATH | os.O_NOFOLLOW)
        if stat.S_ISDIR(os.fstat(fd).st_mode):  # move_mount(2) would only say that something is invalid
            os.close(fd)
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        return fd
    except FileNotFoundError:
        parent, name = _split(path)
        parent_fd = open_directory(root_fd, parent)
    try:
        _make_node(name, parent_fd, stat.S_IFREG | 0o644)
        return os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent_fd)
    finally:
        os.close(parent_fd)


def open_ordinary_directory(root_fd: int, name: str) -> int:
    """Open (or make) the directory *name* directly below *root_fd*, refusing a symbolic link.

    An image could otherwise send /proc or /dev somewhere else (CVE-2019-19921 and its kin).
    """
    _make_node(name, root_fd, stat.S_IFDIR | 0o755)
    flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW
    return linux.openat2(root_fd, name, flags, _IN_ROOT | linux.RESOLVE_NO_SYMLINKS)


def read_file(root_fd: int, path: str) -> bytes:
    """Content of the regular file *path* below *root_fd*, at most FILE_SIZE_MAX bytes.

    A FIFO would hang a plain open, a device could do anything, and a huge file would take all memory.

    Raises:
        OSError: it is missing, no regular file (EINVAL) or too large (EFBIG).
    """
    fd = open_in_root(root_fd, path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(22, "not a regular file", path)
        if status.st_size > FILE_SIZE_MAX:
            raise OSError(27, f"larger than {FILE_SIZE_MAX} bytes", path)
        return os.read(fd, FILE_SIZE_MAX)
    finally:
        os.close(fd)


def _split(path: str) -> tuple[str, str]:
    parent, _, name = path.rstrip("/").rpartition("/")
    if name in ("", ".", ".."):
        raise OSError(22, "not a path that can be made", path)
    return parent or "/", name


def _make_node(name: str, dir_fd: int, mode: int) -> None:
    try:
        if stat.S_ISDIR(mode):
            os.mkdir(name, stat.S_IMODE(mode), dir_fd=dir_fd)
        else:
            os.mknod(name, mode, dir_fd=dir_fd)
    except FileExistsError:
        pass  # it was made by somebody else meanwhile; the open that follows says whether it will do


def write_new(directory: int, name: str, content: bytes) -> None:
    """Make the file *name* in *directory* (a descriptor) with *content*, in place of whatever is there."""
    try:
        os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        pass
    fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o444, dir_fd=directory)
    try:
        while content:  # where the file system is nearly full it takes a part, and only then fails
            content = content[os.write(fd, content) :]
    finally:
        os.close(fd)


def hide(places: Iterable[int], null: str, directory: int | None = None) -> None:
    """Cover what is behind each of *places*, which are closed: a directory by an empty one, a file by the null device.

    One of -1 is nothing.  *null* is the device's path, in *directory* (a descriptor) if any.

    Raises:
        OSError: something else is there (EINVAL), or the kernel refused it.
    """
    device = empty = -1
    for place in places:
        if place < 0:
            continue
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            device = device if device >= 0 else _open_null(null, directory)
            cover = linux.clone_tree(device)
        elif empty < 0:
            # Linux 6.1 clones only attached mounts: the first cover is the model of the others.
            cover = linux.new_mount("tmpfs", _COVER, (("nr_blocks", "1"), ("nr_inodes", "2")))
            empty = os.dup(cover)
        else:
            cover = linux.clone_tree(empty)
        linux.move_mount(cover, place)
        os.close(cover)
        os.close(place)
    for fd in (device, empty):
        if fd >= 0:
            os.close(fd)


def _open_null(path: str, directory: int | None) -> int:
    fd = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    status = os.fstat(fd)
    if not stat.S_ISCHR(status.st_mode) or status.st_rdev != os.makedev(1, 3):
        raise OSError(errno.EINVAL, "it is not the null device", "/dev/null")
    return fd


def refuse_kernel_file_systems(place: int, target: str) -> None:
    """Refuse to mount at *place*, which *target* has led to, if that is in /proc or /sys.

    Raises:
        OSError: it is.
    """
    # A link in the image may lead a harmless-looking target into /proc or /sys: judge by where it ended.
    if linux.fstatfs_type(place) in KERNEL_FILE_SYSTEMS:
        raise OSError(22, "it lies in /proc or /sys", target)


def give_below(top: int, owner: tuple[int, int], device: int) -> None:
    """Give what is in the directory *top*, which is closed, to *owner*; no more are open than the tree is deep."""
    below = [(top, os.listdir(top))]
    while below:
        directory, names = below[-1]
        if not names:
            os.close(below.pop()[0])
            continue
        name = names.pop()
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
        if status.st_dev != device:
            continue
        if stat.S_ISDIR(status.st_mode):
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
            if os.fstat(inner).st_dev != device:
                os.close(inner)
                continue
            os.fchown(inner, *owner)
            below.append((inner, os.listdir(inner)))
        else:
            os.chown(name, *owner, dir_fd=directory, follow_symlinks=False)
