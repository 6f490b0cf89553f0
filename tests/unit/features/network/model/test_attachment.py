"""Addresses and ports of connected containers."""

import json

import pytest

from nsunit.features.network.connection import Connection, interface_names
from nsunit.features.network.model.attachment import (
    Attachment,
    Device,
    Interface,
    Network,
    choose_addresses,
    clash,
    default_gateways,
    device,
    from_json,
    link_local,
    link_name,
    mac_address,
    to_json,
    without_six,
    wrong_address,
    wrong_mtu,
)
from nsunit.features.network.model.port import Port

NETWORK = Network("bridge", "nsunit0", ("10.91.0.0/24", "fd00:1:2::/64"), ("10.91.0.1", "fd00:1:2::1"))
SMALL = Network("small", "nb-small", ("10.9.0.0/29",), ("10.9.0.1",))
SIX = Network("six", "nb-six", ("fd00:6::/64",), ("fd00:6::1",))
PORTS = (Port("", 8080, 80, "tcp"), Port("192.0.2.1", 53, 53, "udp"))
DIGEST = "0123456789abcdef"


def web(ports=PORTS):
    addresses = ("10.91.0.17/24", "fd00:1:2::11/64")
    one = Interface(NETWORK, "eth0", link_name(DIGEST), mac_address(addresses, DIGEST), addresses, NETWORK.gateways)
    two = Interface(SIX, "eth1", "nv-two", "0a:58:01:23:45:67", ("fd00:6::9/64",), mtu=1400)
    return Attachment("web", (one, two), ports, ((53, "udp"),))


def test_what_is_made_of_names_and_addresses():
    item = web()
    assert item.addresses == ("10.91.0.17/24", "fd00:1:2::11/64", "fd00:6::9/64")
    assert item.networks == ("bridge", "six")
    assert item.links == ("nv-0123456789ab", "nv-two")
    assert len(item.links[0]) == 15
    assert item.interfaces[0].by_family == (("ip", "10.91.0.17"), ("ip6", "fd00:1:2::11"))
    mac = item.interfaces[0].mac
    assert mac == "0a:58:0a:5b:00:11"
    assert link_local(mac) == "fe80::858:aff:fe5b:11"
    assert mac_address(("fd00:6::9/64",), DIGEST) == "0a:58:01:23:45:67"
    assert NETWORK.own_addresses == ("10.91.0.1/24", "fd00:1:2::1/64")
    assert NETWORK.replace(vlan="eth0.5").own_addresses == ()
    assert (NETWORK.has_six, SMALL.has_six, SIX.has_six) == (True, False, True)


def test_it_comes_back_from_json():
    assert from_json(json.loads(json.dumps(to_json(web())))) == web()


def test_without_ipv6_in_the_kernel():
    item = web().replace(devices=(Device("vlan", "eth0.5", "eth2", ("192.0.2.9/24", "fd00::9/64"), ("fd00::1",)),))
    one = item.interfaces[0].replace(routes=("fd05::/64", "10.5.0.0/16"), sysctls=("ipv6/conf/eth0/forwarding=1",))
    found = without_six(item.replace(interfaces=(one, item.interfaces[1])))
    assert found.addresses == ("10.91.0.17/24", "192.0.2.9/24")
    assert (found.interfaces[0].gateways, found.interfaces[0].routes) == (("10.91.0.1",), ("10.5.0.0/16",))
    assert (found.interfaces[0].sysctls, found.devices[0].gateways) == ((), ())
    assert found.interfaces[0].network.own_addresses == ("10.91.0.1/24",)
    assert [name for name, _ in found.interfaces[0].network.sysctls if name.startswith("ipv6/")] == []


@pytest.mark.parametrize("data", [{}, {"container": "web"}, [], None])
def test_other_json_is_refused(data):
    with pytest.raises((KeyError, TypeError)):
        from_json(data)


