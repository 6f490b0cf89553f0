"""From the definition of a group to its slice.  Imported only where there is a group."""

from __future__ import annotations

from nsunit.names import group_slice
from nsunit.plan.units import Directive, Units, merge, slice_directives
from nsunit.units import Unit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Definition


def group_directives(definition: Definition, systemd_version: int) -> tuple[Directive, ...]:
    """What nsunit adds to what the definition of a group says."""
    said = {key for key, _ in definition.texts_of("Unit")}
    found = slice_directives(definition, f"Group {definition.name}", systemd_version)
    return tuple(item for item in found if item.section != "Unit" or item.key not in said)


def group_unit(definition: Definition, systemd_version: int) -> Unit:
    """Plan the slice of a group."""
    directives = group_directives(definition, systemd_version)
    properties = merge(directives, definition, ("Unit", "Slice"), systemd_version)
    return Unit(group_slice(definition.name), properties)


def group_units(definition: Definition, systemd_version: int) -> Units:
    """The same in the form in which a container's units are compared: all that a group has is its slice."""
    unit = group_unit(definition, systemd_version)
    return Units(unit, unit, (), group_directives(definition, systemd_version))
