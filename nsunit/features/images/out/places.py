"""What a start makes in a root so that it can mount something there: no part of what the container has written."""

from __future__ import annotations

import os
import stat

from nsunit.features.images.out.walk import GONE, attributes_by_descriptor, is_opaque
from nsunit.setup import files, linux

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from nsunit.features.images.out.lowers import Lowers

_BENEATH = linux.RESOLVE_BENEATH | linux.RESOLVE_NO_SYMLINKS | linux.RESOLVE_NO_MAGICLINKS


def mount_points(root: int, targets: Iterable[str], lowers: Lowers) -> frozenset[str]:
    """Paths in the upper directory behind *root* that are there for the mounts on *targets* and for nothing else.

    A mount point that lower layers do not have is an empty file or directory.  With it goes a directory in which there
    is nothing else, unless a lower one is shown there that has another mode or owner.  A program cannot write to where
    something is mounted, and what it has put there or beside it before counts as its own.
    """
    resolved = {_resolved(root, target, lowers) for target in targets} - {""}
    above = {path[:place] for path in resolved for place, char in enumerate(path) if char == "/"}
    found: set[str] = set()
    for path in sorted(resolved | above, key=lambda path: path.count("/"), reverse=True):
        if _is_made(root, path, path in resolved, found, lowers):
            found.add(path)
    return frozenset(found)


def _is_made(root: int, path: str, is_target: bool, found: set[str], lowers: Lowers) -> bool:
    """Whether a start has made *path*, a target or what is above one, where all *found* below it is of that kind."""
    fd = _open(root, path, os.O_PATH)
    if fd < 0:
        return False
    try:
        status = os.fstat(fd)
        lower = lowers.find(path)
        if stat.S_ISREG(status.st_mode):
            return is_target and lower is None and not status.st_size
        if not stat.S_ISDIR(status.st_mode):
            return False
        inside = _open(fd, ".", os.O_RDONLY | os.O_DIRECTORY)
        try:
            names = os.listdir(inside)
            opaque = is_opaque(attributes_by_descriptor(inside), lowers.marks)
        finally:
            os.close(inside)
    finally:
        os.close(fd)
    if not names and not (is_target and lower is None):
        return False
    same = lower is None or (not opaque and _identity(lower) == _identity(status))
    return same and all(f"{path}/{name}" in found for name in names)


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return status.st_mode, status.st_uid, status.st_gid


def _resolved(root: int, target: str, lowers: Lowers) -> str:
    """Where *target* leads in the layers together, without a slash at its beginning; empty for nowhere."""
    try:
        return files.without_links(target, lambda place: _link(root, place.lstrip("/"), lowers)).lstrip("/")
    except OSError:  # there are too many links: nothing can have been mounted there
        return ""


def _link(root: int, path: str, lowers: Lowers) -> str | None:
    fd = _open(root, path, os.O_PATH)
    if fd < 0:
        return lowers.link(path)
    try:
        return os.readlink("", dir_fd=fd) if stat.S_ISLNK(os.fstat(fd).st_mode) else None
    finally:
        os.close(fd)


def _open(root: int, path: str, flags: int) -> int:
    """A descriptor of what is at *path* itself, no link on the way to it; -1 for nothing."""
    try:
        return linux.openat2(root, path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, _BENEATH)
    except OSError as error:
        if error.errno not in GONE:
            raise
        return -1
