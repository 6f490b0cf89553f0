"""The size of /dev/shm in the set-up of a container.  Pure."""

from __future__ import annotations

from nsunit.setup.mounts import Devices

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Container
    from nsunit.setup.operation import Operation


def operations(planned: list[Operation], container: Container, _facts: object) -> list[Operation]:
    """*planned* with a /dev that has it."""
    size = str(container.extra("shm"))
    return [Devices(size, item.nodes) if isinstance(item, Devices) else item for item in planned]
