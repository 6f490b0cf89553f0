"""What others have changed in the units of a container behind nsunit's back."""

from __future__ import annotations

from nsunit.bus.marshal import split_signature
from nsunit.core.running import slice_of
from nsunit.definition.setting import lookup
from nsunit.names import is_group
from nsunit.plan.change import Change, texts_by_key, unset
from nsunit.units import INFINITY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.core.context import Context
    from nsunit.definition.model import Definition
    from nsunit.plan.units import Units
    from nsunit.units import Unit

_COMPARABLE = ("t", "u", "b", "s", "ay")  # what systemd gives back as it was given


def drift(
    context: Context, unit: str, planned: Units, definition: Definition, changes: Sequence[Change]
) -> tuple[list[Change], tuple[str, ...]]:
    """What others have changed in the units of a container, of which *unit* runs it, and notes on their drop-ins.

    They were *planned* so; what of them is among *changes* to come is another matter.
    """
    differing = {(change.section, change.key) for change in changes}
    texts = texts_by_key(definition.assignments)
    drifted: list[Change] = []
    notes: list[str] = []
    for section, source, target in (
        ("Slice", planned.slice, slice_of(context, definition.name)),
        ("Service", planned.service, unit),
    )[: 1 if is_group(definition.name) else 2]:
        said = [(place, new) for place, new in texts.items() if place[0] == section and place not in differing]
        actual = context.bus.get(target, "DropInPaths")
        if said or actual.get("DropInPaths"):
            actual = context.bus.properties(target)  # takes ten times as long
        for place, new in said:
            setting = lookup(*place)
            if setting is None or setting.signature not in _COMPARABLE:
                continue
            wanted = next((item.value for item in source.properties if item.name == setting.property), None)
            if not setting.live or wanted is None or setting.property not in actual:
                continue
            value = from_bus(setting.signature, actual[setting.property])
            if value != wanted:
                drifted.append(Change(*place, _as_text(setting.property, value), "; ".join(new), "live"))
        notes += _foreign_drop_ins(target, section, actual, texts.keys() | differing, source)
    return drifted, tuple(notes)


def from_bus(signature: str, value: object) -> object:
    """*value* of a property with *signature* as nsunit's own properties have it."""
    if signature == "ay":
        return bytes(value)  # type: ignore[call-overload]
    if signature[0] == "a":
        return tuple(from_bus(signature[1:], item) for item in value)  # type: ignore[attr-defined]
    if signature[0] == "(":
        types = split_signature(signature[1:-1])
        return tuple(from_bus(kind, item) for kind, item in zip(types, value, strict=True))  # type: ignore[call-overload]
    return value


def _foreign_drop_ins(
    unit: str, section: str, actual: dict[str, object], said: set[tuple[str, str]], planned: Unit
) -> list[str]:
    """Notes on the drop-ins of *unit*, which is *planned*, that neither nsunit nor a change of a known key has made."""
    paths = actual.get("DropInPaths")
    defaults = {item.name: item.value for item in planned.properties}
    found = []
    for path in paths if isinstance(paths, (list, tuple)) else ():
        base = path.rpartition("/")[2]
        key = base.removeprefix("50-").removesuffix(".conf")
        setting = lookup(section, key)
        known = (section, key) in said
        if setting is not None and setting.property in actual:
            # systemd writes one such file for each property that is changed; a change back leaves it there, also one to
            # a default of nsunit's, which no definition says.
            value = from_bus(setting.signature, actual[setting.property])
            known = known or value in (unset(setting.property, setting.signature).value, defaults.get(setting.property))
        if base != "50-nsunit.conf" and not known:
            found.append(f"{unit} has settings from '{path}' as well")
    return found


def _as_text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, bytes):
        numbers = [number for number in range(len(value) * 8) if value[number // 8] >> number % 8 & 1]
        return " ".join(str(number) for number in numbers)
    if value == INFINITY:
        return "infinity"
    if isinstance(value, int) and name.startswith("Memory"):
        return _size(value)
    if isinstance(value, int) and name == "CPUQuotaPerSecUSec":
        return f"{value / 10_000:g}%"
    return f"{value}us" if name.endswith("USec") else str(value)


def _size(value: int) -> str:
    """*value* bytes as one would write them, exactly: 99M, or 100001."""
    for exponent, unit in ((40, "T"), (30, "G"), (20, "M"), (10, "K")):
        if value and value % (1 << exponent) == 0:
            return f"{value >> exponent}{unit}"
    return str(value)
