"""How a container is connected: its interfaces with their addresses, and its ports.  Pure.

The record travels as JSON in the container's network directory: the program that makes the links reads it there, and
so does whoever has to know which addresses and ports are taken.  There is no other register.
"""

from __future__ import annotations

import _socket  # the C half of socket: the Python half imports enum

from nsunit.addresses import is_six, parse_subnet, plain
from nsunit.features.network.model.port import MTU_MIN_SIX, Port
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence
    from typing import Any

    from nsunit.features.network.connection import Connection

PREFIX = "nv-"  # of the host's ends
BRIDGE_PREFIX = "nb-"  # of the bridges, but for that of the default network
UPLINK_PREFIX = "nu-"  # of what connects a bridge to a VLAN
LINK_MAX = 15  # IFNAMSIZ less the NUL
BRIDGE_LINKS_MAX = 1023  # the kernel numbers them with ten bits, BR_MAX_PORTS
# On the sockets of Activation=, as they are services of the host that containers may reach.  Other users of marks have
# bits of their own (Kubernetes 13 to 15, Tailscale 16 to 23, AWS 7), none of which are in this one.
SOCKET_MARK = 0x1E75
FORWARDING, FORWARDING_SIX = "ipv4/ip_forward", "ipv6/conf/all/forwarding"  # below /proc/sys/net
SEPARATORS = {ord("."): "/", ord("/"): "."}  # of a parameter's name, for its path, and of that for the name
HOSTS_MAX = 1 << 16  # host numbers that are tried in a large subnet


class Network(Record):
    """A bridge with its subnets, one of each family at most.

    `gateways` are the routers of the subnets, in their order, without prefix lengths.  They are the bridge's own
    addresses, unless it is the uplink to a VLAN where somebody else routes: then `vlan` is `DEV.ID`.  An `internal`
    network has no way out; in an `isolated` one containers do not reach each other.
    """

    name: str
    bridge: str
    subnets: tuple[str, ...]
    gateways: tuple[str, ...]
    mtu: int = 1500
    internal: bool = False
    isolated: bool = False
    domain: str = ""
    vlan: str = ""
    first_last: tuple[int, ...] = ()  # the numbers of the hosts that containers become; all where it is empty
    dns: bool = False  # whether a server tells its names

    @property
    def own_addresses(self) -> tuple[str, ...]:
        """The addresses of the bridge itself, with their prefix lengths."""
        if self.vlan:
            return ()
        return tuple(with_length(gateway, self.subnets) for gateway in self.gateways)

    @property
    def uplink(self) -> str:
        """The link that connects the bridge to the VLAN."""
        return UPLINK_PREFIX + self.bridge.removeprefix(BRIDGE_PREFIX) if self.vlan else ""

    @property
    def has_six(self) -> bool:
        """Whether it has IPv6."""
        return any(is_six(subnet) for subnet in self.subnets)

    @property
    def returns_to_loopback(self) -> bool:
        """Whether connections from the host's ::1 are led into it, whose replies have to find their way back."""
        return self.has_six and not self.internal and not self.vlan

    @property
    def sysctls(self) -> tuple[tuple[str, str], ...]:
        """What the host is to have below /proc/sys/net."""
        # What is published on 127.0.0.1 goes through the bridge with that source address, until it is masqueraded.
        four = ((FORWARDING, "1"), (f"ipv4/conf/{self.bridge}/route_localnet", "1"))
        six = ((f"ipv6/conf/{self.bridge}/accept_ra", "0"), (FORWARDING_SIX, "1"))
        return (*four, *six) if self.has_six else four


class Interface(Record):
    """One interface of a container: `name` inside; `link` is the host's end of its veth pair.

    `gateways` are those of the container's default routes that leave by it.  `link` is also the name of its chains.
    """

    network: Network
    name: str
    link: str
    mac: str
    addresses: tuple[str, ...]  # with their prefix lengths
    gateways: tuple[str, ...] = ()
    mtu: int = 1500
    routes: tuple[str, ...] = ()  # "SUBNET" or "SUBNET via ADDRESS"
    sysctls: tuple[str, ...] = ()  # "PATH=VALUE" below /proc/sys/net

    is_device = False

    @property
    def by_family(self) -> tuple[tuple[str, str], ...]:
        """Its addresses without prefix lengths, each with its family as nftables calls it: `ip` or `ip6`."""
        found = (plain(address) for address in self.addresses)
        return tuple(("ip6" if is_six(address) else "ip", address) for address in found)


class Device(Record):
    """An interface made of a link of the host, *parent*, or that link itself; nsunit has no rules for it.

    `kind` is macvlan, ipvlan, vlan (then `parent` is `DEV.ID`), veth (`parent` is the host's end) or phys.  `mac` is
    empty and `mtu` 0 where they are as the kernel has them.
    """

    kind: str
    parent: str
    name: str
    addresses: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    mac: str = ""
    mtu: int = 0
    sysctls: tuple[str, ...] = ()

    is_device = True


