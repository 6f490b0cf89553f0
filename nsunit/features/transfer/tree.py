"""A tar archive as files below one directory: what is there stays, as cp(1) has it, and no link leads out."""

from __future__ import annotations

import errno
import os
import stat
import tarfile

from nsunit.errors import NsunitError
from nsunit.features.images.unpack.apply import Layer, Limits
from nsunit.features.images.unpack.archive import parts_of
from nsunit.features.images.unpack.places import Places
from nsunit.features.images.unpack.stream import Content
from nsunit.features.transfer.pack import KEPT
from nsunit.names import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

_NO_LIMIT = 1 << 62
_PIECE = 1 << 18
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# What means something for certain users only.
_OF_OWNERS = {f"SCHILY.xattr.{name}" for name in KEPT}
_PRIVILEGES = stat.S_ISUID | stat.S_ISGID


class Pipe:
    """What comes from the descriptor *fd*, as `Content` reads it; *name* is how messages call it."""

    size = _NO_LIMIT

    def __init__(self, fd: int, name: str) -> None:
        self.fd = fd
        self.name = name

    def pieces(self) -> Iterator[bytes]:
        """Its bytes."""
        while piece := os.read(self.fd, _PIECE):
            yield piece


class Stream(Content):
    """An archive that is read once and whose digests nobody asks for."""

    def __init__(self, blob: Any) -> None:
        super().__init__(blob, _NO_LIMIT)
        nothing: Any = _NoDigest()
        self.digest = self.blob_digest = nothing

    def damaged(self, why: str) -> NsunitError:
        """What is raised where something in it cannot be."""
        return NsunitError(f"{self.blob.name}: {why}")


class _NoDigest:
    def update(self, _piece: object) -> None:
        """Nothing."""


class _Straight(Places):
    """Directories that are reached through no link at all: what was made here, and what was there as such."""

    def _walk(self, parts: list[str], time: int | None) -> tuple[str, int] | None:
        if time is None:
            return None
        raise OSError(errno.ENOTDIR, f"'{printable('/'.join(parts))}' is no directory")


class Tree(Layer):
    """Makes the entries of an archive below the directory *root*.

    *place* says how each is called there, by the components of its name; an empty name is *root* itself.  Owners are
    *owner* and set-user-ID bits are lost, unless that is None: then all is as in the archive.  With *links*,
    directories that the archive names may be reached through links, which lead nowhere but below *root*.
    """

    whiteouts = False

    def __init__(
        self,
        root: int,
        place: Callable[[tarfile.TarInfo, list[str]], list[str]],
        *,
        owner: tuple[int, int] | None,
        links: bool = False,
    ) -> None:
        super().__init__(root, Limits(_NO_LIMIT, _NO_LIMIT))
        if not links:
            self.places = _Straight(root)
        self.place = place
        self.owner = owner

    def _entry(self, entry: tarfile.TarInfo, content: Content) -> None:
        if entry.ischr() or entry.isblk():
            self.warn(f"'{printable(entry.name)}' is left out: it is a device node")
            return
        parts = self.place(entry, parts_of(entry.name))
        if not parts:
            return  # the directory is there
        if entry.islnk():
            entry.linkname = "/".join(self.place(entry, parts_of(entry.linkname)))
        entry.name = "/".join(parts)
        if self.owner is not None:
            entry.uid, entry.gid = self.owner
            if not entry.isdir():  # whose bit gives nobody a privilege: what is made in it has its group, as elsewhere
                entry.mode &= ~_PRIVILEGES
            entry.pax_headers = {key: text for key, text in entry.pax_headers.items() if key not in _OF_OWNERS}
        super()._entry(entry, content)

    def _clear(self, directory: int, name: str) -> None:
        try:
            os.unlink(name, dir_fd=directory)
        except FileNotFoundError:
            return
        except IsADirectoryError:
            raise OSError(errno.EISDIR, "a directory is in its place") from None

    def _directory(self, entry: tarfile.TarInfo, directory: int, name: str, path: str) -> None:
        try:
            os.mkdir(name, 0o700, dir_fd=directory)
        except FileExistsError:
            if not stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
                raise OSError(errno.ENOTDIR, "something that is no directory is in its place") from None
            if self.owner is not None:
                return  # it stays as it is
        self._set_directory(entry, path, os.open(name, _DIRECTORY, dir_fd=directory))

    def _file(self, entry: tarfile.TarInfo, directory: int, path: str, content: Content) -> None:
        try:
            super()._file(entry, directory, path, content)
        except BaseException:
            # Half a file is none; its name may still be what was there before, which is as well gone.
            self._clear(directory, path.rpartition("/")[2])
            raise
