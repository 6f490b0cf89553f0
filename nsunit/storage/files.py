"""Small files and directories in nsunit's own root-only directories."""

from __future__ import annotations

import _stat as stat  # the C half of stat
import os
import sys

from nsunit.definition import read_regular
from nsunit.errors import NsunitError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

GONE = (2, 3, 19)  # ENOENT, ESRCH, ENODEV: removed while we look, or not in this kernel
_NO_TMPFILE = (21, 22, 95)  # EISDIR, EINVAL, EOPNOTSUPP: the file system, or the kernel, has no files without names
_READ_ONLY = 30  # EROFS
_NO_SYNC = (22, _READ_ONLY)  # EINVAL
NO_ROOM = (27, 28, 122)  # EFBIG, ENOSPC, EDQUOT, which name no file
_UNSUPPORTED = 95  # EOPNOTSUPP: pressure is told only if the kernel was booted with psi=1
_CHUNK = 1 << 16
_BLOCK = 4096  # bytes, of most file systems
_RECORD_MAX = 64 << 20


class Named:
    """As a context, has what the kernel refuses in it be told of *path*, and of no descriptor or name of our own."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, OSError) and error.errno:
            raise OSError(error.errno, error.strerror, self.path) from None


def make_private_directory(path: str) -> None:
    """Make *path* and its parents, mode 0700.

    Raises:
        NsunitError: it is there already, but somebody else could write to it.
    """
    parent = os.path.dirname(path)
    if not os.path.isdir(parent):
        make_private_directory(parent)  # os.makedirs gives its mode to the last one only
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        status = os.lstat(path)
        is_own = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
        if not is_own or status.st_mode & 0o022:
            raise NsunitError(
                f"'{path}' is not a directory that only its owner can write to",
                # A file system that was mounted there cannot be removed, and its top may have the mode of /tmp.
                hint=f"see what is in it, then 'chmod go-w {path}'" if is_own else "see who made it, and remove it",
            ) from None


def refusal(directory: str) -> str:
    """What keeps the caller from making files in *directory*, to be said of it; empty where nothing is known to."""
    if not os.path.isdir(directory) or os.access(directory, os.W_OK):
        return ""
    if os.statvfs(directory).f_flag & os.ST_RDONLY:
        return "is on a file system that is read-only"
    return "is not yours to write to"


def write_file(path: str, content: bytes, mode: int = 0o600) -> None:
    """Replace *path* atomically by a file of *mode* with *content*; after a power cut it is this or the former one."""
    temporary = f"{path}.{os.getpid()}.new"
    try:
        discard(temporary)  # of one that was killed and had this number, before a reboot for instance
        fd = os.open(temporary, _NEW, mode)
        with open(fd, "wb") as file:
            os.fchmod(fd, mode)  # whatever the caller's umask takes away
            file.write(content)
            file.flush()
            os.fsync(fd)  # in /run it costs nothing
        os.rename(temporary, path)
    except BaseException as error:
        if getattr(error, "errno", 0) != _READ_ONLY:  # there not even what is missing is removed
            discard(temporary)  # an interrupt may come when it has its name
        if isinstance(error, OSError):  # a full disk is told without a name, others with one that nobody knows
            raise OSError(error.errno, error.strerror, path) from None
        raise


def move(source: str, target: str) -> None:
    """Rename a directory, for good when this returns: what is done next can count on it after a power cut.

    Raises:
        OSError: the disk refuses it; all is as it was.
    """
    os.rename(source, target)
    try:
        for directory in {os.path.dirname(source), os.path.dirname(target)}:
            sync_directory(directory)
    except OSError:
        os.rename(target, source)
        raise


def move_back(target: str, source: str) -> None:
    """Take back that *source* was renamed to *target*, if it was."""
    if os.path.lexists(target):
        os.rename(target, source)


def sync_directory(path: str) -> None:
    """Have the names in the directory *path* on its disk, where the file system knows of such a thing."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise OSError(error.errno, error.strerror, path) from None
    finally:
        os.close(fd)


