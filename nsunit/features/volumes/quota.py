"""How much a directory can hold: project quotas of ext4, xfs and f2fs."""

from __future__ import annotations

import errno
import fcntl
import os
import struct

from nsunit.errors import NsunitError
from nsunit.features.volumes.setup import ABOUT, DATA
from nsunit.setup import linux
from nsunit.storage import files

_FSGETXATTR, _FSSETXATTR = 0x801C581F, 0x401C5820
_ATTRIBUTES = "=IIIII8x"  # struct fsxattr: flags, extent size, extents, project, size of extents for copies
_PROJINHERIT = 0x200
_PROJECT = 2
_GETQUOTA, _SETQUOTA = (0x800007 << 8) | _PROJECT, (0x800008 << 8) | _PROJECT
_QUOTA = "=QQQQQQQQI4x"  # struct if_dqblk
_LIMITS = 1  # QIF_BLIMITS
_BLOCK = 1024
_UNSUPPORTED = (errno.ENOSYS, errno.ESRCH, errno.EINVAL, errno.ENOTSUP, errno.ENOTTY)
_FIRST = 0x6E730000  # of the projects that are nsunit's
_COUNT = 0x10000


def keep_to(path: str, size: int) -> bool:
    """Let the volume in the directory *path* hold at most *size* bytes; tells whether that was made for it.

    Raises:
        NsunitError: something is in it already that was not counted, or its file system has no quotas.
    """
    former = files.read_file(f"{path}/{ABOUT}")
    about = b"size-max %d\n" % size
    if former == about:
        return False
    is_new = not os.path.lexists(path)
    files.make_private_directory(path)
    try:
        if not former and os.path.lexists(f"{path}/{DATA}"):
            hint = "export it, take it away, and import it into one that 'nsunit volume create --size' has made"
            raise NsunitError(f"the volume '{os.path.basename(path)}' is there already, without a size", hint=hint)
        limit(path, size)
        files.write_file(f"{path}/{ABOUT}", about)
    except BaseException:
        if is_new:
            files.remove_tree(path)
        raise
    return not former


def limit(path: str, size: int) -> None:
    """Let the directory *path*, which is empty or has a limit already, hold at most *size* bytes.

    Raises:
        NsunitError: its file system has no such quotas, or they are not the caller's to set.
    """
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        attributes = bytearray(struct.calcsize(_ATTRIBUTES))
        fcntl.ioctl(fd, _FSGETXATTR, attributes)
        flags, extent, extents, project, copies = struct.unpack(_ATTRIBUTES, attributes)
        if not _FIRST <= project < _FIRST + _COUNT:
            project = _free_project(fd, os.fstat(fd).st_ino)
        fcntl.ioctl(fd, _FSSETXATTR, struct.pack(_ATTRIBUTES, flags | _PROJINHERIT, extent, extents, project, copies))
        blocks = -(-size // _BLOCK)
        linux.quotactl_fd(fd, _SETQUOTA, project, bytearray(struct.pack(_QUOTA, blocks, 0, 0, 0, 0, 0, 0, 0, _LIMITS)))
    except OSError as error:
        if error.errno == errno.EPERM:
            raise NsunitError("only root can limit how much a volume holds", hint="leave its size out") from error
        if error.errno not in _UNSUPPORTED:
            raise
        raise NsunitError(
            f"the file system of '{os.path.dirname(path)}' has no project quotas, so no size can be limited",
            hint="mount one there with the option prjquota: xfs, or ext4 made with -O quota,project",
        ) from error
    finally:
        os.close(fd)


def _free_project(fd: int, number: int) -> int:
    """A project of nsunit's of which there are no files; *number* says where to begin."""
    for offset in range(_COUNT):
        project = _FIRST + (number + offset) % _COUNT
        quota = bytearray(struct.calcsize(_QUOTA))
        try:
            linux.quotactl_fd(fd, _GETQUOTA, project, quota)
        except OSError as error:
            if error.errno != errno.ENOENT:  # xfs, of one that was never used
                raise
            return project
        _, _, space, _, _, inodes, *_ = struct.unpack(_QUOTA, quota)
        if not space and not inodes:  # the limit is what a volume has left that was taken away
            return project
    raise NsunitError("all project ids for quotas are in use", hint="remove volumes that have a size")
