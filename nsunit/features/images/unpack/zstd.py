"""zstd by the system's own library, which dpkg and systemd use: Python has a module for it from 3.14 on only."""

from __future__ import annotations

import ctypes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

LIBRARY = "libzstd.so.1"
MAGIC = b"\x28\xb5\x2f\xfd"
_OUTPUT = 1 << 18  # bytes
_loaded: Any = None


class ZstdError(Exception):
    """The library is missing, or does not take what it was given."""


class _Buffer(ctypes.Structure):
    """ZSTD_inBuffer and ZSTD_outBuffer, which have the same members."""

    _fields_ = (("data", ctypes.c_void_p), ("size", ctypes.c_size_t), ("position", ctypes.c_size_t))


def is_skippable(first: bytes) -> bool:
    """Whether *first* begins a skippable frame: zstd:chunked has its tables in such, which plain readers leave out."""
    return len(first) >= 4 and first[1:4] == b"\x2a\x4d\x18" and first[0] & 0xF0 == 0x50


def preload() -> None:
    """Load the library while the host's files are in sight; that it is missing is told when it is needed."""
    global _loaded
    try:
        _loaded = ctypes.CDLL(LIBRARY)
    except OSError:
        return
    size, pointer = ctypes.c_size_t, ctypes.c_void_p
    for name, result, arguments in (
        ("ZSTD_createDStream", pointer, ()),
        ("ZSTD_freeDStream", size, (pointer,)),
        ("ZSTD_decompressStream", size, (pointer, pointer, pointer)),
        ("ZSTD_createCStream", pointer, ()),
        ("ZSTD_freeCStream", size, (pointer,)),
        ("ZSTD_compressStream2", size, (pointer, pointer, pointer, ctypes.c_int)),
        ("ZSTD_isError", ctypes.c_uint, (size,)),
        ("ZSTD_getErrorName", ctypes.c_char_p, (size,)),
    ):
        function = getattr(_loaded, name)
        function.restype, function.argtypes = result, arguments


class Compressor:
    """Makes one frame of what it is given, at the library's usual level; used as those of zlib are.

    Raises:
        ZstdError: there is no library.
    """

    def __init__(self) -> None:
        preload()
        if _loaded is None:
            raise ZstdError(f"'{LIBRARY}' is not installed")
        self._stream = _loaded.ZSTD_createCStream()
        self._output = ctypes.create_string_buffer(_OUTPUT)

    def compress(self, content: bytes) -> bytes:
        """What there is of the frame when *content* has come."""
        return self._step(content, _CONTINUE)

    def flush(self) -> bytes:
        """The rest of the frame."""
        found = self._step(b"", _END)
        _loaded.ZSTD_freeCStream(self._stream)
        return found

    def _step(self, content: bytes, directive: int) -> bytes:
        source = _Buffer(ctypes.cast(ctypes.c_char_p(content), ctypes.c_void_p), len(content), 0)
        found = []
        while True:
            target = _Buffer(ctypes.addressof(self._output), _OUTPUT, 0)
            left = _loaded.ZSTD_compressStream2(self._stream, ctypes.byref(target), ctypes.byref(source), directive)
            if _loaded.ZSTD_isError(left):
                raise ZstdError(_loaded.ZSTD_getErrorName(left).decode())
            found.append(ctypes.string_at(self._output, target.position))
            if source.position == source.size and (not left or directive == _CONTINUE):
                return b"".join(found)


_CONTINUE, _END = 0, 2  # of ZSTD_EndDirective


def decompress(data: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    """The content of all frames in *data* and *rest*, in pieces.

    Raises:
        ZstdError: there is no library, or the data are damaged.
        EOFError: they are cut off.
    """
    if _loaded is None:
        raise ZstdError(f"'{LIBRARY}' is not installed")
    stream = _loaded.ZSTD_createDStream()
    output = ctypes.create_string_buffer(_OUTPUT)
    try:
        left = 0
        while data:
            source = _Buffer(ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p), len(data), 0)
            full = False
            while source.position < source.size or full:
                target = _Buffer(ctypes.addressof(output), _OUTPUT, 0)
                left = _loaded.ZSTD_decompressStream(stream, ctypes.byref(target), ctypes.byref(source))
                if _loaded.ZSTD_isError(left):
                    raise ZstdError(_loaded.ZSTD_getErrorName(left).decode())
                full = target.position == target.size
                if target.position:
                    yield ctypes.string_at(output, target.position)
            data = next(rest, b"")
        if left:
            raise EOFError("it is cut off")
    finally:
        _loaded.ZSTD_freeDStream(stream)
