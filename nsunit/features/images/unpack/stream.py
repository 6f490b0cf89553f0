"""The bytes of a blob, decompressed as they are read, with the digests of both forms taken on the way.

Everything in it is somebody else's: no piece is larger than it has to be, and what grows out of proportion ends.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import zlib

from nsunit.errors import NsunitError
from nsunit.features.images.unpack import zstd
from nsunit.features.images.unpack.ahead import ahead
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

_PIECE = 1 << 18  # bytes; also how much of a decompressor's output is taken at once
HEADER_MAX = 1 << 20  # bytes; names, attributes and maps of sparse files are shorter in any archive that means well
_LZMA_MEMORY_MAX = 256 << 20
_RATIO_MAX = 200
_RATIO_FROM = 256 << 20  # bytes; what is smaller may consist of zeros alone


class Blob(Record):
    """A piece of an open file: bytes *offset* to *offset* + *size* of *fd*; *name* is how messages call it."""

    fd: int
    offset: int
    size: int
    name: str

    def pieces(self) -> Iterator[bytes]:
        """Its bytes.

        Raises:
            NsunitError: the file has become shorter.
        """
        position, end = self.offset, self.offset + self.size
        while position < end:
            piece = os.pread(self.fd, min(_PIECE, end - position), position)
            if not piece:
                raise NsunitError(f"{self.name}: it is shorter than it should be", hint="get the image anew")
            position += len(piece)
            yield piece

    def content(self, most: int) -> bytes:
        """All its bytes, *most* at most.

        Raises:
            NsunitError: there are more.
        """
        if self.size > most:
            raise NsunitError(f"{self.name}: {self.size} bytes are more than the {most} that such a document may have")
        return b"".join(self.pieces())


class Content:
    """What *blob* is when decompressed, read once from its beginning to its end as tarfile reads a file."""

    def __init__(self, blob: Blob, size_max: int) -> None:
        self.blob = blob
        self.size_max = size_max
        self.blob_digest = hashlib.sha256()
        self.digest = hashlib.sha256()
        self.allowance: int | None = None  # bytes that may be read until it is set anew; of what is copied any number
        self._pieces = self._decompressed()
        self._piece = memoryview(b"")
        self._position = 0

    def read_ahead(self) -> None:
        """Have a thread read, hash and decompress ahead from here on, in a process that reads it to its end."""
        self._pieces = ahead(self._pieces)

    def tell(self) -> int:
        """How many bytes were read."""
        return self._position

    def seek(self, position: int) -> int:
        """Go forward to *position*.

        Raises:
            NsunitError: that is backward: a size in the archive was negative.
        """
        if position < self._position:
            raise self.damaged("a size in it is negative")
        size = position - self._position
        if size <= len(self._piece):
            self._piece = self._piece[size:]
            self._position = position
            return position
        for _ in self.copy(size):
            pass
        return position

    def read(self, size: int = -1) -> bytes:
        """The next *size* bytes, fewer at the end.

        Raises:
            NsunitError: that is more than any part of an archive but files may have.
        """
        if self.allowance is not None:
            self.allowance -= size
        if not 0 <= size <= HEADER_MAX or (self.allowance is not None and self.allowance < 0):
            raise self.damaged(f"a header in it has more than {HEADER_MAX >> 20} MiB")
        if size <= len(self._piece):  # nearly always
            found = bytes(self._piece[:size])
            self._piece = self._piece[size:]
            self._position += size
            return found
        return b"".join(self._take(size))

    def copy(self, size: int) -> Iterable[memoryview]:
        """The next *size* bytes, in pieces, each of which is to be taken.

        Raises:
            NsunitError: there are fewer.
        """
        if 0 < size <= len(self._piece):  # nearly always
            part = self._piece[:size]
            self._piece = self._piece[size:]
            self._position += size
            return (part,)
        return self._copied(size)

    def _copied(self, size: int) -> Iterator[memoryview]:
        end = self._position + size
        yield from self._take(size)
        if self._position != end:
            raise self.damaged("it ends within a file")

    def _take(self, size: int) -> Iterator[memoryview]:
        while size:
            if not self._piece:
                piece = next(self._pieces, None)
                if piece is None:
                    return
                self._piece = memoryview(piece)
            part = self._piece[:size]
            self._piece = self._piece[len(part) :]
            self._position += len(part)
            size -= len(part)
            yield part

    def finish(self) -> None:
        """Read what is behind the archive, so that the digests are whole.

        Raises:
            NsunitError: that is something else than zeros.
        """
        while piece := self.read(_PIECE):
            if piece.strip(b"\0"):
                raise self.damaged("something stands behind its end")

    def damaged(self, why: str) -> NsunitError:
        """What is raised where it cannot be what somebody meant."""
        return NsunitError(f"{self.blob.name}: {why}", hint="get the image anew")

    def _raw(self) -> Iterator[bytes]:
        for piece in self.blob.pieces():
            self.blob_digest.update(piece)
            yield piece

    def _decompressed(self) -> Iterator[bytes]:
        raw = self._raw()
        first = next(raw, b"")
        size = 0
        is_plain = not is_compressed(first)
        if is_plain:
            self.digest = self.blob_digest  # of the same bytes, which are read once
        try:
            for piece in _decompress(first, raw):
                size += len(piece)
                if size > self.size_max:
                    raise self.damaged(f"it has more than the {self.size_max >> 30} GiB that a layer may have")
                if size > max(_RATIO_FROM, self.blob.size * _RATIO_MAX):
                    raise self.damaged(f"it would grow to more than {_RATIO_MAX} times its size")
                if not is_plain:
                    self.digest.update(piece)
                yield piece
        except (zlib.error, lzma.LZMAError, zstd.ZstdError, EOFError) as error:
            raise self.damaged(f"it cannot be decompressed: {error}") from None


class Skimmed(Content):
    """What is read of *blob*, which is not compressed, without what is skipped: there are no digests of it."""

    def seek(self, position: int) -> int:
        """Go forward to *position*, without a look at what is in between.

        Raises:
            NsunitError: that is backward, or behind the end.
        """
        blob = self.blob
        if not self._position <= position <= blob.size:
            raise self.damaged("it ends within a file" if position > blob.size else "a size in it is negative")
        if position - self._position <= len(self._piece):
            self._piece = self._piece[position - self._position :]
        else:
            self._piece = memoryview(b"")
            self._pieces = blob.replace(offset=blob.offset + position, size=blob.size - position).pieces()
        self._position = position
        return position


def is_compressed(first: bytes) -> bool:
    """Whether a file that begins with *first* is in one of the formats that are known here."""
    return first.startswith((_GZIP, _XZ, zstd.MAGIC)) or zstd.is_skippable(first)


_GZIP, _XZ = b"\x1f\x8b", b"\xfd7zXZ\0"


def _decompress(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if first.startswith(_GZIP):
        yield from _gzip(first, rest)
    elif first.startswith(_XZ):
        yield from _xz(first, rest)
    elif first.startswith(zstd.MAGIC) or zstd.is_skippable(first):
        yield from zstd.decompress(first, rest)
    else:
        yield first
        yield from rest


def _gzip(data: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    return _members(lambda: zlib.decompressobj(wbits=31), data, rest)


def _xz(data: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    return _members(lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_LZMA_MEMORY_MAX), data, rest)


def _members(new: Callable[[], Any], data: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    """What is in the members of a file, which stand one behind the other; *new* makes what decompresses one."""
    stream = new()
    while True:
        yield stream.decompress(data, _PIECE)
        if stream.eof:
            data = stream.unused_data or next(rest, b"")
            if not data:
                return
            stream = new()
            continue
        # zlib hands back what it has not read yet, lzma keeps it.
        data = getattr(stream, "unconsumed_tail", b"")
        if not data and getattr(stream, "needs_input", True):
            data = next(rest, b"")
            if not data:
                raise EOFError("it is cut off")
