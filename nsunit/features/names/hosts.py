"""What /etc/hosts and /etc/resolv.conf of a container say.  Pure."""

from __future__ import annotations

from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

LOCALHOST, LOCALHOST6 = "127.0.0.1 localhost", "::1 localhost ip6-localhost"
OWN_ADDRESS = "127.0.1.1"  # of a host without a network's address, hosts(5) of Debian
HOSTS, RESOLVER = "hosts", "resolv.conf"
PASTA_SERVER = "169.254.1.1"  # where pasta(1) takes questions for the host's first name server, also on its loopback
_RESOLVER_LINES = ("nameserver", "search", "options")
_TRUST = "trust-ad"


class Naming(Record):
    """What a container is called, and what its definition says about the two files.

    It travels as JSON in the container's network directory, since the files follow what others do.
    """

    container: str
    names: tuple[str, ...]  # the host name first
    added: tuple[tuple[str, str], ...] = ()  # (name, address)
    servers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()  # (container, what it calls that)
    six: bool = True  # whether its loopback has IPv6


class Place(Record):
    """A container's place in one network: addresses without prefix lengths, and the network's domain, if it has one.

    The *network* is empty where nobody else is to be named.
    """

    network: str
    addresses: tuple[str, ...]
    domain: str = ""


class Member(Record):
    """A container with a name in networks."""

    naming: Naming
    places: tuple[Place, ...]


def to_json(item: Naming) -> dict[str, Any]:
    """*item* as JSON's types."""
    return dict(zip(item._fields, item._values(), strict=True))


def from_json(data: dict[str, Any]) -> Naming:
    """Read what `to_json` made.

    Raises:
        KeyError, TypeError: it is something else.
    """
    added, links = (tuple((left, right) for left, right in data[field]) for field in ("added", "links"))
    servers, search, options = (tuple(data[field]) for field in ("servers", "search", "options"))
    six = bool(data.get("six", True))
    return Naming(data["container"], tuple(data["names"]), added, servers, search, options, links, six)


def hosts(member: Member, others: Iterable[Member]) -> str:
    """The content of *member*'s /etc/hosts: itself, what was added, and those of *others* that share a network."""
    return own_lines(member) + Neighbours(others).lines_for(member)


def is_alone(member: Member) -> bool:
    """Whether its file depends on nobody else."""
    return not any(place.network for place in member.places)


def is_common(member: Member) -> bool:
    """Whether its file says nothing but what all in its only network are told, itself included."""
    naming = member.naming
    return len(member.places) == 1 and not is_alone(member) and naming.six and not (naming.added or naming.links)


def common(lines: str) -> str:
    """The file of all in a network for whom `is_common` holds, where *lines* tell of its members."""
    return f"{LOCALHOST}\n{LOCALHOST6}\n{lines}"


def own_lines(member: Member) -> str:
    """The part of *member*'s /etc/hosts that does not depend on others."""
    localhost = (LOCALHOST, LOCALHOST6) if member.naming.six else (LOCALHOST,)
    lines = [*localhost, *_lines(member, member.places)]
    if not member.places:
        lines.append(f"{OWN_ADDRESS} {' '.join(member.naming.names)}")
    lines += [f"{address} {name}" for name, address in member.naming.added]
    return "".join(f"{line}\n" for line in lines)


class Neighbours:
    """What is said of each of *members* in the files of the others.

    Their files differ in little, and there may be a thousand in a network: each line is made once for all of them.
    """

    def __init__(self, members: Iterable[Member]) -> None:
        self.members = sorted(members, key=lambda item: item.naming.container)
        self.texts: dict[frozenset[str], dict[str, str]] = {}
        self.files: dict[str, str] = {}

    def file_of(self, member: Member) -> str:
        """The file of *member*."""
        if not is_common(member):
            return own_lines(member) + self.lines_for(member)
        network = member.places[0].network
        if network not in self.files:
            self.files[network] = common(self.lines_within(network))
        return self.files[network]

    def lines_for(self, member: Member) -> str:
        """The lines for those that share a network with *member*, in the order of their names."""
        networks = frozenset(place.network for place in member.places) - {""}
        texts = self.texts.get(networks)
        if texts is None:
            texts = self.texts[networks] = {item.naming.container: seen(item, networks) for item in self.members}
        aliases: dict[str, list[str]] = {member.naming.container: []}
        for name, alias in member.naming.links:
            aliases.setdefault(name, []).append(alias)
        if len(aliases) == 1:
            own = member.naming.container
            return "".join([text for name, text in texts.items() if name != own])
        found = []
        for item in self.members:
            name = item.naming.container
            if name != member.naming.container:
                found.append(seen(item, networks, aliases[name]) if name in aliases else texts[name])
        return "".join(found)

    def lines_within(self, network: str) -> str:
        """The lines for all those in *network*, for a server of its names."""
        return "".join(seen(item, frozenset((network,))) for item in self.members)


