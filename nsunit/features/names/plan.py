"""What a container is called, and its files hosts and resolv.conf if it is in none of nsunit's networks.  Pure."""

from __future__ import annotations

from nsunit.features import hooks
from nsunit.features.names.hosts import HOSTS, RESOLVER, Naming, once
from nsunit.features.names.values import of
from nsunit.names import default_hostname
from nsunit.setup.mounts import Bind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Container, Definition
    from nsunit.plan.facts import Facts

_LOOPBACK_OFF = ("net.ipv6.conf.all.disable_ipv6", "net.ipv6.conf.lo.disable_ipv6")
FILES = (("resolv.conf", "/etc/resolv.conf"), ("hosts", "/etc/hosts"))


def naming(definition: Definition) -> Naming:
    """The names of a container and its wishes."""
    container = definition.container
    hostname = container.hostname or default_hostname(definition.name)
    said = of(container)
    linked = tuple(pair for aliases in hooks(container.features, "keys.aliases") for pair in aliases(container))
    names = once((hostname, definition.name, *said.aliases))
    off = any(name in _LOOPBACK_OFF and value != "0" for name, value in container.sysctls)
    return Naming(definition.name, names, said.added, said.servers, said.search, said.options, linked, not off)


def own_files(container: Container) -> tuple[str, ...]:
    """Which of the two files are made for a container that is in none of nsunit's networks."""
    said = of(container)
    found = [HOSTS] if said.added else []
    if container.network == "pasta" or said.asks_servers:
        found.append(RESOLVER)
    return tuple(found)


def mounts(container: Container, facts: Facts) -> list[Bind]:
    """Those that were made for it, in the directory that `facts` have."""
    directory: str = facts.extra("names", "")
    if not directory:
        return []
    # In layers of others the user cannot make a file to mount on, and need not have one who has not asked for it.
    unasked = container.network == "pasta" and not of(container).asks_servers
    return [
        Bind(
            f"{directory}/{name}", target, ("ro", "roots", "spare") if unasked and name == RESOLVER else ("ro", "roots")
        )
        for name, target in FILES
        if name in own_files(container)
    ]
