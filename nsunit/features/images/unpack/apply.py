"""The files of one layer, made one after the other in the root that the layers below show.

The root is an overlay of them with the new layer on top, so the kernel does what each layer means: a directory that is
only passed through keeps its mode and owner, a hard link to a file further down takes it along, what is removed leaves
a whiteout.  Each name is looked up by openat2(2) and then only used by descriptor.
"""

from __future__ import annotations

import errno
import os
import stat
import tarfile

from nsunit.errors import NsunitError
from nsunit.features.images.unpack import attributes, places
from nsunit.features.images.unpack.archive import entries, parts_of
from nsunit.features.images.unpack.catalog import Digest
from nsunit.features.images.unpack.places import Places, joined
from nsunit.names import printable
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from nsunit.features.images.unpack.stream import Content

ID_MAX = (1 << 32) - 2
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_OF_AUFS = ".wh..wh."  # what else begins so is aufs's own housekeeping
WARNINGS_MAX = 20
CONTENTS_MAX = 8 << 20  # characters of paths and digests that are remembered; further files are read again


class Limits(Record):
    """What a layer may have at most: bytes of content, entries, and the highest id of an owner."""

    size: int = 256 << 30
    entries: int = 2_000_000
    ids: int = ID_MAX


def _about(entry: tarfile.TarInfo, text: str) -> str:
    return f"entry '{printable(entry.name[:200])}': {text}"


