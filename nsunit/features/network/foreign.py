"""Firewalls of others that are in the way of containers."""

from __future__ import annotations

import os

from nsunit.features import load
from nsunit.features.names.files import host_lacks_servers
from nsunit.features.names.plan import naming
from nsunit.features.network.model.foreign import concerns, describe, obstacles
from nsunit.features.network.model.server import PROGRAM, pid_file, unit_of
from nsunit.features.network.register import attachments
from nsunit.features.network.values import of
from nsunit.features.network.wire import ruleset

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from nsunit.core.context import Context
    from nsunit.definition.model import Definition
    from nsunit.features.network.model.attachment import Network


def in_the_way(networks: Iterable[Network]) -> list[str]:
    """What drops the traffic of *networks*, one line each, with the command that mends it.

    Raises:
        NsunitError: the kernel, or nft, refused it.
    """
    told = []
    for obstacle in obstacles(ruleset.chains()):
        listed = load("network", "wire.nft").table(obstacle.family, obstacle.table)
        told += [describe(obstacle, network) for network in networks if concerns(obstacle, network, listed)]
    return told


def silent_servers(networks: Iterable[Network]) -> list[str]:
    """Which servers of *networks*' names do not answer, one line each; where none can, a start says it."""
    return [
        f"network '{network.name}': the server of its names does not run: 'systemctl status {unit_of(network.name)}'"
        for network in networks
        if network.dns and os.access(PROGRAM, os.X_OK) and not os.path.exists(pid_file(network.name))
    ]


def warn(context: Context, definitions: Iterable[Definition]) -> None:
    """Warn of what is in the way of *definitions*, which are being started."""
    own = {item.name: item for item in definitions if of(item.container).connections}
    if not own:
        return
    found = [item for item in attachments(context) if item.container in own]
    networks = {interface.network.name: interface.network for item in found for interface in item.interfaces}
    for line in in_the_way(tuple(networks.values())):
        context.warn(f"warning: {line}")
    for network in networks.values():
        if network.dns and not os.access(PROGRAM, os.X_OK):
            context.warn(
                f"warning: network '{network.name}': DNS= needs '{PROGRAM}', which is not installed, so names are in"
                " /etc/hosts alone; install the package 'dnsmasq-base'"
            )
    alone = host_lacks_servers()
    for item in found if alone else ():
        if os.access(PROGRAM, os.X_OK) and any(interface.network.dns for interface in item.interfaces):
            continue  # that server is on the host, and can ask them
        leads_out = item.devices or any(not interface.network.internal for interface in item.interfaces)
        if leads_out and not naming(own[item.container]).servers:
            told = (
                f"{item.container}: there is no name server it could ask, as {' and '.join(alone)} is the host's alone"
            )
            context.warn(f"warning: {told}; name one with DNS=")
