"""The one door to the C library: system calls by number.

ctypes takes a fifth of a bare interpreter's start to import, so it stands apart from nsunit.setup.linux: what only
plans never loads it.  The helper loads it first of all (`nsunit.setup.main.harden`), before anything of a container is
entered; nothing is looked up in it later.
"""

from __future__ import annotations

import ctypes
import os

_syscall = ctypes.CDLL(None, use_errno=True).syscall
_syscall.restype = ctypes.c_long
_long = ctypes.c_long


def syscall(what: str, number: int, *arguments: int | bytes | bytearray | None, path: str | None = None) -> int:
    """syscall(2).  Bytes are passed by address, and so is a bytearray, which the kernel may write to.

    Raises:
        OSError: it failed; the text begins with *what*, and *path* is its file name.
    """
    result: int = _syscall(_long(number), *map(_convert, arguments))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}", path)
    return result


def _convert(argument: int | bytes | bytearray | None) -> object:
    # Without a prototype ctypes would pass an int as 32 bits; the kernel reads whole registers.
    if isinstance(argument, int):
        return _long(argument)
    if isinstance(argument, bytearray):
        return (ctypes.c_char * len(argument)).from_buffer(argument)
    return argument


def address_of(buffer: bytearray) -> int:
    """The address of *buffer*'s memory, for a structure that points to it; *buffer* must outlive the call."""
    return ctypes.addressof((ctypes.c_char * len(buffer)).from_buffer(buffer))
