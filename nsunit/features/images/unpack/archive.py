"""Entries of tar archives.  tarfile is their parser and nothing else: no file is ever made by it."""

from __future__ import annotations

import functools
import struct
import tarfile

from nsunit.features.images.unpack.stream import HEADER_MAX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from nsunit.features.images.unpack.stream import Content


_BLOCK = 512
_SUMMED = slice(148, 156)
_HEADER = struct.Struct("100s 8s 8s 8s 12s 12s 8s c 100s 8s 64x 16s 155s 12x")
_COMMON = (tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.XHDTYPE)
_NAME, _MAGIC, _OF_GNU = slice(0, 100), slice(257, 265), b"ustar  \0"
_DIRECTORY_OF_DUMP, _LABEL = b"D", b"V"  # of GNU tar: of --listed-incremental, and of --label
_NO_DEVICE = (bytes(16), b"0000000\0" * 2, b"0000000 " * 2)


class Entry(tarfile.TarInfo):
    """An entry whose header is told to be damaged where tarfile takes it for the end of the archive."""

    @classmethod
    def frombuf(cls, buf: Any, encoding: str, errors: str) -> Any:
        """The same as tarfile's, but for names of users and groups, in a third of the time where nothing is unusual."""
        if found := cls._usual(buf, encoding, errors):
            return found
        found = super().frombuf(buf, encoding, errors)
        if buf[_MAGIC] == _OF_GNU and found.type not in tarfile.GNU_TYPES:
            name = _text(buf[_NAME]).decode(encoding, errors)  # without times, which stand where others have more of it
            found.name = name.rstrip("/") if found.isdir() else name
        return found

    @classmethod
    def _usual(cls, header: bytes, encoding: str, errors: str) -> Any:
        """The entry of a *header* as nearly all are: of a file, directory or link, with octal numbers; else None."""
        if len(header) != _BLOCK:
            return None
        name, mode, uid, gid, size, mtime, checksum, kind, link, magic, device, prefix = _HEADER.unpack(header)
        if kind not in _COMMON or device not in _NO_DEVICE:
            return None
        found = cls(_text(name).decode(encoding, errors))
        try:
            found.mode, found.uid, found.gid = _number(mode), _number(uid), _number(gid)
            found.size, found.mtime, found.chksum = _number(size), _number(mtime), _number(checksum)
        except ValueError:
            return None
        if sum(header) - sum(header[_SUMMED]) + 8 * ord(" ") != found.chksum:
            return None
        found.type, found.linkname = kind, _text(link).decode(encoding, errors)
        if kind == tarfile.DIRTYPE:
            found.name = found.name.rstrip("/")
        if magic != _OF_GNU and (before := _text(prefix)):
            found.name = f"{before.decode(encoding, errors)}/{found.name}"
        return found

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Any:
        """The next entry of *archive*, as tarfile's; a damaged header is tarfile.ReadError."""
        try:
            return super().fromtarfile(archive)
        except (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError) as error:  # type: ignore[attr-defined]
            raise tarfile.ReadError(f"{error}") from None


def entries(content: Content) -> Iterator[tarfile.TarInfo]:
    """The entries of the archive *content*; the data of each are what *content* has next while it is looked at.

    Raises:
        NsunitError: it is no tar archive, or is damaged.
    """
    try:
        content.allowance = HEADER_MAX
        archive: Any = tarfile.TarFile(
            fileobj=content,  # type: ignore[arg-type]
            tarinfo=Entry,
            encoding="utf-8",
            errors="surrogateescape",
        )
    except _OF_TARFILE as error:
        if not content.tell():  # some tools make such of a layer in which nothing is
            return
        raise content.damaged(f"it is no tar archive: {error}") from None
    while True:
        try:
            content.allowance = HEADER_MAX  # an entry may have several headers, which tarfile reads in any pieces
            entry = archive.next()
        except _OF_TARFILE as error:
            raise content.damaged(f"its tar archive is damaged: {error}") from None
        content.allowance = None
        if entry is None:
            return
        archive.members.clear()  # it would keep all of them
        if content.tell() != entry.offset_data:
            raise content.damaged("its tar archive is damaged: data are not where they should be")
        if entry.type == _DIRECTORY_OF_DUMP:
            entry.type = tarfile.DIRTYPE  # its data say what was in it, for whoever has more of the series
        if entry.type != _LABEL:
            yield entry


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


@functools.lru_cache(1024)  # a layer has few modes, owners and times
def _number(field: bytes) -> int:
    return int(_text(field).strip() or b"0", 8)


# What it raises for one or the other header that makes no sense; OSError is not among it.
_OF_TARFILE = (tarfile.TarError, ValueError, OverflowError, LookupError, RecursionError, TypeError, AttributeError)


def parts_of(name: str) -> list[str]:
    """The components of *name*, taken from the root: `..` never leads above it.

    Raises:
        ValueError: no file system can have that name.
    """
    parts: list[str] = []
    for part in name.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    try:
        length = len("/".join(parts).encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        raise ValueError("the name is not one that files can have") from None
    if "\0" in name:
        raise ValueError("the name has a NUL in it")
    if length > PATH_MAX:
        raise ValueError(f"the name has {length} bytes, {PATH_MAX} are the most")
    if len(parts) > DEPTH_MAX:
        raise ValueError(f"it lies {len(parts)} directories deep, {DEPTH_MAX} are the most")
    return parts


PATH_MAX = 4095
DEPTH_MAX = 256
