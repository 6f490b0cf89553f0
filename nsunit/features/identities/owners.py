"""`Ownership=chown`: a root directory whose files really belong to the container's ids on disk.

For file systems that cannot id-map mounts.  The root directory itself is changed last, so that it tells whether all
is done; a second run after an interruption goes on where the first one was.  What chown(2) takes away of a file is
noted in an attribute of its own until it has it again.
"""

from __future__ import annotations

import errno
import os
import stat
import struct

from nsunit.errors import NsunitError

_CAPABILITY = "security.capability"
_NOTE = "trusted.nsunit.chown"  # the mode of a file, and its capability
_PRIVILEGES = stat.S_ISUID | stat.S_ISGID
_NONE = (errno.ENODATA, errno.EOPNOTSUPP)
_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
VFS_CAP_REVISION_MASK, VFS_CAP_REVISION_2, VFS_CAP_REVISION_3 = 0xFF000000, 0x02000000, 0x03000000


def change_owners(path: str, start: int, count: int) -> None:
    """Give all of the tree *path* to the ids from *start* on, as its root directory's owner had them from his own on.

    Mount points below it are left alone.

    Raises:
        NsunitError: a file has an id outside of the *count* ids.
    """
    fd = os.open(path, _FLAGS)
    try:
        top = os.fstat(fd)
        if (top.st_uid, top.st_gid) == (start, start):
            return
        _change_below(fd, path, _Shift(top, start, count))
        os.chown(fd, start, start)
        os.chmod(fd, stat.S_IMODE(top.st_mode))
    finally:
        os.close(fd)


class _Shift:
    def __init__(self, top: os.stat_result, start: int, count: int) -> None:
        self.device = top.st_dev
        self.bases = top.st_uid, top.st_gid
        self.start = start
        self.count = count

    def ids(self, status: os.stat_result, path: str) -> tuple[int, int]:
        """The new owner and group; what an interrupted run has changed already stays."""
        found = []
        for identity, base in zip((status.st_uid, status.st_gid), self.bases, strict=True):
            if self.start <= identity < self.start + self.count:
                found.append(identity)
            elif base <= identity < base + self.count:
                found.append(identity - base + self.start)
            else:
                raise NsunitError(
                    f"'{path}' belongs to id {identity}, which the container has no counterpart for",
                    hint=f"its ids are those from {base} to {base + self.count - 1} of the directory",
                )
        return found[0], found[1]


def _change_below(top: int, path: str, shift: _Shift) -> None:
    # No more directories are open than the tree is deep.
    below = [(os.dup(top), path, os.listdir(top))]
    try:
        while below:
            directory, place, names = below[-1]
            if not names:
                os.close(below.pop()[0])
                continue
            name = names.pop()
            status = os.stat(name, dir_fd=directory, follow_symlinks=False)
            if status.st_dev != shift.device:
                continue
            _change(name, directory, status, f"{place}/{name}", shift)
            if stat.S_ISDIR(status.st_mode):
                inner = os.open(name, _FLAGS, dir_fd=directory)
                below.append((inner, f"{place}/{name}", os.listdir(inner)))
    finally:
        for directory, _, _ in below:
            os.close(directory)


def _change(name: str, directory: int, status: os.stat_result, path: str, shift: _Shift) -> None:
    ids = shift.ids(status, path)
    noted = stat.S_ISREG(status.st_mode) and _attribute(f"/proc/self/fd/{directory}/{name}", _NOTE)
    if ids == (status.st_uid, status.st_gid) and not noted:
        return
    if not stat.S_ISREG(status.st_mode):
        os.chown(name, *ids, dir_fd=directory, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            os.chmod(name, stat.S_IMODE(status.st_mode), dir_fd=directory)
        return
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    try:
        _change_file(fd, ids, stat.S_IMODE(status.st_mode), noted or b"", shift.start)
    finally:
        os.close(fd)


def _change_file(fd: int, ids: tuple[int, int], mode: int, noted: bytes, root: int) -> None:
    """Give the file *fd*, of *mode*, to *ids*; *noted* is what an interrupted run has noted of it, empty for nothing.

    chown(2) takes away the set-user-ID bit and the capabilities.
    """
    if noted:
        (mode,), capability = struct.unpack_from("<I", noted), noted[4:]
    else:
        capability = _attribute(fd, _CAPABILITY)
        if capability or mode & _PRIVILEGES:
            noted = struct.pack("<I", mode) + capability
            noted = noted if _note(fd, noted) else b""
    os.chown(fd, *ids)
    os.chmod(fd, mode)
    if capability:
        os.setxattr(fd, _CAPABILITY, for_root(capability, root))
    if noted:
        os.removexattr(fd, _NOTE)


def _note(fd: int, content: bytes) -> bool:
    """Note *content* on the file *fd*; False where its file system has no attributes."""
    try:
        os.setxattr(fd, _NOTE, content)
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        return False
    return True


def _attribute(file: int | str, name: str) -> bytes:
    """The attribute *name* of *file*, empty if it has none."""
    try:
        return os.getxattr(file, name, follow_symlinks=isinstance(file, int))
    except OSError as error:
        if error.errno not in _NONE:
            raise
        return b""


def for_root(capability: bytes, root: int) -> bytes:
    """The attribute security.capability with *root* as the id whose user namespace honours it, capabilities(7)."""
    (magic,) = struct.unpack_from("<I", capability)
    if magic & VFS_CAP_REVISION_MASK not in (VFS_CAP_REVISION_2, VFS_CAP_REVISION_3):
        return capability
    magic = magic & ~VFS_CAP_REVISION_MASK | VFS_CAP_REVISION_3
    return struct.pack("<I", magic) + capability[4:20] + struct.pack("<I", root)
