"""Tunnels in the set-up of a container.  Pure."""

from __future__ import annotations

from nsunit.errors import LEAVE_TO_ROOT
from nsunit.features.tunnels.keys import of
from nsunit.features.tunnels.setup import Tunnel
from nsunit.names import service_name
from nsunit.plan.operations import is_delegated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Container, Definition
    from nsunit.plan.facts import Facts
    from nsunit.setup.operation import Operation

SUBGROUP = "tunnel"


def needs(container: Container) -> dict[str, str]:
    """The containers that tunnels lead to, each with why that must run."""
    return {tunnel.container: "a tunnel leads to" for tunnel in of(container)}


def connects(definition: Definition, facts: Facts) -> list[Operation]:
    """The operations that make them, by systemd-socket-proxyd(8), which `facts` have."""
    proxy: str = facts.extra("tunnels", "")
    group = SUBGROUP if is_delegated(definition) else ""
    return [
        Tunnel(proxy, group, service_name(item.container), str(item.port), item.local)
        for item in of(definition.container)
        if proxy
    ]


def without_root(_container: Container) -> list[tuple[str, str]]:
    """Why a user without privileges cannot have it, as (message, hint)."""
    return [("[Container] Tunnel= takes root, as a user's containers share no network and no namespace", LEAVE_TO_ROOT)]
