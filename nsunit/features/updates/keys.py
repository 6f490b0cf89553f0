"""`AutoUpdate=` of [Container]."""

from __future__ import annotations

from nsunit.definition.setting import own
from nsunit.definition.values import choice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nsunit.definition.container import Contradiction
    from nsunit.definition.model import Container
    from nsunit.definition.setting import Row

TABLES: dict[str, dict[str, Row]] = {
    "Container": {
        "AutoUpdate": own(
            *(choice("registry", "local"), False, "registry|local"),
            *("Where 'nsunit update --auto' looks for a newer image: the registry, or what is in the store.",),
            *("registry",),
        ),
    }
}


def of(container: Container) -> str:
    """What *container* says; empty where that is nothing."""
    found: str = container.extra("updates", "")
    return found


def build(fields: dict[str, Any], values: list[tuple[str, Any]]) -> None:
    """Note it."""
    fields["extras"]["updates"] = dict(values)["AutoUpdate"]


def check(container: Container, _name: str, _service: object) -> list[Contradiction]:
    """It is about an image."""
    if container.image:
        return []
    return [("AutoUpdate", "that is about an image, and there is no Image=", "leave it out")]
