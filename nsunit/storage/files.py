"""Small files and directories in nsunit's own root-only directories."""

from __future__ import annotations

import os
import stat

from nsunit.errors import NsunitError

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def make_private_directory(path: str) -> None:
    """Make *path* and its parents, mode 0700.

    Raises:
        NsunitError: it is there already, but somebody else could write to it.
    """
    try:
        os.makedirs(path, 0o700)
    except FileExistsError:
        status = os.lstat(path)
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
            raise NsunitError(
                f"'{path}' is not a directory that only its owner can write to",
                hint="see who made it, and remove it",
            ) from None


def write_file(path: str, content: bytes) -> None:
    """Replace *path* atomically by a file of mode 0600 with *content*."""
    temporary = f"{path}.{os.getpid()}.new"
    fd = os.open(temporary, _NEW, 0o600)
    try:
        with open(fd, "wb") as file:
            file.write(content)
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def read_file(path: str) -> bytes | None:
    """Content of *path*, or None where there is no such file."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with open(fd, "rb") as file:
        return file.read()


def list_directory(path: str) -> list[str]:
    """Names in the directory *path*, sorted; none where it is missing."""
    try:
        return sorted(os.listdir(path))
    except FileNotFoundError:
        return []


def remove_tree(path: str) -> bool:
    """Remove *path* and all below it; False where it was not there.  Never follows a link, whatever is below."""
    import shutil  # not on the start path

    if not shutil.rmtree.avoids_symlink_attacks:
        raise NsunitError("this Python cannot remove a tree without following links")
    if not os.path.lexists(path):
        return False
    shutil.rmtree(path)
    return True
