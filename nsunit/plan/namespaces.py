"""Namespaces that a definition chooses: which there are, whose they are, and what the helper does about them."""

from __future__ import annotations

from nsunit.definition.namespaces import sources
from nsunit.names import service_name
from nsunit.setup.chosen import ExistingRoot, Join, TimeOffsets, UserMaps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Container
    from nsunit.setup.operation import Operation

__all__ = ["joined_containers", "operations", "sources"]

# The user namespace is opened first, and the mount namespace entered last: it takes the host's paths away.
_ORDER = ("user", "cgroup", "ipc", "net", "pid", "time", "uts", "mnt")
_USEC = 1_000_000


def operations(container: Container) -> list[Operation]:
    """The operations that join what is not *container*'s own, and set its clocks."""
    chosen = sources(container)
    # The network of the host needs nothing but its /sys, which its own operation brings.
    kinds = [kind for kind in _ORDER if kind in chosen and (kind, chosen[kind]) != ("net", "host")]
    found: list[Operation] = [Join(kind, _source(chosen[kind])) for kind in kinds]
    if container.uid_map:
        pairs = (("uid", container.uid_map), ("gid", container.gid_map))
        lines = [f"{kind} {' '.join(map(str, entry))}" for kind, entries in pairs for entry in entries]
        found.insert(0, UserMaps(tuple(lines)))
    if container.time_offsets:
        found.append(TimeOffsets(tuple(f"{clock} {_timespec(offset)}" for clock, offset in container.time_offsets)))
    if "mnt" in chosen:
        found.append(ExistingRoot())
    return found


def joined_containers(container: Container) -> tuple[str, ...]:
    """The names of the containers whose namespaces *container* shares."""
    pairs = (source.partition(":") for source in sources(container).values())
    return tuple(sorted({name for kind, _, name in pairs if kind == "container"}))


def _source(source: str) -> str:
    kind, _, name = source.partition(":")
    return f"unit:{service_name(name)}" if kind == "container" else source


def _timespec(usec: int) -> str:
    """Seconds and nanoseconds; the kernel takes a negative number of seconds only."""
    seconds, rest = divmod(usec, _USEC)
    return f"{seconds} {rest * 1000}"
