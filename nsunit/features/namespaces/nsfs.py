"""Namespaces as files, ioctl_nsfs(2): what they are, whose, and keeping them alive by a mount.

Used by the manager only; the helper does not load it.
"""

from __future__ import annotations

import errno
import fcntl
import os

from nsunit.errors import UsageError, did_you_mean
from nsunit.features.namespaces.setup import NS_GET_NSTYPE, NS_GET_PARENT, NS_GET_USERNS
from nsunit.names import printable
from nsunit.setup import linux, namespaces

_OUT_OF_SIGHT = (errno.EPERM, errno.EINVAL)  # it is outside of what the caller may see; this kind has none
_PLACE_ATTRIBUTES = linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NODEV | linux.MOUNT_ATTR_NOEXEC


def kind_of(fd: int) -> str:
    """The kind of the namespace behind *fd*, as namespaces.KINDS has it.

    Raises:
        OSError: ENOTTY if it is something else.
    """
    flag = fcntl.ioctl(fd, NS_GET_NSTYPE)
    return next(kind for kind, value in namespaces.KINDS.items() if value == flag)


def owner_of(fd: int) -> int:
    """A descriptor of the user namespace that owns the one behind *fd*, of a user namespace its parent; -1 for none."""
    return _relative(fd, NS_GET_USERNS)


def parent_of(fd: int) -> int:
    """A descriptor of the parent of the PID or user namespace behind *fd*; -1 for none."""
    return _relative(fd, NS_GET_PARENT)


def _relative(fd: int, request: int) -> int:
    try:
        return fcntl.ioctl(fd, request)
    except OSError as error:
        if error.errno in _OUT_OF_SIGHT:
            return -1
        raise


def make_place(path: str) -> None:
    """Mount a small tmpfs on the directory *path* whose mounts do not propagate to other mount namespaces.

    A mount namespace made later gets copies of what is mounted here; `detach` removes them from there as well.
    """
    fd = linux.new_mount("tmpfs", _PLACE_ATTRIBUTES, (("mode", "0700"), ("size", "1M")))
    directory = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    linux.move_mount(fd, directory)
    os.close(directory)
    os.close(fd)
    linux.mount_propagation(path, linux.MS_PRIVATE)  # attached to a shared mount it has become one


def remove_place(path: str) -> None:
    """Undo `make_place`, and remove the directory."""
    linux.umount2(path, linux.MNT_DETACH)
    os.rmdir(path)


def attach(fd: int, path: str) -> None:
    """Mount the namespace behind *fd* on the file *path*."""
    linux.mount(f"/proc/self/fd/{fd}", path, "", linux.MS_BIND, "")


def detach(path: str) -> None:
    """Undo `attach`, and remove the file.

    Copies of the mount in other mount namespaces go with the file: vfs_unlink() detaches all that is mounted on it.
    """
    try:
        linux.umount2(path, linux.MNT_DETACH)
    except OSError as error:
        if error.errno != errno.EINVAL:  # nothing is mounted: an `attach` was interrupted
            raise
    os.unlink(path)


def check_kind(kind: str) -> str:
    """Return *kind* if there is such a kind of namespace.

    Raises:
        UsageError: there is not.
    """
    kinds = list(namespaces.KINDS)
    if kind not in kinds:
        hint = did_you_mean(kind, kinds, "'{}'") or f"there are {', '.join(kinds)}"
        raise UsageError(f"'{printable(kind)}' is not a kind of namespace", hint=hint)
    return kind
