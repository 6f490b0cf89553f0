"""What the pure rooms hand to the bus: units and their typed D-Bus properties."""

from __future__ import annotations

from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

INFINITY = (1 << 64) - 1  # systemd's number for no limit, and for what is not set
# The ActiveState of a unit that runs: a program can say that it is reading its configuration anew, sd_notify(3), and
# is up all the same; mounts are refreshed.
UP = ("active", "reloading", "refreshing")
DOWN = (None, "inactive", "failed")  # and of one that does not run, or is not loaded
# The group of the payload within its unit's: the unit's own is for systemd's processes, and hands controllers down.
PAYLOAD_SUBGROUP = "payload"
NOT_HEALTHY = "Not healthy yet: "  # what systemd is told of a unit that is to be ready when it is healthy
# The properties of a service that tell how long it may run, and has: µs.
TIMES_OF_RUN = ("RuntimeMaxUSec", "ActiveEnterTimestampMonotonic", "ActiveExitTimestampMonotonic")


class Property(Record):
    """One property of org.freedesktop.systemd1(5), as StartTransientUnit and SetUnitProperties take it.

    `value` is what `signature` says, in Python's types: `as` is a tuple of str, `a(st)` a tuple of (str, int) tuples,
    `ay` bytes.  Tuples, not lists, so that a property can be compared and hashed.
    """

    name: str
    signature: str
    value: object


class Unit(Record):
    """A unit to be made: its full name and its properties, in the order they are sent."""

    name: str
    properties: tuple[Property, ...]


def time_was_up(values: Mapping[str, object]) -> bool:
    """Whether a service with these properties was stopped since it had run as long as RuntimeMaxSec= lets it.

    systemd's result is "timeout" then, as it is for one that was slow to start or to stop.
    """
    limit, begin, end = (values.get(key) for key in TIMES_OF_RUN)
    if not (isinstance(limit, int) and isinstance(begin, int) and isinstance(end, int)):
        return False
    return values.get("Result") == "timeout" and begin > 0 and end - begin >= limit


def has_job(state: Mapping[str, object]) -> bool:
    """Whether something is about to be done with a unit, by its property Job."""
    job = state.get("Job")
    return isinstance(job, tuple) and bool(job[0])


def is_idle(state: Mapping[str, object]) -> bool:
    """Whether a unit does not run, and is not about to, by its properties ActiveState and Job."""
    return state.get("ActiveState") in DOWN and not has_job(state)


def merge(properties: list[Property]) -> tuple[Property, ...]:
    """Return *properties* with one for each name, added up as by systemd itself, in the order of first appearance.

    DevicePolicy is last: systemd applies properties one by one, and a policy that comes before its exceptions denies
    them for a moment.
    """
    merged: dict[str, Property] = {}
    for item in properties:
        before = merged.get(item.name)
        merged[item.name] = item if before is None else _add(before, item)
    policy = merged.pop("DevicePolicy", None)
    return (*merged.values(), *((policy,) if policy else ()))


def _add(before: Property, item: Property) -> Property:
    old: Any = before.value
    new: Any = item.value
    value: Any
    if item.signature == "ay":
        length = max(len(old), len(new))
        bits = int.from_bytes(old, "little") | int.from_bytes(new, "little")
        value = bits.to_bytes(length, "little")
    elif item.signature == "(aiai)":
        value = tuple(_union(left, right) for left, right in zip(old, new, strict=True))
    elif item.signature == "(bas)":
        value = _allow_or_deny(old, new)
    elif item.signature == "as":
        value = _union(old, new)
    elif item.signature.startswith("a"):
        value = old + new  # order and repetition may matter: of two limits for one disk the last one counts
    else:
        value = new
    return Property(item.name, item.signature, value)


def _union(old: tuple[Any, ...], new: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return *old* and *new* without repetitions."""
    return old + tuple(item for item in new if item not in old)


def _allow_or_deny(old: tuple[bool, tuple[str, ...]], new: tuple[bool, tuple[str, ...]]) -> object:
    """The first assignment decides whether the list allows or denies; one of the other kind takes names out."""
    if old[0] == new[0]:
        return (old[0], _union(old[1], new[1]))
    return (old[0], tuple(name for name in old[1] if name not in new[1]))
