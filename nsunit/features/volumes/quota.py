"""How much a directory can hold: project quotas of ext4, xfs and f2fs."""

from __future__ import annotations

import errno
import fcntl
import os
import struct

from nsunit.errors import NsunitError
from nsunit.setup import linux

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


def limit(path: str, size: int) -> None:
    """Let the empty directory *path* hold at most *size* bytes.

    Raises:
        NsunitError: its file system has no such quotas.
    """
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        project = _free_project(fd, os.fstat(fd).st_ino)
        attributes = bytearray(struct.calcsize(_ATTRIBUTES))
        fcntl.ioctl(fd, _FSGETXATTR, attributes)
        flags, extent, extents, _, copies = struct.unpack(_ATTRIBUTES, attributes)
        fcntl.ioctl(fd, _FSSETXATTR, struct.pack(_ATTRIBUTES, flags | _PROJINHERIT, extent, extents, project, copies))
        blocks = -(-size // _BLOCK)
        linux.quotactl_fd(fd, _SETQUOTA, project, bytearray(struct.pack(_QUOTA, blocks, 0, 0, 0, 0, 0, 0, 0, _LIMITS)))
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        raise NsunitError(
            f"the file system of '{os.path.dirname(path)}' has no project quotas, so no size can be limited",
            hint="mount one there with the option prjquota: xfs, or ext4 made with -O quota,project",
        ) from error
    finally:
        os.close(fd)


def _free_project(fd: int, number: int) -> int:
    """A project of nsunit's to which no limit was given; *number* says where to begin."""
    for offset in range(_COUNT):
        project = _FIRST + (number + offset) % _COUNT
        quota = bytearray(struct.calcsize(_QUOTA))
        try:
            linux.quotactl_fd(fd, _GETQUOTA, project, quota)
        except OSError as error:
            if error.errno != errno.ENOENT:  # xfs, of one that was never used
                raise
            return project
        hard, _, used, *_ = struct.unpack(_QUOTA, quota)
        if not hard and not used:
            return project
    raise NsunitError("no project is left for a quota", hint="remove volumes that have a size")
