"""Entries of tar archives.  tarfile is their parser and nothing else: no file is ever made by it."""

from __future__ import annotations

import tarfile

from nsunit.features.images.unpack.stream import HEADER_MAX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from nsunit.features.images.unpack.stream import Content


class _Entry(tarfile.TarInfo):
    """An entry whose header is told to be damaged where tarfile takes it for the end of the archive."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Any:
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
            tarinfo=_Entry,
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
        yield entry


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
