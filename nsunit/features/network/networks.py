"""Defined networks: from `NAME.network.nsunit` to a bridge with subnets that nobody else has.

What a network was last used with is kept beside the containers' state, so that subnets which nsunit chose stay.
"""

from __future__ import annotations

import os

from nsunit import jsontext
from nsunit.addresses import parse_subnet
from nsunit.core.running import is_running
from nsunit.definition.search import SUFFIX, find_network, list_networks
from nsunit.digest import hex_digest
from nsunit.dropins import files as unit_directory
from nsunit.errors import DefinitionError, NotFoundError, NsunitError, Problem, UsageError, did_you_mean
from nsunit.features.network import program
from nsunit.features.network.connection import BRIDGE
from nsunit.features.network.definition import load_network, network_of_text
from nsunit.features.network.model import attachment, firewall
from nsunit.features.network.model import subnets as plan
from nsunit.features.network.model.attachment import BRIDGE_PREFIX, LINK_MAX, Network
from nsunit.features.network.register import DEFAULT_NETWORK, LOCK, attachments, default_network, ula_prefix
from nsunit.features.network.values import of
from nsunit.features.network.wire import nft, removal
from nsunit.names import NETWORK_SUFFIX, NETWORKS_OF_NSUNIT, is_valid_network, printable
from nsunit.storage import files
from nsunit.storage.lock import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.addresses import Subnet
    from nsunit.core.context import Context
    from nsunit.definition.model import Container, Definition
    from nsunit.features.network.definition import NetworkDefinition
    from nsunit.features.network.model.attachment import Attachment


def bridge_name(name: str) -> str:
    """The bridge of network *name*, whose name may be longer than the kernel allows for a link."""
    plain = BRIDGE_PREFIX + name
    if len(plain) <= LINK_MAX:
        return plain
    return BRIDGE_PREFIX + hex_digest(name.encode())[: LINK_MAX - len(BRIDGE_PREFIX)]


def resolve(context: Context, name: str, joining: str = "") -> Network:
    """The network *name* as container *joining* joins it; chosen subnets are kept.

    The caller holds the lock on addresses.

    Raises:
        NotFoundError: it is not defined.
        DefinitionError: its definition has mistakes.
        NsunitError: a subnet is used already, or containers are in the network as it was defined before.
    """
    definition = load_network(name, context.search, context.host)
    known, network = _before_and_now(context, name, definition)
    if network == known:
        return network
    if not network.subnets:
        network = _network(definition, _free_subnets(context, name))
    users = members(context, name)
    if joining in users and not is_running(context, joining):
        users.remove(joining)  # it is enabled, and what it has for the boot is about to be made anew
    _refuse_for(name, users)
    if not network.vlan:
        _check_subnets(context, network)
    if known:
        take_down(context, known)
    _write_record(context, network)
    return network


def _before_and_now(context: Context, name: str, definition: NetworkDefinition) -> tuple[Network | None, Network]:
    known = record_of(context, name)
    return known, _network(definition, known.subnets if known and not definition.subnets else definition.subnets)


def _refuse_for(name: str, users: Sequence[str]) -> None:
    if users:
        raise NsunitError(
            f"the network '{name}' has another definition by now than '{users[0]}' is connected with",
            hint=f"stop or disable these first: {', '.join(users)}",
        )


def check_restart(context: Context, name: str, joining: str, others: Sequence[str]) -> None:
    """See that container *joining* could join the network *name* again, once it and *others* have been stopped.

    Raises:
        NotFoundError: it is not defined.
        NsunitError: more containers are in the network as it was defined before.
    """
    known, network = _before_and_now(context, name, load_network(name, context.search, context.host))
    if known and network != known:
        gone = {other for other in others if not context.paths.is_enabled(other)} | {joining}
        _refuse_for(name, [user for user in members(context, name) if user not in gone])


def verify(context: Context, definition: Definition) -> None:
    """What `verify` looks at besides: that the networks of *definition* are defined.

    Raises:
        NsunitError: one is not.
    """
    check_defined(context, definition.container)


def verify_kind(context: Context, name: str) -> list[Problem]:
    """The problems of the network *name*, `shop.network`.

    Raises:
        NotFoundError: there is none.
    """
    bare = name.removesuffix(NETWORK_SUFFIX)
    path = find_network(bare, context.search).main
    try:
        check(context, bare)
    except DefinitionError as error:
        return list(error.problems)
    except NsunitError as error:
        return [Problem(path, 0, error.message, error.hint)]
    return []


def check_defined(context: Context, container: Container) -> None:
    """See that the networks *container* joins are defined, and rightly.

    Raises:
        NotFoundError: one is not.
        DefinitionError: one has mistakes.
    """
    for connection in of(container).connections:
        if connection.kind == BRIDGE and connection.target != DEFAULT_NETWORK:
            load_network(connection.target, context.search, context.host)


