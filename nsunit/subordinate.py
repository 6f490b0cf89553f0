"""Subordinate ids: what subuid(5) and subgid(5) say, and the id maps that are made of it.

The standard library has no reader of them, and getsubids(1) is not everywhere and tells of one user only.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Ranges = Sequence[tuple[int, int]]
    Entries = tuple[tuple[int, int, int], ...]

SUBUID, SUBGID = FILES = ("/etc/subuid", "/etc/subgid")
FIRST, COUNT = 100000, 65536  # SUB_UID_MIN and SUB_UID_COUNT of login.defs(5)


def parse(text: str) -> list[tuple[str, int, int]]:
    """The lines `(owner, start, count)` of such a file; one that is none gives nobody an id."""
    found = []
    for line in text.splitlines():
        fields = [field.strip() for field in line.split(":")]
        if line.startswith("#") or len(fields) != 3:
            continue
        if all(field.isascii() and field.isdigit() for field in fields[1:]) and int(fields[2]):
            found.append((fields[0], int(fields[1]), int(fields[2])))
    return found


def ranges_of(text: str, user: str, uid: int) -> tuple[tuple[int, int], ...]:
    """The ranges `(start, count)` that *text* gives to *user*, by name or by number."""
    return tuple((start, count) for owner, start, count in parse(text) if owner in (user, str(uid)))


def sharers(text: str, user: str, uid: int) -> set[str]:
    """The others to whom *text* gives ids that are those of *user* as well, as it calls them."""
    own = ranges_of(text, user, uid)
    others = [entry for entry in parse(text) if entry[0] not in (user, str(uid))]
    return {
        owner
        for owner, start, count in others
        if any(start < first + length and first < start + count for first, length in own)
    }


def free(*texts: str) -> int:
    """The first of 65,536 ids that nobody has by any of *texts*: where useradd(8) begins, or behind those of others."""
    start = FIRST
    for _owner, taken, count in sorted((line for text in texts for line in parse(text)), key=lambda line: line[1]):
        if taken < start + COUNT and start < taken + count:
            start = taken + count
    return start


def entries(own: int, ranges: Iterable[tuple[int, int]]) -> Entries:
    """The map, `(inside, outside, count)` each, of the id *own* to root and of *ranges* to what follows."""
    found, inside = [(0, own, 1)], 1
    for start, count in ranges:
        found.append((inside, start, count))
        inside += count
    return tuple(found)


def maps(uid: int, gid: int, uids: Ranges, gids: Ranges) -> tuple[Entries, Entries]:
    """The maps of user and group ids of a user who has *uids* and *gids*; one id each unless there are both."""
    if not uids or not gids:
        uids = gids = ()
    return entries(uid, uids), entries(gid, gids)
