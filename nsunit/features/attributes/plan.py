"""Attributes of a container's control group in its set-up.  Pure."""

from __future__ import annotations

from nsunit.features.attributes.keys import of
from nsunit.setup.namespaces import Subgroup

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Container
    from nsunit.setup.operation import Operation


def operations(planned: list[Operation], container: Container, _facts: object) -> list[Operation]:
    """*planned* with what the parent of the payload's own group, the unit's, is given."""
    lines = tuple(attribute_line(*attribute) for attribute in of(container))
    return [Subgroup(item.name, lines) if isinstance(item, Subgroup) else item for item in planned]


def attribute_line(file: str, subject: str, value: str) -> str:
    """An attribute of the unit's control group as the helper takes it."""
    return f"{file}={subject} {value}" if subject else f"{file}={value}"
