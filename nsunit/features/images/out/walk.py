"""The files of a layer as overlayfs keeps them: a walk by descriptor, and what its marks mean.

What is walked may be a container's, which may change it meanwhile and nest it as it likes: nothing is followed.
"""

from __future__ import annotations

import errno
import os
import stat
import struct

from nsunit.errors import NsunitError
from nsunit.features.images.unpack.archive import DEPTH_MAX, PATH_MAX
from nsunit.names import printable
from nsunit.record import Record
from nsunit.setup import linux
from nsunit.setup.files import KERNEL_FILE_SYSTEMS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)  # it was removed or replaced since it was listed
# What the names of overlayfs's own attributes begin with; for users without privileges, who mount it with `userxattr`.
MARKS, USERS_MARKS = "trusted.overlay.", "user.overlay."
_CAPABILITY_MASK, _CAPABILITY_2, _CAPABILITY_3 = 0xFF000000, 0x02000000, 0x03000000


class Node(Record):
    """One file: *name* in the directory behind the descriptor *directory*, and its *path* from the layer's root.

    The root itself has an empty path and the name `.`.  The descriptor is open until the next node is asked for.
    """

    path: str
    directory: int
    name: str
    status: os.stat_result


def open_root(path: str) -> int:
    """A descriptor of the directory *path*, for `walk`."""
    return os.open(path, _DIRECTORY)


def walk(root: int, *, mounts: bool = False) -> Iterator[Node]:
    """All files of the directory behind *root*, itself first: each directory before what is in it, that by name.

    What was removed from a directory comes before what is there.  What is mounted below it is entered with *mounts*
    alone, and what the kernel makes up when somebody looks, /proc and /sys, not even then.

    Raises:
        NsunitError: something lies deeper than any archive may have it.
        OSError: a directory cannot be read; with its path.
    """
    top = os.fstat(root)
    yield Node("", root, ".", top)
    below = [(os.dup(root), "", _listed(root))]
    try:
        while below:
            directory, place, listed = below[-1]
            if not listed:
                os.close(below.pop()[0])
                continue
            name, status = listed.pop()
            path = f"{place}/{name}" if place else name
            _check_depth(path, len(below))
            yield Node(path, directory, name, status)
            if not stat.S_ISDIR(status.st_mode) or (status.st_dev != top.st_dev and not mounts):
                continue
            try:
                inner = os.open(name, _DIRECTORY, dir_fd=directory)
            except OSError as error:
                if error.errno not in GONE:
                    raise OSError(error.errno, error.strerror, path) from None
                continue
            if status.st_dev != top.st_dev and linux.fstatfs_type(inner) in KERNEL_FILE_SYSTEMS:
                os.close(inner)
                continue
            below.append((inner, path, _listed(inner)))
    finally:
        for directory, _, _ in below:
            os.close(directory)


def _listed(directory: int) -> list[tuple[str, os.stat_result]]:
    """What is in a directory, the first one last."""
    found = []
    for name in os.listdir(directory):
        try:
            found.append((name, os.stat(name, dir_fd=directory, follow_symlinks=False)))
        except FileNotFoundError:
            continue  # it was removed since it was listed
    return sorted(found, key=lambda item: (not is_whiteout(item[1]), os.fsencode(item[0])), reverse=True)


def _check_depth(path: str, depth: int) -> None:
    if depth > DEPTH_MAX or len(os.fsencode(path)) > PATH_MAX:
        raise NsunitError(
            f"'{printable(path[:100])}…' lies deeper than a file of an archive may",
            hint=f"{DEPTH_MAX} directories and {PATH_MAX} bytes of path are the most",
        )


def attributes_of(node: Node) -> dict[str, bytes]:
    """The extended attributes of *node*; none where it is gone."""
    return _attributes(f"/proc/self/fd/{node.directory}/{node.name}")


def attributes_by_directory(node: Node) -> dict[str, bytes]:
    """As `attributes_of`, by the working directory, for a process that may change it and sees no /proc."""
    os.fchdir(node.directory)
    return _attributes(node.name)


def attributes_by_descriptor(directory: int) -> dict[str, bytes]:
    """As `attributes_of`, of the *directory* that is open for reading."""
    return {name: os.getxattr(directory, name) for name in os.listxattr(directory)}


def _attributes(place: str) -> dict[str, bytes]:
    try:
        names = os.listxattr(place, follow_symlinks=False)
        return {name: os.getxattr(place, name, follow_symlinks=False) for name in sorted(names)}
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENODATA, errno.ENOTSUP):
            raise
        return {}


def is_whiteout(status: os.stat_result) -> bool:
    """Whether overlayfs takes a file with *status* for one that was removed."""
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def is_opaque(attributes: dict[str, bytes], marks: str = MARKS) -> bool:
    """Whether a directory with *attributes* hides what lower layers have in it."""
    return attributes.get(f"{marks}opaque") == b"y"


def check_marks(path: str, attributes: dict[str, bytes], marks: str = MARKS) -> None:
    """See that a file is what it seems to be.

    Raises:
        NsunitError: its name or its content are elsewhere, by an overlay that was not nsunit's.
    """
    for mark in ("redirect", "metacopy"):
        if f"{marks}{mark}" in attributes:
            raise NsunitError(
                f"'{printable(path)}' is only a reference to a lower layer, by overlayfs's {mark}",
                hint="nsunit's roots have none: make the layer anew, by copying what another overlay shows",
            )


def capability_of_image(value: bytes, roots: Collection[int]) -> bytes | None:
    """The attribute security.capability without the id of a user namespace's root; None if that is none of *roots*.

    See capabilities(7): an image has the second revision, which holds in the user namespace of whoever starts it.
    """
    (magic,) = struct.unpack_from("<I", value)
    if magic & _CAPABILITY_MASK != _CAPABILITY_3:
        return value
    if struct.unpack_from("<I", value, 20)[0] not in roots:
        return None
    return struct.pack("<I", magic & ~_CAPABILITY_MASK | _CAPABILITY_2) + value[4:20]
