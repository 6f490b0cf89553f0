"""Ranges of user and group ids: one of 65,536 for each container, never shared.

A range is remembered in the file `ids` of the container's state directory (of its runtime directory for one that keeps
no state), and it is free again when that is removed: there is no register that could get out of step.  Allocation is
serialised by a lock.  The candidates are those systemd-nspawn uses, systemd's UIDS-GIDS document calls them the
container range.
"""

from __future__ import annotations

import zlib

from nsunit.errors import NsunitError
from nsunit.storage import files
from nsunit.storage.lock import Lock
from nsunit.storage.paths import Paths

COUNT = 65536
FIRST = 524288
LAST = 1878982656


def allocate(paths: Paths, name: str, directory: str) -> tuple[int, int]:
    """The id range `(start, count)` of container *name*, remembered in *directory*; a new one at the first call.

    Raises:
        NsunitError: no range is left, or the file cannot be understood.
    """
    known = remembered(directory)
    if known is not None and known[1] == COUNT and FIRST <= known[0] <= LAST:
        return known  # any other was the definition's own choice, and is not any more
    with Lock(paths.locks, ".ids"):
        taken = _taken(paths) | _subordinate(_text("/etc/subuid")) | _subordinate(_text("/etc/subgid"))
        start = choose(name, taken)
        remember(directory, start, COUNT)
    return start, COUNT


def remember(directory: str, start: int, count: int) -> None:
    """Note the range `(start, count)` in *directory*, so that none that overlaps it is given to anybody else."""
    files.write_file(directory + "/ids", f"{start} {count}\n".encode())


def choose(name: str, taken: set[int]) -> int:
    """The first free range at or after the one that *name* hashes to, as its number times COUNT.

    Hashing keeps a container's range the same after its state was removed, as long as nobody took it meanwhile.
    """
    total = (LAST - FIRST) // COUNT + 1
    preferred = zlib.crc32(name.encode()) % total
    for offset in range(total):
        start = FIRST + (preferred + offset) % total * COUNT
        if start not in taken:
            return start
    raise NsunitError("no id range is left", hint="remove containers that are not used any more with 'nsunit rm'")


def remembered(directory: str) -> tuple[int, int] | None:
    """The id range `(start, count)` noted in *directory*, or None."""
    content = files.read_file(directory + "/ids")
    if content is None:
        return None
    words = content.split()
    if len(words) != 2 or not all(word.isdigit() for word in words):
        raise NsunitError(
            f"'{directory}/ids' does not hold an id range",
            hint="write START and COUNT into it, or remove the container's state with 'nsunit rm'",
        )
    return int(words[0]), int(words[1])


def _taken(paths: Paths) -> set[int]:
    taken: set[int] = set()
    for base in (paths.states, paths.runtimes):
        for name in files.list_directory(base):
            known = remembered(f"{base}/{name}")
            if known:
                taken |= _covered(*known)
    return taken


def _covered(start: int, count: int) -> set[int]:
    first = max(start, FIRST) // COUNT * COUNT
    return set(range(first, min(start + count, LAST + COUNT), COUNT))


def _subordinate(text: str) -> set[int]:
    taken: set[int] = set()
    for line in text.splitlines():
        fields = line.split(":")
        if len(fields) == 3 and fields[1].isdigit() and fields[2].strip().isdigit():
            taken |= _covered(int(fields[1]), int(fields[2]))
    return taken


def _text(path: str) -> str:
    return (files.read_file(path) or b"").decode("utf-8", "replace")
