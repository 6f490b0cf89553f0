"""Rules of cgrules.conf(5), which moved processes when they had started: what has them in the right place today."""

from __future__ import annotations

from nsunit.imports.model import Origin, Remark
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MOVED = "nothing moves a process to another group after it has started"
_FIELDS = 3


class Rule(Record):
    """`USER[:PROCESS] CONTROLLERS DESTINATION`."""

    user: str
    process: str
    destination: str
    origin: Origin


def read(path: str, text: str, remarks: list[Remark]) -> Iterator[Rule]:
    """The rules of a file; `%` in place of the user is that of the rule above."""
    before = ("", "")
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        origin = Origin(path, number, words[0])
        if len(words) < _FIELDS or (words[0] == "%" and not before[0]):
            remarks.append(Remark(origin, "it is no rule", "write USER[:PROCESS] CONTROLLERS DESTINATION"))
            continue
        user, _, process = words[0].partition(":")
        before = before if user == "%" else (user, process)
        for option in words[_FIELDS:]:
            remarks.append(Remark(origin, f"'{option}' is about the daemon that moves processes", "leave it out"))
        yield Rule(*before, words[2], origin)


def remark(rule: Rule, names: Mapping[str, str]) -> Remark:
    """What does today what *rule* did; *names* are those of groups here, by their paths."""
    name = names.get(rule.destination.strip("/"))
    reason = _MOVED if name is None else f"{_MOVED}, and {name}.slice has containers"
    return Remark(rule.origin, reason, _process(rule, name) if rule.process else _login(rule))


def _process(rule: Rule, name: str | None) -> str:
    group = name or "GROUP"
    return (
        f"use Slice={group} in the definition of a container for {rule.process}, or the limits in its own unit,"
        f" or start it by 'systemd-run --slice=nsunit-{group}.slice'"
    )


def _login(rule: Rule) -> str:
    if rule.user == "*":
        return "put the limits into user-.slice.d for all logins, and into the units of services"
    if rule.user.startswith("@"):
        return f"put the limits into user-UID.slice.d for each of the group {rule.user[1:]}, or user-.slice.d for all"
    uid = rule.user if rule.user.isdecimal() else "UID"
    return f"put the limits into /etc/systemd/system/user-{uid}.slice.d for logins of {rule.user}, and into their units"
