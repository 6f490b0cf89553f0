"""What is connected to what, as JSON has it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.features.network.model.attachment import Attachment, Network


def network_document(network: Network, inside: list[Attachment]) -> dict[str, object]:
    """Return a network and who is in it."""
    return {
        "name": network.name,
        "bridge": network.bridge,
        "subnets": list(network.subnets),
        "gateways": list(network.gateways),
        "mtu": network.mtu,
        "internal": network.internal,
        "isolated": network.isolated,
        "domain": network.domain,
        "vlan": network.vlan,
        "dns": network.dns,
        "containers": [attachment_document(item) for item in inside],
    }


def attachment_document(item: Attachment) -> dict[str, object]:
    """Return what a container is connected to."""
    return {
        "container": item.container,
        "addresses": list(item.addresses),
        "interfaces": [
            {
                "network": interface.network.name,
                "bridge": interface.network.bridge,
                "name": interface.name,
                "link": interface.link,
                "mac": interface.mac,
                "addresses": list(interface.addresses),
                "gateways": list(interface.gateways),
            }
            for interface in item.interfaces
        ],
        "devices": [
            {
                "kind": device.kind,
                "parent": device.parent,
                "name": device.name,
                "mac": device.mac,
                "addresses": list(device.addresses),
            }
            for device in item.devices
        ],
        "ports": list(item.ports),
    }
