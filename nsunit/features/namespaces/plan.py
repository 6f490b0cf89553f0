"""Namespaces that a definition chooses: which there are, whose they are, and what the helper does about them."""

from __future__ import annotations

from nsunit.definition.model import shared_kinds
from nsunit.errors import LEAVE_TO_ROOT
from nsunit.features.namespaces.keys import of
from nsunit.features.namespaces.setup import Domainname, ExistingRoot, Join, TimeOffsets
from nsunit.names import service_name
from nsunit.setup.process import Hostname

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Container
    from nsunit.setup.operation import Operation

# The user namespace is opened first, and the mount namespace entered last: it takes the host's paths away.
_ORDER = ("user", "cgroup", "ipc", "net", "pid", "time", "uts", "mnt")
_USEC = 1_000_000


def joins(container: Container) -> list[Operation]:
    """The operations that join what is not *container*'s own, and set its clocks."""
    chosen = shared_kinds(container)
    # The network of the host needs nothing but its /sys, which its own operation brings.
    kinds = [kind for kind in _ORDER if kind in chosen and (kind, chosen[kind]) != ("net", "host")]
    found: list[Operation] = [Join(kind, _source(chosen[kind])) for kind in kinds]
    if offsets := of(container).time_offsets:
        found.append(TimeOffsets(tuple(f"{clock} {_timespec(offset)}" for clock, offset in offsets)))
    if "mnt" in chosen:
        found.append(ExistingRoot())
    return found


def operations(planned: list[Operation], container: Container, _facts: object) -> list[Operation]:
    """*planned* with the domain name, which belongs to the host name."""
    domainname = of(container).domainname
    if domainname is None:
        return planned
    own = [[item, Domainname(domainname)] if isinstance(item, Hostname) else [item] for item in planned]
    return [item for items in own for item in items]


def needs(container: Container) -> dict[str, str]:
    """The containers whose namespaces *container* shares, each with why that must run."""
    return dict.fromkeys(joined_containers(container), "it shares namespaces with")


def joined_containers(container: Container) -> tuple[str, ...]:
    """The names of the containers whose namespaces *container* shares."""
    pairs = (source.partition(":") for source in shared_kinds(container).values())
    return tuple(sorted({name for kind, _, name in pairs if kind == "container"}))


def _source(source: str) -> str:
    kind, _, name = source.partition(":")
    return f"unit:{service_name(name)}" if kind == "container" else source


def _timespec(usec: int) -> str:
    """Seconds and nanoseconds; the kernel takes a negative number of seconds only."""
    seconds, rest = divmod(usec, _USEC)
    return f"{seconds} {rest * 1000}"


def without_root(container: Container) -> list[tuple[str, str]]:
    """Why a user without privileges cannot have it, as (message, hint)."""
    if of(container).time_offsets:
        return [("[Container] TimeOffset= takes root, as the clocks are the host's", LEAVE_TO_ROOT)]
    return []
