"""The one door to the C library: system calls by number.

This uses the C half of ctypes: the Python half costs a third of a bare interpreter's start, for types that no system
call needs.  It stands apart from nsunit.setup.linux, so that what only plans never loads it.  The helper loads it first
of all (`nsunit.setup.main.harden`), before anything of a container is entered; nothing is looked up in it later.
"""

from __future__ import annotations

import _ctypes
import os


class _Long(_ctypes._SimpleCData):  # type: ignore[type-arg]
    _type_ = "l"


class _Syscall(_ctypes.CFuncPtr):
    _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO
    _restype_ = _Long


class _Byte(_ctypes._SimpleCData):  # type: ignore[type-arg]
    _type_ = "c"


_syscall = _Syscall(_ctypes.dlsym(_ctypes.dlopen(None, 0), "syscall"))  # type: ignore[arg-type]


def syscall(what: str, number: int, *arguments: int | bytes | bytearray | None, path: str | None = None) -> int:
    """syscall(2).  Bytes are passed by address, and so is a bytearray, which the kernel may write to.

    Raises:
        OSError: it failed; the text begins with *what*, and *path* is its file name.
    """
    result: int = _syscall(_Long(number), *map(_convert, arguments))
    if result < 0:
        error = _ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}", path)
    return result


def _convert(argument: int | bytes | bytearray | None) -> object:
    # Without a prototype ctypes would pass an int as 32 bits; the kernel reads whole registers.
    if isinstance(argument, int):
        return _Long(argument)
    if isinstance(argument, bytearray):
        return (_Byte * len(argument)).from_buffer(argument)
    return argument


def address_of(buffer: bytearray) -> int:
    """The address of *buffer*'s memory, for a structure that points to it; *buffer* must outlive the call."""
    address: int = _ctypes.addressof((_Byte * len(buffer)).from_buffer(buffer))
    return address
