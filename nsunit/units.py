"""What the pure rooms hand to the bus: units and their typed D-Bus properties."""

from __future__ import annotations

from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

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
