"""From the definition of a group to its slice.  Imported only where there is a group."""

from __future__ import annotations

from nsunit.names import group_slice
from nsunit.plan.units import Directive, Units, merge, slice_directives
from nsunit.units import Unit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Definition


def group_directives(definition: Definition) -> tuple[Directive, ...]:
    """What nsunit adds to what the definition of a group says."""
    said = {key for key, _ in definition.texts_of("Unit")}
    found = slice_directives(definition, f"Group {definition.name}")
    return tuple(item for item in found if item.section != "Unit" or item.key not in said)


def group_unit(definition: Definition) -> Unit:
    """Plan the slice of a group."""
    properties = merge(group_directives(definition), definition, ("Unit", "Slice"))
    return Unit(group_slice(definition.name), properties)


def group_units(definition: Definition) -> Units:
    """The same in the form in which a container's units are compared: all that a group has is its slice."""
    unit = group_unit(definition)
    return Units(unit, unit, (), group_directives(definition))
