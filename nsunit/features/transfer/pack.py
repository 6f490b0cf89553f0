"""A tree of files as a tar archive, by descriptor: no link on the way is followed, whoever changes it meanwhile.

It is the pax form that GNU tar, bsdtar and Python read: owners by number, extended attributes as SCHILY.xattr, sparse
files as GNU.sparse 1.0.
"""

from __future__ import annotations

import errno
import os
import stat
import tarfile

from nsunit.names import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PIECE = 1 << 18
_BLOCK = tarfile.BLOCKSIZE
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
KEPT = ("security.capability", "system.posix_acl_access", "system.posix_acl_default")
OPAQUE = "trusted.overlay.opaque"  # as archives have it, whoever mounts the overlay
WARNINGS_MAX = 20


class Packer:
    """Writes entries to the descriptor *out*.

    With *opaque*, the name of overlayfs's attribute for a directory that hides those below it, the tree is an upper
    layer: that attribute and its whiteouts are kept.  Else device nodes are left out, as sockets always are.  Files in
    *omitted*, by the names they have in the archive, come without content, but with these headers.
    """

    def __init__(self, out: int, *, opaque: str = "", omitted: Mapping[str, dict[str, str]] | None = None) -> None:
        self.out = out
        self.opaque = opaque
        self.omitted = omitted or {}
        self.warnings: list[str] = []
        self._links: dict[tuple[int, int], str] = {}  # files with several names -> the first one

    def file(self, name: str, content: bytes) -> None:
        """Add a file of root's with *content*."""
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(content), 0o644
        self._header(entry)
        self._write(content + bytes(-len(content) % _BLOCK))

    def tree(self, parent: int, name: str, called: str) -> None:
        """Add what is *name* in the directory *parent* as *called*, with all that is below it."""
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        if not stat.S_ISDIR(status.st_mode):
            self._add(parent, name, called, status)
            return
        top = self._directory(parent, name, called)
        waiting = [(top, called, iter(sorted(os.listdir(top))))]
        try:
            while waiting:
                fd, path, names = waiting[-1]
                entry = next(names, None)
                if entry is None:
                    os.close(waiting.pop()[0])
                    continue
                try:
                    status = os.stat(entry, dir_fd=fd, follow_symlinks=False)
                    if stat.S_ISDIR(status.st_mode):
                        below = self._directory(fd, entry, f"{path}/{entry}")
                        waiting.append((below, f"{path}/{entry}", iter(sorted(os.listdir(below)))))
                    else:
                        self._add(fd, entry, f"{path}/{entry}", status)
                except OSError as error:
                    if error.errno not in (errno.ENOENT, errno.ELOOP, errno.ENOTDIR):
                        raise _at(error, f"{path}/{entry}") from None
                    # It was removed, or replaced by something else, while its directory was read.
        finally:
            for fd, _, _ in waiting:
                os.close(fd)

    def finish(self) -> None:
        """End the archive."""
        self._write(bytes(2 * _BLOCK))

    def warn(self, text: str) -> None:
        """Note what is left out."""
        if len(self.warnings) < WARNINGS_MAX:
            self.warnings.append(text)

    def _directory(self, parent: int, name: str, called: str) -> int:
        fd = os.open(name, _DIRECTORY, dir_fd=parent)
        try:
            entry = _entry(called, tarfile.DIRTYPE, os.fstat(fd))
            self._header(entry, self._attributes(fd))
        except BaseException:
            os.close(fd)
            raise
        return fd

    def _add(self, parent: int, name: str, called: str, status: os.stat_result) -> None:
        mode = status.st_mode
        if stat.S_ISREG(mode):
            fd = os.open(name, _FILE, dir_fd=parent)
            try:
                status = os.fstat(fd)
                if stat.S_ISREG(status.st_mode):
                    self._regular(fd, called, status)
            finally:
                os.close(fd)
        elif stat.S_ISLNK(mode):
            entry = _entry(called, tarfile.SYMTYPE, status)
            entry.linkname = os.readlink(name, dir_fd=parent)
            self._header(entry)
        elif stat.S_ISFIFO(mode):
            self._header(_entry(called, tarfile.FIFOTYPE, status))
        elif stat.S_ISSOCK(mode):
            self.warn(f"'{printable(called)}' is left out: it is a socket")
        elif self.opaque:
            entry = _entry(called, tarfile.CHRTYPE if stat.S_ISCHR(mode) else tarfile.BLKTYPE, status)
            entry.devmajor, entry.devminor = os.major(status.st_rdev), os.minor(status.st_rdev)
            self._header(entry)
        else:
            self.warn(f"'{printable(called)}' is left out: it is a device node")

    def _regular(self, fd: int, called: str, status: os.stat_result) -> None:
        entry = _entry(called, tarfile.REGTYPE, status)
        if status.st_nlink > 1:
            first = self._links.setdefault((status.st_dev, status.st_ino), called)
            if first != called:
                entry.type, entry.linkname = tarfile.LNKTYPE, first
                self._header(entry)
                return
        attributes = self._attributes(fd)
        if called in self.omitted:
            self._header(entry, attributes | self.omitted[called])
            return
        pieces = list(extents(fd, status))
        if pieces == [(0, status.st_size)] or not status.st_size:
            entry.size = status.st_size
            self._header(entry, attributes)
        else:
            table = "".join(f"{number}\n" for number in (len(pieces), *(item for pair in pieces for item in pair)))
            text = table.encode() + bytes(-len(table) % _BLOCK)
            entry.size = len(text) + sum(size for _, size in pieces)
            sparse = {"major": "1", "minor": "0", "name": called, "realsize": str(status.st_size)}
            self._header(entry, attributes | {f"GNU.sparse.{key}": value for key, value in sparse.items()})
            self._write(text)
        for offset, size in pieces:
            self._copy(fd, offset, size)
        self._write(bytes(-entry.size % _BLOCK))

    def _copy(self, fd: int, offset: int, size: int) -> None:
        """The *size* bytes from *offset* on; zeros where the file has become shorter meanwhile."""
        end = offset + size
        while offset < end:
            piece = os.pread(fd, min(_PIECE, end - offset), offset) or bytes(min(_PIECE, end - offset))
            self._write(piece)
            offset += len(piece)

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

    def _header(self, entry: tarfile.TarInfo, more: dict[str, str] | None = None) -> None:
        entry.pax_headers = {**entry.pax_headers, **(more or {})}
        self._write(entry.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))

    def _write(self, content: bytes) -> None:
        view = memoryview(content)
        while view:
            view = view[os.write(self.out, view) :]


