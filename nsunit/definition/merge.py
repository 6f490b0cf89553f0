"""Several assignments of one list setting → one D-Bus property, as systemd itself would add them up."""

from __future__ import annotations

from nsunit.units import Property

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def merge(properties: list[Property]) -> tuple[Property, ...]:
    """Return *properties* with one for each name, in the order of first appearance.

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
