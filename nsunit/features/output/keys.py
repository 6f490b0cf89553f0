"""`Output=` of [Container]."""

from __future__ import annotations

from nsunit.definition.setting import own
from nsunit.definition.values import choice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nsunit.definition.container import Contradiction
    from nsunit.definition.model import Container
    from nsunit.definition.setting import Row

PIPE = "pipe"
TABLES: dict[str, dict[str, Row]] = {
    "Container": {
        "Output": own(
            *(choice("journal", PIPE), False, "journal|pipe"),
            "What its standard output and error are: the journal's socket, or a pipe, which /dev/stdout can open.",
            PIPE,
        ),
    }
}


def build(fields: dict[str, Any], values: list[tuple[str, Any]]) -> None:
    """Note that it is a pipe; the journal's socket costs nothing."""
    if dict(values)["Output"] == PIPE:
        fields["extras"]["output"] = None


def by_default(fields: dict[str, Any], values: list[tuple[str, Any]]) -> None:
    """Note that it is a pipe unless *values*, all that the definition says, have `Output=`.

    For features whose programs are made by others, such as those of images: they open /dev/stdout by name.
    """
    if "Output" not in dict(values):
        fields["extras"]["output"] = None


def check(container: Container, _name: str, _service: object) -> list[Contradiction]:
    """It is of no use to a whole system."""
    if container.uses("boot"):
        return [("Output", "what a whole system writes goes to its console (Boot=yes)", "leave out one of the two")]
    return []
