"""A layer as a tar archive, in OCI's form: deletions as `.wh.` files, the same bytes for the same files.

Names are in order, times are whole, whatever is the host's own is left out, and what an opaque directory hides is named
one by one, as the specification would have it.  So a layer that was packed here and unpacked again gives the same
archive, and has the same digest.
"""

from __future__ import annotations

import errno
import os
import stat
import tarfile

from nsunit.errors import NsunitError
from nsunit.features.images.out.lowers import Lowers
from nsunit.features.images.out.walk import (
    MARKS,
    Node,
    attributes_by_directory,
    capability_of_image,
    check_marks,
    is_whiteout,
    walk,
)
from nsunit.features.images.unpack.attributes import CAPABILITY, is_allowed
from nsunit.features.images.unpack.places import joined
from nsunit.names import printable
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_SECOND = 1_000_000_000
_PIECE = 1 << 20
_HOLE_MIN = 1 << 20  # bytes; also what the borders of holes are rounded to, whatever the blocks of a file system are
_BLOCK = tarfile.BLOCKSIZE
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_KINDS = {
    stat.S_IFDIR: tarfile.DIRTYPE,
    stat.S_IFREG: tarfile.REGTYPE,
    stat.S_IFLNK: tarfile.SYMTYPE,
    stat.S_IFCHR: tarfile.CHRTYPE,
    stat.S_IFBLK: tarfile.BLKTYPE,
    stat.S_IFIFO: tarfile.FIFOTYPE,
}


class Owners(Record):
    """Whose ids are on the disk: the container's own *base* is what it calls 0, and its root is one of *roots*."""

    base: int = 0
    roots: tuple[int, ...] = (0,)


