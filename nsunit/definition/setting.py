"""The table of settings: one frozen record for each key of each section.

The rows live in tables of plain tuples, here those of systemd and of what every container has, in the folders of
features theirs; a module is imported when a key of it is looked up, and a Setting is made when it is asked for, so that
a start pays only for what its definition uses.
"""

from __future__ import annotations

import sys

from nsunit import bytecode, features
from nsunit.definition.syntax import SECTIONS
from nsunit.definition.values import no_value
from nsunit.definition.words import ValueProblem
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from nsunit.definition.container import Contradiction
    from nsunit.definition.host import Host
    from nsunit.definition.values import Parser
    from nsunit.units import Property

    # parse, adds, D-Bus property, signature, since, live, syntax, help, example
    Row = tuple[Parser, bool, str, str, int, bool, str, str, str]

# Apart from those that features bring.
_TABLES = {
    "Container": ("keys:CONTAINER",),
    "Slice": ("systemd.control:CONTROL", "systemd.control:CONCURRENCY"),
    "Service": (
        "systemd.service:SERVICE",
        "systemd.control:CONTROL",
        "systemd.control:DELEGATION",
        "systemd.exec:EXEC",
    ),
    "Unit": ("systemd.unit:UNIT",),
    "Timer": ("systemd.timer:TIMER",),
    "Install": ("systemd.unit:INSTALL",),
}

# The first systemd version whose man pages date settings; older keys have this.
OLDEST = 183

# systemd does not look for specifiers in the value of these, and a percent sign is part of it.
_LITERAL_PERCENT = frozenset(
    "CPUQuota TasksMax ManagedOOMMemoryPressureLimit LogFilterPatterns SetCredential SetCredentialEncrypted".split()
)

# Values that came later than their key.
_VALUES_SINCE = {
    ("RestartMode", "debug"): 257,
    ("CPUSchedulingPolicy", "ext"): 260,
    ("NUMAPolicy", "preferred-many"): 262,
    ("NUMAPolicy", "weighted-interleave"): 262,
    **dict.fromkeys((("OnSuccessJobMode", "restart-dependencies"), ("OnFailureJobMode", "restart-dependencies")), 254),
    **dict.fromkeys((("OnSuccessJobMode", "lenient"), ("OnFailureJobMode", "lenient")), 258),
    **{
        (key, action): 254
        for key in ("FailureAction", "SuccessAction", "StartLimitAction", "JobTimeoutAction")
        for action in "soft-reboot soft-reboot-force kexec kexec-force halt halt-force halt-immediate".split()
    },
}

# Properties of which not every value fits to every other, see systemd.checks.
_CHECKED = frozenset(
    "CPUSchedulingPriority NUMAPolicy NUMAMask CPUAffinityFromNUMA DevicePolicy RestrictNetworkInterfaces"
    " BindNetworkInterface CPUSetPartition".split()
)

# PID 1 used to write TasksMaxScale into the transient unit as a tenth of it (systemd issue 41009, seen with 252).
_TASKS_PERCENT_SINCE = 257
_RENAMED_CREDENTIALS_SINCE = 257


class Setting(Record):
    """One key of one section.

    `parse` turns text into the value of the D-Bus property `property` of type `signature`, or into `Properties`;
    with an empty `property` the value is nsunit's own.  `adds`: repeated keys add up, else the last one counts.
    `since`: first systemd version that knows it.  `live`: SetUnitProperties can change it on a running unit.
    `refused`: why nsunit does not take it, and after a `; ` what to use instead.
    `specifiers`: whether `%` begins a specifier in its value.
    """

    section: str
    key: str
    parse: Parser
    adds: bool
    property: str
    signature: str
    since: int
    live: bool
    syntax: str
    help: str
    example: str
    refused: str | None = None
    specifiers: bool = True


def own(parse: Parser, adds: bool, syntax: str, text: str, example: str) -> Row:
    """The row of a key of nsunit's own: no property of systemd's, and no version of it that has to be there."""
    return (parse, adds, "", "", OLDEST, False, syntax, text, example)


