"""Definitions of networks."""

import pytest

from nsunit.definition.host import Host
from nsunit.definition.load import load_text
from nsunit.definition.search import SearchPath, list_names, list_networks
from nsunit.errors import DefinitionError, NotFoundError
from nsunit.features.network.definition import NetworkDefinition, load_network, network_of_text

HOST = Host(257)


def network(lines):
    return network_of_text("shop", f"[Network]\n{lines}\n", "shop.network.nsunit", HOST)


def test_all_keys():
    lines = (
        "Subnet=10.20.0.0/24\nSubnet=FD00:20::/64\nGateway=10.20.0.254\nRange=10.20.0.100-10.20.0.199\nMTU=9000\n"
        "Internal=yes\nIsolate=yes\nDomain=%p.internal\nDNS=yes"
    )
    assert network(lines) == NetworkDefinition(
        *("shop", ("10.20.0.0/24", "fd00:20::/64"), ("10.20.0.254", "fd00:20::1"), (100, 199), 9000, True, True),
        *("shop.internal", "", True, ("shop.network.nsunit",)),
    )
    assert network("") == NetworkDefinition("shop", sources=("shop.network.nsunit",))


def test_the_router_of_a_vlan_is_somebody_else():
    assert network("Subnet=10.20.0.0/24\nVLAN=eth0.20").gateways == ()
    found = network("Subnet=fd00::/64\nSubnet=10.20.0.0/24\nGateway=10.20.0.9\nVLAN=bond0.1.007")
    assert (found.gateways, found.vlan) == (("10.20.0.9",), "bond0.1.7")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("Subnet=10.20.0.1/24", "2: [Network] Subnet: '10.20.0.1/24' is not a subnet"),
        ("Subnet=10.20.0.0", "2: [Network] Subnet: '10.20.0.0' is not a subnet"),
        ("Subnet=10.20.0.0/31", "2: [Network] Subnet: '10.20.0.0/31' has a prefix that is not from 8 to 30 bits long"),
        (
            "Subnet=10.1.0.0/24\nSubnet=10.2.0.0/24",
            "3: [Network] Subnet: '10.2.0.0/24' is a second subnet of IPv4",
        ),
        ("Subnet=10.1.0.0/24\nGateway=10.2.0.1", "3: [Network] Gateway: '10.2.0.1' is not in a subnet of it"),
        ("Gateway=10.2.0.1", "2: [Network] Gateway: '10.2.0.1' is not in a subnet of it"),
        ("Subnet=10.1.0.0/24\nGateway=10.1.0.255", "3: [Network] Gateway: '10.1.0.255' is no address of a host"),
        ("Gateway=10.1.0.0/24", "2: [Network] Gateway: '10.1.0.0/24' is not an IP address"),
        ("Range=10.1.0.5", "2: [Network] Range: '10.1.0.5' is not FIRST-LAST"),
        ("Range=10.1.0.5-fd00::1", "2: [Network] Range: '10.1.0.5-fd00::1' has addresses of different families"),
        (
            "Subnet=10.1.0.0/24\nRange=10.1.0.9-10.1.0.5",
            "3: [Network] Range: '10.1.0.9-10.1.0.5' ends before it begins",
        ),
        (
            "Subnet=10.1.0.0/24\nRange=10.2.0.1-10.2.0.5",
            "3: [Network] Range: '10.2.0.1-10.2.0.5' is not in a subnet of it",
        ),
        (
            "Subnet=10.1.0.0/24\nGateway=10.1.0.1\nGateway=10.1.0.2",
            "4: [Network] Gateway: '10.1.0.2' is a second gateway of IPv4",
        ),
        ("Subnet=127.1.0.0/16", "2: [Network] Subnet: '127.1.0.0/16' is not for networks of hosts"),
        ("Subnet=0.0.0.0/8", "2: [Network] Subnet: '0.0.0.0/8' is not for networks of hosts"),
        ("Subnet=239.1.0.0/16", "2: [Network] Subnet: '239.1.0.0/16' is not for networks of hosts"),
        ("Subnet=fe80::/64", "2: [Network] Subnet: 'fe80::/64' is not for networks of hosts"),
        ("Subnet=ff05::/64", "2: [Network] Subnet: 'ff05::/64' is not for networks of hosts"),
        ("MTU=67", "2: [Network] MTU: '67' is not from 68 to 65535"),
        ("MTU=1000", "2: [Network] MTU: IPv6 needs 1280"),
        ("VLAN=eth0", "2: [Network] VLAN: 'eth0' is not DEV.ID"),
        ("VLAN=eth0.4095", "2: [Network] VLAN: 'eth0.4095' is not DEV.ID"),
        ("VLAN=an-interface-too-long.5", "2: [Network] VLAN: 'an-interface-too-long' is not the name of a network"),
        ("VLAN=eth0.5", "2: [Network] VLAN: nsunit cannot know which addresses are free there"),
        ("Subnet=10.1.0.0/24\nVLAN=eth0.5\nDNS=yes", "4: [Network] DNS: the bridge of a network with VLAN= has no"),
        ("Subnet=10.1.0.0/24\nVLAN=eth0.5\nInternal=yes", "4: [Network] Internal: a network with VLAN= has a way out"),
        ("Domain=a b", "2: [Network] Domain: 'a b' is not a host name"),
        ("Subnett=1", "2: [Network] 'Subnett' is not a key"),
        ("[Container]\nExec=/a", "2: unknown section '[Container]'"),
    ],
)
def test_mistakes(lines, message):
    with pytest.raises(DefinitionError) as caught:
        network(lines)
    assert str(caught.value.problems[0]).startswith(f"shop.network.nsunit:{message}")


