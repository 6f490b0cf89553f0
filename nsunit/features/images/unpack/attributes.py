"""What a tar entry says of a file besides its content: time, extended attributes, and where in it the data are."""

from __future__ import annotations

import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from tarfile import TarInfo
    from typing import Any

_XATTR = "SCHILY.xattr."
CAPABILITY = "security.capability"
_ACLS = ("system.posix_acl_access", "system.posix_acl_default")
_CAPABILITY_2 = 0x02000000  # VFS_CAP_REVISION_2: that of a file's owner, not of a user namespace that is elsewhere
_SECOND = 1_000_000_000


def mtime(entry: TarInfo) -> int:
    """When *entry* was last modified, in ns; tarfile has it as a float, which cannot tell them apart.

    Raises:
        ValueError: it is no number.
    """
    text = entry.pax_headers.get("mtime", "")
    if not text:
        return int(entry.mtime) * _SECOND
    whole, _, fraction = text.partition(".")
    negative = whole.startswith("-")
    found = abs(int(whole or "0")) * _SECOND + int((fraction + "000000000")[:9])
    return -found if negative else found


def pieces_of(entry: TarInfo) -> list[tuple[int, int]]:
    """Where the data of a file belong, as (offset, size), in the order in which they stand in the archive.

    Raises:
        ValueError: they are not in a file of that size.
    """
    if entry.size < 0:
        raise ValueError("its size is negative")
    sparse: Any = entry.sparse  # the type that is declared for it is another
    # Those without data are where a hole ends the file, and where tarfile finds no more of them in a header of GNU tar.
    pieces: list[tuple[int, int]] = [(0, entry.size)] if sparse is None else [piece for piece in sparse if piece[1]]
    end = 0
    for offset, size in pieces:
        if size < 0 or offset < end or offset + size > entry.size:
            raise ValueError("its map of a sparse file makes no sense")
        end = offset + size
    return pieces


def has_any(entry: TarInfo) -> bool:
    """Whether *entry* has extended attributes."""
    return any(key.startswith(_XATTR) for key in entry.pax_headers)


def put(entry: TarInfo, place: int | str) -> Iterator[str]:
    """Set the extended attributes that an image may have; *place* is a descriptor, or a name that may be a link's.

    Yields what is left out.
    """
    for key, text in entry.pax_headers.items():
        if not key.startswith(_XATTR):
            continue
        name, value = key.removeprefix(_XATTR), text.encode("utf-8", "surrogateescape")
        if not is_allowed(name, value):
            yield f"the attribute '{name}' is left out: it means something to the host"
            continue
        try:
            if isinstance(place, int):
                os.setxattr(place, name, value)
            else:
                os.setxattr(place, name, value, follow_symlinks=False)
        except OSError as error:
            if error.errno not in (errno.ENOTSUP, errno.EPERM):
                raise
            yield f"the attribute '{name}' is left out: {error.strerror}"


def clear(place: int | str) -> None:
    """Take away the extended attributes of *place*, as `put` has it, that no entry has brought.

    A directory has those from further down, and whatever is made in one with a default ACL begins with that.
    """
    options: dict[str, Any] = {} if isinstance(place, int) else {"follow_symlinks": False}
    for name in os.listxattr(place, **options):
        if name.startswith("user.") or name in (CAPABILITY, *_ACLS):
            os.removexattr(place, name, **options)


def is_allowed(name: str, value: bytes) -> bool:
    """Whether an image may have the attribute *name* with *value*."""
    if name == CAPABILITY:
        return len(value) == 20 and int.from_bytes(value[:4], "little") & 0xFF000000 == _CAPABILITY_2
    if name in _ACLS:
        return True
    return name.startswith("user.") and not name.startswith("user.overlay.") and "\0" not in name
