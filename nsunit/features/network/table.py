"""The keys of [Network], in definitions of networks.  Rows as in `setting.Row`, without a D-Bus property."""

from __future__ import annotations

from nsunit.addresses import is_link_local, is_six, is_special, parse_subnet
from nsunit.definition.setting import own
from nsunit.definition.values import boolean, is_digits
from nsunit.definition.values_container import hostname
from nsunit.definition.words import wrong
from nsunit.features.network.values import ip_address, mtu

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.setting import Row

# What leaves room for the router and at least one container, and what can be a network at all.
_LENGTHS = {False: (8, 30), True: (8, 126)}
_VLAN_MAX = 4094
LINK_NAME_MAX = 15


def subnet(text: str) -> str:
    """`10.1.2.0/24` or `fd00:1::/64`."""
    try:
        found = parse_subnet(text)
    except ValueError:
        raise wrong(text, "is not a subnet", "e.g. 10.1.2.0/24 or fd00:1::/64, without bits of a host") from None
    if any(is_special(found.host(number)) for number in (0, found.size - 1)) or is_link_local(found):
        raise wrong(text, "is not for networks of hosts", "e.g. 10.1.2.0/24 or fd00:1::/64")
    least, most = _LENGTHS[found.six]
    if not least <= found.length <= most:
        raise wrong(text, f"has a prefix that is not from {least} to {most} bits long")
    return str(found)


def address_range(text: str) -> tuple[str, str]:
    """`FIRST-LAST`, two addresses of one family."""
    first, dash, last = text.partition("-")
    if not dash:
        raise wrong(text, "is not FIRST-LAST", "e.g. 10.1.2.100-10.1.2.199")
    found = ip_address(first.strip()), ip_address(last.strip())
    if is_six(found[0]) != is_six(found[1]):
        raise wrong(text, "has addresses of different families")
    return found


def link_name(text: str) -> str:
    """The name of a network interface, as the kernel allows it (dev_valid_name())."""
    wrong_characters = any(char.isspace() or char in "/:" for char in text) or not text.isprintable()
    if not text or len(text.encode()) > LINK_NAME_MAX or wrong_characters or text in (".", ".."):
        raise wrong(text, "is not the name of a network interface", f"at most {LINK_NAME_MAX} characters, as eth0")
    return text


def vlan(text: str) -> str:
    """`DEV.ID`: a VLAN (IEEE 802.1Q) of a network interface."""
    device, dot, number = text.rpartition(".")
    if not dot or not is_digits(number) or len(number) > 4 or not 1 <= int(number) <= _VLAN_MAX:
        raise wrong(text, "is not DEV.ID", f"e.g. eth0.20, an id from 1 to {_VLAN_MAX}")
    return f"{link_name(device)}.{int(number)}"


NETWORK: dict[str, Row] = {
    "Subnet": own(
        *(subnet, True, "ADDRESS/LENGTH"),
        *("Subnet of its containers, one of each family at most; free ones are taken where none is given.",),
        "10.20.0.0/24",
    ),
    "Gateway": own(
        *(ip_address, True, "ADDRESS", "Address of the bridge in a subnet; the first one unless given."), "10.20.0.254"
    ),
    "Range": own(
        *(address_range, False, "FIRST-LAST", "Addresses that containers are given, unless they ask for another."),
        "10.20.0.100-10.20.0.199",
    ),
    "MTU": own(mtu, False, "BYTES", "Size of the largest packet; 1500 unless given.", "9000"),
    "Internal": own(boolean, False, "yes|no", "There is no way out of it, and no port leads into it.", "yes"),
    "Isolate": own(boolean, False, "yes|no", "Its containers do not reach each other.", "yes"),
    "Domain": own(hostname, False, "NAME", "Domain of its containers' names.", "shop.internal"),
    "DNS": own(
        *(boolean, False, "yes|no"),
        *("A server on the bridge tells its containers' names, and asks the host's servers for others.", "yes"),
    ),
    "VLAN": own(
        *(vlan, False, "DEV.ID"),
        *("VLAN of a network interface that the bridge is connected to; Gateway= is then a router there.", "eth0.20"),
    ),
}