def check(context: Context, name: str) -> None:
    """See that the definition of network *name* is right.

    Raises:
        NotFoundError: there is none.
        DefinitionError: it has mistakes.
        NsunitError: a subnet of it overlaps another network's.
    """
    _check_networks(name, load_network(name, context.search, context.host).subnets, _others(context, name))


def _network(definition: NetworkDefinition, subnets: tuple[str, ...]) -> Network:
    gateways = definition.gateways
    if not definition.subnets:
        gateways = tuple(plan.first_host(subnet) for subnet in subnets)
    return Network(
        definition.name,
        bridge_name(definition.name),
        subnets,
        gateways,
        definition.mtu,
        definition.internal,
        definition.isolated,
        definition.domain,
        definition.vlan,
        definition.first_last,
        definition.dns,
    )


def members(context: Context, name: str) -> list[str]:
    """The containers that are in network *name*: that run, are being started, or are enabled."""
    return [item.container for item in attachments(context) if name in item.networks]


def record_of(context: Context, name: str) -> Network | None:
    """What network *name* was last used with; None if it never was."""
    content = files.read_file(_record_path(context, name))
    if content is None:
        return None
    try:
        return attachment.network_from_json(jsontext.loads(content))
    except (ValueError, KeyError, TypeError):
        path = _record_path(context, name)
        hint = "'nsunit doctor --repair' has it made anew"
        raise NsunitError(f"'{path}' is not the record of a network", hint=hint) from None


def records(context: Context) -> list[Network]:
    """All networks that were used, the default one first."""
    found = (record_of(context, name) for name in _recorded(context))
    return [default_network(), *(network for network in found if network is not None)]


def _recorded(context: Context) -> list[str]:
    names = files.list_directory(context.paths.network_records)
    return [name for name in names if not _is_half_written(name)]


def _is_half_written(name: str) -> bool:
    """Whether a write that was killed has left the file *name*, see `files.write_file`; networks may have dots, too."""
    stem, _, end = name.rpartition(".")
    return end == "new" and stem.rpartition(".")[2].isdigit()


def spoiled_records(context: Context) -> list[str]:
    """The files of those that nobody can read any more."""
    found = []
    for name in _recorded(context):
        try:
            record_of(context, name)
        except NsunitError:
            found.append(_record_path(context, name))
    return found


def mend_record(context: Context, path: str) -> None:
    """Write the spoiled record *path* anew, as the containers in that network have it.

    Without any of them it goes: who joins next has a bridge made for the network as it is defined.
    """
    name = os.path.basename(path)
    with Lock(context.paths.locks, LOCK):
        if path not in spoiled_records(context):
            return
        inside = (interface.network for item in attachments(context) for interface in item.interfaces)
        network = next((network for network in inside if network.name == name), None)
        if network:
            _write_record(context, network)
        else:
            os.unlink(path)


def _write_record(context: Context, network: Network) -> None:
    files.make_private_directory(context.paths.network_records)
    content = jsontext.dumps(attachment.network_to_json(network)).encode()
    files.write_file(_record_path(context, network.name), content)


def _record_path(context: Context, name: str) -> str:
    return f"{context.paths.network_records}/{name}"


def _others(context: Context, name: str) -> list[tuple[str, tuple[str, ...]]]:
    """The subnets of all other networks: of those that were used, and of those that are only defined."""
    found = {network.name: network.subnets for network in records(context)}
    for other in list_networks(context.search):
        if other not in found and other != name:
            try:
                found[other] = load_network(other, context.search, context.host).subnets
            except NsunitError:
                continue  # told to who uses it
    return [pair for pair in found.items() if pair[0] != name]


def _routes(bridge: str) -> list[tuple[Subnet, str]]:
    texts = ((files.read_file(f"/proc/net/{name}") or b"").decode() for name in ("route", "ipv6_route"))
    return [(subnet, link) for subnet, link in plan.routes(*texts) if link != bridge]


def _free_subnets(context: Context, name: str) -> tuple[str, ...]:
    taken = [parse_subnet(text) for _, theirs in _others(context, name) for text in theirs]
    taken += [subnet for subnet, _ in _routes(bridge_name(name))]
    chosen = plan.choose(ula_prefix(), taken)
    if chosen is None:
        raise NsunitError(f"network '{name}': no subnet of {plan.POOL} is free", hint="add a [Network] Subnet= to it")
    return chosen


def _check_subnets(context: Context, network: Network) -> None:
    _check_networks(network.name, network.subnets, _others(context, network.name))
    route = plan.clash_of_routes(network.subnets, _routes(network.bridge))
    if route:
        own, subnet, link = route
        raise NsunitError(
            f"network '{network.name}': {own} overlaps {subnet}, which the host reaches by '{link}'",
            hint="choose another Subnet=",
        )


