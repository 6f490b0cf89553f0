"""Containers whose root is a user of the host: `PrivateUsers=lea`, or in systemd's words `[Service] User=lea`."""

from __future__ import annotations

import pwd

from nsunit.definition.model import UserRange
from nsunit.definition.values import is_digits
from nsunit.definition.words import wrong

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    Entries = tuple[tuple[int, int, int], ...]


def owner(text: str) -> UserRange | None:
    """The ids of the user whose name or number *text* is; None if there is no such user.

    Raises:
        ValueProblem: it is root.
    """
    try:
        entry = pwd.getpwuid(int(text)) if is_digits(text) else pwd.getpwnam(text)
    except (KeyError, OverflowError):
        return None
    if entry.pw_uid == 0:
        raise wrong(text, "is the host's root", "use identity, or no")
    return UserRange("user", user=entry.pw_name)


def maps(user: str) -> tuple[Entries, Entries]:
    """The id maps, `(inside, outside, count)` each, of *user* as root, and of the user's subordinate ids as all others.

    There are no others where /etc/subuid and /etc/subgid, subuid(5), do not both give some to *user*.
    """
    entry = pwd.getpwnam(user)
    users, groups = (subordinate_ranges(_text(path), user, entry.pw_uid) for path in ("/etc/subuid", "/etc/subgid"))
    if not users or not groups:
        users = groups = ()
    return entries(entry.pw_uid, users), entries(entry.pw_gid, groups)


def subordinate_ranges(text: str, user: str, uid: int) -> tuple[tuple[int, int], ...]:
    """The `(start, count)` ranges that *text*, the content of subuid(5) or subgid(5), gives to *user*."""
    found = []
    for line in text.splitlines():
        name, *numbers = line.strip().split(":")
        if name in (user, str(uid)) and len(numbers) == 2 and all(is_digits(item) for item in numbers):
            start, count = int(numbers[0]), int(numbers[1])
            if count:
                found.append((start, count))
    return tuple(found)


def entries(own: int, ranges: Iterable[tuple[int, int]]) -> Entries:
    """The map of the id *own* to root and of *ranges* to what follows."""
    found, inside = [(0, own, 1)], 1
    for start, count in ranges:
        found.append((inside, start, count))
        inside += count
    return tuple(found)


def _text(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except FileNotFoundError:
        return ""