def test_a_number_is_the_same_in_both_families():
    assert choose_addresses(NETWORK, (), None, set(), set()) == (("10.91.0.2/24", "fd00:1:2::2/64"), 2)
    assert choose_addresses(NETWORK, (), None, {"fd00:1:2::2"}, {3}) == (("10.91.0.4/24", "fd00:1:2::4/64"), 4)
    assert choose_addresses(SIX, (), None, set(), set()) == (("fd00:6::2/64",), 2)


def test_the_last_number_is_preferred():
    assert choose_addresses(NETWORK, (), 9, {"10.91.0.2"}, set())[1] == 9
    assert choose_addresses(NETWORK, (), 9, {"10.91.0.9"}, set())[1] == 2  # somebody runs with it by now
    assert choose_addresses(SMALL, (), 9, set(), set())[1] == 2  # the subnet has become smaller


def test_a_network_that_is_full():
    everyone = {f"10.9.0.{number}" for number in range(2, 7)}
    assert choose_addresses(SMALL, (), None, everyone, set()) is None
    assert choose_addresses(SMALL, (), 3, everyone, set()) is None
    assert choose_addresses(SMALL, (), None, everyone - {"10.9.0.6"}, {6}) == (("10.9.0.6/29",), 6)


def test_static_addresses():
    assert choose_addresses(NETWORK, ("10.91.0.77",), 9, set(), set()) == (("10.91.0.77/24", "fd00:1:2::4d/64"), 77)
    found = choose_addresses(NETWORK, ("fd00:1:2::abcd",), None, set(), set())
    assert found == (("10.91.0.2/24", "fd00:1:2::abcd/64"), 2)
    both = ("10.91.0.9", "fd00:1:2::77")
    assert choose_addresses(NETWORK, both, None, set(), set())[0] == ("10.91.0.9/24", "fd00:1:2::77/64")


def test_the_first_network_with_a_way_out_has_the_default_route():
    inside = SMALL.replace(internal=True)
    assert default_gateways([((), inside), ((), SIX), ((), NETWORK)]) == ((), ("fd00:6::1",), ("10.91.0.1",))
    assert default_gateways([((), NETWORK), ((), SIX)]) == (("10.91.0.1", "fd00:1:2::1"), ())
    assert default_gateways([((), NETWORK), (("192.0.2.1",), None)]) == (("fd00:1:2::1",), ("192.0.2.1",))
    assert default_gateways([((), None), (("10.9.0.6",), inside)]) == ((), ("10.9.0.6",))


def test_static_addresses_that_cannot_be():
    for address, problem in (
        ("10.91.0.9", ""),
        ("fd00:1:2::9", ""),
        ("10.92.0.9", "is in no subnet of the network 'bridge'"),
        ("10.91.0.1", "is that of the router"),
        ("10.91.0.0", "is no address of a host"),
        ("10.91.0.255", "is no address of a host"),
        ("fd00:1:2::", "is no address of a host"),
    ):
        assert wrong_address(NETWORK, address) == problem


def test_mtus_that_cannot_be():
    for network, mtu, problem in (
        (NETWORK, 0, ""),
        (NETWORK, 1500, ""),
        (NETWORK, 1501, "more than the 1500 of the network 'bridge'"),
        (NETWORK, 1279, "less than the 1280 that IPv6 needs"),
        (SMALL, 1000, ""),
    ):
        assert wrong_mtu(network, mtu) == problem


def test_devices_of_the_host():
    own = Connection("eth0", "macvlan", ("192.0.2.9/24",), "0a:00:00:00:00:01", mtu=1400)
    found = device(own, "eth1", ("192.0.2.1",))
    assert found == Device(
        *("macvlan", "eth0", "eth1", ("192.0.2.9/24",), ("192.0.2.1",), (), "0a:00:00:00:00:01", 1400)
    )
    assert interface_names((Connection("eth7", "macvlan"), Connection("sl0", "phys"))) == ("eth0", "sl0")
    item = Attachment("web", (), devices=(found,))
    assert from_json(json.loads(json.dumps(to_json(item)))) == item
    assert (item.addresses, item.links, item.networks) == (("192.0.2.9/24",), (), ())


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