class Attachment(Record):
    """All that one container is connected to; `ports` lead to its first interface with an address of the family."""

    container: str
    interfaces: tuple[Interface, ...]
    ports: tuple[Port, ...] = ()
    host_ports: tuple[tuple[int, str], ...] = ()  # services of the host it may reach
    egress: int = 0  # bytes in a second that it may send by each interface, 0 for all it can
    ingress: int = 0  # and receive
    devices: tuple[Device, ...] = ()

    @property
    def addresses(self) -> tuple[str, ...]:
        """All of the container's addresses, with their prefix lengths."""
        lists = [interface.addresses for interface in self.interfaces] + [device.addresses for device in self.devices]
        return tuple(address for addresses in lists for address in addresses)

    @property
    def links(self) -> tuple[str, ...]:
        """The host's ends of its links."""
        return tuple(interface.link for interface in self.interfaces)

    @property
    def networks(self) -> tuple[str, ...]:
        """The names of its networks."""
        return tuple(interface.network.name for interface in self.interfaces)


def attached_path(container: str, locks: str) -> str:
    """The file that is there as long as anything of *container* is on the host: see nsunit.features.network.program."""
    return f"{locks.rpartition('/')[0]}/attached/{container}"


def with_length(address: str, subnets: Iterable[str]) -> str:
    """*address* with the prefix length of that one of *subnets* which is of its family."""
    length = next(subnet.partition("/")[2] for subnet in subnets if is_six(subnet) == is_six(address))
    return f"{address}/{length}"


def link_name(digest: str) -> str:
    """The name of the host's end for an interface whose *digest*, in hexadecimal, nobody else has."""
    return PREFIX + digest[: LINK_MAX - len(PREFIX)]


def mac_address(addresses: Sequence[str], digest: str) -> str:
    """A locally administered link-layer address made from the IPv4 address, as unique as that; else from *digest*."""
    four = next((plain(address) for address in addresses if not is_six(address)), None)
    octets = _socket.inet_pton(_socket.AF_INET, four) if four else bytes.fromhex(digest[:8])
    return ":".join(f"{octet:02x}" for octet in (0x0A, 0x58, *octets))


def link_local(mac: str) -> str:
    """The IPv6 link-local address that the kernel makes from a link-layer address (RFC 4291, EUI-64)."""
    octets = bytes.fromhex(mac.replace(":", ""))
    identifier = bytes((octets[0] ^ 2, *octets[1:3], 0xFF, 0xFE, *octets[3:]))
    return _socket.inet_ntop(_socket.AF_INET6, b"\xfe\x80" + bytes(6) + identifier)


def choose_addresses(
    network: Network,
    wanted: Sequence[str],
    preferred: int | None,
    taken: Container[str],
    remembered: Container[int],
) -> tuple[tuple[str, ...], int] | None:
    """Addresses in *network* for one container, with prefix lengths, and the host number they come from.

    Static ones are *wanted*, without prefix lengths; they are not checked again.  The number is that of the static
    address if there is one, else the *preferred* one, its last, while that is free, else one nobody had, else one
    nobody uses; the same one in both families.  None if all addresses are *taken*.
    """
    subnets = [parse_subnet(text) for text in network.subnets]
    static = {is_six(address): address for address in wanted}
    reserved = {number for subnet in subnets for gate in network.gateways if (number := subnet.number_of(gate))}

    def at(number: int) -> tuple[str, ...]:
        return tuple(static.get(subnet.six) or subnet.host(number) for subnet in subnets)

    def is_free(number: int) -> bool:
        if number in reserved or number < 1:
            return False
        return all(address in static.values() or address not in taken for address in at(number))

    # The last number of an IPv4 subnet is its broadcast address.
    first, last = network.first_last or (1, HOSTS_MAX)
    end = min(subnet.size - (1 if subnet.six else 2) for subnet in subnets)
    last = min(last, end)
    own = next((number for subnet in subnets for address in wanted if (number := subnet.number_of(address))), preferred)
    number = own if own is not None and own <= end and (static or first <= own <= last) and is_free(own) else None
    if number is None and len(static) < len(subnets):
        numbers = range(first, last + 1)
        number = next((one for one in numbers if one not in remembered and is_free(one)), None)
        number = number or next((one for one in numbers if is_free(one)), None)
    if len(static) == len(subnets):
        number = own or 0
    if number is None:
        return None
    return tuple(with_length(address, network.subnets) for address in at(number)), number


def wrong_address(network: Network, address: str) -> str:
    """Why a container cannot have the static *address* in *network*, as the end of a sentence; empty if it can."""
    subnets = [parse_subnet(text) for text in network.subnets]
    found = [(subnet, number) for subnet in subnets if (number := subnet.number_of(address)) is not None]
    if not found:
        return f"is in no subnet of the network '{network.name}'"
    ((subnet, number),) = found
    if address in network.gateways:
        return "is that of the router"
    if number == 0 or (not subnet.six and number == subnet.size - 1):
        return "is no address of a host"
    return ""


