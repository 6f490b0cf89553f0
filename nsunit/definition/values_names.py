"""What a definition says about names: the record, the parsers of its keys, and what does not fit together."""

from __future__ import annotations

import _socket  # the C half of socket: the Python half imports enum

from nsunit.definition.values import is_digits
from nsunit.definition.words import split, wrong
from nsunit.names import is_valid_name
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nsunit.definition.model import Container

SERVERS_MAX = 3  # MAXNS of resolv.h: the C library asks no more
NAME_MAX = 253
PATH_MAX = 107  # sun_path less the NUL
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
_OPTION = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-:")

# key -> field of the record
FIELDS = {
    "NetworkAlias": "aliases",
    "AddHost": "added",
    "DNS": "servers",
    "DNSSearch": "search",
    "DNSOption": "options",
    "ExposedPort": "exposed_ports",
    "Link": "links",
    "Tunnel": "tunnels",
}
_RESOLVER = ("DNS", "DNSSearch", "DNSOption")


class Tunnel(Record):
    """One `Tunnel=`: *local*, a port or the path of a UNIX socket inside, leads to *port* of another *container*."""

    container: str
    port: int
    local: str


class Names(Record):
    """What the keys of `table_names` say."""

    aliases: tuple[str, ...] = ()
    added: tuple[tuple[str, str], ...] = ()  # (name, address)
    servers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    exposed_ports: tuple[tuple[int, str], ...] = ()
    links: tuple[tuple[str, str], ...] = ()  # (container, alias)
    tunnels: tuple[Tunnel, ...] = ()

    @property
    def asks_servers(self) -> bool:
        """Whether it says anything about the resolver."""
        return bool(self.servers or self.search or self.options)


def collect(pairs: list[tuple[str, Any]]) -> Names:
    """The record that `(key, parsed value)` pairs, in file order, make."""
    fields: dict[str, Any] = {}
    for key, value in pairs:
        field = FIELDS[key]
        fields[field] = (*fields.get(field, ()), *value)
    return Names(**{field: tuple(dict.fromkeys(items)) for field, items in fields.items()})


def contradictions(container: Container, names: Names, name: str) -> list[tuple[str, str, str]]:
    """Return what does not fit together in container *name*, as (key to blame, message, hint)."""
    found = [*_wrong_links(container, names, name), *_wrong_tunnels(container, names, name)]
    if names.aliases and container.network != "bridge":
        message = f"nobody would find it with Network={container.network}"
        hint = "leave it out" if container.network == "pasta" else "add Network=bridge, or leave it out"
        found.append(("NetworkAlias", message, hint))
    if len(names.servers) > SERVERS_MAX:
        message = f"the C library asks {SERVERS_MAX} servers at most, and here are {len(names.servers)}"
        found.append(("DNS", message, "leave out the others"))
    said = [key for key in _RESOLVER if getattr(names, FIELDS[key])]
    if container.network == "none":
        hint = "use another Network=, or leave it out"
        found += [(key, "there is no server to ask with Network=none", hint) for key in said]
    if any(kind == "mnt" for kind, _ in container.namespaces):
        if names.added:
            said.append("AddHost")
        message = "nothing is mounted with MountNamespace=, its file systems are there already"
        found += [(key, message, "leave it out, or use MountNamespace=private") for key in said]
    return found


def _wrong_links(container: Container, names: Names, name: str) -> list[tuple[str, str, str]]:
    found = []
    if names.links and container.network != "bridge":
        message = f"it shares no network with anybody with Network={container.network}"
        found.append(("Link", message, "add Network=bridge, or use Tunnel="))
    if name in (other for other, _ in names.links):
        found.append(("Link", "a container cannot be linked with itself", "name another container"))
    upper = [alias.upper() for _, alias in names.links]
    if len(set(upper)) != len(upper):
        found.append(("Link", "two containers are linked by the same alias", "give each another one, as db:DB"))
    return found


def _wrong_tunnels(container: Container, names: Names, name: str) -> list[tuple[str, str, str]]:
    found = []
    if name in (tunnel.container for tunnel in names.tunnels):
        found.append(("Tunnel", "a container cannot have a tunnel to itself", "name another container"))
    places = [tunnel.local for tunnel in names.tunnels]
    if len(set(places)) != len(places):
        found.append(("Tunnel", "two tunnels begin at the same place", "give one another port, as db:5432:15432"))
    if container.network == "host" and any(not place.startswith("/") for place in places):
        hint = "give the tunnel a path, as db:5432:/run/db.sock"
        found.append(("Tunnel", "the port would be the host's with Network=host", hint))
    if any(kind == "mnt" for kind, _ in container.namespaces) and any(place.startswith("/") for place in places):
        message = "nothing is made with MountNamespace=, its file systems are there already"
        found.append(("Tunnel", message, "give the tunnel a port"))
    return found