def seen(member: Member, networks: frozenset[str], aliases: Sequence[str] = ()) -> str:
    """The lines for *member* in the file of somebody in *networks* who calls it by the *aliases*, too."""
    if aliases:
        names = once((*member.naming.names, *aliases, *(alias.lower() for alias in aliases)))
        member = member.replace(naming=member.naming.replace(names=names))
    lines = _lines(member, [place for place in member.places if place.network in networks])
    return "".join(f"{line}\n" for line in lines)


def resolver(item: Naming, of_host: str, *, own_loopback: bool, served: Sequence[str] = ()) -> str:
    """The content of /etc/resolv.conf: what the definition says, and *of_host*, the host's, for what it does not.

    *served* are the addresses of a server of its network's, which asks those of the host.  With *own_loopback* the
    servers that only the host can ask are left out.  Where others are asked than by the host, their word on what is
    authentic is not trusted as that is (`options trust-ad`).
    """
    lines = {keyword: _host_lines(of_host, keyword) for keyword in _RESOLVER_LINES}
    servers = [line for line in lines["nameserver"] if not own_loopback or is_reachable(line.split()[1])]
    asked = item.servers or served
    if asked or servers != lines["nameserver"]:
        lines["options"] = _without(_TRUST, lines["options"])
    lines["nameserver"] = [f"nameserver {address}" for address in asked] or servers
    if item.search:
        domains = [domain for domain in item.search if domain != "."]
        lines["search"] = [f"search {' '.join(domains)}"] if domains else []
    if item.options:
        lines["options"] = [f"options {' '.join(item.options)}"]
    return "".join(f"{line}\n" for keyword in _RESOLVER_LINES for line in lines[keyword])


def servers_of(text: str) -> list[str]:
    """The name servers of a resolv.conf(5)."""
    return [line.split()[1] for line in _host_lines(text, "nameserver")]


def is_reachable(address: str) -> bool:
    """Whether a name server of the host's can be one of a container's.

    Those on its loopback cannot, nor those that an address of one of its links names: inside there are other links.
    """
    words = address.lower()
    return not (words in ("::1", "::", "0.0.0.0") or words.startswith(("127.", "fe80:", "::ffff:127.")) or "%" in words)


def behind(stub: str, upstream: str) -> str:
    """The host's resolv.conf *stub* with the servers of *upstream*, which those of *stub* ask."""
    lines = [line for keyword in ("nameserver", "options") for line in _host_lines(upstream, keyword)]
    lines += _host_lines(upstream, "search") or _host_lines(stub, "search")
    return "".join(f"{line}\n" for line in lines)


def _without(option: str, lines: list[str]) -> list[str]:
    kept = (" ".join(word for word in line.split() if word != option) for line in lines)
    return [line for line in kept if line != "options"]


def _lines(member: Member, places: Sequence[Place]) -> list[str]:
    return [
        f"{address} {' '.join(_with_domain(member.naming.names, place.domain))}"
        for place in places
        for address in place.addresses
    ]


def _with_domain(names: tuple[str, ...], domain: str) -> tuple[str, ...]:
    if not domain:
        return names
    return once((*names, *(f"{name}.{domain}" for name in names if "." not in name)))


def _host_lines(text: str, keyword: str) -> list[str]:
    keywords = (keyword, "domain") if keyword == "search" else (keyword,)
    return [line.strip() for line in text.splitlines() if len(words := line.split()) > 1 and words[0] in keywords]


def once(names: tuple[str, ...]) -> tuple[str, ...]:
    """Each of *names* where it stands first."""
    return tuple(dict.fromkeys(names))