def wrong_mtu(network: Network, mtu: int) -> str:
    """Why an interface in *network* cannot have *mtu*, as the end of a sentence; empty if it can, or if it is 0.

    A bridge drops what is larger than its own MTU without a word.
    """
    if mtu > network.mtu:
        return f"more than the {network.mtu} of the network '{network.name}'"
    if 0 < mtu < MTU_MIN_SIX and network.has_six:
        return f"less than the {MTU_MIN_SIX} that IPv6 needs"
    return ""


def device(connection: Connection, name: str, gateways: tuple[str, ...], sysctls: tuple[str, ...] = ()) -> Device:
    """The interface *name* of a container, which *connection* makes of a link of the host."""
    given = connection.addresses, gateways, connection.routes, connection.mac, connection.mtu
    return Device(connection.kind, connection.target, name, *given, sysctls)


def parameter_of(path: str) -> str:
    """The name of the kernel's parameter with *path* below /proc/sys/net."""
    return ("net/" + path).translate(SEPARATORS)


def without_six(item: Attachment) -> Attachment:
    """*item* as it is where the kernel has no IPv6."""
    return item.replace(
        interfaces=tuple(
            interface.replace(network=network_without_six(interface.network), **_fours_of(interface))
            for interface in item.interfaces
        ),
        devices=tuple(device.replace(**_fours_of(device)) for device in item.devices),
    )


def network_without_six(network: Network) -> Network:
    """The same for a network."""
    return network.replace(subnets=_fours(network.subnets), gateways=_fours(network.gateways))


def _fours_of(interface: Interface | Device) -> dict[str, tuple[str, ...]]:
    sysctls = tuple(line for line in interface.sysctls if not line.startswith("ipv6/"))
    return {field: _fours(getattr(interface, field)) for field in ("addresses", "gateways", "routes")} | {
        "sysctls": sysctls
    }


def _fours(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(text for text in texts if not is_six(text))


def default_gateways(
    choices: Sequence[tuple[tuple[str, ...], Network | None]],
) -> tuple[tuple[str, ...], ...]:
    """The gateways of the default routes for each interface, given those it asks for and the network it is in.

    For each family the first one that is asked for counts, else that of the first network with a way out.
    """
    found: list[list[str]] = [[] for _ in choices]
    offers = [list(asked) for asked, _ in choices], [_ways_out(network) for _, network in choices]
    for six in (False, True):
        for offer in offers:
            place = next((place for place, gates in enumerate(offer) if six in map(is_six, gates)), None)
            if place is not None:
                found[place].append(next(gate for gate in offer[place] if is_six(gate) == six))
                break
    return tuple(tuple(gates) for gates in found)


def _ways_out(network: Network | None) -> list[str]:
    return list(network.gateways) if network and not network.internal else []


def clash(port: Port, others: Sequence[Attachment]) -> str | None:
    """The name of the container among *others* that publishes *port* already."""
    for other in others:
        for taken in other.ports:
            same = (taken.host, taken.protocol) == (port.host, port.protocol)
            if same and (not taken.address or not port.address or taken.address == port.address):
                return other.container
    return None


def to_json(item: Attachment) -> dict[str, Any]:
    """*item* as JSON's types."""
    return {
        "container": item.container,
        "interfaces": [
            {**_fields(interface), "network": network_to_json(interface.network)} for interface in item.interfaces
        ],
        "devices": [_fields(device) for device in item.devices],
        "ports": [list(port._values()) for port in item.ports],
        "host_ports": [list(pair) for pair in item.host_ports],
        "egress": item.egress,
        "ingress": item.ingress,
    }


def network_to_json(network: Network) -> dict[str, Any]:
    """*network* as JSON's types."""
    return _fields(network)


def network_from_json(data: dict[str, Any]) -> Network:
    """Read what `network_to_json` made.

    Raises:
        KeyError, TypeError: it is something else.
    """
    return Network(**_tuples(data))


def _fields(record: Record) -> dict[str, Any]:
    return dict(zip(record._fields, record._values(), strict=True))


def from_json(data: dict[str, Any]) -> Attachment:
    """Read what `to_json` made.

    Raises:
        KeyError, TypeError: it is something else.
    """
    return Attachment(
        data["container"],
        tuple(
            Interface(**{**_tuples(entry), "network": network_from_json(entry["network"])})
            for entry in data["interfaces"]
        ),
        tuple(Port(*port) for port in data["ports"]),
        tuple((number, protocol) for number, protocol in data["host_ports"]),
        data["egress"],
        data["ingress"],
        tuple(Device(**_tuples(entry)) for entry in data["devices"]),
    )


def _tuples(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()}
