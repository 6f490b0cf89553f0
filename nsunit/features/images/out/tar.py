"""A layer as a tar archive, in OCI's form: deletions as `.wh.` files, the same bytes for the same files.

Names are in order, times are whole, whatever is the host's own is left out, and what an opaque directory hides is named
one by one, as the specification would have it.  So a layer that was packed here and unpacked again gives the same
archive, and has the same digest.
"""

from __future__ import annotations

import os
import tarfile

from nsunit.errors import NsunitError
from nsunit.features.images.out.lowers import Lowers
from nsunit.features.images.out.places import mount_points
from nsunit.features.images.out.walk import (
    MARKS,
    Node,
    attributes_by_directory,
    capability_of_image,
    check_marks,
    is_whiteout,
    walk,
)
from nsunit.features.images.out.writer import Writer, entry_of, extents
from nsunit.features.images.unpack.attributes import CAPABILITY, is_allowed
from nsunit.features.images.unpack.places import joined
from nsunit.names import printable
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_HOLE_MIN = 1 << 20  # bytes; also what the borders of holes are rounded to, whatever the blocks of a file system are
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class Owners(Record):
    """Whose ids are on the disk: the container's own *base* is what it calls 0, and its root is one of *roots*."""

    base: int = 0
    roots: tuple[int, ...] = (0,)


class Packer:
    """Writes archives by *write*, one for each call of `pack`; *warnings* has what could not be taken along."""

    def __init__(self, write: Callable[[bytes], object], owners: Owners, lowers: Lowers) -> None:
        self.writer = Writer(write)
        self.owners = owners
        self.lowers = lowers
        self.left_out: frozenset[str] = frozenset()  # paths
        self.warnings: list[str] = []

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
                self.writer.forget(node.status)
        self.writer.finish()

    def _node(self, node: Node) -> None:
        path, status = node.path, node.status
        if path in self.left_out and self.lowers.find(path) is None:
            return
        if node.name.startswith(".wh."):
            self._warn(path, "in an image its name would mean that a file was removed")
            return
        if is_whiteout(status):
            if self.lowers.find(path) is not None:
                self._whiteout(path.rpartition("/")[0], node.name)
            return
        entry = entry_of(path or ".", status)
        if entry is None:
            self._warn(path, "it is a socket, which whoever listens on it makes anew")
            return
        attributes = attributes_by_directory(node)
        check_marks(path, attributes, self.lowers.marks)
        self._own(entry, path)
        if self.writer.again(entry, status):
            return
        entry.pax_headers = {**entry.pax_headers, **self._attributes(path, attributes)}
        if entry.isreg():
            self._file(node, entry)
            return
        if entry.issym():
            entry.linkname = os.readlink(node.name, dir_fd=node.directory)
        self.writer.header(entry)
        if entry.isdir():
            for name in self.lowers.hidden(node, attributes):
                self._whiteout(path, name)

    def _own(self, entry: tarfile.TarInfo, path: str) -> None:
        """Give *entry* the ids that the container has for its owners."""
        base = self.owners.base
        if entry.uid < base or entry.gid < base:
            raise NsunitError(
                f"'{printable(path)}' belongs to {entry.uid}:{entry.gid}, which are not the container's",
                hint=f"its ids begin at {base} on the disk",
            )
        entry.uid, entry.gid = entry.uid - base, entry.gid - base

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
            pieces = _rounded(extents(fd, status.st_size), status.st_size)
            if not self.writer.file(entry, fd, status.st_size, pieces):
                self._tell(f"'/{node.path}' became shorter while it was read, and has zeros at its end")
        finally:
            os.close(fd)

    def _whiteout(self, directory: str, name: str) -> None:
        entry = tarfile.TarInfo(joined(directory, f".wh.{name}"))
        entry.mode = 0
        self.writer.header(entry)

    def _warn(self, path: str, why: str) -> None:
        self._tell(f"'/{path}' is left out: {why}")

    def _tell(self, text: str) -> None:
        self.warnings.append(printable(text))


def _rounded(pieces: Iterable[tuple[int, int]], size: int) -> list[tuple[int, int]]:
    """The *pieces* of a file of *size* without the holes between them that are small."""
    found: list[tuple[int, int]] = []
    for offset, length in pieces:
        start = offset // _HOLE_MIN * _HOLE_MIN
        end = min(-(-(offset + length) // _HOLE_MIN) * _HOLE_MIN, size)
        if found and start <= sum(found[-1]):
            start = found.pop()[0]
        found.append((start, end - start))
    return found


def pack(
    root: int,
    write: Callable[[bytes], object],
    owners: Owners,
    lowers: Sequence[str],
    marks: str = MARKS,
    targets: Sequence[str] = (),
) -> list[str]:
    """Write the archive of the layer in the directory behind *root*, on top of *lowers*, the topmost first.

    See `Lowers` for *marks*, and `mount_points` for *targets*.  The working directory is another one meanwhile.
    Returns what could not be taken along.
    """
    packer = Packer(write, owners, Lowers(lowers, marks))
    packer.left_out = mount_points(root, targets, packer.lowers)
    before = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        packer.pack(walk(root))
    finally:
        os.fchdir(before)
        os.close(before)
    return packer.warnings