def lookup(section: str, key: str) -> Setting | None:
    """Return the setting *key* of *section*, or None if there is none."""
    owner = features.owner_of(section, key)
    for table in (_table_of(owner, section),) if owner else _tables(section):
        row = table.get(key)
        if row is not None:
            return _setting(section, key, row)
    reason = _refused(section).get(key)
    if reason is None:
        return None
    return Setting(section, key, no_value, False, "", "", OLDEST, False, "", "Refused.", "", refused=reason)


def check_version_of_value(key: str, text: str, host: Host) -> None:
    """Raise ValueProblem if the systemd of *host* knows *key* but cannot yet be given its value *text*."""
    version = host.systemd_version
    since = _VALUES_SINCE.get((key, text), 0)
    if since > version:
        raise ValueProblem(f"'{text}' needs systemd {since}, {host.has}", "use another value")
    if key == "ImportCredential" and ":" in text and version < _RENAMED_CREDENTIALS_SINCE:
        raise ValueProblem(f"renaming one needs systemd {_RENAMED_CREDENTIALS_SINCE}, {host.has}", "leave it out")
    if key == "TasksMax" and text.endswith(("%", "‰", "‱")) and version < _TASKS_PERCENT_SINCE:
        raise ValueProblem(f"'{text}' becomes a tenth of that at a daemon-reload of systemd {version}", "use a number")


def contradictions(network: str, service: Iterable[Property], slice_: Iterable[Property]) -> Iterable[Contradiction]:
    """What does not fit together in [Service] and [Slice] of a container with *network*: (key, message, hint)."""
    of_service, of_slice = ({item.name: item.value for item in properties} for properties in (service, slice_))
    if _CHECKED.isdisjoint(of_service) and _CHECKED.isdisjoint(of_slice):
        return ()
    found: Iterable[Contradiction] = _imported("systemd.checks:contradictions")(network, of_service, of_slice)
    return found


def keys_of(section: str) -> tuple[str, ...]:
    """Return all keys of *section* that are not refused: what every container has, then feature by feature."""
    tables = (*_tables(section), *(_table_of(name, section) for name in features.with_keys(section)))
    return tuple(key for table in tables for key in table)


def all_settings() -> tuple[Setting, ...]:
    """Return the whole table of containers, refused keys included, for help, man pages and completion."""
    return settings_of(SECTIONS)


def settings_of(sections: tuple[str, ...]) -> tuple[Setting, ...]:
    """Return all keys of *sections*, refused ones included."""
    found = []
    for section in sections:
        for key in (*keys_of(section), *_refused(section)):
            setting = lookup(section, key)
            assert setting is not None
            found.append(setting)
    return tuple(found)


def _setting(section: str, key: str, row: Row) -> Setting:
    literal = key in _LITERAL_PERCENT or "Memory" in key
    return Setting(section, key, *row, specifiers=not literal or section in ("Unit", "Container", "Pod"))


def _tables(section: str) -> Iterator[dict[str, Row]]:
    """Yield the tables of *section* in the order in which they are searched, importing each only when reached."""
    for place in _TABLES.get(section, ()):
        table: dict[str, Row] = _imported(place)
        yield table


def _table_of(feature: str, section: str) -> dict[str, Row]:
    table: dict[str, Row] = features.load(feature, "keys").TABLES[section]
    return table


def _refused(section: str) -> dict[str, str]:
    found: dict[str, str] = _imported("systemd.refused:REFUSED").get(section, {})
    return found


def _imported(place: str) -> Any:
    """What *place*, `module:name` below nsunit.definition, is: these modules import this one."""
    module, _, name = place.partition(":")
    if f"nsunit.definition.{module}" not in sys.modules:
        bytecode.preload(f"definition.{module}")
    return getattr(__import__(f"nsunit.definition.{module}", fromlist=[name]), name)