def exposed_ports(text: str) -> tuple[tuple[int, str], ...]:
    """`ExposedPort=`: one or more of `PORT[/PROTOCOL]`."""
    from nsunit.definition.values_network import host_ports

    return host_ports(text)


def links(text: str) -> tuple[tuple[str, str], ...]:
    """`Link=`: `NAME[:ALIAS]`."""
    found = []
    for word in split(text):
        name, colon, alias = word.partition(":")
        found.append((_container(name), _name(alias) if colon else name))
    return tuple(found)


def tunnels(text: str) -> tuple[Tunnel, ...]:
    """`Tunnel=`: `NAME:PORT[:LOCAL]`, where LOCAL is a port or an absolute path."""
    found = []
    for word in split(text):
        name, colon, rest = word.partition(":")
        port, _, local = rest.partition(":")
        if not colon:
            raise wrong(word, "does not say which port it leads to", "use NAME:PORT, NAME:PORT:PORT or NAME:PORT:PATH")
        local = _place(local) if local else str(_port(port))
        found.append(Tunnel(_container(name), _port(port), local))
    return tuple(found)


def _place(text: str) -> str:
    if not text.startswith("/"):
        return str(_port(text, "use 1 to 65535, or an absolute path for a UNIX socket"))
    from nsunit.definition.values_container import target_path

    if len(text.encode()) > PATH_MAX:
        raise wrong(text, "is too long for a socket", f"use at most {PATH_MAX} bytes, unix(7)")
    return target_path(text)


def _port(text: str, hint: str = "use 1 to 65535") -> int:
    if not is_digits(text) or len(text) > 5 or not 1 <= int(text) <= 65535:
        raise wrong(text, "is not a port", hint)
    return int(text)


def _container(text: str) -> str:
    if not is_valid_name(text):
        raise wrong(text, "is not the name of a container", "e.g. db:DB for a link, db:5432 for a tunnel")
    return text


def aliases(text: str) -> tuple[str, ...]:
    """`NetworkAlias=`: host names, but not that of every host."""
    found = tuple(_name(word) for word in split(text))
    if "localhost" in found:
        raise wrong("localhost", "is every host's name for itself", "use another name")
    return found


def added_hosts(text: str) -> tuple[tuple[str, str], ...]:
    """`AddHost=`: `NAME:ADDRESS`; an IPv6 address may stand in brackets."""
    found = []
    for word in split(text):
        name, colon, address = word.partition(":")
        if not colon:
            raise wrong(word, "has no address", "use NAME:ADDRESS")
        if address.startswith("[") and address.endswith("]"):
            address = address[1:-1]
        found.append((_name(name), _address(address)))
    return tuple(found)


def servers(text: str) -> tuple[str, ...]:
    """`DNS=`: addresses of name servers."""
    return tuple(_address(word) for word in split(text))


def domains(text: str) -> tuple[str, ...]:
    """`DNSSearch=`: domains, or a dot for none."""
    return tuple(word if word == "." else _name(word.removesuffix(".")) for word in split(text))


def options(text: str) -> tuple[str, ...]:
    """`DNSOption=`: words of resolv.conf(5)'s `options`."""
    for word in split(text):
        if not _OPTION.issuperset(word):
            raise wrong(word, "is not an option of the resolver", "see resolv.conf(5)")
    return tuple(split(text))


def _name(text: str) -> str:
    labels = text.split(".")
    bad = any(not label or len(label) > 63 or not _LETTERS.issuperset(label) or label[0] == "-" for label in labels)
    if bad or len(text) > NAME_MAX:
        raise wrong(text, "is not a host name", "use letters, digits, '-' and '_', with dots between the parts")
    if labels[-1].isdigit():
        raise wrong(text, "is not a host name", "its last part is a number, so it would be taken for an address")
    return text


def _address(text: str) -> str:
    for family in (_socket.AF_INET, _socket.AF_INET6):
        try:
            return _socket.inet_ntop(family, _socket.inet_pton(family, text))
        except (OSError, ValueError):
            continue
    raise wrong(text, "is not an address", "e.g. 192.0.2.1 or 2001:db8::1")
