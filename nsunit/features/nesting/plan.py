"""What a container has in whose namespaces others are made.  Pure."""

from __future__ import annotations

from nsunit.definition.model import shared_kinds
from nsunit.features.nesting.setup import Whole
from nsunit.plan.syscalls import NESTING
from nsunit.setup.mounts import Sysctl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Container
    from nsunit.setup.operation import Operation

# What the manager of a container has for the system inside is in /run/host, https://systemd.io/CONTAINER_INTERFACE.
PROC, SYS = "/run/host/proc", "/run/host/sys"


def calls(container: Container) -> tuple[str, ...]:
    """What is open to the filter besides the capabilities."""
    return (NESTING,) if container.extra("nesting") else ()


def mounts(container: Container, _facts: object) -> list[Whole]:
    """The file systems that nothing covers; sysfs is that of the network namespace, whose owner alone mounts it."""
    if not container.extra("nesting"):
        return []
    own_network = "net" not in shared_kinds(container)
    return [Whole("proc", PROC), *([Whole("sysfs", SYS)] if own_network else [])]


def operations(planned: list[Operation], container: Container, _facts: object) -> list[Operation]:
    """*planned* without what forbids user namespaces."""
    if not container.extra("nesting"):
        return planned
    return [item for item in planned if not (isinstance(item, Sysctl) and item.key == "user.max_user_namespaces")]
