"""A container's place in its networks: addresses and ports that nobody else has, noted before the start."""

from __future__ import annotations

import _socket  # the C half of socket: the Python half imports enum
import errno
import hashlib
import json
import os

from nsunit.addresses import plain
from nsunit.definition.values_connection import BRIDGE
from nsunit.errors import DefinitionError, NotFoundError, NsunitError
from nsunit.plan import attachment as plan
from nsunit.plan import firewall
from nsunit.plan.attachment import Attachment, Interface, Network
from nsunit.storage import files
from nsunit.storage.lock import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Container
    from nsunit.definition.values_connection import Connection
    from nsunit.definition.values_network import Port
    from nsunit.manager.context import Context

DEFAULT_NETWORK = "bridge"
DEFAULT_BRIDGE = "nsunit0"
DEFAULT_SUBNET = "10.91.0.0/24"
DEFAULT_GATEWAY = "10.91.0.1"
LOCK = ".addresses"  # on what is given to whom
_NUMBERS = "addresses"  # file in a state directory
_SOCKETS = {"tcp": (_socket.SOCK_STREAM, 0), "udp": (_socket.SOCK_DGRAM, 0), "sctp": (_socket.SOCK_STREAM, 132)}


def default_network() -> Network:
    """The network called `bridge`."""
    subnets: tuple[str, ...] = (DEFAULT_SUBNET,)
    gateways: tuple[str, ...] = (DEFAULT_GATEWAY,)
    prefix = ula_prefix()
    if prefix:
        subnets, gateways = (*subnets, prefix + "::/64"), (*gateways, prefix + "::1")
    return Network(DEFAULT_NETWORK, DEFAULT_BRIDGE, subnets, gateways)


def ula_prefix() -> str:
    """A unique local prefix of 48 bits (RFC 4193) made from the machine's id; empty where there is no IPv6."""
    if not os.path.exists("/proc/sys/net/ipv6"):
        return ""
    identity = files.read_file("/etc/machine-id") or b""
    digest = hashlib.sha256(b"nsunit network " + identity).hexdigest()
    return f"fd{digest[:2]}:{digest[2:6]}:{digest[6:10]}"


def _network_called(context: Context, name: str, container: str) -> Network:
    if name == DEFAULT_NETWORK:
        return default_network()
    from nsunit.manager.networks import resolve

    try:
        return resolve(context, name)
    except DefinitionError:
        raise
    except NsunitError as error:
        raise type(error)(f"{container}: {error.message}", hint=error.hint) from None


def reserve(context: Context, name: str, container: Container, keeper: str, directory: str) -> Attachment:
    """Give container *name* its addresses and its ports, noted in *directory*.

    The numbers of the addresses are remembered in the directory *keeper*, so that the container gets the same ones
    again as long as nobody who runs has taken them meanwhile.

    Raises:
        NsunitError: there is no such network, no address is left, or a port is taken.
    """
    with Lock(context.paths.locks, LOCK):
        joined = [
            (connection, _network_called(context, connection.target, name) if connection.kind == BRIDGE else None)
            for connection in container.connections
        ]
        others = [item for item in attachments(context) if item.container != name]
        numbers = _remembered(keeper)
        interfaces, devices = [], []
        gateways = plan.default_gateways([(connection.gateways, network) for connection, network in joined])
        for place, (connection, network) in enumerate(joined):
            if network is None:
                devices.append(plan.device(connection, place, gateways[place]))
                continue
            chosen = _choose(context, name, network, connection.addresses, numbers.get(network.name), others)
            numbers[network.name] = chosen[1]
            interfaces.append(_interface(name, network, connection, place, chosen[0], gateways[place]))
        carried = container.listened_ports
        ports = tuple(port.replace(listened=True) if port in carried else port for port in container.published_ports)
        if len(ports) > len(carried) and not any(firewall.leads_out(interface.network) for interface in interfaces):
            named = " or ".join(f"'{connection}'" for connection in container.connections)
            raise NsunitError(
                f"{name}: PublishPort=: no port leads into {named}",
                hint="add a Network= that is a bridge, not Internal= and has no VLAN=",
            )
        _check_ports(name, ports, others)
        speed = container.egress, container.ingress
        item = Attachment(name, tuple(interfaces), ports, container.host_ports, *speed, tuple(devices))
        files.write_file(f"{keeper}/{_NUMBERS}", json.dumps(numbers).encode())
        files.write_file(directory + "/attachment", json.dumps(plan.to_json(item)).encode())
    return item


def note_ports(name: str, container: Container, directory: str) -> None:
    """Note in *directory* the ports of a container that pasta(1) connects, for who asks what there is."""
    item = Attachment(name, (), container.published_ports)
    files.write_file(directory + "/attachment", json.dumps(plan.to_json(item)).encode())


def _choose(
    context: Context,
    name: str,
    network: Network,
    wanted: tuple[str, ...],
    preferred: int | None,
    others: list[Attachment],
) -> tuple[tuple[str, ...], int]:
    taken = {plain(address): item.container for item in others for address in item.addresses}
    for address in wanted:
        problem = plan.wrong_address(network, address) or (address in taken and f"is that of '{taken[address]}'")
        if problem:
            raise NsunitError(
                f"{name}: Address=: '{address}' {problem}",
                hint=f"network '{network.name}' has {' and '.join(network.subnets)}",
            )
    if _links_on(network.bridge) >= plan.BRIDGE_LINKS_MAX:
        raise NsunitError(
            f"{name}: the bridge '{network.bridge}' has {plan.BRIDGE_LINKS_MAX:,} links, and the kernel allows no more",
            hint="put it into another network",
        )
    remembered = _all_remembered(context, network.name) - {preferred}
    chosen = plan.choose_addresses(network, wanted, preferred, taken, remembered)
    if chosen is None:
        raise NsunitError(
            f"{name}: the network '{network.name}' has no address left",
            hint=f"stop a container that is in it, or give it a larger subnet than {network.subnets[0]}",
        )
    return chosen


