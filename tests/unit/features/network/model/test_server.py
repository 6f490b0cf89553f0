"""What dnsmasq is told for a network."""

from nsunit.features.network.model.attachment import Network
from nsunit.features.network.model.server import configuration, names_file, pid_file

NETWORK = Network("shop", "nb-shop", ("10.92.0.0/24", "fd00:1::/64"), ("10.92.0.1", "fd00:1::1"), dns=True)


def test_it_listens_on_the_bridge_alone_and_watches_the_file():
    lines = configuration(NETWORK, "/run/nsunit").splitlines()
    assert [line for line in lines if "listen" in line] == ["listen-address=10.92.0.1", "listen-address=fd00:1::1"]
    assert "bind-interfaces" in lines
    assert f"pid-file={pid_file('shop')}" in lines
    assert "hostsdir=/run/nsunit-names/shop/hosts" in lines
    assert names_file("/run/nsunit", "shop") == "/run/nsunit-names/shop/hosts/containers"
    assert not [line for line in lines if line.startswith(("local=", "no-resolv"))]


def test_its_own_domain_and_an_internal_network_ask_nobody():
    assert "local=/shop.internal/" in configuration(NETWORK.replace(domain="shop.internal"), "/run/nsunit").splitlines()
    assert {"no-resolv", "local=/#/"} <= set(configuration(NETWORK.replace(internal=True), "/run/nsunit").splitlines())
