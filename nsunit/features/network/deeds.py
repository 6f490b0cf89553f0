"""A container's place in its networks: addresses and ports that nobody else has, noted before the start."""

from __future__ import annotations

import os

from nsunit import jsontext
from nsunit.addresses import has_six, is_six, plain
from nsunit.core.context import make_directory
from nsunit.core.jobs import stop_what_is_left
from nsunit.digest import hex_digest
from nsunit.errors import DefinitionError, NsunitError
from nsunit.features import STARTER, load
from nsunit.features.names.deeds import make_files
from nsunit.features.network import parameters
from nsunit.features.network.connection import BRIDGE, interface_names
from nsunit.features.network.model import attachment as plan
from nsunit.features.network.model import firewall
from nsunit.features.network.model.attachment import Attachment, Interface, Network
from nsunit.features.network.model.networkd import SUFFIX as NETWORKD_SUFFIX
from nsunit.features.network.model.networkd import network_files
from nsunit.features.network.model.server import unit_of
from nsunit.features.network.plan import NetworkFacts
from nsunit.features.network.register import (
    DEFAULT_NETWORK,
    LOCK,
    again_without_killed,
    attachment_of,
    attachments,
    check_ports_among,
    default_network,
    known_attachments,
    note,
)
from nsunit.features.network.values import listened_ports, of
from nsunit.names import socket_patterns
from nsunit.storage import files
from nsunit.storage.lock import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from nsunit.core.context import Context, Undo
    from nsunit.core.prepare import Place
    from nsunit.definition.model import Container, Definition
    from nsunit.features.network.connection import Connection
    from nsunit.features.network.register import Known
    from nsunit.plan.facts import Facts

_NUMBERS = "addresses"  # file in a state directory


def _network_called(context: Context, name: str, container: str) -> Network:
    if name == DEFAULT_NETWORK:
        return default_network()
    try:
        found: Network = load("network", "networks").resolve(context, name, container)  # few are in one that is defined
        return found
    except DefinitionError:
        raise
    except NsunitError as error:
        raise type(error)(f"{container}: {error.message}", hint=error.hint) from None


def assign(context: Context, name: str, container: Container, keeper: str, directory: str) -> Attachment:
    """Give container *name* its addresses and its ports, noted in *directory*, also what killed ones had.

    The numbers of the addresses are remembered in the directory *keeper*, so that the container gets the same ones
    again as long as nobody who runs has taken them meanwhile.

    Raises:
        NsunitError: there is no such network, no address is left, or a port is taken.
    """
    return again_without_killed(context, lambda: _assign(context, name, container, keeper, directory))


def _assign(context: Context, name: str, container: Container, keeper: str, directory: str) -> Attachment:
    connected = of(container)
    with Lock(context.paths.locks, LOCK):
        joined = [
            (connection, _network_called(context, connection.target, name) if connection.kind == BRIDGE else None)
            for connection in connected.connections
        ]
        known = known_attachments(context, name)
        others = [item for other, item in known.items.items() if other != name]
        numbers = _remembered(keeper)
        interfaces, devices = [], []
        gateways = plan.default_gateways([(connection.gateways, network) for connection, network in joined])
        names = interface_names(connected.connections)
        for called, (connection, network), gates in zip(names, joined, gateways, strict=True):
            sysctls = parameters.of_interface(container.sysctls, called)
            if network is None:
                devices.append(plan.device(connection, called, gates, sysctls))
                continue
            remembered = _Remembered(context, network.name, numbers.get(network.name), known)
            chosen = _choose(name, network, connection.addresses, remembered, others)
            numbers[network.name] = chosen[1]
            made = _interface(name, network, connection, called, chosen[0], gates).replace(sysctls=sysctls)
            off = parameters.switch_of_six(container.sysctls, called)
            interfaces.append(_with_four_alone(name, made, f"Sysctl={off}=1") if off else made)
        carried = listened_ports(container)
        ports = tuple(port.replace(listened=True) if port in carried else port for port in connected.published_ports)
        if len(ports) > len(carried) and not any(firewall.leads_out(interface.network) for interface in interfaces):
            named = " or ".join(f"'{connection}'" for connection in connected.connections)
            raise NsunitError(
                f"{name}: PublishPort=: no port leads into {named}",
                hint="add a Network= that is a bridge, not Internal= and has no VLAN=",
            )
        held = _held(context, known.items.get(name)) if carried else ()
        check_ports_among(name, ports, others, held)
        speed = connected.egress, connected.ingress
        item = Attachment(name, tuple(interfaces), ports, connected.host_ports, *speed, tuple(devices))
        if not has_six():
            item = plan.without_six(item)
            for interface in item.interfaces:
                _with_four_alone(name, interface, "the kernel's command line (ipv6.disable=1)")
        path, content = f"{directory}/attachment", jsontext.dumps(plan.to_json(item)).encode()
        note(context, item, directory)
        if known.numbers is not None:
            known.numbers[name] = numbers
        files.write_changed(f"{keeper}/{_NUMBERS}", jsontext.dumps(numbers).encode())
        if files.read_file(path) != content:  # as a rule it is what it was, where it is kept for the boot
            files.write_file(path, content)
    return item