def _interface(
    name: str,
    network: Network,
    connection: Connection,
    place: int,
    addresses: tuple[str, ...],
    gateways: tuple[str, ...],
) -> Interface:
    problem = plan.wrong_mtu(network, connection.mtu)
    if problem:
        raise NsunitError(f"{name}: MTU=: {connection.mtu} is {problem}", hint="change it, or leave it out")
    which = name if network.name == DEFAULT_NETWORK else f"{name} {network.name}"  # no name has a blank
    digest = hashlib.sha256(which.encode()).hexdigest()
    mac = connection.mac or plan.mac_address(addresses, digest)
    link, mtu = plan.link_name(digest), connection.mtu or network.mtu
    return Interface(network, f"eth{place}", link, mac, addresses, gateways, mtu, connection.routes)


def _links_on(bridge: str) -> int:
    return len(files.list_directory(f"/sys/class/net/{bridge}/brif"))


def check_ports(context: Context, name: str, ports: tuple[Port, ...]) -> None:
    """See that *ports* are free for container *name*, which is in no network of nsunit's.

    Raises:
        NsunitError: one is taken.
    """
    _check_ports(name, ports, [item for item in attachments(context) if item.container != name])


def _check_ports(name: str, ports: tuple[Port, ...], others: list[Attachment]) -> None:
    for port in ports:
        taker = plan.clash(port, others)
        if taker:
            raise NsunitError(
                f"{name}: PublishPort=: {port} is published by container '{taker}'", hint="choose another port"
            )
        check_free(name, port)


def attachments(context: Context) -> list[Attachment]:
    """The attachments of all containers that run, are being started, or will be at boot."""
    found = []
    enabled = [name for name in files.list_directory(context.paths.states) if context.paths.is_enabled(name)]
    for name in sorted({*files.list_directory(context.paths.networks), *enabled}):
        item = attachment_of(context, name)
        if item is not None:
            found.append(item)
    return found


def attachment_of(context: Context, name: str) -> Attachment | None:
    """The attachment of container *name*, or None where it has none.

    Raises:
        NsunitError: its file holds something else.
    """
    paths = context.paths
    path = (paths.boot_network_of(name) if paths.is_enabled(name) else paths.network_of(name)) + "/attachment"
    content = files.read_file(path)
    if content is None:
        return None
    try:
        return plan.from_json(json.loads(content))
    except (ValueError, KeyError, TypeError):
        raise NsunitError(f"'{path}' is not an attachment to a network", hint=f"restart '{name}'") from None


def existing_attachment(context: Context, name: str) -> Attachment:
    """The attachment of container *name*, for who has asked for it by name.

    Raises:
        NotFoundError: it has none: it is not defined, does not run, or is in no network of nsunit's.
    """
    item = attachment_of(context, name)
    if item is not None:
        return item
    from nsunit.definition.search import find
    from nsunit.manager.running import find_running

    try:
        find_running(context, name)
    except NotFoundError:
        find(name, context.search)
        raise
    raise NotFoundError(f"{name}: it is not connected to a network that nsunit makes")


def _remembered(directory: str) -> dict[str, int]:
    """Which host number the container of a state directory had last in which network."""
    try:
        found = json.loads(files.read_file(f"{directory}/{_NUMBERS}") or b"{}")
        return {str(name): int(number) for name, number in found.items()}
    except (ValueError, AttributeError, TypeError):
        return {}  # it is only what would be nice to have again


def _all_remembered(context: Context, network: str) -> set[int]:
    names = files.list_directory(context.paths.states)
    numbers = (_remembered(context.paths.state_of(name)).get(network) for name in names)
    return {number for number in numbers if number is not None}


def check_free(name: str, port: Port) -> None:
    """See that no program on the host has the port.

    Raises:
        NsunitError: one has, or the address is not one of the host's.
    """
    kind, protocol = _SOCKETS[port.protocol]
    for family, any_address in ((_socket.AF_INET, "0.0.0.0"), (_socket.AF_INET6, "::")):
        if port.address and (":" in port.address) != (family == _socket.AF_INET6):
            continue
        try:
            probe = _socket.socket(family, kind, protocol)
        except OSError:
            continue  # no such protocol on this host: nobody can have the port either
        try:
            probe.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
            if family == _socket.AF_INET6:
                probe.setsockopt(_socket.IPPROTO_IPV6, _socket.IPV6_V6ONLY, 1)
            probe.bind((port.address or any_address, port.host))
            if kind == _socket.SOCK_STREAM:
                probe.listen()  # with SO_REUSEADDR it is this that another listener forbids
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise NsunitError(
                    f"{name}: PublishPort=: {port} is in use on the host",
                    hint=f"see who has it with 'ss -lnp sport = :{port.host}'",
                ) from None
            if error.errno == errno.EADDRNOTAVAIL and port.address:
                raise NsunitError(
                    f"{name}: PublishPort=: the host has no address '{port.address}'", hint="see 'ip address'"
                ) from None
            if error.errno != errno.EADDRNOTAVAIL:  # IPv6 may be switched off
                raise
        finally:
            probe.close()