class Packer:
    """Writes archives by *write*, one for each call of `pack`; *warnings* has what could not be taken along."""

    def __init__(self, write: Callable[[bytes], object], owners: Owners, lowers: Lowers) -> None:
        self.write = write
        self.owners = owners
        self.lowers = lowers
        self.warnings: list[str] = []
        self._first: dict[tuple[int, int], str] = {}  # files with several names -> the name that has the content

    def pack(self, nodes: Iterable[Node]) -> None:
        """Write the archive of *nodes*.

        Raises:
            NsunitError: one of them cannot be in an image.
            OSError: one cannot be read, or written.
        """
        for node in nodes:
            try:
                self._node(node)
            except FileNotFoundError:  # it was removed since it was listed
                self._first.pop((node.status.st_dev, node.status.st_ino), None)
        self.write(bytes(2 * _BLOCK))

    def _node(self, node: Node) -> None:
        path, status = node.path, node.status
        if node.name.startswith(".wh."):
            self._warn(path, "in an image its name would mean that a file was removed")
            return
        if is_whiteout(status):
            if self.lowers.find(path) is not None:
                self._whiteout(path.rpartition("/")[0], node.name)
            return
        kind = _KINDS.get(stat.S_IFMT(status.st_mode))
        if kind is None:
            self._warn(path, "it is a socket, which whoever listens on it makes anew")
            return
        attributes = attributes_by_directory(node)
        check_marks(path, attributes, self.lowers.marks)
        entry = self._entry(node, kind)
        if kind != tarfile.DIRTYPE and status.st_nlink > 1:
            first = self._first.setdefault((status.st_dev, status.st_ino), path)
            if first != path:
                entry.type, entry.linkname = tarfile.LNKTYPE, first
                self._header(entry)
                return
        entry.pax_headers = {**entry.pax_headers, **self._attributes(path, attributes)}
        if kind == tarfile.REGTYPE:
            self._file(node, entry)
            return
        self._header(entry)
        if kind == tarfile.DIRTYPE:
            for name in self.lowers.hidden(node, attributes):
                self._whiteout(path, name)

    def _entry(self, node: Node, kind: bytes) -> tarfile.TarInfo:
        status, base = node.status, self.owners.base
        entry = tarfile.TarInfo(node.path or ".")
        entry.type, entry.mode = kind, stat.S_IMODE(status.st_mode)
        entry.uid, entry.gid = status.st_uid - base, status.st_gid - base
        if entry.uid < 0 or entry.gid < 0:
            raise NsunitError(
                f"'{printable(node.path)}' belongs to {status.st_uid}:{status.st_gid}, which are not the container's",
                hint=f"its ids begin at {base} on the disk",
            )
        whole, rest = divmod(status.st_mtime_ns, _SECOND)
        entry.mtime = whole
        if rest:
            entry.pax_headers = {"mtime": _decimal(status.st_mtime_ns)}
        if kind == tarfile.SYMTYPE:
            entry.linkname = os.readlink(node.name, dir_fd=node.directory)
        if kind in (tarfile.CHRTYPE, tarfile.BLKTYPE):
            entry.devmajor, entry.devminor = os.major(status.st_rdev), os.minor(status.st_rdev)
        return entry

    def _attributes(self, path: str, attributes: dict[str, bytes]) -> dict[str, str]:
        found = {}
        for name, value in attributes.items():
            if name == CAPABILITY:
                own = capability_of_image(value, self.owners.roots)
                if own is None:
                    self._tell(f"'/{path}' goes without its capabilities, which hold in another user namespace only")
                    continue
                value = own
            if "=" in name:
                self._tell(f"'/{path}' goes without its attribute '{name}', which no archive can have")
            elif is_allowed(name, value):
                found[f"SCHILY.xattr.{name}"] = value.decode("utf-8", "surrogateescape")
        return found

    def _file(self, node: Node, entry: tarfile.TarInfo) -> None:
        fd = os.open(node.name, _OPEN, dir_fd=node.directory)
        try:
            status = os.fstat(fd)
            if (status.st_dev, status.st_ino) != (node.status.st_dev, node.status.st_ino):
                raise NsunitError(f"'{printable(node.path)}' was replaced while it was read", hint="do it again")
            pieces = _pieces(fd, status.st_size)
            if pieces is None:
                entry.size = status.st_size
                self._header(entry)
                self._content(fd, 0, entry.size, node.path)
            else:
                self._sparse(fd, entry, status.st_size, pieces)
        finally:
            os.close(fd)

    def _sparse(self, fd: int, entry: tarfile.TarInfo, size: int, pieces: list[tuple[int, int]]) -> None:
        """GNU tar's form 1.0: where the data belong stands before them."""
        path = entry.name
        table = "".join(f"{number}\n" for number in (len(pieces), *(part for piece in pieces for part in piece)))
        entry.pax_headers = {
            **entry.pax_headers,
            "GNU.sparse.major": "1",
            "GNU.sparse.minor": "0",
            "GNU.sparse.name": path,
            "GNU.sparse.realsize": str(size),
        }
        parent, _, name = path.rpartition("/")
        entry.name = joined(parent, f"GNUSparseFile.0/{name}")
        before = _padded(table.encode())
        entry.size = len(before) + sum(length for _, length in pieces)
        self._header(entry)
        self.write(before)
        for offset, length in pieces:
            self._copy(fd, offset, length, path)
        self.write(bytes(-entry.size % _BLOCK))

    def _content(self, fd: int, offset: int, size: int, path: str) -> None:
        self._copy(fd, offset, size, path)
        self.write(bytes(-size % _BLOCK))

    def _copy(self, fd: int, offset: int, size: int, path: str) -> None:
        end = offset + size
        while offset < end:
            piece = os.pread(fd, min(_PIECE, end - offset), offset)
            if not piece:
                self._tell(f"'/{path}' became shorter while it was read, and has zeros at its end")
                piece = bytes(min(_PIECE, end - offset))
            self.write(piece)
            offset += len(piece)

    def _whiteout(self, directory: str, name: str) -> None:
        entry = tarfile.TarInfo(joined(directory, f".wh.{name}"))
        entry.mode = 0
        self._header(entry)

    def _header(self, entry: tarfile.TarInfo) -> None:
        entry.pax_headers = dict(sorted(entry.pax_headers.items()))
        self.write(entry.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))

    def _warn(self, path: str, why: str) -> None:
        self._tell(f"'/{path}' is left out: {why}")

    def _tell(self, text: str) -> None:
        self.warnings.append(printable(text))


def _decimal(nanoseconds: int) -> str:
    sign = "-" if nanoseconds < 0 else ""
    whole, rest = divmod(abs(nanoseconds), _SECOND)
    return f"{sign}{whole}.{rest:09}".rstrip("0")


def _padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % _BLOCK)


def _pieces(fd: int, size: int) -> list[tuple[int, int]] | None:
    """Where a file with large holes has data, as (offset, size); None for any other."""
    found: list[tuple[int, int]] = []
    position = 0
    while position < size:
        try:
            start = os.lseek(fd, position, os.SEEK_DATA) // _HOLE_MIN * _HOLE_MIN
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            break  # there is nothing from here on
        end = min(-(-os.lseek(fd, max(start, position), os.SEEK_HOLE) // _HOLE_MIN) * _HOLE_MIN, size)
        if found and start <= sum(found[-1]):
            start = found.pop()[0]
        found.append((start, end - start))
        position = end
    return None if sum(length for _, length in found) == size else found


def pack(
    root: int, write: Callable[[bytes], object], owners: Owners, lowers: Sequence[str], marks: str = MARKS
) -> list[str]:
    """Write the archive of the layer in the directory behind *root*, on top of *lowers*, the topmost first.

    See `Lowers` for *marks*.  The working directory is another one meanwhile.  Returns what could not be taken along.
    """
    packer = Packer(write, owners, Lowers(lowers, marks))
    before = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        packer.pack(walk(root))
    finally:
        os.fchdir(before)
        os.close(before)
    return packer.warnings
