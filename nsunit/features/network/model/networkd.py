"""What systemd-networkd is told in a container with a whole system inside: the network that it has already.  Pure.

Without a file for an interface it leaves that alone, and who waits for the network to be online waits for nothing.
"""

from __future__ import annotations

from nsunit.addresses import is_six

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.features.network.model.attachment import Attachment, Device, Interface

SUFFIX = ".network"
# Of the files that match an interface the first one counts, by name.  What nsunit has given goes before what an image
# has for any interface; where it has given nothing, it is the other way round.
_GIVEN, _OPEN = "05-nsunit-", "95-nsunit-"


def network_files(item: Attachment) -> dict[str, str]:
    """The content of each file in /run/systemd/network, by name; see systemd.network(5)."""
    found = {}
    interfaces: tuple[Interface | Device, ...] = (*item.interfaces, *item.devices)
    for interface in interfaces:
        name = (_GIVEN if interface.addresses else _OPEN) + interface.name + SUFFIX
        found[name] = "".join(f"{line}\n" for line in _lines(interface))
    return found


def _lines(interface: Interface | Device) -> list[str]:
    lines = ["[Match]", f"Name={interface.name}", "", "[Network]"]
    if not interface.addresses:
        return [*lines, "DHCP=yes"]
    six = any(is_six(address) for address in interface.addresses)
    lines.append(f"LinkLocalAddressing={'ipv6' if six else 'no'}")
    if not interface.is_device or not six:
        lines.append("IPv6AcceptRA=no")
    lines += [f"Gateway={gateway}" for gateway in interface.gateways]
    for address in interface.addresses:
        lines += ["", "[Address]", f"Address={address}"]
        if is_six(address):
            lines.append("DuplicateAddressDetection=none")  # nobody else can have one that nsunit gave
    for route in interface.routes:
        destination, _, gateway = route.partition(" via ")
        lines += ["", "[Route]", f"Destination={destination}"]
        lines.append(f"Gateway={gateway}" if gateway else "Scope=link")
    return lines
