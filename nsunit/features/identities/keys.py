"""Explicit maps of user and group ids, a user of the host as root inside, and `Ownership=chown`."""

from __future__ import annotations

from nsunit.definition.model import UserRange
from nsunit.definition.setting import own
from nsunit.definition.values import OfHost, choice, is_digits
from nsunit.definition.values_container import UID_MAX
from nsunit.definition.words import ValueProblem, wrong
from nsunit.record import Record
from nsunit.subordinate import maps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nsunit.definition.container import Contradiction
    from nsunit.definition.host import Host
    from nsunit.definition.model import Container
    from nsunit.definition.setting import Row

    Entries = tuple[tuple[int, int, int], ...]  # (inside, outside, count)

IDENTITY_COUNT = 65_536  # as systemd has it, PrivateUsers= in systemd.exec(5)
LINES_MAX = 340  # user_namespaces(7)
_ID_END = (1 << 32) - 1  # the last number, (uid_t) -1, is no id


class Identities(Record):
    """The maps, empty where a range does, and *ownership*: "idmap", or "chown" for files that really change owners."""

    uid_map: Entries = ()
    gid_map: Entries = ()
    ownership: str = "idmap"


class UserOfHost(OfHost):
    """`PrivateUsers=lea`, or in systemd's words `[Service] User=lea`: root inside is a user of the host."""

    user: str

    def resolve(self, host: Host) -> UserRange:
        """The user's name and maps: root inside is the user, others are subordinate.

        Raises:
            ValueProblem: there is no such user, or it is root.
        """
        account = host.find_user(self.user)
        if account is None:
            message = "is neither auto, no, identity, START:COUNT nor a user of this host"
            raise wrong(self.user, message, "e.g. 524288:65536")
        if account.uid == 0:
            raise wrong(self.user, "is the host's root", "use identity, or no")
        both = maps(account.uid, account.gid, account.uids, account.gids)
        return UserRange("user", user=account.name, maps=both)


def private_users(text: str) -> UserRange:
    """`yes` or its other word `auto`, `no`, `identity`, or `START:COUNT`."""
    if text in ("yes", "auto", "no"):
        return UserRange("no" if text == "no" else "yes")
    if text == "identity":
        return UserRange(text, 0, IDENTITY_COUNT)
    start, colon, count = text.partition(":")
    if not colon or not is_digits(start) or not is_digits(count):
        raise wrong(text, "is neither auto, no, identity nor START:COUNT", "e.g. 524288:65536")
    if int(start) < 1 or int(count) < 1 or int(start) + int(count) - 1 > UID_MAX:
        raise wrong(text, "is out of range", f"host ids are 1 to {UID_MAX}; for id 0 itself use identity or no")
    return UserRange("range", int(start), int(count))


def container_users(text: str) -> UserRange | UserOfHost:
    """As `private_users`, or a user of the host."""
    try:
        return private_users(text)
    except ValueProblem:
        if ":" in text:
            raise
    return UserOfHost(text)


def id_map(text: str) -> tuple[int, int, int]:
    """`INSIDE OUTSIDE COUNT`, the columns of uid_map in user_namespaces(7)."""
    words = text.split()
    if len(words) != 3 or not all(is_digits(word) for word in words):
        raise wrong(text, "is not INSIDE OUTSIDE COUNT", "e.g. 0 524288 65536")
    inside, outside, count = map(int, words)
    if count < 1 or inside + count > _ID_END or outside + count > _ID_END:
        raise wrong(text, "is out of range", f"ids are 0 to {_ID_END - 1}")
    return inside, outside, count


TABLES: dict[str, dict[str, Row]] = {
    "Container": {
        "PrivateUsers": own(
            *(container_users, False, "auto|no|identity|START:COUNT|USER"),
            *("User and group ids of its own, or those of a user.", "524288:65536"),
        ),
        "UIDMap": own(
            *(id_map, True, "INSIDE OUTSIDE COUNT"),
            *("User ids inside and outside; those of groups too, unless GIDMap= says otherwise.", "0 524288 65536"),
        ),
        "GIDMap": own(id_map, True, "INSIDE OUTSIDE COUNT", "Group ids inside and outside.", "0 524288 65536"),
        "Ownership": own(
            *(choice("idmap", "chown"), False, "idmap|chown"),
            *("Whether the files of Rootfs= are shown as the container's, or become so.", "chown"),
        ),
    }
}


