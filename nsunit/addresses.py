"""IP addresses and subnets.  The module ipaddress does more, and takes longer to import than a container to connect."""

from __future__ import annotations

import _socket  # the C half of socket: the Python half imports enum
import os

from nsunit.record import Record

_FAMILIES = ((_socket.AF_INET, 32), (_socket.AF_INET6, 128))


class Subnet(Record):
    """A subnet: the number of its first address, the prefix length, and whether it is of IPv6."""

    first: int
    length: int
    six: bool

    def __str__(self) -> str:
        return f"{address(self.first, self.six)}/{self.length}"

    @property
    def size(self) -> int:
        """How many numbers it has, those that are no host's included."""
        return 1 << ((128 if self.six else 32) - self.length)

    def host(self, number: int) -> str:
        """The address of host *number*."""
        return address(self.first + number, self.six)

    def number_of(self, text: str) -> int | None:
        """The number of the host with the address *text*, or None if that is not in here."""
        if is_six(text) != self.six:
            return None
        number = to_number(text) - self.first
        return number if 0 <= number < self.size else None

    def overlaps(self, other: Subnet) -> bool:
        """Whether an address is in both."""
        if self.six != other.six:
            return False
        return self.first < other.first + other.size and other.first < self.first + self.size


def parse_subnet(text: str) -> Subnet:
    """Read `10.1.2.0/24` or `fd00::/64`.

    Raises:
        ValueError: it is none, or has bits of a host.
    """
    where, slash, length = text.partition("/")
    six = is_six(where)
    bits = _FAMILIES[six][1]
    if not slash or not length.isascii() or not length.isdigit() or int(length) > bits:
        raise ValueError(text)
    found = Subnet(to_number(where), int(length), six)
    if found.first % found.size:
        raise ValueError(text)
    return found


def is_six(text: str) -> bool:
    """Whether the address *text* is one of IPv6."""
    return ":" in text


def is_special(text: str) -> bool:
    """Whether no host can have the address *text*: loopback, multicast, or unspecified (RFC 6890)."""
    number = to_number(text)
    if is_six(text):
        return number <= 1 or number >> 120 == 0xFF
    return number >> 24 in (0, 127) or 0xE0 <= number >> 24 < 0xF0 or number == 0xFFFFFFFF


def is_link_local(subnet: Subnet) -> bool:
    """Whether addresses of *subnet* count on one link only, whatever network that is in (RFC 4291, 2.5.6)."""
    return subnet.overlaps(parse_subnet("fe80::/10"))


def canonical(text: str) -> str:
    """The address *text* as the kernel writes it.

    Raises:
        ValueError: it is none.
    """
    return address(to_number(text), is_six(text))


def to_number(text: str) -> int:
    """The address *text* as a number.

    Raises:
        ValueError: it is none.
    """
    try:
        return int.from_bytes(_socket.inet_pton(_FAMILIES[is_six(text)][0], text), "big")
    except OSError:
        raise ValueError(text) from None


def address(number: int, six: bool) -> str:
    """The address with *number*."""
    family, bits = _FAMILIES[six]
    return _socket.inet_ntop(family, number.to_bytes(bits // 8, "big"))


def plain(text: str) -> str:
    """An address without its prefix length."""
    return text.partition("/")[0]


def broadcast(text: str) -> str:
    """The broadcast address of the subnet of `10.1.2.3/24`; empty where it has none: IPv6, and 31 bits or 32."""
    where, _, length = text.partition("/")
    if is_six(where) or int(length) > 30:
        return ""
    return address(to_number(where) | (1 << (32 - int(length))) - 1, False)


def has_six() -> bool:
    """Whether the kernel has IPv6: by its command line it can be booted without."""
    return os.path.exists("/proc/sys/net/ipv6")