class Layer:
    """Applies the entries of a layer to the directory behind the descriptor *root*, which is the process's root."""

    whiteouts = (
        True  # whether names that begin with `.wh.` remove something, and overlayfs's own way to say so does not
    )
    describes = True  # whether `contents` is wanted

    def __init__(self, root: int, limits: Limits) -> None:
        self.places = Places(root)
        self.limits = limits
        self.size = 0
        self.entries = 0
        self.warnings: list[str] = []
        self.made: set[str] = set()  # canonical paths of what the layer has brought, and of what is above that
        self.replaced: set[str] = set()  # canonical paths of links that stand where a directory was
        self.split: dict[tuple[int, int], str] = {}  # files further down with several names -> a name made for one here
        self.contents: dict[str, str] = {}  # canonical paths of files made here -> digests as the catalog has them
        self._room = CONTENTS_MAX
        self.kinds: dict[bytes, Callable[[tarfile.TarInfo, int, str, Content], None]] = {
            tarfile.LNKTYPE: self._link,
            tarfile.SYMTYPE: self._symlink,
            tarfile.CHRTYPE: self._node,
            tarfile.BLKTYPE: self._node,
            tarfile.FIFOTYPE: self._node,
            tarfile.GNUTYPE_SPARSE: self._file,
            **dict.fromkeys((tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE), self._file),
        }

    def apply(self, content: Content) -> None:
        """Make all that is in the archive *content*.

        Raises:
            NsunitError: something in it cannot be, or is too much.
            OSError: the file system refuses it.
        """
        for entry in entries(content):
            self.entries += 1
            if self.entries > self.limits.entries:
                raise content.damaged(f"it has more than {self.limits.entries} entries")
            try:
                self._entry(entry, content)
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise
                raise content.damaged(_about(entry, error.strerror or str(error))) from None
            except (ValueError, OverflowError) as error:
                raise content.damaged(_about(entry, str(error))) from None
        content.finish()
        self._join_names()
        self.places.set_times()

    def warn(self, text: str) -> None:
        """Note what is left out."""
        if len(self.warnings) < WARNINGS_MAX:
            self.warnings.append(text)

    def _entry(self, entry: tarfile.TarInfo, content: Content) -> None:
        for identity in (entry.uid, entry.gid):
            if not 0 <= identity <= ID_MAX:
                raise ValueError(f"{identity} is not the number of a user or group")
            if identity > self.limits.ids:
                text = _about(entry, f"it belongs to {identity}, and you have ids up to {self.limits.ids}")
                raise NsunitError(text, hint="root gives you more of them in /etc/subuid and /etc/subgid")
        parts = parts_of(entry.name)
        if not parts:
            if not entry.isdir():
                raise ValueError("the root can only be a directory")
            self._set_directory(entry, "", os.open(".", _DIRECTORY, dir_fd=self.places.root))
            return
        name = parts.pop()
        if self.whiteouts and name.startswith(_WHITEOUT):
            self._remove_lower(parts, name)
            return
        if not (entry.isdir() or entry.type in self.kinds):
            raise ValueError(f"there is no kind of file '{printable(entry.type.decode('latin-1'))}'")
        parent, directory = self.places.directory(parts, attributes.mtime(entry))
        path = joined(parent, name)
        self.places.keep_time(parent, directory)
        if entry.isdir():
            self._directory(entry, directory, name, path)
        else:
            self.kinds[entry.type](entry, directory, path, content)
        self._note(path)

    def _note(self, path: str) -> None:
        while path not in self.made:
            self.made.add(path)
            path = path.rpartition("/")[0]

    def _clear(self, directory: int, name: str) -> None:
        """Make room for what is to be called *name*."""
        if self.places.remove(directory, name):
            self.places.forget()

    def _directory(self, entry: tarfile.TarInfo, directory: int, name: str, path: str) -> None:
        try:
            os.mkdir(name, 0o700, dir_fd=directory)
        except FileExistsError:
            if not stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
                self._clear(directory, name)
                os.mkdir(name, 0o700, dir_fd=directory)
        self._set_directory(entry, path, os.open(name, _DIRECTORY, dir_fd=directory))

    def _set_directory(self, entry: tarfile.TarInfo, path: str, fd: int) -> None:
        try:
            os.fchown(fd, entry.uid, entry.gid)
            os.fchmod(fd, entry.mode & 0o7777)
            attributes.clear(fd)
            self._attributes(entry, fd)
        finally:
            os.close(fd)
        self.places.times[path] = attributes.mtime(entry)
        self.places.forget()  # what is made in it may be given another group, or an ACL, from now on

    def _attributes(self, entry: tarfile.TarInfo, place: int | str) -> None:
        for problem in attributes.put(entry, place):
            self.warn(f"'{printable(entry.name)}': {problem}")

    def _file(self, entry: tarfile.TarInfo, directory: int, path: str, content: Content) -> None:
        name = path.rpartition("/")[2]
        # Half of what a small file takes are system calls, so what it has from its beginning is not said again.
        mode = entry.mode & 0o7777
        as_made = entry.uid == entry.gid == 0 and not mode & ~0o777 and self.places.is_plain()
        try:
            fd = os.open(name, _NEW, mode if as_made else 0o600, dir_fd=directory)
        except FileExistsError:
            self._clear(directory, name)
            fd = os.open(name, _NEW, mode if as_made else 0o600, dir_fd=directory)
        digest = Digest() if self.describes else None
        try:
            pieces = attributes.pieces_of(entry)
            self.size += sum(size for _, size in pieces)
            if self.size > self.limits.size:
                raise content.damaged(f"it has more than the {self.limits.size >> 30} GiB that a layer may have")
            for offset, size in pieces:
                for piece in content.copy(size):
                    if digest is not None:
                        digest.update(piece)
                    while piece:
                        written = os.pwrite(fd, piece, offset)
                        offset, piece = offset + written, piece[written:]
            if len(pieces) != 1 or entry.issparse():
                os.ftruncate(fd, entry.size)
            if not as_made:
                os.fchown(fd, entry.uid, entry.gid)
                os.fchmod(fd, mode)
                attributes.clear(fd)
            self._attributes(entry, fd)  # after the owner, since that takes file capabilities away
            time = attributes.mtime(entry)
            os.utime(fd, ns=(time, time))
        finally:
            os.close(fd)
        if digest is not None:
            self._remember(path, None if entry.issparse() else digest.hexdigest())

    def _remember(self, path: str, digest: str | None) -> None:
        """Have the *digest* of what the file *path* has now, so that nobody need read it again; None: it is read."""
        self.contents.pop(path, None)
        if digest is not None and self._room > 0:
            self._room -= len(path) + len(digest)
            self.contents[path] = digest

    def _symlink(self, entry: tarfile.TarInfo, directory: int, path: str, _content: Content) -> None:
        name = path.rpartition("/")[2]
        try:
            os.symlink(entry.linkname, name, dir_fd=directory)
        except FileExistsError:
            if stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
                self.replaced.add(path)
            self._clear(directory, name)
            os.symlink(entry.linkname, name, dir_fd=directory)
        self._set_by_name(entry, directory, name)

    def _node(self, entry: tarfile.TarInfo, directory: int, path: str, _content: Content) -> None:
        name = path.rpartition("/")[2]
        device = os.makedev(entry.devmajor, entry.devminor) if entry.type != tarfile.FIFOTYPE else 0
        if self.whiteouts and entry.type == tarfile.CHRTYPE and not device:
            self.warn(f"'{printable(entry.name)}' is left out: to overlayfs the device 0:0 is a file that was removed")
            return
        self._clear(directory, name)
        kind = {tarfile.CHRTYPE: stat.S_IFCHR, tarfile.BLKTYPE: stat.S_IFBLK}.get(entry.type, stat.S_IFIFO)
        try:
            os.mknod(name, kind | 0o600, device, dir_fd=directory)
        except PermissionError:
            self.warn(f"'{printable(entry.name)}' is left out: devices can be made by root only")
            return
        os.chmod(name, entry.mode & 0o7777, dir_fd=directory)  # it was made here, and nobody else is
        os.fchdir(directory)
        attributes.clear(name)
        os.fchdir(self.places.root)
        self._set_by_name(entry, directory, name)

    def _set_by_name(self, entry: tarfile.TarInfo, directory: int, name: str) -> None:
        os.chown(name, entry.uid, entry.gid, dir_fd=directory, follow_symlinks=False)
        if attributes.has_any(entry):
            os.fchdir(directory)  # there is no setxattrat(2) in Python, and none at all before Linux 6.13
            self._attributes(entry, name)
            os.fchdir(self.places.root)
        time = attributes.mtime(entry)
        os.utime(name, ns=(time, time), dir_fd=directory, follow_symlinks=False)

    def _link(self, entry: tarfile.TarInfo, directory: int, path: str, _content: Content) -> None:
        missing = ValueError(f"there is no '{printable(entry.linkname[:200])}' to link to")
        parts = parts_of(entry.linkname)
        found = self.places.find(parts[:-1]) if parts else None
        if found is None:
            raise missing
        parent, source = found
        target = joined(parent, parts[-1])
        if target == path:
            return
        try:
            status = os.stat(parts[-1], dir_fd=source, follow_symlinks=False)
        except FileNotFoundError:
            raise missing from None
        if stat.S_ISDIR(status.st_mode):
            raise ValueError(f"'{printable(entry.linkname[:200])}' is a directory")
        name = path.rpartition("/")[2]
        self._clear(directory, name)
        os.link(parts[-1], name, src_dir_fd=source, dst_dir_fd=directory, follow_symlinks=False)
        if status.st_nlink > 1 and target not in self.made:
            self.split[status.st_dev, status.st_ino] = path
        self._note(target)  # it is of this layer now, as the link is
        self._remember(path, self.contents.get(target))

    def _join_names(self) -> None:
        """Give files further down, of which one name was linked to here, their other names back.

        overlayfs copies a file up by that name alone, and the others would be another file from then on.
        """
        if not self.split:
            return
        for directory, _, names, fd in os.fwalk(".", dir_fd=self.places.root):
            for name in names:
                status = os.stat(name, dir_fd=fd, follow_symlinks=False)
                source = self.split.get((status.st_dev, status.st_ino))
                path = joined("" if directory == "." else directory.removeprefix("./"), name)
                if source is not None and path not in self.made:
                    self.places.keep_time(path.rpartition("/")[0], fd)
                    os.unlink(name, dir_fd=fd)
                    os.link(source, name, src_dir_fd=self.places.root, dst_dir_fd=fd, follow_symlinks=False)

    def _remove_lower(self, parts: list[str], name: str) -> None:
        """Take away what is further down: a whiteout is about that alone, wherever in the archive it stands."""
        if self.replaced and self._was_elsewhere(parts):
            return
        if name == _OPAQUE:
            found = self.places.find(parts)
            if found is not None:
                self._empty(*found)
            return
        if name.startswith(_OF_AUFS):
            return
        hidden = name.removeprefix(_WHITEOUT)
        if hidden in ("", ".", ".."):
            raise ValueError("it removes nothing that can be named")
        found = self.places.find(parts)
        if found is None:
            return
        parent, directory = found
        path = joined(parent, hidden)
        if path not in self.made:
            self.places.keep_time(parent, directory)
            self._clear(directory, hidden)
        elif (below := self.places.find(path.split("/"))) is not None and below[0] == path:
            self._empty(*below)

    def _was_elsewhere(self, parts: list[str]) -> bool:
        """Whether *parts* lead by a link of this layer to another directory than further down, which is gone."""
        for depth, name in enumerate(parts):
            found = self.places.find(parts[:depth])
            if found is None:
                return False
            if joined(found[0], name) in self.replaced:
                return True
        return False

    def _empty(self, path: str, directory: int) -> None:
        """Remove all in a directory but what the layer has brought."""
        listing = os.open(".", _DIRECTORY, dir_fd=directory)
        names = os.listdir(listing)
        os.close(listing)
        for name in names:
            below = joined(path, name)
            if below not in self.made:
                self.places.keep_time(path, directory)
                self._clear(directory, name)
            elif stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
                inner = os.open(name, places.DIRECTORY, dir_fd=directory)
                self._empty(below, inner)
                os.close(inner)