def of(container: Container) -> Identities:
    """What *container* says of them."""
    found: Identities = container.extra("identities", Identities())
    return found


def defaults(values: list[tuple[str, Any]]) -> dict[str, Any]:
    """PrivateUsers=, which pods and UserNamespace= overrule."""
    said = dict(values)
    return {"private_users": said["PrivateUsers"]} if "PrivateUsers" in said else {}


def build(fields: dict[str, Any], values: list[tuple[str, Any]]) -> None:
    """Note the maps: those that are given, or a user's."""
    uids = tuple(value for key, value in values if key == "UIDMap")
    gids = tuple(value for key, value in values if key == "GIDMap")
    users = fields.get("private_users", UserRange())
    if users.mode == "user" and not uids and not gids:
        uids, gids = users.maps
        fields["private_users"] = UserRange("maps", user=users.user, maps=users.maps)
    elif (uids or gids) and users.mode == "yes":
        fields["private_users"] = UserRange("maps", maps=(uids or gids, gids or uids))
    ownership = dict(values).get("Ownership", "idmap")
    fields["extras"]["identities"] = Identities(uids or gids, gids or uids, ownership)


def check(container: Container, _name: str, _service: object) -> list[Contradiction]:
    """What must hold of explicit id maps, and of Ownership=chown."""
    found: list[Contradiction] = []
    said = of(container)
    if said.uid_map:
        if container.private_users.mode != "maps":
            found.append(("PrivateUsers", "UIDMap= and GIDMap= say which ids there are", "leave out one of the two"))
        for key, entries in (("UIDMap", said.uid_map), ("GIDMap", said.gid_map)):
            found += [(key, message, hint) for message, hint in _mistakes(entries)]
        # One that is left out is a copy of the other, and has the same mistakes: they are blamed on what was said.
        found += _outside(container, said)
    if said.ownership == "chown":
        found += _ownership(container)
    return found


def _mistakes(entries: Entries) -> list[tuple[str, str]]:
    found = []
    if not any(inside == 0 for inside, _, _ in entries):
        found.append(("id 0 is not mapped", "nsunit sets a container up as its root, e.g. 0 524288 65536"))
    if len(entries) > LINES_MAX:
        found.append((f"there are more than {LINES_MAX} lines", "the kernel takes no more"))
    for column, where in ((0, "inside"), (1, "outside")):
        spans = sorted((entry[column], entry[column] + entry[2]) for entry in entries)
        for (_, end), (start, _) in zip(spans, spans[1:], strict=False):
            if start < end:
                found.append((f"id {start} {where} is mapped twice", "each id has one counterpart"))
    return found


def _outside(container: Container, said: Identities) -> list[Contradiction]:
    named = [("User", container.user, said.uid_map), ("Group", container.group, said.gid_map)]
    named += [("SupplementaryGroups", name, said.gid_map) for name in container.supplementary_groups]
    user = container.private_users.user

    def hint(key: str) -> str:
        if user:
            return f"give '{user}' more ids in /etc/subuid and /etc/subgid"
        return f"add it to {'UIDMap=' if key == 'User' else 'GIDMap='}"

    return [
        (key, f"'{name}' is not mapped", hint(key))
        for key, name, entries in named
        if name is not None
        and name[0] in "0123456789"
        and not any(inside <= int(name) < inside + count for inside, _, count in entries)
    ]


def _ownership(container: Container) -> list[Contradiction]:
    if container.rootfs is None:
        return [("Ownership", "layers belong to nobody in particular", "use Rootfs=, or leave it out")]
    if container.read_only or container.volatile:
        key = "ReadOnly" if container.read_only else "Volatile"
        return [("Ownership", f"{key}=yes leaves the files of Rootfs= as they are", "leave out one of the two")]
    if container.private_users.mode not in ("yes", "range"):
        return [("Ownership", "only a range of ids can own the files", "use PrivateUsers=auto or START:COUNT")]
    return []