def _check_networks(name: str, subnets: tuple[str, ...], others: list[tuple[str, tuple[str, ...]]]) -> None:
    clash = plan.clash_of_networks(subnets, others)
    if clash:
        own, other, theirs = clash
        whose = "the default network" if theirs == DEFAULT_NETWORK else f"network '{theirs}'"
        raise NsunitError(f"network '{name}': {own} overlaps {other} of {whose}", hint="choose another Subnet=")


def take_down(context: Context, network: Network) -> None:
    """Remove the bridge of *network*, its uplink, and what the firewall knows of it.

    Raises:
        NsunitError: the kernel refused it.
    """
    there = [link for link in (network.uplink, network.bridge) if os.path.exists(f"/sys/class/net/{link}") and link]
    if there:
        with program.locked(context.paths.locks):
            for link in there:
                removal.delete(link)
            nft.apply([*firewall.base(), *firewall.forget(network)])


def forget_undefined(context: Context, used: set[str]) -> None:
    """Remove what is kept of networks that are not defined any more and in which no container is."""
    defined = list_networks(context.search)
    for network in records(context)[1:]:
        if network.name not in defined and network.name not in used:
            os.unlink(_record_path(context, network.name))


def create(context: Context, name: str, assignments: Sequence[str]) -> str:
    """Write a definition of network *name* with `Key=value` *assignments*, and return its path.

    Raises:
        UsageError: that is no name for a network.
        NsunitError: it is defined already, or has a subnet that overlaps another network's.
        DefinitionError: an assignment is wrong.
    """
    check_network_name(name)
    with Lock(context.paths.locks, LOCK):
        if name in list_networks(context.search):
            path = find_network(name, context.search).main
            raise NsunitError(f"the network '{name}' is defined already by {path}", hint="edit that file")
        text = "".join(f"{line}\n" for line in ("[Network]", *assignments))
        path = f"{context.search.directories[0]}/{name}{NETWORK_SUFFIX}{SUFFIX}"
        definition = network_of_text(name, text, path, context.host)
        _check_networks(name, definition.subnets, _others(context, name))
        unit_directory.write(path, text.encode())
    return path


def remove(context: Context, name: str) -> list[str]:
    """Remove network *name*: its bridge, what is kept of it, and its definition; returns the files that stay.

    Those are in directories that belong to packages.

    Raises:
        NotFoundError: there is no such network.
        NsunitError: containers are in it.
    """
    if name in NETWORKS_OF_NSUNIT:
        hint = "'nsunit network prune' removes its bridge when nobody needs it" if name == DEFAULT_NETWORK else None
        raise UsageError(f"'{name}' is nsunit's own", hint=hint)
    check_network_name(name)
    with Lock(context.paths.locks, LOCK):
        users = members(context, name)
        if users:
            raise NsunitError(f"the network '{name}' has containers: {', '.join(users)}", hint="stop them first")
        known = record_of(context, name)
        defined = name in list_networks(context.search)
        if known is None and not defined:
            hint = did_you_mean(name, list_networks(context.search), "'{}'") or "see 'nsunit network list'"
            raise NotFoundError(f"the network '{name}' is not defined", hint=hint)
        if known is not None:
            take_down(context, known)
            os.unlink(_record_path(context, name))
        kept = []
        for directory in context.search.directories:
            path = f"{directory}/{name}{NETWORK_SUFFIX}{SUFFIX}"
            if not os.path.lexists(path):
                continue
            if directory in context.search.directories[:2]:
                files.remove_tree(path + ".d")  # first: as long as it is defined the same command goes on
                os.unlink(path)
            else:
                kept.append(path)
    return kept


def check_network_name(name: str) -> None:
    """Refuse what is not the name of a network that can be defined.

    Raises:
        UsageError: it is not.
    """
    if not is_valid_network(name):
        hint = "use 1 to 63 of a-z, 0-9, '_', '.' and '-', starting with a letter or digit"
        taken = "is nsunit's own" if name in NETWORKS_OF_NSUNIT else "is not the name of a network"
        raise UsageError(f"'{printable(name)}' {taken}", hint="choose another name" if "own" in taken else hint)


def overview(context: Context) -> list[tuple[Network, list[Attachment]]]:
    """All networks that are defined or were used, each with the containers in it; the default one first.

    A network whose subnets nsunit is still to choose has none.

    Raises:
        DefinitionError: a definition has mistakes.
    """
    found = {network.name: network for network in records(context)}
    for name in list_networks(context.search):
        definition = load_network(name, context.search, context.host)
        known = found.get(name)
        if known is None or not members(context, name):
            found[name] = _network(definition, definition.subnets or (known.subnets if known else ()))
    everyone = attachments(context)
    return [(network, [item for item in everyone if network.name in item.networks]) for network in found.values()]
