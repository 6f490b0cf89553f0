"""The directories below a cgroup, however many and however deep.

Who has a group may nest in it what no path reaches (PATH_MAX) and Python cannot recurse into: one directory is open at
a time, and the way back is its `..`.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def below(top: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Each directory below *top*, sorted, a parent before its children: its names from there, and a path to it.

    The path is good until the next step.  What is removed meanwhile is passed over.
    """
    for names, fd, left in _steps(top):
        if not left:
            yield names, f"/proc/self/fd/{fd}"


def remove_below(top: str) -> None:
    """Remove all directories below *top*.

    Raises:
        OSError: one of them is in use.
    """
    for names, fd, left in _steps(top):
        if left:
            try:
                os.rmdir(names[-1], dir_fd=fd)
            except FileNotFoundError:
                pass  # somebody else was quicker


def _steps(top: str) -> Iterator[tuple[tuple[str, ...], int, bool]]:
    """Walk down and up again: the names of each directory, a descriptor, and whether it is left.

    The descriptor is the directory's own, or its parent's once it is left.
    """
    try:
        fd = os.open(top, _FLAGS)
    except FileNotFoundError:
        return
    names: list[str] = []
    waiting = [_directories(fd)]
    try:
        while True:
            if waiting[-1]:
                name = waiting[-1].pop()
                try:
                    child = os.open(name, _FLAGS, dir_fd=fd)
                except FileNotFoundError:
                    continue
                os.close(fd)
                fd = child
                names.append(name)
                waiting.append(_directories(fd))
                yield tuple(names), fd, False
            elif names:
                parent = os.open("..", _FLAGS, dir_fd=fd)
                os.close(fd)
                fd = parent
                waiting.pop()
                yield tuple(names), fd, True
                names.pop()
            else:
                return
    finally:
        os.close(fd)


def _directories(fd: int) -> list[str]:
    """The directories in that of *fd*, the first one last."""
    try:
        with os.scandir(fd) as entries:
            return sorted((entry.name for entry in entries if entry.is_dir(follow_symlinks=False)), reverse=True)
    except FileNotFoundError:
        return []