def test_hints():
    with pytest.raises(DefinitionError) as caught:
        network("Subnett=1")
    assert caught.value.problems[0].hint == "did you mean Subnet=?"
    with pytest.raises(DefinitionError) as caught:
        load_text("web", "[Network]\nSubnet=1\n[Container]\nRootfs=/r\nExec=/a\n", "web.nsunit", HOST)
    hint = "that is for NAME.network.nsunit; a container joins it with [Container] Network=NAME"
    assert caught.value.problems[0].hint == hint


def test_small_packets_are_fine_without_ipv6():
    assert network("Subnet=10.1.0.0/24\nMTU=1000").mtu == 1000


def test_files(tmp_path):
    search = SearchPath((str(tmp_path / "etc"), str(tmp_path / "usr")))
    for directory in ("etc/shop.network.nsunit.d", "usr"):
        (tmp_path / directory).mkdir(parents=True)
    (tmp_path / "usr/shop.network.nsunit").write_text("[Network]\nMTU=1400\nDomain=a\n")
    (tmp_path / "etc/shop.network.nsunit.d/a.conf").write_text("[Network]\nMTU=1500\nIsolate=yes\n")
    (tmp_path / "usr/bridge.network.nsunit").write_text("[Network]\n")  # that is nsunit's own
    found = load_network("shop", search, HOST)
    assert (found.mtu, found.isolated, found.domain) == (1500, True, "a")
    assert found.sources == (f"{tmp_path}/usr/shop.network.nsunit", f"{tmp_path}/etc/shop.network.nsunit.d/a.conf")
    assert list_networks(search) == ("shop",)
    assert list_names(search) == ()
    with pytest.raises(NotFoundError, match="the network 'shob' is not defined") as caught:
        load_network("shob", search, HOST)
    assert caught.value.hint == "did you mean 'shop'?"
    with pytest.raises(NotFoundError) as caught:
        load_network("other", search, HOST)
    assert caught.value.hint == "make it with 'nsunit network create other'"
    for suffix in (".network", ".network.nsunit"):
        with pytest.raises(NotFoundError) as caught:
            load_network("shop" + suffix, search, HOST)
        assert caught.value.hint == "name it without suffix: shop"
    (tmp_path / "etc/shop.network.nsunit").symlink_to("/dev/null")
    assert list_networks(search) == ()
    with pytest.raises(NotFoundError, match="the network 'shop' is masked by"):
        load_network("shop", search, HOST)
