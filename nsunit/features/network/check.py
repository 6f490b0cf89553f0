"""What there should be of bridges, links and rules, against what there is; and putting it right."""

from __future__ import annotations

import os

from nsunit.core.running import find_running, just_ended, thread_of
from nsunit.errors import NotFoundError, NsunitError
from nsunit.features.network import networks, program
from nsunit.features.network.foreign import in_the_way, silent_servers
from nsunit.features.network.model import firewall
from nsunit.features.network.model.attachment import PREFIX
from nsunit.features.network.model.host_links import has_lost, wrong_interface, wrong_network
from nsunit.features.network.register import LOCK, attachments
from nsunit.features.network.wire import hosts, nft, removal, restore, state
from nsunit.names import container_of_unit, is_pod, pod_of_unit
from nsunit.storage.lock import Lock
from nsunit.units import DOWN, UP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from nsunit.core.context import Context
    from nsunit.features.network.model.attachment import Attachment


class _Seen:
    """What there is by now: who is connected, and what the host, its firewall and all namespaces have of that.

    Others start and end meanwhile.  Who ran neither before all was read nor afterwards takes care of itself, and has
    nothing wrong; and what somebody has at one of these times is not left over.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        before = _states(context)
        everyone = _attached(context, before)
        interfaces = [interface for item in everyone for interface in item.interfaces]
        self.networks = sorted({interface.network for interface in interfaces}, key=lambda network: network.name)
        self.host = state.host(self.networks)
        self.rules = nft.listed(firewall.TABLE)
        self.listed = firewall.Listed(self.rules)
        self.limited = state.limited() if any(item.ingress for item in everyone) else set()
        self.inside = state.wrong_within(_places(context, everyone))
        after = _states(context)
        steady = {name for name, found in before.items() if found in UP and after.get(name) in UP}
        self.everyone = [item for item in everyone if item.container in steady]
        self.connected = [item for item in self.everyone if item.interfaces]
        self.known = {link for item in (*everyone, *_attached(context, after)) for link in item.links}
        self.left = {name for name in self.host.links if name.startswith(PREFIX)} - self.known

    def wrong_ends(self, item: Attachment) -> list[str]:
        """What is wrong with the host's ends of *item*, but for what is told of the bridges that are gone."""
        there = [interface for interface in item.interfaces if interface.network.bridge in self.host.links]
        return [text for interface in there for text in wrong_interface(interface, self.host)]

    def is_guarded(self, item: Attachment) -> bool:
        """Whether all rules of *item* are there."""
        return self.listed.has_base() and self.listed.is_whole(item)

    def wrong_rates_and_devices(self, item: Attachment) -> list[str]:
        """What is wrong with the devices and rates of *item*."""
        unlimited = [link for link in item.links if link in self.host.links and link not in self.limited]
        found = [f"the link '{link}' is not held to Ingress= any more" for link in (unlimited if item.ingress else ())]
        return found + self.inside.get(item.container, [])


def check(context: Context) -> list[str]:
    """What is wrong, one line each.

    Raises:
        NsunitError: nft is missing or failed.
    """
    seen = _Seen(context)
    return _wrong(seen) + in_the_way(seen.networks) + silent_servers(seen.networks)


def repairable(context: Context) -> list[str]:
    """Of what `check` tells that which `repair` puts right.

    Raises:
        NsunitError: nft is missing or failed.
    """
    return _wrong(_Seen(context))


def _wrong(seen: _Seen) -> list[str]:
    """What `repair` is to put right."""
    wrong = [text for network in seen.networks for text in wrong_network(network, seen.host)]
    if seen.connected and not seen.listed.has_base():
        wrong.append("the firewall's tables are gone or incomplete")
    for item in seen.connected:
        wrong += [f"{item.container}: {text}" for text in seen.wrong_ends(item)]
        if not seen.listed.is_whole(item):
            wrong.append(f"{item.container}: some of its firewall rules are missing")
    for item in seen.everyone:
        wrong += [f"{item.container}: {text}" for text in seen.wrong_rates_and_devices(item)]
    wrong += [f"{name}: its hosts file does not name the others as it should" for name in _misinformed(seen)]
    wrong += _left(seen)
    return list(dict.fromkeys(wrong))  # networks share some of what the host is to have


def _left(seen: _Seen) -> list[str]:
    """What there is of the host's and of the firewall that no container has."""
    found = [f"the link '{link}' belongs to no container" for link in sorted(seen.left)]
    if firewall.stale(seen.rules, seen.known):
        found.append("there are firewall rules for containers that are gone")
    return found


def left(context: Context) -> list[str]:
    """What there is of links and rules that no container has, one line each.

    Raises:
        NsunitError: nft is missing or failed.
    """
    return _left(_Seen(context))


def take_away(context: Context) -> None:
    """Remove what `left` tells of.

    Raises:
        NsunitError: nft is missing or failed.
    """
    _take_away(_Seen(context))


def _take_away(seen: _Seen) -> None:
    for link in sorted(seen.left):
        removal.delete(link)
    nft.apply(firewall.stale(seen.rules, seen.known))


