"""What there should be of bridges, links and rules, against what there is; and putting it right."""

from __future__ import annotations

import os

from nsunit.errors import NotFoundError, NsunitError
from nsunit.manager.firewalls import in_the_way
from nsunit.manager.network import LOCK, attachments
from nsunit.manager.running import find_running
from nsunit.names import container_of_unit, is_pod, unescape
from nsunit.network import hosts, links, looking, nft, run
from nsunit.plan import firewall
from nsunit.plan.attachment import PREFIX
from nsunit.storage.lock import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.manager.context import Context
    from nsunit.plan.attachment import Attachment, Interface


def check(context: Context) -> list[str]:
    """What is wrong, one line each.

    Raises:
        NsunitError: nft is missing or failed.
    """
    networks = {interface.network for item in running(context) for interface in item.interfaces}
    return _wrong(context) + in_the_way(sorted(networks, key=lambda network: network.name))


def _wrong(context: Context) -> list[str]:
    """What `repair` is to put right."""
    everyone = running(context)
    found = [item for item in everyone if item.interfaces]
    rules = nft.listed(firewall.TABLE)
    listed = firewall.Listed(rules)
    wrong = []
    if found and not listed.has_base():
        wrong.append("the firewall's tables are gone or incomplete")
    for item in found:
        wrong += [f"{item.container}: {text}" for interface in item.interfaces for text in _wrong_link(interface)]
        if not listed.is_whole(item):
            wrong.append(f"{item.container}: some of its firewall rules are missing")
    limited = looking.limited() if any(item.ingress for item in found) else set()
    for item in everyone:
        wrong += [f"{item.container}: {text}" for text in _wrong_inside(context, item, limited)]
    wrong += [f"{name}: its hosts file does not name the others as it should" for name in _misinformed(context, found)]
    known = {link for item in found for link in item.links}
    wrong += [f"the link '{link}' belongs to no container" for link in sorted(_left_links() - known)]
    if firewall.stale(rules, known):
        wrong.append("there are firewall rules for containers that are gone")
    return wrong


def _wrong_link(interface: Interface) -> list[str]:
    bridge, link = interface.network.bridge, interface.link
    if not links.is_there(bridge):
        return [f"the bridge '{bridge}' is gone"]
    if not links.is_there(link):
        return [f"the link '{link}' is gone"]
    uplink = interface.network.uplink
    if uplink and uplink not in links.ports(bridge):
        return [f"the bridge '{bridge}' is not connected to VLAN {interface.network.vlan}"]
    if link not in links.ports(bridge):
        return [f"the link '{link}' is not on the bridge"]
    return []


def repair(context: Context) -> list[str]:
    """Put right what `check` finds of nsunit's own, and return what that was.  What works goes on working meanwhile.

    Raises:
        NsunitError: something could not be put right; all else has been.
    """
    wrong = _wrong(context)
    if not wrong:
        return wrong
    everyone = running(context)
    found = [item for item in everyone if item.interfaces]
    locks = context.paths.locks
    failures: list[NsunitError] = []
    for item in found:
        if any(_wrong_link(interface) for interface in item.interfaces):
            run.attach(item, namespace_of(context, item), locks, again=True)
        else:
            run.guard(item, locks)
        run.make_known(_directory_of(context, item.container), locks)
    limited = looking.limited()
    for item in everyone:
        if _wrong_inside(context, item, limited):
            try:
                run.mend(item, namespace_of(context, item), locks)
            except NsunitError as error:
                failures.append(
                    NsunitError(f"{item.container}: {error}", hint=f"restart it: nsunit restart {item.container}")
                )
    known = {link for item in found for link in item.links}
    for link in sorted(_left_links() - known):
        links.delete(link)
    nft.apply(firewall.stale(nft.listed(firewall.TABLE), known))
    if failures:
        raise failures[0]
    return wrong


def prune(context: Context) -> list[str]:
    """Remove the bridges that no container is connected to, and once there is none the rules; return their networks.

    What is kept of networks that are not defined any more goes as well.

    Raises:
        NsunitError: the kernel refused it.
    """
    from nsunit.manager import networks

    with Lock(context.paths.locks, LOCK):
        used = {name for item in attachments(context) for name in item.networks}
        unused = [network for network in networks.records(context) if network.name not in used]
        gone = [network.name for network in unused if links.is_there(network.bridge)]
        for network in unused:
            networks.take_down(context, network)
        networks.forget_undefined(context, used)
        if not used:
            nft.apply(firewall.remove(nft.listed(firewall.TABLE)))
    return gone


def _wrong_inside(context: Context, item: Attachment, limited: set[str]) -> list[str]:
    """What is wrong with the devices and rates of *item*; *limited* are the host's links that have one.

    Only the namespaces of those who have devices or a rate are looked into.
    """
    found = [
        f"the link '{link}' is not held to Ingress= any more"
        for link in (item.links if item.ingress else ())
        if link not in limited and links.is_there(link)
    ]
    if item.devices or item.egress:
        try:
            namespace_fd = os.open(namespace_of(context, item), os.O_RDONLY | os.O_CLOEXEC)
        except (NotFoundError, FileNotFoundError):
            return []  # it is about to start or to end
        try:
            inside = links.inside(namespace_fd, lambda: "\n".join(looking.wrong_inside(item)))
        finally:
            os.close(namespace_fd)
        found += inside.splitlines()
    return found


def running(context: Context) -> list[Attachment]:
    """The attachments of those that run, or are about to start or end, with the rates that they have by now."""
    units = context.bus.list_units(["nsunit-*.service", "nsunit-*-run-*.scope"])
    names = {_name_of(unit.name) for unit in units if unit.active_state not in ("inactive", "failed")}
    locks = context.paths.locks
    return [run.with_rates(item, locks) for item in attachments(context) if item.container in names]


def _name_of(unit: str) -> str | None:
    """The container or pod of *unit*."""
    if unit.endswith(".pod.service"):
        return unescape(unit.removeprefix("nsunit-").removesuffix(".service"))
    return container_of_unit(unit)


def _misinformed(context: Context, connected: list[Attachment]) -> list[str]:
    """Names of the containers whose hosts file is not what it should be."""
    wanted = hosts.wanted(context.paths.locks)
    outdated = set(hosts.outdated(context.paths.locks))
    linked = [item.container for item in connected if any(links.is_there(link) for link in item.links)]
    paths = {name: f"{_directory_of(context, name)}/hosts" for name in linked}
    return [name for name, path in paths.items() if path not in wanted or path in outdated]


def _directory_of(context: Context, name: str) -> str:
    """The network directory that container *name* runs with: an enabled one may have been started before that."""
    directory = context.paths.network_of(name)
    if os.path.exists(directory + "/attachment"):
        return directory
    return context.paths.boot_network_of(name)


def _left_links() -> set[str]:
    return {name for name in os.listdir("/sys/class/net") if name.startswith(PREFIX)}


def namespace_of(context: Context, item: Attachment) -> str:
    """The path of the network namespace that *item*, which runs, is attached to.

    Raises:
        NotFoundError: it has just ended.
    """
    if is_pod(item.container):
        return f"{context.paths.namespaces}/{item.container}/net"
    return f"/proc/{find_running(context, item.container).pid}/ns/net"
