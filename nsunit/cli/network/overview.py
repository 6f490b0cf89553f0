"""network list and inspect: networks and who is in them."""

from __future__ import annotations

import sys

from nsunit.cli.network.documents import network_document
from nsunit.cli.output import Style, print_json, print_names, print_table
from nsunit.errors import NotFoundError, did_you_mean
from nsunit.features.network.networks import overview
from nsunit.names import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation
    from nsunit.features.network.model.attachment import Network


def list_networks(invocation: Invocation, _: list[str]) -> int:
    """`nsunit network list`."""
    found = overview(invocation.context())
    if invocation.flag("json"):
        print_json([network_document(network, inside) for network, inside in found])
        return 0
    if invocation.flag("quiet"):
        print_names(network.name for network, _ in found)
        return 0
    rows: list[tuple[str, ...]] = [
        (
            *(network.name, network.bridge, " ".join(network.subnets) or "-"),
            " ".join(item.container for item in inside) or "-",
        )
        for network, inside in found
    ]
    print_table(Style.of(invocation), ("NETWORK", "BRIDGE", "SUBNETS", "CONTAINERS"), rows, ("BRIDGE", "CONTAINERS"))
    return 0


def inspect(invocation: Invocation, names: list[str]) -> int:
    """`nsunit network inspect`; without a name, all networks."""
    found = {network.name: (network, inside) for network, inside in overview(invocation.context())}
    for name in names:
        if name not in found:
            hint = did_you_mean(name, list(found), "'{}'") or "see 'nsunit network list'"
            raise NotFoundError(f"the network '{printable(name)}' is not defined", hint=hint)
    chosen = [found[name] for name in names or found]
    if invocation.flag("json"):
        print_json([network_document(network, inside) for network, inside in chosen])
        return 0
    for place, (network, inside) in enumerate(chosen):
        sys.stdout.write("\n" if place else "")
        _describe(network)
        rows: list[tuple[str, ...]] = [
            (item.container, interface.name, interface.link, " ".join(interface.addresses), interface.mac)
            for item in inside
            for interface in item.interfaces
            if interface.network.name == network.name
        ]
        if rows:
            style = Style.of(invocation)
            columns = ("CONTAINER", "INTERFACE", "LINK", "ADDRESSES", "MAC")
            print_table(style, columns, rows, ("MAC", "LINK", "INTERFACE"))
    return 0


def _describe(network: Network) -> None:
    words = [*(["internal"] if network.internal else []), *(["isolated"] if network.isolated else [])]
    lines = [
        ("Network", " ".join([network.name, *words])),
        ("Bridge", f"{network.bridge} on VLAN {network.vlan}" if network.vlan else network.bridge),
        ("Subnets", " ".join(network.subnets) or "chosen when a container joins it"),
        ("Gateways", " ".join(network.gateways)),
        ("MTU", str(network.mtu)),
        ("Domain", network.domain),
    ]
    for key, value in lines:
        if value:
            sys.stdout.write(f"{key:>8}: {value}\n")
