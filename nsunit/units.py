"""What the pure rooms hand to the bus: units and their typed D-Bus properties."""

from __future__ import annotations

from nsunit.record import Record

# The ActiveState of a unit that runs: a program can say that it is reading its configuration anew, sd_notify(3), and
# is up all the same; mounts are refreshed.
UP = ("active", "reloading", "refreshing")
# The group of the payload within its unit's: the unit's own is for systemd's processes, and hands controllers down.
PAYLOAD_SUBGROUP = "payload"


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


NOT_HEALTHY = "Not healthy yet: "  # what systemd is told of a unit that is to be ready when it is healthy