def _entry(called: str, kind: bytes, status: os.stat_result) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(called)
    entry.type = kind
    entry.mode = stat.S_IMODE(status.st_mode)
    entry.uid, entry.gid = status.st_uid, status.st_gid
    whole, rest = divmod(status.st_mtime_ns, 1_000_000_000)
    entry.mtime = whole
    if rest or whole < 0:
        # A fraction counts away from zero, in the text as in the number.
        sign = "-" if status.st_mtime_ns < 0 else ""
        whole, rest = divmod(abs(status.st_mtime_ns), 1_000_000_000)
        entry.pax_headers = {"mtime": f"{sign}{whole}.{rest:09}"}
    return entry


def extents(fd: int, status: os.stat_result) -> Iterator[tuple[int, int]]:
    """Where a file has data, as (offset, size)."""
    size = status.st_size
    if status.st_blocks * 512 >= size:
        yield 0, size
        return
    offset = 0
    while offset < size:
        try:
            start = os.lseek(fd, offset, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # a hole up to its end
                return
            if error.errno != errno.EINVAL:
                raise
            yield offset, size - offset  # a file system that does not know
            return
        offset = min(os.lseek(fd, start, os.SEEK_HOLE), size)
        if start < offset:
            yield start, offset - start


def _at(error: OSError, path: str) -> OSError:
    return OSError(error.errno, error.strerror, path)
