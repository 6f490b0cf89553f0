"""Files that tar(1) takes for holes with --sparse, and that have contents (findings/erofs-tar-sparse.sh)."""

from __future__ import annotations

import errno
import os
import stat


def seems_empty(path: str | bytes, status: os.stat_result) -> bool:
    """Whether the file, with this lstat(2), has contents and no blocks of its own: tar(1) goes by these.

    So it is on erofs, which puts small files together, and on some file systems of FUSE's.

    Raises:
        OSError: it cannot be opened.
    """
    if not stat.S_ISREG(status.st_mode) or status.st_blocks or not status.st_size:
        return False
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        os.lseek(file, 0, os.SEEK_DATA)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        return False  # it is one hole
    finally:
        os.close(file)
    return True
