"""How two definitions of one container differ, and what makes a running one follow: pure."""

from __future__ import annotations

from nsunit.definition.setting import lookup
from nsunit.record import Record
from nsunit.units import INFINITY, Property

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nsunit.definition.model import Assignment, Definition
    from nsunit.units import Unit


# Of these systemd's own drop-in for a change has no line that takes back what was there before, so that whatever is
# taken away from the list would be there again after a daemon-reload.
_GROWING = ("RestrictNetworkInterfaces", "DisableControllers")

# What a property has when nothing sets it, where that does not follow from its type.
_UNSET: dict[str, object] = {
    "DevicePolicy": "auto",
    "ManagedOOMSwap": "auto",
    "ManagedOOMMemoryPressure": "auto",
    "ManagedOOMPreference": "none",
    "MemoryZSwapWriteback": True,
}
_UNSET_OF_TYPE: dict[str, object] = {"t": INFINITY, "u": 0, "b": False, "s": "", "ay": b"", "(bas)": (False, ())}


class Change(Record):
    """One key that differs: its texts joined by "; ", empty where it is not set.

    *how* the running container can follow: "live" at once, "restart" by a restart only.
    """

    section: str
    key: str
    old: str
    new: str
    how: str

    def __str__(self) -> str:
        return f"[{self.section}] {self.key}: '{self.old}' -> '{self.new}'"


def compare(old: Definition, new: Definition) -> tuple[Change, ...]:
    """The keys in which *new* differs from *old*, sorted."""
    before, after = texts_by_key(old.assignments), texts_by_key(new.assignments)
    return tuple(
        Change(*place, "; ".join(left), "; ".join(right), how_to_change(*place, left, right))
        for place in sorted(before.keys() | after.keys())
        if (left := before.get(place, [])) != (right := after.get(place, []))
    )


def how_to_change(section: str, key: str, old: Sequence[str], new: Sequence[str]) -> str:
    """Whether a running container can follow a change of *key* from the texts *old* to *new*: "live" or "restart"."""
    if section in ("Install", "Timer"):
        return "live"  # it says nothing about the running unit
    setting = lookup(section, key)
    if setting is None or not setting.live:
        return "restart"
    if key in _GROWING and list(new[: len(old)]) != list(old):
        return "restart"
    return "live"


def texts_by_key(assignments: Iterable[Assignment]) -> dict[tuple[str, str], list[str]]:
    """The texts of each `(section, key)`, in their order."""
    found: dict[tuple[str, str], list[str]] = {}
    for item in assignments:
        found.setdefault((item.section, item.key), []).append(item.text)
    return found


def with_keys_of(base: Definition, other: Definition, keys: Iterable[tuple[str, str]]) -> Definition:
    """*base* with the assignments that *other* has for *keys*; its other fields no longer fit, so serialize it."""
    chosen = set(keys)
    kept = [item for item in base.assignments if (item.section, item.key) not in chosen]
    taken = [item for item in other.assignments if (item.section, item.key) in chosen]
    return base.replace(assignments=(*kept, *taken), sources=other.sources)


def live_properties(unit: Unit, section: str, keys: Iterable[tuple[str, str]]) -> tuple[Property, ...]:
    """What SetUnitProperties needs to give a running unit the values that *unit* plans for the *keys* of *section*.

    A list is emptied first, since systemd adds to it otherwise; what *unit* does not set gets its default.
    """
    wanted = {}
    for place, key in keys:
        setting = lookup(place, key)
        if place == section and setting is not None and setting.property:
            wanted[setting.property] = setting.signature
    found: list[Property] = []
    for item in unit.properties:
        name = item.name if item.name in wanted else item.name.removesuffix("Scale")
        if name in wanted:
            found += (item,) if not wanted[name] else _anew(item)  # what is said twice adds up
            wanted[name] = ""
    return (*found, *(unset(name, signature) for name, signature in wanted.items() if signature))


def unset(name: str, signature: str) -> Property:
    """Property *name* as it is when nothing sets it."""
    if name in _UNSET:
        return Property(name, signature, _UNSET[name])
    if signature == "t" and name.endswith(("MemoryMin", "MemoryLow")):
        return Property(name, signature, 0)
    return Property(name, signature, _UNSET_OF_TYPE.get(signature, ()))


def _anew(item: Property) -> tuple[Property, ...]:
    adds = item.signature == "(bas)" or (item.signature.startswith("a") and item.signature != "ay")
    empty: object = (False, ()) if item.signature == "(bas)" else ()
    if not adds:
        return (item,)
    return (item.replace(value=empty), item) if item.value != empty else (item,)
