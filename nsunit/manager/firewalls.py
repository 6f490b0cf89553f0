"""Firewalls of others that are in the way of containers."""

from __future__ import annotations

from nsunit.manager.network import attachments
from nsunit.network import nft
from nsunit.plan.coexistence import concerns, describe, obstacles

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from nsunit.manager.context import Context
    from nsunit.plan.attachment import Network


def in_the_way(networks: Iterable[Network]) -> list[str]:
    """What drops the traffic of *networks*, one line each, with the command that mends it.

    Raises:
        NsunitError: nft is missing or failed.
    """
    told = []
    for obstacle in obstacles(nft.chains()):
        listed = nft.table(obstacle.family, obstacle.table)
        told += [describe(obstacle, network) for network in networks if concerns(obstacle, network, listed)]
    return told


def warn(context: Context, names: Iterable[str]) -> None:
    """Warn of what is in the way of the containers *names*, which are being started."""
    own = set(names)
    networks = {
        interface.network.name: interface.network
        for item in attachments(context)
        if item.container in own
        for interface in item.interfaces
    }
    for line in in_the_way(tuple(networks.values())):
        context.warn(f"warning: {line}")
