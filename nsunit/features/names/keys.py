"""The keys of [Container] about names and name servers."""

from __future__ import annotations

from nsunit.definition.setting import own
from nsunit.features.names.values import Names, added_hosts, aliases, domains, of, options, servers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nsunit.definition.container import Contradiction
    from nsunit.definition.model import Container
    from nsunit.definition.setting import Row
    from nsunit.definition.values import Parser

SERVERS_MAX = 3  # MAXNS of resolv.h: the C library asks no more


def _own(parse: Parser, syntax: str, text: str, example: str) -> Row:
    return own(parse, True, syntax, text, example)


NAMES: dict[str, Row] = {
    "NetworkAlias": _own(
        aliases, "NAME…", "Further names by which the containers of its networks find it.", "db database"
    ),
    "AddHost": _own(added_hosts, "NAME:ADDRESS…", "Further lines of its /etc/hosts.", "printer:192.0.2.9"),
    "DNS": _own(servers, "ADDRESS…", "Name servers, instead of the host's.", "9.9.9.9 2620:fe::fe"),
    "DNSSearch": _own(
        domains, "DOMAIN…|.", "Domains in which short names are looked up; none if it is a dot.", "example.org"
    ),
    "DNSOption": _own(options, "OPTION…", "Options of the resolver, resolv.conf(5).", "ndots:2 timeout:1"),
}
TABLES = {"Container": NAMES}
# key -> field of the record
_FIELDS = {
    "NetworkAlias": "aliases",
    "AddHost": "added",
    "DNS": "servers",
    "DNSSearch": "search",
    "DNSOption": "options",
}
_RESOLVER = ("DNS", "DNSSearch", "DNSOption")


def build(fields: dict[str, Any], values: list[tuple[str, Any]]) -> None:
    """Note what is said; each thing once."""
    found: dict[str, dict[Any, None]] = {}
    for key, value in values:
        if key in _FIELDS:
            found.setdefault(_FIELDS[key], {}).update(dict.fromkeys(value))
    fields["extras"]["names"] = Names(**{field: tuple(items) for field, items in found.items()})


def check(container: Container, _name: str, _service: object) -> list[Contradiction]:
    """What does not fit to its network; that of a pod is another one's matter."""
    return [] if container.uses("pods") else contradictions(container)


def contradictions(container: Container) -> list[Contradiction]:
    """`check` for a container, or a pod, that says itself what it is connected to."""
    names = of(container)
    found: list[Contradiction] = []
    if names.aliases and container.network != "bridge":
        message = f"nobody would find it with Network={container.network}"
        hint = "leave it out" if container.network == "pasta" else "add Network=bridge, or leave it out"
        found.append(("NetworkAlias", message, hint))
    if len(names.servers) > SERVERS_MAX:
        message = f"the C library asks {SERVERS_MAX} servers at most, and here are {len(names.servers)}"
        found.append(("DNS", message, "leave out the others"))
    said = [key for key in _RESOLVER if getattr(names, _FIELDS[key])]
    if container.network == "none":
        hint = "use another Network=, or leave it out"
        found += [(key, "there is no server to ask with Network=none", hint) for key in said]
    if any(kind == "mnt" for kind, _ in container.namespaces):
        if names.added:
            said.append("AddHost")
        message = "nothing is mounted with MountNamespace=, its file systems are there already"
        found += [(key, message, "leave it out, or use MountNamespace=private") for key in said]
    return found
