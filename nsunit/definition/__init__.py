"""The definition file: how it is read, syntax, the table of settings, the frozen Definition."""

from __future__ import annotations

import _stat as stat  # the C half of stat
import errno
import os

FILE_MAX = 1 << 20  # bytes, of what people write
_PIECE = 1 << 16


def read_regular(path: str, most: int = FILE_MAX, flags: int = 0) -> bytes:
    """The content of the regular file *path*, opened with *flags* besides.

    A pipe would have one wait for whoever writes it, a device can do anything when it is opened, and what never ends
    takes all memory.

    Raises:
        OSError: it cannot be read, is not a regular file (EINVAL) or has more than *most* bytes (EFBIG).
    """
    if not stat.S_ISREG(os.stat(path, follow_symlinks=not flags & os.O_NOFOLLOW).st_mode):
        raise OSError(errno.EINVAL, "is not a regular file", path)
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY | flags)
    try:  # no file object, which takes longer than the calls: a start reads what all other containers have noted
        if not stat.S_ISREG(os.fstat(fd).st_mode):  # it was another one before
            raise OSError(errno.EINVAL, "is not a regular file", path)
        content = bytearray()  # with bytes each piece would copy all of those before
        # The kernel's own in /proc/sys answer ENOMEM to who asks for 4 MB at once.
        while piece := os.read(fd, min(_PIECE, most + 1 - len(content))):
            content += piece
    finally:
        os.close(fd)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"is larger than {most} bytes", path)
    return bytes(content)
