"""`ShmSize=` of [Container]."""

from __future__ import annotations

from nsunit.definition.setting import own
from nsunit.definition.values import size
from nsunit.definition.words import wrong

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nsunit.definition.container import Contradiction
    from nsunit.definition.model import Container
    from nsunit.definition.setting import Row

UNLIMITED = 0  # to tmpfs(5)


def shm_size(text: str) -> int:
    """A size in bytes, or `infinity`."""
    if text == "infinity":
        return UNLIMITED
    found = size(text)
    if not found:
        raise wrong(text, "leaves no room for anything", "e.g. 256M, or infinity for no limit")
    return found


TABLES: dict[str, dict[str, Row]] = {
    "Container": {
        "ShmSize": own(
            *(shm_size, False, "SIZE|infinity"),
            *("Size of /dev/shm, 64M unless given; what Tmpfs=/dev/shm says wins.", "256M"),
        ),
    }
}


def build(fields: dict[str, Any], values: list[tuple[str, Any]]) -> None:
    """Note it."""
    fields["extras"]["shm"] = dict(values)["ShmSize"]


def check(container: Container, _name: str, _service: object) -> list[Contradiction]:
    """It is of no use where nothing is mounted."""
    chosen = dict(container.namespaces).get("mnt")
    if chosen is None:
        return []
    message = f"nothing is mounted with MountNamespace={chosen}, its file systems are there already"
    return [("ShmSize", message, "leave it out, or use MountNamespace=private")]
