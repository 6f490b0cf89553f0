"""What a container is connected to, and the plain values of keys that are about networks."""

from __future__ import annotations

import _socket  # the C half of socket: the Python half imports enum

from nsunit.addresses import canonical
from nsunit.definition.values import is_digits
from nsunit.definition.words import split, wrong
from nsunit.features.network.model.port import Port
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Container
    from nsunit.features.network.connection import Connection

PROTOCOLS = ("tcp", "udp", "sctp")
_HINT = (
    "use all, or [ADDRESS:]HOST:CONTAINER[/tcp|udp|sctp], ports up to 65535 or ranges of them, as 8000-8010:9000-9010"
)
_ONE_SIDE = "use PORT[/tcp|udp|sctp], ports from 1 to 65535 or ranges of them, as 8000-8010"
_RANGE_MAX = 256
MTU_MIN, MTU_MAX = 68, 65535  # of IPv4, RFC 791, and of the kernel's bridges and veth pairs


EXPOSED = Port("", 0, 0, "all")


class Connected(Record):
    """What a container or a pod is connected to, and what gets in.

    `unconnected` are keys that are about the first of `connections`, where there is none.  `egress` and `ingress` are
    bytes in a second, 0 for all it can.  With `exposed` those ports of its image are published as well.
    """

    connections: tuple[Connection, ...] = ()
    unconnected: tuple[str, ...] = ()
    published_ports: tuple[Port, ...] = ()
    exposed: bool = False
    host_ports: tuple[tuple[int, str], ...] = ()
    egress: int = 0
    ingress: int = 0


class Listened(Record):
    """Who hands in the connections that start a container: *how* is "socket" for a proxy, "fds" for systemd itself.

    *idle_stop* are microseconds without a connection after which it is stopped, 0 for never.
    """

    how: str = ""
    idle_stop: int = 0


def of(container: Container) -> Connected:
    """What *container* is connected to."""
    found: Connected = container.extra("network", Connected())
    return found


def listened(container: Container) -> Listened:
    """How *container* is listened for."""
    found: Listened = container.extra("activation", Listened())
    return found


def listened_ports(container: Container) -> tuple[Port, ...]:
    """Those of its ports that socket units carry: all with Activation=, else those of ::1.

    What comes from ::1 may not leave the loopback interface, so the firewall cannot lead it anywhere.
    """
    ports = of(container).published_ports
    return ports if listened(container).how else tuple(port for port in ports if port.address == "::1")


def ip_address(text: str) -> str:
    """One address, without a prefix length, as the kernel writes it."""
    try:
        return canonical(text)
    except ValueError:
        raise wrong(text, "is not an IP address", "e.g. 10.1.2.3 or fd00::3") from None


def mtu(text: str) -> int:
    """The size of the largest packet, in bytes."""
    if not is_digits(text) or len(text) > 5 or not MTU_MIN <= int(text) <= MTU_MAX:
        raise wrong(text, f"is not from {MTU_MIN} to {MTU_MAX}", "Ethernet has 1500")
    return int(text)


def published_ports(text: str) -> tuple[Port, ...]:
    """`PublishPort=`: one or more of `[ADDRESS:]HOST:CONTAINER[/PROTOCOL]`; a range becomes its single ports.

    `all` is `EXPOSED`.
    """
    return tuple(port for word in split(text) for port in ((EXPOSED,) if word == "all" else _published(word)))


def with_exposed(container: Container, ports: tuple[tuple[int, str], ...]) -> Container:
    """*container* with those *ports* published that its image exposes, if it says so: under their own numbers.

    What the definition publishes itself stays as it is.
    """
    connected = of(container)
    taken = {(number, port.protocol) for port in connected.published_ports for number in (port.host, port.container)}
    found = tuple(Port("", number, number, protocol) for number, protocol in ports if (number, protocol) not in taken)
    published = (*connected.published_ports, *found)
    return container.with_extra("network", connected.replace(published_ports=published, exposed=False))


def host_ports(text: str) -> tuple[tuple[int, str], ...]:
    """`HostPort=`: one or more of `PORT[/PROTOCOL]`."""
    found = []
    for word in split(text):
        port, protocol = _protocol(word)
        first, last = _range(word, port, _ONE_SIDE)
        found += [(number, protocol) for number in range(first, last + 1)]
    return tuple(found)


def _published(word: str) -> list[Port]:
    rest, protocol = _protocol(word)
    rest, colon, inside = rest.rpartition(":")
    if not colon:
        raise wrong(word, "does not say which port of the host", _HINT)
    address = ""
    if ":" in rest:
        address, _, rest = rest.rpartition(":")
        address = _address(word, address)
    host, container = _range(word, rest), _range(word, inside)
    count = host[1] - host[0]
    if count != container[1] - container[0]:
        raise wrong(word, "has ranges of different lengths", _HINT)
    return [Port(address, host[0] + step, container[0] + step, protocol) for step in range(count + 1)]


def _protocol(word: str) -> tuple[str, str]:
    rest, slash, protocol = word.partition("/")
    if slash and protocol not in PROTOCOLS:
        raise wrong(word, "has an unknown protocol", "known are tcp, udp and sctp")
    return rest, protocol or "tcp"


def _range(word: str, text: str, hint: str = _HINT) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    numbers = [int(part) if is_digits(part) and len(part) <= 5 else 0 for part in (first, last if dash else first)]
    if not all(1 <= number <= 65535 for number in numbers) or numbers[0] > numbers[1]:
        raise wrong(word, "has no valid port", hint)
    if numbers[1] - numbers[0] >= _RANGE_MAX:
        raise wrong(word, f"is a range of more than {_RANGE_MAX} ports", "publish fewer of them")
    return numbers[0], numbers[1]


def _address(word: str, text: str) -> str:
    bracketed = text.startswith("[") and text.endswith("]")
    family = _socket.AF_INET6 if bracketed else _socket.AF_INET
    try:
        packed = _socket.inet_pton(family, text[1:-1] if bracketed else text)
    except OSError:
        raise wrong(word, "has no valid address", "an IPv6 address stands in brackets, as [::1]:8080:80") from None
    return "" if packed.strip(b"\0") == b"" else _socket.inet_ntop(family, packed)
