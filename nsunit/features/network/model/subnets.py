"""Which subnets are free.  Pure."""

from __future__ import annotations

from nsunit.addresses import Subnet, parse_subnet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Where networks without a Subnet= get theirs, a /24 each; 10.91.0.0/24 beside it is the default network's.
POOL = "10.92.0.0/16"
POOL_SIZE = 256


def routes(text4: str, text6: str) -> list[tuple[Subnet, str]]:
    """The subnets that the host has routes to, with their links, from /proc/net/route and /proc/net/ipv6_route.

    Default routes, single addresses, multicast and link-local ones are left out.
    """
    found = []
    for line in text4.splitlines()[1:]:
        fields = line.split()
        first, mask = (int.from_bytes(bytes.fromhex(fields[place]), "little") for place in (1, 7))
        found.append((Subnet(first, mask.bit_count(), False), fields[0]))
    for line in text6.splitlines():
        fields = line.split()
        found.append((Subnet(int(fields[0], 16), int(fields[1], 16), True), fields[9]))
    local = [parse_subnet(text) for text in ("ff00::/8", "fe80::/10", "127.0.0.0/8", "::1/128")]
    return [
        (subnet, link)
        for subnet, link in found
        if subnet.length and subnet.size > 1 and not any(subnet.overlaps(other) for other in local)
    ]


def first_host(subnet: str) -> str:
    """The first address of *subnet* that a host can have."""
    return parse_subnet(subnet).host(1)


def choose(prefix6: str, taken: Iterable[Subnet]) -> tuple[str, ...] | None:
    """The first free /24 of the pool and, below the /48 *prefix6* unless that is empty, a /64.  None if all are taken.

    The /64 has the number of the /24, and one more, for the default network has the first one.
    """
    taken = list(taken)
    pool = parse_subnet(POOL)
    for number in range(POOL_SIZE):
        texts = [f"{pool.host(number * POOL_SIZE)}/24", *([f"{prefix6}:{number + 1:x}::/64"] if prefix6 else [])]
        subnets = [parse_subnet(text) for text in texts]
        if not any(subnet.overlaps(other) for subnet in subnets for other in taken):
            return tuple(str(subnet) for subnet in subnets)
    return None


def clash_of_networks(
    subnets: Sequence[str], others: Iterable[tuple[str, Sequence[str]]]
) -> tuple[str, str, str] | None:
    """The first of *subnets* that overlaps one of *others*, `(name, subnets)`: it, that one and the name."""
    for text in subnets:
        for name, theirs in others:
            for other in theirs:
                if parse_subnet(text).overlaps(parse_subnet(other)):
                    return text, other, name
    return None


def clash_of_routes(subnets: Sequence[str], known: Iterable[tuple[Subnet, str]]) -> tuple[str, Subnet, str] | None:
    """The first of *subnets* that would take the place of one of the host's own routes, that route and its link.

    A wider route, of a VPN for instance, is none of them: who names a part of it has a reason to.
    """
    for text in subnets:
        own = parse_subnet(text)
        for subnet, link in known:
            if own.overlaps(subnet) and own.length <= subnet.length:
                return text, subnet, link
    return None
