"""Addresses and ports of connected containers."""

import json

import pytest

from nsunit.definition.values_network import Port
from nsunit.plan.attachment import Network, attachment, choose_number, clash, from_json, link_local, to_json

NETWORK = Network("bridge", "nsunit0", "10.91.0.", "fd00:1:2::")
PORTS = (Port("", 8080, 80, "tcp"), Port("192.0.2.1", 53, 53, "udp"))


def web(number=17, ports=PORTS):
    return attachment("web", NETWORK, number, "0123456789abcdef", ports, ((53, "udp"),))


def test_what_follows_from_the_number():
    item = web()
    assert item.addresses == ("10.91.0.17/24", "fd00:1:2::11/64")
    assert item.gateways == ("10.91.0.1", "fd00:1:2::1")
    assert item.mac == "0a:58:0a:5b:00:11"
    assert item.link == "nv-0123456789ab"
    assert len(item.link) == 15
    assert link_local(item.mac) == "fe80::858:aff:fe5b:11"
    assert Network("n", "b", "10.0.0.").addresses(2) == ("10.0.0.2/24",)


def test_it_comes_back_from_json():
    assert from_json(json.loads(json.dumps(to_json(web())))) == web()


@pytest.mark.parametrize("data", [{}, {"container": "web"}, [], None])
def test_other_json_is_refused(data):
    with pytest.raises((KeyError, TypeError)):
        from_json(data)


def test_numbers():
    assert choose_number(None, set(), set()) == 2
    assert choose_number(None, {2, 3}, {4}) == 5
    assert choose_number(9, {2}, {9}) == 9  # its last one
    assert choose_number(9, {9}, {9}) == 2  # somebody runs with it by now
    everyone = set(range(2, 255))
    assert choose_number(None, everyone - {77}, everyone) == 77  # of one that does not run
    assert choose_number(9, everyone, everyone) is None


@pytest.mark.parametrize(
    ("port", "taker"),
    [
        (Port("", 8080, 1, "tcp"), "web"),
        (Port("127.0.0.1", 8080, 1, "tcp"), "web"),
        (Port("", 8080, 1, "udp"), None),
        (Port("", 8081, 80, "tcp"), None),
        (Port("192.0.2.2", 53, 53, "udp"), None),
        (Port("192.0.2.1", 53, 54, "udp"), "web"),
        (Port("", 53, 54, "udp"), "web"),
    ],
)
def test_clashes(port, taker):
    assert clash(port, [web()]) == taker


def test_ports_as_text():
    assert [str(port) for port in (*PORTS, Port("::1", 1, 2, "tcp"))] == ["8080/tcp", "192.0.2.1:53/udp", "[::1]:1/tcp"]