def check_enable(running: Definition, definition: Definition) -> None:
    """Refuse unit files of *definition*, which detach it, where its container is attached in another way, *running*.

    Links and rules would stay when it stops: a port of the host's that leads to whoever gets the address next.

    Raises:
        NsunitError: it is.
    """
    before, now = of(running.container), of(definition.container)
    ways = [(item.connections, item.published_ports, item.host_ports) for item in (before, now)]
    if ways[0] != ways[1]:
        name = definition.name
        raise NsunitError(
            f"{name}: it runs with other networks or ports than its definition has, and would not lose them",
            hint=f"'nsunit restart {name}' has it run with those, or stop it first; then enable it",
        )


def _held(context: Context, own: Attachment | None) -> tuple[tuple[int, str], ...]:
    """The ports of the host, with their protocols, on which systemd listens for a container attached as *own*."""
    if own is None or not any(
        unit.active_state == "active" for unit in context.bus.list_units(socket_patterns(own.container))
    ):
        return ()
    return tuple((port.host, port.protocol) for port in own.ports if port.listened)


def _choose(
    name: str,
    network: Network,
    wanted: tuple[str, ...],
    remembered: _Remembered,
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
    chosen = plan.choose_addresses(network, wanted, remembered.own, taken, remembered)
    if chosen is None:
        raise NsunitError(
            f"{name}: the network '{network.name}' has no address left",
            hint=f"stop a container that is in it, or give it a larger subnet than {network.subnets[0]}",
        )
    return chosen


def _with_four_alone(name: str, made: Interface, reason: str) -> Interface:
    """*made* for a container without IPv6 for that *reason*; its network keeps its own."""
    four = [tuple(text for text in texts if not is_six(text)) for texts in (made.addresses, made.gateways)]
    if not four[0]:
        raise NsunitError(
            f"{name}: the network '{made.network.name}' has IPv6 alone, which {reason} switches off",
            hint="add a [Network] Subnet= of IPv4",
        )
    return made.replace(addresses=four[0], gateways=four[1])


def _interface(
    name: str,
    network: Network,
    connection: Connection,
    interface: str,
    addresses: tuple[str, ...],
    gateways: tuple[str, ...],
) -> Interface:
    problem = plan.wrong_mtu(network, connection.mtu)
    if problem:
        raise NsunitError(f"{name}: MTU=: {connection.mtu} is {problem}", hint="change it, or leave it out")
    which = name if network.name == DEFAULT_NETWORK else f"{name} {network.name}"  # no name has a blank
    digest = hex_digest(which.encode())
    mac = connection.mac or plan.mac_address(addresses, digest)
    link, mtu = plan.link_name(digest), connection.mtu or network.mtu
    return Interface(network, interface, link, mac, addresses, gateways, mtu, connection.routes)


def _links_on(bridge: str) -> int:
    return len(files.list_directory(f"/sys/class/net/{bridge}/brif"))


def _remembered(directory: str) -> dict[str, int]:
    """Which host number the container of a state directory had last in which network."""
    try:
        found = jsontext.loads(files.read_file(f"{directory}/{_NUMBERS}") or b"{}")
        return {str(name): int(number) for name, number in found.items()}
    except (ValueError, AttributeError, TypeError):
        return {}  # it is only what would be nice to have again


class _Remembered:
    """Which host numbers other containers had last in a network: looked up when it is asked, which few starts do."""

    def __init__(self, context: Context, network: str, own: int | None, known: Known) -> None:
        self.context = context
        self.network = network
        self.own = own
        self.known = known
        self.numbers: set[int | None] | None = None

    def __contains__(self, number: object) -> bool:
        if self.numbers is None:
            paths, known = self.context.paths, self.known
            if known.numbers is None:
                known.numbers = {name: _remembered(paths.state_of(name)) for name in files.list_directory(paths.states)}
            self.numbers = {numbers.get(self.network) for numbers in known.numbers.values()} - {self.own}
        return number in self.numbers


# What a start, a stop and `status` ask for


def reserve(context: Context, definition: Definition, place: Place) -> None:
    """Reserve an address and ports, and write what the attachment to the network needs.

    Raises:
        NsunitError: no address is left, or a port is taken.
    """
    if definition.container.network == "bridge":
        connect(context, definition, place.keeper, place.network, place.undo)


def connect(context: Context, definition: Definition, keeper: str, directory: str, undo: Undo) -> None:
    """`reserve` for a container or a pod."""
    files.make_private_directory(os.path.dirname(directory))
    make_directory(context, directory, undo)
    for network in _served(context, definition.container):
        _let_end(context, unit_of(network))
    item = assign(context, definition.name, definition.container, keeper, directory)
    make_files(definition, directory)
    if definition.container.uses("boot"):
        _tell_networkd(item, directory)


def check_restart(context: Context, definition: Definition, names: Sequence[str]) -> None:
    """See that *definition* can join its networks again, once the containers *names* have been stopped.

    Raises:
        NsunitError: one has changed, and others are still in it; or a port that is new to it is taken.
    """
    _check_new_ports(context, definition, names)
    for connection in of(definition.container).connections:
        if connection.kind == BRIDGE and connection.target != DEFAULT_NETWORK:
            networks = load("network", "networks")
            try:
                networks.check_restart(context, connection.target, definition.name, names)
            except DefinitionError:
                raise
            except NsunitError as error:
                raise type(error)(f"{definition.name}: {error.message}", hint=error.hint) from None


def _check_new_ports(context: Context, definition: Definition, names: Sequence[str]) -> None:
    wanted = of(definition.container).published_ports
    try:
        own = attachment_of(context, definition.name) if wanted else None
    except NsunitError:
        return  # it is spoiled, and what the start mends
    if own is None:
        return  # it is about to be connected for the first time: as yet only listened for
    known = [port.replace(listened=False) for port in own.ports]
    new = tuple(port for port in wanted if port not in known)

    def check() -> None:
        others = [item for item in attachments(context, definition.name) if item.container not in names]
        check_ports_among(definition.name, new, others)

    again_without_killed(context, check)


def _let_end(context: Context, unit: str) -> None:
    """Wait for *unit* if it is ending: systemd drops what is only wanted where that has still to stop."""
    if context.bus.get(unit, "ActiveState").get("ActiveState") == "deactivating":
        stop_what_is_left(context, unit)


def _tell_networkd(item: Attachment, directory: str) -> None:
    wanted = network_files(item)
    for name in files.list_directory(directory):
        if name.endswith(NETWORKD_SUFFIX) and name not in wanted:
            os.unlink(f"{directory}/{name}")
    for name, text in wanted.items():
        files.write_file(f"{directory}/{name}", text.encode())


def facts(context: Context, definition: Definition, facts: Facts) -> Facts:
    """*facts* with what attaches container or pod *definition* to its networks."""
    if definition.container.network != "bridge":
        return _with_leaders_files(definition, facts, context.paths.runtime_of)
    directory = context.paths.network_of(definition.name)
    served = tuple(_served(context, definition.container))
    own = NetworkFacts(STARTER, directory, context.paths.locks, served)
    return facts.with_extra("network", own).replace(directories=(*facts.directories, directory))


def _with_leaders_files(definition: Definition, facts: Facts, directory_of: Callable[[str], str]) -> Facts:
    """*facts* with the files of the container whose network *definition* joins, if it does."""
    kind, _, leader = definition.container.network.partition(":")
    if kind != "container":
        return facts
    found = load("names", "joined").files_of(definition.container, directory_of(leader))  # few join one
    return facts.with_extra("network-joined", found)


def _served(context: Context, container: Container) -> Iterator[str]:
    """The networks of *container* that have a server of names."""
    for connection in of(container).connections:
        if connection.kind == BRIDGE and connection.target != DEFAULT_NETWORK:
            try:
                dns: bool = (
                    load("network", "definition").load_network(connection.target, context.search, context.host).dns
                )
            except NsunitError:
                continue  # told to who starts it
            if dns:
                yield connection.target


def at_boot(context: Context, definition: Definition, facts: Facts) -> Facts:
    """*facts* for unit files: how it is attached is in the directory that is kept."""
    own: NetworkFacts | None = facts.extra("network")
    if own is None:
        return _with_leaders_files(definition, facts, context.paths.boot_of)
    directory = context.paths.boot_network_of(definition.name)
    return facts.with_extra("network", own.replace(directory=directory)).replace(directories=())


def shown(context: Context, name: str) -> dict[str, tuple[object, ...]]:
    """Its networks, addresses and ports, for `status`."""
    item = attachment_of(context, name)
    if item is None:
        return {}
    links = (f"{device.kind}:{device.parent}" for device in item.devices)
    return {"networks": (*item.networks, *links), "addresses": item.addresses, "ports": item.ports}