def repair(context: Context) -> list[str]:
    """Put right what `check` finds of nsunit's own, and return what that was.  What works goes on working meanwhile.

    Raises:
        NsunitError: something could not be put right; all else has been.
    """
    seen = _Seen(context)
    wrong = _wrong(seen)
    if not wrong:
        return wrong
    locks = context.paths.locks
    failures: list[NsunitError] = []
    broken = [network for network in seen.networks if wrong_network(network, seen.host)]
    _try(failures, restore.networks, broken, locks)
    for item in seen.connected:
        _try(failures, _mend_ends, seen, item)
    seen = _Seen(context)
    for item in seen.everyone:
        if seen.wrong_rates_and_devices(item):
            _try(failures, _mend_inside, seen, item)
    with program.locked(locks, program.NAMES_LOCK):
        hosts.refresh(locks)
    for name in _misinformed(seen):
        program.make_known(_directory_of(context, name), locks)
    _take_away(seen)
    if failures:
        raise failures[0]
    return wrong


def _mend_ends(seen: _Seen, item: Attachment) -> None:
    """Put right the host's ends of *item*, as it was *seen*, and its rules."""
    locks = seen.context.paths.locks
    if has_lost(item, seen.host):
        program.make_way(item, locks)
        program.attach(item, namespace_of(seen.context, item), locks, again=True)
        return
    if any(wrong_interface(interface, seen.host) for interface in item.interfaces):
        restore.ends(item, locks)
    if not seen.is_guarded(item):
        program.guard(item, locks)


def _mend_inside(seen: _Seen, item: Attachment) -> None:
    """Put right the devices and rates of *item*."""
    try:
        restore.inside(item, namespace_of(seen.context, item))
    except NotFoundError:
        raise
    except NsunitError as error:
        hint = error.hint or f"restart it: nsunit restart {item.container}"
        raise NsunitError(f"{item.container}: {error}", hint=hint) from None


def _try(failures: list[NsunitError], deed: Callable[..., None], *arguments: object) -> None:
    """Do *deed*, and note its failure: what else is wrong is put right as well."""
    try:
        deed(*arguments)
    except NotFoundError:
        pass  # it is about to start or to end, and takes care of itself
    except NsunitError as error:
        failures.append(error)


def prune(context: Context) -> list[str]:
    """Remove the bridges that no container is connected to, and once there is none the rules; return their networks.

    What is kept of networks that are not defined any more goes as well.

    Raises:
        NsunitError: the kernel refused it.
    """
    with Lock(context.paths.locks, LOCK):
        used = {name for item in attachments(context) for name in item.networks}
        unused = [network for network in networks.records(context) if network.name not in used]
        gone = [network.name for network in unused if removal.is_there(network.bridge)]
        for network in unused:
            networks.take_down(context, network)
        networks.forget_undefined(context, used)
        if not used:
            nft.apply(firewall.remove(nft.listed(firewall.TABLE)))
    return gone


def _places(context: Context, everyone: list[Attachment]) -> list[tuple[str, Attachment]]:
    """The namespaces that are looked into: of those who have devices or a rate."""
    found = []
    for item in everyone:
        if item.devices or item.egress:
            try:
                found.append((namespace_of(context, item), item))
            except NotFoundError:
                continue  # it is about to start or to end
    return found


def running(context: Context) -> list[Attachment]:
    """The attachments of those that run, or are about to start or end, with the rates that they have by now."""
    return _attached(context, _states(context))


def _states(context: Context) -> dict[str, str]:
    """The ActiveState of all containers and pods that run, or are about to start or end."""
    units = context.bus.list_units(["nsunit-*.service", "nsunit-*-run-*.scope"])
    named = ((_name_of(unit.name), unit.active_state) for unit in units)
    return {name: found for name, found in named if name and found not in DOWN}


def _attached(context: Context, names: Container[str]) -> list[Attachment]:
    locks = context.paths.locks
    return [program.with_rates(item, locks) for item in attachments(context) if item.container in names]


def _name_of(unit: str) -> str | None:
    """The container or pod of *unit*."""
    return pod_of_unit(unit) or container_of_unit(unit)


def _misinformed(seen: _Seen) -> list[str]:
    """Names of the containers whose hosts file is not what it should be."""
    locks = seen.context.paths.locks
    with program.locked(locks), program.locked(locks, program.NAMES_LOCK):  # nobody comes or goes meanwhile
        hosts.follow(locks)  # what those who start and end now have noted, and are about to write
        wanted = hosts.wanted(locks)
        outdated = set(hosts.outdated(wanted))
    linked = [item.container for item in seen.connected if any(link in seen.host.links for link in item.links)]
    paths = {name: f"{_directory_of(seen.context, name)}/hosts" for name in linked}
    return [name for name, path in paths.items() if path not in wanted or path in outdated]


def _directory_of(context: Context, name: str) -> str:
    """The network directory that container *name* runs with: an enabled one may have been started before that."""
    directory = context.paths.network_of(name)
    if os.path.exists(directory + "/attachment"):
        return directory
    return context.paths.boot_network_of(name)


def namespace_of(context: Context, item: Attachment) -> str:
    """The path of the network namespace that *item*, which runs, is attached to.

    Raises:
        NotFoundError: it has just ended.
    """
    if is_pod(item.container):
        path = f"{context.paths.namespaces}/{item.container}/net"
    else:
        path = f"{thread_of(find_running(context, item.container).pid)}/ns/net"
    if not os.path.exists(path):
        raise just_ended(item.container)
    return path
