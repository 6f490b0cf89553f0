"""Which subnets are free."""

from nsunit.addresses import parse_subnet
from nsunit.features.network.model.subnets import choose, clash_of_networks, clash_of_routes, first_host, routes

# As the kernel prints them: default, a host, 10.91.0.0/24, 172.16.0.0/12
FOUR = """\
Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	0102A8C0	0003	0	0	0	00000000	0	0	0
eth0	0202A8C0	00000000	0005	0	0	0	FFFFFFFF	0	0	0
nsunit0	00005B0A	00000000	0001	0	0	0	00FFFFFF	0	0	0
tun0	000010AC	00000000	0001	0	0	0	0000F0FF	0	0	0
"""
ZERO = "0" * 32
SIX = "".join(
    f"{first} {length} {ZERO} 00 {ZERO} 00000100 00000001 00000000 00000001 {link:>8}\n"
    for first, length, link in (
        ("fd0012340000000000000000000000" + "00", "40", "eth0"),
        ("fe80" + "0" * 28, "40", "eth0"),
        ("0" * 31 + "1", "80", "lo"),
        (ZERO, "00", "eth0"),
    )
)


def test_routes_of_the_host():
    assert [(str(subnet), link) for subnet, link in routes(FOUR, SIX)] == [
        ("10.91.0.0/24", "nsunit0"),
        ("172.16.0.0/12", "tun0"),
        ("fd00:1234::/64", "eth0"),
    ]
    assert routes("", "") == []


def test_the_first_free_one():
    prefix = "fd00:1:2"
    assert choose(prefix, []) == ("10.92.0.0/24", "fd00:1:2:1::/64")
    assert choose("", [parse_subnet("10.92.0.0/23")]) == ("10.92.2.0/24",)
    assert choose(prefix, [parse_subnet("fd00:1:2:1::/64")]) == ("10.92.1.0/24", "fd00:1:2:2::/64")
    assert choose(prefix, [parse_subnet("10.0.0.0/8")]) is None
    assert first_host("fd00:1:2:1::/64") == "fd00:1:2:1::1"


def test_clashes():
    others = [("bridge", ("10.91.0.0/24", "fd00::/64")), ("new", ())]
    assert clash_of_networks(("10.91.0.128/25",), others) == ("10.91.0.128/25", "10.91.0.0/24", "bridge")
    assert clash_of_networks(("10.90.0.0/24", "fd01::/64"), others) is None
    known = routes(FOUR, SIX)
    assert clash_of_routes(("172.16.0.0/12",), known) == ("172.16.0.0/12", parse_subnet("172.16.0.0/12"), "tun0")
    assert clash_of_routes(("10.0.0.0/8",), known)[2] == "nsunit0"
    assert clash_of_routes(("172.17.0.0/16",), known) is None  # a part of a wider route
