"""`Volume=` and `ImageVolumes=` of [Container]."""

from __future__ import annotations

from nsunit.definition.setting import own
from nsunit.definition.values import choice
from nsunit.features.volumes.values import ANONYMOUS, Chosen, of, places, volumes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nsunit.definition.container import Contradiction
    from nsunit.definition.model import Container
    from nsunit.definition.setting import Row

TABLES: dict[str, dict[str, Row]] = {
    "Container": {
        "Volume": own(
            *(volumes, True, "[NAME:]TARGET[:OPTIONS]…"),
            *("Directories that are kept apart from the root, filled once from it.", "data:/var/lib/app"),
        ),
        "ImageVolumes": own(
            *(choice(ANONYMOUS, "tmpfs", "ignore"), False, "anonymous|tmpfs|ignore"),
            *("What the volumes are that the image asks for: kept until 'nsunit rm', in memory, or none.", "tmpfs"),
        ),
    }
}


def build(fields: dict[str, Any], values: list[tuple[str, Any]]) -> None:
    """Note them."""
    found = tuple(item for key, items in values if key == "Volume" for item in items)
    fields["extras"]["volumes"] = Chosen(found, dict(values).get("ImageVolumes", ANONYMOUS))


def check(container: Container, _name: str, _service: object) -> list[Contradiction]:
    """A place has one mount, and a root that is there already none more."""
    root = dict(container.namespaces).get("mnt")
    if root is not None:
        message = f"nothing is mounted with MountNamespace={root}, its file systems are there already"
        return [("Volume", message, "leave it out, or use MountNamespace=private")]
    found: list[Contradiction] = []
    if of(container).of_image != ANONYMOUS and not container.image:
        found.append(("ImageVolumes", "there is no Image= that could ask for volumes", "leave it out"))
    seen = places(container)
    for volume in of(container).volumes:
        if volume.target in seen:
            found.append(("Volume", f"'{volume.target}' is mounted on twice", "the second mount would hide the first"))
        seen.add(volume.target)
    return found
