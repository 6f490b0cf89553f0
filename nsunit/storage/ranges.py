"""Ranges of user and group ids: one of 65,536 for each container, never shared.

A range is remembered in the file `ids` of the container's state directory (of its runtime directory for one that keeps
no state), and it is free again when that is removed: there is no register that could get out of step.  Allocation is
serialised by a lock.  The candidates are those that /etc/subuid and /etc/subgid both give to the user `nsunit`; without
such lines they are what systemd-nspawn uses, systemd's UIDS-GIDS document calls it the container range.
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
ID_MAX = (1 << 32) - 2
OWNER = "nsunit"
LOCK = ".ids"  # on what is given to whom
SUBORDINATE = ("/etc/subuid", "/etc/subgid")
ALLOCATED = b"allocated"  # tells a range of ours from one that a definition has chosen
# Where systemd-nsresourced and systemd-nspawn note the ranges they have given out.
NSRESOURCED = "/run/systemd/nsresource/registry"
NSPAWN = "/run/systemd/nspawn-uid"


def allocate(paths: Paths, name: str, directory: str) -> tuple[int, int]:
    """The id range `(start, count)` of container *name*, remembered in *directory*; a new one at the first call.

    So it is where another container has one that overlaps, as after its state was copied or a backup restored: layers
    are id-mapped, so that nothing on disk has the ids.

    Raises:
        NsunitError: no range is left, or a file cannot be understood.
    """
    # Who only looks what others have holds the lock, too: what is remembered of it would lack what is just written.
    with Lock(paths.locks, LOCK):
        content = files.read_file(directory + "/ids")
        if content is not None:
            own = _entries(content, directory)[0]
            if _is_ours(content) and not _has_another(paths, name, own):
                return own
        texts = [_text(path) for path in SUBORDINATE]
        candidates = configured(*texts)
        taken = _taken(paths, name) + _of_systemd()
        for text in texts:
            taken += [(start, count) for owner, start, count in _subordinate(text) if owner != OWNER]
        start = choose(name, taken, candidates)
        _write(paths, directory, b"%d %d %s\n" % (start, COUNT, ALLOCATED))
    return start, COUNT


def planned(name: str) -> int:
    """The start of the range that container *name* gets at its first start, if nobody has it."""
    return choose(name, [], configured(*map(_text, SUBORDINATE)))


def remember(paths: Paths, directory: str, *entries: tuple[int, int]) -> None:
    """Note the ranges `(start, count)` in *directory*, so that none that overlaps is given to anybody else."""
    content = "".join(f"{start} {count}\n" for start, count in entries).encode()
    if files.read_file(directory + "/ids") != content:
        with Lock(paths.locks, LOCK):
            _write(paths, directory, content)


def restore(paths: Paths, directory: str, entries: list[tuple[int, int]]) -> None:
    """Note in *directory* the ranges that a container has, after the note was spoiled.

    One that may have been given out is taken for such: the next start notes of one that a definition has chosen that it
    was.
    """
    if len(entries) > 1 or entries[0][1] != COUNT:
        remember(paths, directory, *entries)
    else:
        with Lock(paths.locks, LOCK):
            _write(paths, directory, b"%d %d %s\n" % (entries[0][0], COUNT, ALLOCATED))


def _write(paths: Paths, directory: str, content: bytes) -> None:
    before = files.version_of(_changes(paths))
    after = files.note_change(_changes(paths))  # first: who is killed in between has others look once for nothing
    files.write_file(directory + "/ids", content)
    known = _known.get(paths)
    if known and known.version == before:
        known.version = after
        known.take(directory, content)


def _changes(paths: Paths) -> str:
    return paths.changes + "/ids"


def configured(subuid: str, subgid: str) -> tuple[range, ...]:
    """The starts of the ranges that both texts, of subuid(5) and subgid(5), give to nsunit; the default without any.

    Raises:
        NsunitError: only one has such a line, or they differ, or are all too small for a container.
    """
    mine = [sorted(entry[1:] for entry in _subordinate(text) if entry[0] == OWNER) for text in (subuid, subgid)]
    if mine == [[], []]:
        return (range(FIRST, LAST + 1, COUNT),)
    if mine[0] != mine[1]:
        raise NsunitError(
            f"/etc/subuid and /etc/subgid give different ids to '{OWNER}'",
            hint=f"write the same lines {OWNER}:START:COUNT in both",
        )
    found = tuple(range(start, start + count - COUNT + 1, COUNT) for start, count in mine[0] if count >= COUNT)
    if not found or any(start < 1 or start + count - 1 > ID_MAX for start, count in mine[0]):
        raise NsunitError(
            f"/etc/subuid gives '{OWNER}' no ids that a container could use",
            hint=f"a line {OWNER}:START:COUNT needs a COUNT of {COUNT} or more, and ids from 1 to {ID_MAX}",
        )
    return found


def choose(name: str, taken: list[tuple[int, int]], candidates: tuple[range, ...]) -> int:
    """The first of the starts *candidates* with a free range, from the one on that *name* hashes to.

    Hashing keeps a container's range the same after its state was removed, as long as nobody took it meanwhile.
    """
    total = sum(map(len, candidates))
    preferred = zlib.crc32(name.encode()) % total
    start = _numbered(preferred, candidates)
    if not _is_used((start, COUNT), taken):  # as a rule
        return start
    blocked = _blocked(taken, candidates)
    for offset in range(1, total):
        number = (preferred + offset) % total
        if number not in blocked:
            return _numbered(number, candidates)
    raise NsunitError("no id range is left", hint="remove containers that are not used any more with 'nsunit rm'")


def _numbered(number: int, candidates: tuple[range, ...]) -> int:
    """The start that has this number among all *candidates*."""
    for starts in candidates:
        if number < len(starts):
            return starts[number]
        number -= len(starts)
    raise IndexError(number)


def _blocked(taken: list[tuple[int, int]], candidates: tuple[range, ...]) -> set[int]:
    """The numbers of those *candidates* that overlap any of *taken*."""
    found: set[int] = set()
    before = 0
    for starts in candidates:
        for start, count in taken:
            low = max((start - starts.start) // COUNT, 0)
            high = min((start + count - 1 - starts.start) // COUNT, len(starts) - 1)
            found.update(range(before + low, before + high + 1))
        before += len(starts)
    return found


def remembered(directory: str) -> tuple[int, int] | None:
    """The (first) id range `(start, count)` noted in *directory*, or None."""
    content = files.read_file(directory + "/ids")
    return None if content is None else _entries(content, directory)[0]


def allocated(directory: str) -> tuple[int, int] | None:
    """The id range that was given out and is noted in *directory*; None for one that a definition has chosen."""
    content = files.read_file(directory + "/ids")
    if content is None or not _is_ours(content) or not all(word.isdigit() for word in content.split()[:2]):
        return None
    return _entries(content, directory)[0]


def _is_ours(content: bytes) -> bool:
    return content.split()[2:] == [ALLOCATED]  # any other was the definition's own choice, and is not any more


def _entries(content: bytes, directory: str) -> list[tuple[int, int]]:
    lines = [line.split() for line in content.splitlines()]
    if not lines or not all(
        len(words) >= 2 and words[0].isdigit() and words[1].isdigit() and words[2:] in ([], [ALLOCATED])
        for words in lines
    ):
        raise NsunitError(
            f"'{directory}/ids' does not hold an id range",
            hint="'nsunit doctor --repair' has it made anew",
        )
    return [(int(words[0]), int(words[1])) for words in lines]


class _Known:
    """What all containers remember, as it was when `_changes` had *version*.

    *names* are what was there in each of the directories of containers, *entries* what the files `ids` below say, and
    *broken* what those have that cannot be understood, by directory.
    """

    def __init__(self, version: bytes) -> None:
        self.version = version
        self.names: dict[str, set[str]] = {}
        self.entries: dict[str, list[tuple[int, int]]] = {}
        self.broken: dict[str, bytes] = {}

    def look(self, base: str) -> None:
        """See which directories have come to *base*, or have gone."""
        before, there = self.names.get(base, set()), set(files.list_directory(base))
        for name in before - there:
            self.take(f"{base}/{name}", None)
        for name in there - before:
            self.take(f"{base}/{name}", files.read_file(f"{base}/{name}/ids"))
        self.names[base] = there

    def take(self, directory: str, content: bytes | None) -> None:
        """Note that the file in *directory* has *content*, None for no file."""
        self.entries.pop(directory, None)
        self.broken.pop(directory, None)
        try:
            if content is not None:
                self.entries[directory] = _entries(content, directory)
        except NsunitError:
            self.broken[directory] = content or b""  # whoever starts that one is told, and who needs a new range


_known: dict[Paths, _Known] = {}


def _look(paths: Paths) -> _Known:
    """What all containers remember.

    A start of many reads the files of all others once, as long as nobody else writes one; a directory that was not
    there before, of one that was renamed for instance, is looked into.
    """
    version = files.version_of(_changes(paths)) or files.note_change(_changes(paths))
    known = _known.get(paths)
    if known is None or known.version != version:
        known = _known[paths] = _Known(version)
    for base in (paths.states, paths.runtimes):
        known.look(base)
    return known


def _others(paths: Paths, name: str, known: _Known) -> list[tuple[int, int]]:
    """The ranges of all containers but *name*, of those that can be understood."""
    own = (paths.state_of(name), paths.runtime_of(name))
    return [entry for directory, found in known.entries.items() if directory not in own for entry in found]


def _taken(paths: Paths, name: str) -> list[tuple[int, int]]:
    """The ranges of all containers but *name*.

    Raises:
        NsunitError: a file cannot be understood.
    """
    known = _look(paths)
    for directory in sorted(known.broken.keys() - {paths.state_of(name), paths.runtime_of(name)}):
        _entries(known.broken[directory], directory)
    return _others(paths, name, known)


def _has_another(paths: Paths, name: str, own: tuple[int, int]) -> bool:
    """Whether another container than *name* has ids of *own*, too."""
    return _is_used(own, _others(paths, name, _look(paths)))


def _is_used(own: tuple[int, int], taken: list[tuple[int, int]]) -> bool:
    """Whether any range of *taken* has ids of *own*."""
    first, end = own[0], own[0] + own[1]
    return any(start < end and first < start + count for start, count in taken)


def _of_systemd() -> list[tuple[int, int]]:
    """The ranges that systemd's own tools use now: files `uUID.userns`, and lock files `UID`."""
    names = [name[1:].removesuffix(".userns") for name in files.list_directory(NSRESOURCED) if name[0] == "u"]
    return [(int(name), COUNT) for name in (*names, *files.list_directory(NSPAWN)) if name.isdigit()]


def _subordinate(text: str) -> list[tuple[str, int, int]]:
    from nsunit.subordinate import parse  # most starts find a range that was given out before

    return parse(text)


def _text(path: str) -> str:
    return (files.read_file(path) or b"").decode("utf-8", "replace")
