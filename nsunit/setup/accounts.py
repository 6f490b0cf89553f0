"""Users and groups as the container's own /etc/passwd and /etc/group name them.

Both files are hostile, so they are read by nsunit.setup.files and parsed by hand: the C library would load name service
modules of the image.  A user given in digits is a number and never a name (CVE-2026-30892: "1" ran as 0).
"""

from __future__ import annotations

from nsunit.setup import files

ID_MAX = 0xFFFFFFFE  # (uid_t) -1 means "unchanged" to the kernel
_DIGITS = frozenset("0123456789")


class Account:
    """Who the payload runs as; `home` is "/" where passwd does not know the user."""

    __slots__ = ("gid", "groups", "home", "name", "uid")

    def __init__(self, uid: int, gid: int, groups: list[int], home: str, name: str) -> None:
        self.uid = uid
        self.gid = gid
        self.groups = groups
        self.home = home
        self.name = name


def parse_id(text: str) -> int | None:
    """The number *text* stands for if it is plain decimal digits in range, else None."""
    if 1 <= len(text) <= 10 and _DIGITS.issuperset(text) and int(text) <= ID_MAX:
        return int(text)
    return None


def _number(text: str, what: str) -> int | None:
    """The number *text* stands for, or None for a name; digits are never a name, whatever a hostile passwd holds."""
    number = parse_id(text)
    if number is None and _DIGITS.issuperset(text):
        raise LookupError(f"{what} '{text}' is out of range")
    return number


def look_up(root_fd: int, user: str, group: str, supplementary: tuple[str, ...]) -> Account:
    """Resolve *user* and *group* (names or numbers; empty: the default) in the root behind *root_fd*.

    The supplementary groups are those the group file gives the user, and the ones asked for.

    Raises:
        LookupError: a name is not there, with a message that says so.
        OSError: a file cannot be used.
    """
    passwd = _records(root_fd, "etc/passwd", 7)
    groups = _records(root_fd, "etc/group", 4)
    account = _find_user(passwd, user or "0")
    if group:
        account.gid = _find_group(groups, group)
    member_of = [parse_id(fields[2]) for fields in groups if account.name and account.name in fields[3].split(",")]
    wanted = [_find_group(groups, name) for name in supplementary]
    found = [gid for gid in member_of if gid is not None] + wanted
    account.groups = sorted(set(found) - {account.gid})
    return account


def _find_user(passwd: list[list[str]], user: str) -> Account:
    wanted = _number(user, "user")
    for fields in passwd:
        uid, gid = parse_id(fields[2]), parse_id(fields[3])
        if uid is None or gid is None:
            continue  # a number out of range must never wrap around to a smaller one
        if (fields[0] == user) if wanted is None else (uid == wanted):
            return Account(uid, gid, [], fields[5] or "/", fields[0])
    if wanted is None:
        raise LookupError(f"user '{user}' is not in the container's /etc/passwd")
    return Account(wanted, 0, [], "/", "")


def _find_group(groups: list[list[str]], group: str) -> int:
    wanted = _number(group, "group")
    if wanted is not None:
        return wanted
    for fields in groups:
        gid = parse_id(fields[2])
        if fields[0] == group and gid is not None:
            return gid
    raise LookupError(f"group '{group}' is not in the container's /etc/group")


def _records(root_fd: int, path: str, count: int) -> list[list[str]]:
    try:
        content = files.read_file(root_fd, path)
    except FileNotFoundError:
        return []
    lines = content.decode("utf-8", "surrogateescape").split("\n")
    return [fields for fields in (line.split(":") for line in lines) if len(fields) == count]
