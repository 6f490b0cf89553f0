"""What a definition says about names and resolvers: the record, and the parsers of its keys."""

from __future__ import annotations

import _socket  # the C half of socket: the Python half imports enum

from nsunit.definition.words import split, wrong
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Container

NAME_MAX = 253
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
_OPTION = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-:")


class Names(Record):
    """What the keys say."""

    aliases: tuple[str, ...] = ()
    added: tuple[tuple[str, str], ...] = ()  # (name, address)
    servers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    @property
    def asks_servers(self) -> bool:
        """Whether it says anything about the resolver."""
        return bool(self.servers or self.search or self.options)


def of(container: Container) -> Names:
    """What *container* says of names."""
    found: Names = container.extra("names", Names())
    return found


def aliases(text: str) -> tuple[str, ...]:
    """`NetworkAlias=`: host names, but not that of every host."""
    found = tuple(host_name(word) for word in split(text))
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
        found.append((host_name(name), _address(address)))
    return tuple(found)


def servers(text: str) -> tuple[str, ...]:
    """`DNS=`: addresses of name servers."""
    return tuple(_address(word) for word in split(text))


def domains(text: str) -> tuple[str, ...]:
    """`DNSSearch=`: domains, or a dot for none."""
    return tuple(word if word == "." else host_name(word.removesuffix(".")) for word in split(text))


def options(text: str) -> tuple[str, ...]:
    """`DNSOption=`: words of resolv.conf(5)'s `options`."""
    for word in split(text):
        if not _OPTION.issuperset(word):
            raise wrong(word, "is not an option of the resolver", "see resolv.conf(5)")
    return tuple(split(text))


def host_name(text: str) -> str:
    """A host name, in which `_` may stand as well."""
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
