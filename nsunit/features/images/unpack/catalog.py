"""What a layer on disk consists of, as text: one line a file, with a digest of its content.

It is written when the layer is unpacked, and compared by `image check`: what tar archive a layer came from cannot be
made of its files again.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# What overlayfs notes for itself; with `userxattr`, for users without privileges, by names of its own.
_OF_OVERLAY = tuple(
    f"{kind}.overlay.{name}" for kind in ("trusted", "user") for name in ("origin", "impure", "uuid", "nlink")
)
_PIECE = 1 << 20


def write_catalog(place: str, known: Mapping[str, str] = {}) -> None:
    """Write the file `files` in *place* about the directory `root` there.

    *known* has digests by path, without a slash before it, of files that need not be read again.
    """
    with open(place + "/files", "x", encoding="utf-8", errors="surrogateescape") as file:
        for line in lines(place + "/root", known):
            file.write(line + "\n")


def lines(root: str, known: Mapping[str, str] = {}) -> Iterator[str]:
    """What the directory *root* consists of, in an order of its own."""
    for directory, names, others, fd in os.fwalk(root):
        names.sort()
        relative = directory[len(root) :]
        yield _line(relative or "/", os.fstat(fd), f"/proc/self/fd/{fd}/.", "")
        for name in sorted((*others, *(item for item in names if _is_link(item, fd)))):
            status = os.stat(name, dir_fd=fd, follow_symlinks=False)
            path = f"{relative}/{name}"
            digest = known.get(path[1:]) if stat.S_ISREG(status.st_mode) else None
            yield _line(path, status, f"/proc/self/fd/{fd}/{name}", digest or _content(name, fd, status))


def _is_link(name: str, fd: int) -> bool:
    return stat.S_ISLNK(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode)


def _line(path: str, status: os.stat_result, place: str, content: str) -> str:
    names = [name for name in os.listxattr(place, follow_symlinks=False) if name not in _OF_OVERLAY]
    attributes = ",".join(
        f"{name}={os.getxattr(place, name, follow_symlinks=False).hex()}"
        for name in sorted(names)
        if name.startswith(("user.", "trusted.", "security.capability", "system.posix_acl"))
    )
    kind, mode = stat.S_IFMT(status.st_mode), stat.S_IMODE(status.st_mode)
    size = status.st_size if stat.S_ISREG(status.st_mode) else status.st_rdev
    fields = (path, f"{kind:o}", f"{mode:o}", status.st_uid, status.st_gid, size, status.st_mtime_ns)
    return "\t".join(_escaped(str(field)) for field in (*fields, attributes, content))


def _content(name: str, fd: int, status: os.stat_result) -> str:
    if stat.S_ISLNK(status.st_mode):
        return os.readlink(name, dir_fd=fd)
    if not stat.S_ISREG(status.st_mode):
        return ""
    file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
    try:
        return _digest(file)
    finally:
        os.close(file)


def _digest(file: int) -> str:
    """Of where something is and what; whether zeros are holes or not makes no difference, and holes are not read."""
    digest = hashlib.sha256()
    position = 0
    while True:
        try:
            position = os.lseek(file, position, os.SEEK_DATA) // _PIECE * _PIECE
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            return digest.hexdigest()  # there is nothing from here on
        piece = os.pread(file, _PIECE, position)
        if piece.strip(b"\0"):
            digest.update(position.to_bytes(8, "little") + piece)
        position += _PIECE


class Digest:
    """The same of what is written from the beginning to the end, piece by piece."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._position = 0
        self._has_begun = False  # whether there was anything but zeros in the piece, of _PIECE bytes, that it is in

    def update(self, content: memoryview) -> None:
        """Take what comes next."""
        while content:
            inside = self._position % _PIECE
            part = content[: _PIECE - inside]
            self._has_begun = self._has_begun and inside > 0
            if not self._has_begun and (part[0] or bytes(part).strip(b"\0")):
                self._digest.update((self._position - inside).to_bytes(8, "little") + bytes(inside))
                self._has_begun = True
            if self._has_begun:
                self._digest.update(part)
            self._position += len(part)
            content = content[len(part) :]

    def hexdigest(self) -> str:
        """The digest of it all."""
        return self._digest.hexdigest()


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


def unescaped(text: str) -> str:
    """A path or another text of the catalog as it was."""
    return "\\".join(part.replace("\\t", "\t").replace("\\n", "\n") for part in text.split("\\\\"))
