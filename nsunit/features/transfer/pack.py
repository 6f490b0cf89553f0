"""A tree of files as a tar archive, by descriptor: no link on the way is followed, whoever changes it meanwhile."""

from __future__ import annotations

import errno
import os
import stat
import tarfile

from nsunit.features.images.out.walk import GONE, Node, walk
from nsunit.features.images.out.writer import Writer, entry_of, extents
from nsunit.names import printable
from nsunit.setup import linux
from nsunit.setup.files import KERNEL_FILE_SYSTEMS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
KEPT = ("security.capability", "system.posix_acl_access", "system.posix_acl_default")
OPAQUE = "trusted.overlay.opaque"  # as archives have it, whoever mounts the overlay
WARNINGS_MAX = 20
_PIECE = 1 << 20
_SIZELESS_MAX = 64 << 20  # bytes


class Packer:
    """Writes entries to the descriptor *out*.

    With *opaque*, the name of overlayfs's attribute for a directory that hides those below it, the tree is an upper
    layer: that attribute and its whiteouts are kept.  Else device nodes are left out, as sockets always are.  Files in
    *omitted*, by the names they have in the archive, come without content, but with these headers.  *place* is how
    errors call *out*.
    """

    def __init__(
        self,
        out: int,
        *,
        opaque: str = "",
        omitted: Mapping[str, dict[str, str]] | None = None,
        place: str = "standard output",
    ) -> None:
        self.out = out
        self.place = place
        self.opaque = opaque
        self.omitted = omitted or {}
        self.warnings: list[str] = []
        self._writer = Writer(self._write)

    def file(self, name: str, content: bytes) -> None:
        """Add a file of root's with *content*."""
        entry = tarfile.TarInfo(name)
        entry.mode = 0o644
        self._writer.text(entry, content)

    def tree(self, parent: int, name: str, called: str) -> None:
        """Add what is *name* in the directory *parent* as *called*, with all that is below it.

        Raises:
            OSError: something of it cannot be read; with its path.
            NsunitError: it lies too deep.
        """
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        if not stat.S_ISDIR(status.st_mode):
            self._add(Node("", parent, name, status), called)
            return
        top = os.open(name, _DIRECTORY, dir_fd=parent)
        try:
            for node in walk(top, mounts=True):
                path = f"{called}/{node.path}" if node.path else called
                try:
                    self._add(node, path)
                except OSError as error:
                    if error.filename == self.place:
                        raise
                    if error.errno not in GONE:
                        raise OSError(error.errno, error.strerror, path) from None
                    # It was removed, or replaced by something else, while its directory was read.
        finally:
            os.close(top)

    def finish(self) -> None:
        """End the archive."""
        self._writer.finish()

    def warn(self, text: str) -> None:
        """Note what is left out."""
        if len(self.warnings) < WARNINGS_MAX:
            self.warnings.append(text)

    def _add(self, node: Node, called: str) -> None:
        entry = entry_of(called, node.status)
        if entry is None:
            self.warn(f"'{printable(called)}' is left out: it is a socket")
        elif entry.isdev() and not entry.isfifo() and not self.opaque:
            self.warn(f"'{printable(called)}' is left out: it is a device node")
        elif entry.isdir() or entry.isreg():
            fd = os.open(node.name, _DIRECTORY if entry.isdir() else _FILE, dir_fd=node.directory)
            try:
                self._opened(fd, called)
            finally:
                os.close(fd)
        else:
            if entry.issym():
                entry.linkname = os.readlink(node.name, dir_fd=node.directory)
            self._writer.header(entry)

    def _opened(self, fd: int, called: str) -> None:
        """Add a directory without what is in it, or a file."""
        status = os.fstat(fd)
        entry = entry_of(called, status)
        if entry is None or not (entry.isdir() or entry.isreg()) or self._writer.again(entry, status):
            return
        entry.pax_headers = {**entry.pax_headers, **self._attributes(fd), **self.omitted.get(called, {})}
        if entry.isdir() or called in self.omitted:
            self._writer.header(entry)
        elif not status.st_size or linux.fstatfs_type(fd) in KERNEL_FILE_SYSTEMS:
            self._writer.text(entry, _to_the_end(fd))  # what the kernel makes up while it is read has no size
        elif not self._writer.file(entry, fd, status.st_size, list(extents(fd, status.st_size))):
            self.warn(f"'{printable(called)}' became shorter while it was read, and has zeros at its end")

    def _attributes(self, fd: int) -> dict[str, str]:
        found = {}
        try:
            names = os.listxattr(fd)
        except OSError as error:
            if error.errno != errno.ENOTSUP:
                raise
            return {}
        for name in names:
            if name == self.opaque:
                called = OPAQUE
            elif name in KEPT or (name.startswith("user.") and not name.startswith("user.overlay.")):
                called = name
            else:
                continue
            try:
                found[f"SCHILY.xattr.{called}"] = os.getxattr(fd, name).decode("utf-8", "surrogateescape")
            except OSError as error:
                if error.errno != errno.ENODATA:
                    raise
        return found

    def _write(self, content: bytes) -> None:
        view = memoryview(content)
        try:
            while view:
                view = view[os.write(self.out, view) :]
        except OSError as error:
            raise OSError(error.errno, error.strerror, self.place) from None


def _to_the_end(fd: int) -> bytes:
    """What can be read of *fd*, whatever size it says.

    Raises:
        OSError: it goes on and on.
    """
    content = bytearray()
    while piece := os.read(fd, _PIECE):
        content += piece
        if len(content) > _SIZELESS_MAX:
            raise OSError(errno.EFBIG, f"it says no size, and has more than {_SIZELESS_MAX >> 20} MiB")
    return bytes(content)
