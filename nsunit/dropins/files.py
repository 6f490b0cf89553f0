"""Unit files and drop-ins on disk, where systemd looks for them: replaced atomically, and on disk when they are."""

from __future__ import annotations

import os

from nsunit.definition import read_regular
from nsunit.definition.search import UNIT_DROP_IN
from nsunit.errors import NsunitError

DROP_IN = UNIT_DROP_IN


def drop_in_path(directory: str, unit: str) -> str:
    """Where nsunit's drop-in of *unit* is, in the unit *directory*."""
    return f"{directory}/{unit}.d/{DROP_IN}"


def read(path: str) -> bytes | None:
    """Content of *path*, or None where there is no such file; OSError for what is no file of such a kind."""
    try:
        return read_regular(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def make_directory(path: str) -> None:
    """Make the directory *path* and its parents where they are missing; root's with mode 0755, whatever the umask.

    systemd reads what is in them in any case, and users could not see what holds for a container.
    """
    if os.path.isdir(path):
        return
    if parent := os.path.dirname(path):
        make_directory(parent)
    try:
        os.mkdir(path, 0o755)
        if os.geteuid() == 0:
            os.chmod(path, 0o755)
    except FileExistsError:
        if not os.path.isdir(path):
            raise


def write(path: str, content: bytes) -> None:
    """Replace *path* by a file of mode 0644 with *content*, making its directory where it is missing.

    Raises:
        NsunitError: it cannot be written.
    """
    directory = os.path.dirname(path)
    temporary = f"{directory}/.{os.path.basename(path)}.{os.getpid()}"  # systemd looks at no name like that
    is_new = not os.path.isdir(directory)
    try:
        make_directory(directory)
        _discard(temporary)  # of one that was killed and had this number, before a reboot for instance
        try:
            fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
            with open(fd, "wb") as file:
                file.write(content)
                file.flush()
                os.fchmod(fd, 0o644)
                os.fsync(fd)
            os.rename(temporary, path)
        except BaseException:
            _discard(temporary)  # an interrupt may come when it has its name
            raise
        _sync(directory)
    except BaseException as error:
        if is_new and directory.endswith(".d"):
            _discard_empty(directory)
        if isinstance(error, OSError):
            raise NsunitError(f"cannot write '{path}': {error.strerror}") from error
        raise


def remove(path: str) -> bool:
    """Remove the file *path*, and a drop-in directory that is empty without it; False where it was not there."""
    try:
        os.unlink(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    directory = os.path.dirname(path)
    if directory.endswith(".d") and remove_empty(directory):
        directory = os.path.dirname(directory)
    _sync(directory)
    return True


def remove_empty(directory: str) -> bool:
    """Remove *directory* where nothing is in it; False where others have something there.

    Another command may do the same at this moment, or put something there.
    """
    try:
        os.rmdir(directory)
    except FileNotFoundError:
        return True
    except OSError as error:
        if error.errno not in (39, 17):  # ENOTEMPTY, EEXIST
            raise
        return False
    return True


def restore(path: str, content: bytes | None) -> None:
    """Bring back what `read` found."""
    if content is None:
        remove(path)
    else:
        write(path, content)


def _discard(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def _discard_empty(directory: str) -> None:
    try:
        os.rmdir(directory)
    except OSError:
        pass  # it has its file, or was not made: what has failed before is to be told


_NO_SYNC = (22, 30)  # EINVAL, EROFS: the file system knows of no such thing


def _sync(directory: str) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
    finally:
        os.close(fd)