def check_room(directory: str) -> None:
    """See that all files in *directory* can be written anew: beside each is its former one until then.

    Raises:
        OSError: there is no room (ENOSPC, EDQUOT), or it cannot be written to (EROFS).
    """
    sizes = [os.lstat(f"{directory}/{name}").st_size for name in list_directory(directory)]
    path = f"{directory}/room.{os.getpid()}.new"
    write_file(path, bytes(sum(-(-size // _BLOCK) * _BLOCK for size in sizes)))  # some tell of it late
    discard(path)


def write_changed(path: str, content: bytes, mode: int = 0o600) -> None:
    """`write_file`, unless *path* has that *content*: what is as it was can be on a disk that is full."""
    if read_file(path) != content:
        write_file(path, content, mode)


def write_whole(path: str, write: Callable[[int], Any], mode: int = 0o600, *, replace: bool = True) -> Any:
    """Have *write* fill a file, by its descriptor, which is *path* when it is whole; returns what that returns.

    Until then it has no name, where the file system knows such files: whatever is killed leaves nothing.  Elsewhere it
    has one of its own, and what one that was killed has left there goes.  *mode* counts as it does for open(2).  A
    device, a pipe, or what a link leads to is written to as it is: /dev/null or /dev/stdout would be a file afterwards.

    Raises:
        FileExistsError: there is something, and *replace* is off.
        OSError: it cannot be written; all is as it was.
    """
    if replace and os.path.lexists(path) and not stat.S_ISREG(os.lstat(path).st_mode):
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOCTTY | os.O_CLOEXEC, mode)
        try:
            return _filled(write, fd, path)
        finally:
            os.close(fd)
    directory, slash, name = path.rpartition("/")
    temporary = f"{directory}{slash}.{name}.nsunit"
    fd, named = _new(f"{directory}{slash}" or ".", temporary, path, mode)
    try:
        found = _filled(write, fd, path)
        with Named(path):
            if not replace:
                _link(fd, path)
            else:
                if not named:
                    discard(temporary)
                    _link(fd, temporary)
                    named = True
                os.rename(temporary, path)
                named = False
    finally:
        if named:
            discard(temporary)
        os.close(fd)
    return found


def _filled(write: Callable[[int], Any], fd: int, path: str) -> Any:
    """What *write* returns when all is on the disk, or has gone where it is not kept; *path* is what errors call it."""
    try:
        found = write(fd)
    except OSError as error:
        if error.filename is None and error.errno in NO_ROOM:
            raise OSError(error.errno, error.strerror, path) from None
        raise
    with Named(path):
        if stat.S_ISREG(os.fstat(fd).st_mode):
            os.fsync(fd)
    return found


def _new(directory: str, temporary: str, path: str, mode: int) -> tuple[int, bool]:
    """A file to write to, in *directory*, and whether it has the name *temporary*; *path* is what errors call it."""
    try:
        return os.open(directory, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, mode), False
    except OSError as error:
        if error.errno not in _NO_TMPFILE:
            raise OSError(error.errno, error.strerror, path) from None
    discard(temporary)
    try:
        return os.open(temporary, _NEW, mode), True
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None


def _link(fd: int, path: str) -> None:
    # With a directory's descriptor, which an absolute path does not need, it is linkat(2) that follows the link.
    os.link(f"/proc/self/fd/{fd}", path, src_dir_fd=fd, follow_symlinks=True)


def discard(path: str) -> bool:
    """Remove the file *path*; tells whether it was there."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True


def read_file(path: str) -> bytes | None:
    """Content of *path*, a record of nsunit's or a file of the kernel's, or None where there is no such file."""
    try:
        return read_regular(path, _RECORD_MAX, os.O_NOFOLLOW)
    except (FileNotFoundError, NotADirectoryError):
        return None


# What was in each file when it had which inode, times and size.
_known: dict[str, tuple[tuple[int, ...], bytes]] = {}


def read_known(path: str) -> bytes | None:
    """As `read_file`; from the third time on what has not changed is not read again.

    A start of many looks at the records of all others for each, and one alone does so once.
    """
    if path not in _known:
        _known[path] = (), b""
        return read_file(path)
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    version = status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size
    if _known[path][0] == version:
        return _known[path][1]
    content = read_file(path)
    if content is not None:
        _known[path] = version, content
    return content


def version_of(path: str) -> bytes | None:
    """What is another one after each `note_change` of *path*; None where there was none yet."""
    return read_file(path)


def note_change(path: str) -> bytes:
    """Have whoever looks at `version_of` *path* see that something is about to change; returns what that is now.

    Whoever reads meanwhile would take what was for what is, so all of them, and who writes, hold one lock.
    """
    version = os.urandom(16)  # an inode may be used again, and all within one tick of the clock
    make_private_directory(os.path.dirname(path))
    write_file(path, version)
    return version


def list_directory(path: str) -> list[str]:
    """Names in the directory *path*, sorted; none where it is missing."""
    try:
        return sorted(os.listdir(path))
    except (FileNotFoundError, NotADirectoryError):  # a file system of its own may have files at its top
        return []


def remove_tree(path: str, dir_fd: int | None = None) -> bool:
    """Remove the directory *path* and all below it; False where it was not there.  Never follows a link.

    It begins at the directory *dir_fd*, if that is given.

    A payload can nest directories deeper than a process may have descriptors or Python may recurse, so each one that
    is found is moved up to the top: no more than two are ever open.  A mount point cannot be moved, so nothing of what
    somebody has mounted below is removed.

    Raises:
        OSError: of *path*, whatever below it is meant: something is mounted there, among others.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        top = os.open(path, flags, dir_fd=dir_fd)
    except FileNotFoundError:
        return False
    mark = f".{os.urandom(8).hex()}"
    moved = 0
    try:
        names = os.listdir(top)
        while names:
            name = names.pop()
            if _unlink(name, top):
                continue
            if not name.startswith(mark):
                os.rename(name, f"{mark}-top", src_dir_fd=top, dst_dir_fd=top)
                name = f"{mark}-top"
            directory = os.open(name, flags, dir_fd=top)
            try:
                for entry in os.listdir(directory):
                    if not _unlink(entry, directory):
                        names.append(f"{mark}-{moved}")
                        moved += 1
                        os.rename(entry, names[-1], src_dir_fd=directory, dst_dir_fd=top)
            finally:
                os.close(directory)
            os.rmdir(name, dir_fd=top)
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None
    finally:
        os.close(top)
    os.rmdir(path, dir_fd=dir_fd)
    return True


def _unlink(name: str, dir_fd: int) -> bool:
    try:
        os.unlink(name, dir_fd=dir_fd)
    except IsADirectoryError:
        return False
    return True


def read_kernel_file(path: str, most: int = sys.maxsize) -> str | None:
    """The content of a file of the kernel's, at *most* so many bytes; None if it is gone or not provided."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (*GONE, _UNSUPPORTED):
            return None
        raise
    try:
        content = bytearray()
        # A list, such as cgroup.procs, comes in pieces of a page.
        while chunk := os.read(descriptor, min(_CHUNK, most - len(content))):
            content += chunk
    except OSError as error:
        if error.errno in (*GONE, _UNSUPPORTED):
            return None
        raise
    finally:
        os.close(descriptor)
    return content.decode(errors="surrogateescape")


def place_beside(path: str, directory: str, name: str, hidden: str) -> str:
    """Where what is to be renamed into *directory* is made: *name* in *path*, or *hidden* in it where that is apart."""
    apart = os.path.isdir(directory) and _file_system(directory) != _file_system(path)
    return f"{directory}/{hidden}" if apart else f"{path}/{name}"


def _file_system(path: str) -> tuple[int, str]:
    """What directories that a file can be renamed between have in common: a mount, and a subvolume of Btrfs."""
    fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        lines = (read_kernel_file(f"/proc/self/fdinfo/{fd}") or "").splitlines()
        return os.fstat(fd).st_dev, next((line for line in lines if line.startswith("mnt_id:")), "")
    finally:
        os.close(fd)
