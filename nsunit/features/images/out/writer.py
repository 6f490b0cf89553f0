"""Entries of tar archives, in the pax form that GNU tar, bsdtar and Python read.

Owners are numbers, extended attributes SCHILY.xattr, and sparse files GNU.sparse 1.0.
"""

from __future__ import annotations

import errno
import os
import stat
import tarfile

from nsunit.features.images.unpack.places import joined

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_SECOND = 1_000_000_000
_PIECE = 1 << 20
_BLOCK = tarfile.BLOCKSIZE
_KINDS = {
    stat.S_IFDIR: tarfile.DIRTYPE,
    stat.S_IFREG: tarfile.REGTYPE,
    stat.S_IFLNK: tarfile.SYMTYPE,
    stat.S_IFCHR: tarfile.CHRTYPE,
    stat.S_IFBLK: tarfile.BLKTYPE,
    stat.S_IFIFO: tarfile.FIFOTYPE,
}


def entry_of(called: str, status: os.stat_result) -> tarfile.TarInfo | None:
    """The entry of a file with *status*, without its content, link target and attributes; None for a socket."""
    kind = _KINDS.get(stat.S_IFMT(status.st_mode))
    if kind is None:
        return None
    entry = tarfile.TarInfo(called)
    entry.type, entry.mode = kind, stat.S_IMODE(status.st_mode)
    entry.uid, entry.gid = status.st_uid, status.st_gid
    entry.mtime, rest = divmod(status.st_mtime_ns, _SECOND)
    if rest:
        entry.pax_headers = {"mtime": _decimal(status.st_mtime_ns)}
    if kind in (tarfile.CHRTYPE, tarfile.BLKTYPE):
        entry.devmajor, entry.devminor = os.major(status.st_rdev), os.minor(status.st_rdev)
    return entry


def _decimal(nanoseconds: int) -> str:
    """Seconds; a fraction counts away from zero, in the text as in the number."""
    sign = "-" if nanoseconds < 0 else ""
    whole, rest = divmod(abs(nanoseconds), _SECOND)
    return f"{sign}{whole}.{rest:09}".rstrip("0")


def extents(fd: int, size: int) -> Iterator[tuple[int, int]]:
    """Where a file has data, as (offset, size)."""
    offset = 0
    while offset < size:
        try:
            start = os.lseek(fd, offset, os.SEEK_DATA)
            offset = min(os.lseek(fd, start, os.SEEK_HOLE), size)
        except OSError as error:
            if error.errno == errno.ENXIO:  # a hole up to its end
                return
            if error.errno != errno.EINVAL:
                raise
            yield offset, size - offset  # a file system that does not know
            return
        if start < offset:
            yield start, offset - start


class Writer:
    """Writes an archive by *write*."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self.write = write
        self._first: dict[tuple[int, int], str] = {}  # files with several names -> the name that has the content

    def header(self, entry: tarfile.TarInfo) -> None:
        """Add *entry*; its data, if it has any, are to follow."""
        entry.pax_headers = dict(sorted(entry.pax_headers.items()))
        self.write(entry.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))

    def again(self, entry: tarfile.TarInfo, status: os.stat_result) -> bool:
        """Add *entry* as a link, if its file was added by another name."""
        if status.st_nlink < 2 or entry.isdir():
            return False
        first = self._first.setdefault((status.st_dev, status.st_ino), entry.name)
        if first == entry.name:
            return False
        entry.type, entry.linkname = tarfile.LNKTYPE, first
        self.header(entry)
        return True

    def forget(self, status: os.stat_result) -> None:
        """The file was not added after all."""
        self._first.pop((status.st_dev, status.st_ino), None)

    def file(self, entry: tarfile.TarInfo, fd: int, size: int, pieces: Sequence[tuple[int, int]]) -> bool:
        """Add *entry* with the content of the file behind *fd*, that has data in *pieces* alone.

        Returns whether all was there; if the file has become shorter, zeros stand for the rest.
        """
        entry.size = sum(length for _, length in pieces)
        if entry.size == size:
            self.header(entry)
        else:
            self._sparse(entry, size, pieces)
        whole = [self._copy(fd, offset, length) for offset, length in pieces]
        self.write(bytes(-entry.size % _BLOCK))
        return all(whole)

    def _sparse(self, entry: tarfile.TarInfo, size: int, pieces: Sequence[tuple[int, int]]) -> None:
        """GNU tar's form 1.0: where the data belong stands before them."""
        table = "".join(f"{number}\n" for number in (len(pieces), *(part for piece in pieces for part in piece)))
        before = _padded(table.encode())
        entry.pax_headers = {
            **entry.pax_headers,
            "GNU.sparse.major": "1",
            "GNU.sparse.minor": "0",
            "GNU.sparse.name": entry.name,
            "GNU.sparse.realsize": str(size),
        }
        parent, _, name = entry.name.rpartition("/")
        entry.name = joined(parent, f"GNUSparseFile.0/{name}")
        entry.size += len(before)
        self.header(entry)
        self.write(before)

    def _copy(self, fd: int, offset: int, size: int) -> bool:
        end = offset + size
        while offset < end:
            piece = os.pread(fd, min(_PIECE, end - offset), offset)
            if not piece:
                self._zeros(end - offset)
                return False
            self.write(piece)
            offset += len(piece)
        return True

    def _zeros(self, size: int) -> None:
        for offset in range(0, size, _PIECE):
            self.write(bytes(min(_PIECE, size - offset)))

    def text(self, entry: tarfile.TarInfo, content: bytes) -> None:
        """Add *entry* with *content*."""
        entry.size = len(content)
        self.header(entry)
        self.write(_padded(content))

    def finish(self) -> None:
        """End the archive."""
        self.write(bytes(2 * _BLOCK))


def _padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % _BLOCK)
