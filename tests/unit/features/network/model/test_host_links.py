"""What the host lacks of bridges and links, a line each."""

import pytest

from nsunit.features.network.model.attachment import Interface, Network
from nsunit.features.network.model.host_links import HostLinks, Link, packed, wrong_interface, wrong_network

NETWORK = Network("shop", "nb-shop", ("10.20.0.0/24", "fd00:20::/64"), ("10.20.0.1", "fd00:20::1"))
VLAN = Network("office", "nb-office", ("10.24.0.0/24",), ("10.24.0.1",), vlan="wire0.8")
WEB = Interface(NETWORK, "eth0", "nv-web", "0a:58:0a:14:00:02", ("10.20.0.2/24",))
HOST = HostLinks(
    {
        "nb-shop": Link(3),
        "nv-web": Link(4, master=3),
        "nb-office": Link(5),
        "nu-office": Link(6, master=5),
    },
    frozenset({(3, *packed("10.20.0.1/24")), (3, *packed("fd00:20::1/64"))}),
    frozenset({1, 3}),
    {**dict(NETWORK.sysctls), **dict(VLAN.sysctls)},
)


def host(**links):
    return HOST.replace(links={**HOST.links, **{name.replace("_", "-"): link for name, link in links.items()}})


def without(*names):
    return HOST.replace(links={name: link for name, link in HOST.links.items() if name not in names})


def test_nothing_is_wrong():
    for network in (NETWORK, VLAN):
        assert wrong_network(network, HOST) == []
    assert wrong_interface(WEB, HOST) == []
    assert HOST.sysctls["ipv4/conf/nb-shop/route_localnet"] == "1"
    assert HOST.sysctls["ipv6/conf/all/forwarding"] == "1"


@pytest.mark.parametrize(
    ("network", "there", "wrong"),
    [
        (NETWORK, without("nb-shop"), ["the bridge 'nb-shop' is gone"]),
        (NETWORK, host(nb_shop=Link(3, up=False)), ["the bridge 'nb-shop' is down"]),
        (
            NETWORK,
            HOST.replace(addresses=frozenset({(3, *packed("10.20.0.1/16")), (7, *packed("fd00:20::1/64"))})),
            [
                "the bridge 'nb-shop' has lost the address 10.20.0.1/24",
                "the bridge 'nb-shop' has lost the address fd00:20::1/64",
            ],
        ),
        (
            NETWORK,
            HOST.replace(loopback=frozenset({1})),
            ["replies to ::1 do not come in by the bridge 'nb-shop' any more"],
        ),
        (NETWORK.replace(internal=True), HOST.replace(loopback=frozenset()), []),
        (
            NETWORK,
            HOST.replace(sysctls={**HOST.sysctls, "ipv4/ip_forward": "0", "ipv6/conf/nb-shop/accept_ra": ""}),
            [
                "the sysctl 'net/ipv4/ip_forward' is '0' and not '1'",
                "the sysctl 'net/ipv6/conf/nb-shop/accept_ra' is '' and not '0'",
            ],
        ),
        (VLAN, without("nu-office"), ["the bridge 'nb-office' is not connected to VLAN wire0.8"]),
        (VLAN, host(nu_office=Link(6)), ["the bridge 'nb-office' is not connected to VLAN wire0.8"]),
        (VLAN, host(nu_office=Link(6, False, 5)), ["the link 'nu-office' of VLAN wire0.8 is down"]),
    ],
)
def test_what_a_network_lacks(network, there, wrong):
    assert wrong_network(network, there) == wrong


@pytest.mark.parametrize(
    ("isolated", "there", "wrong"),
    [
        (False, without("nv-web"), "the link 'nv-web' is gone"),
        (False, host(nv_web=Link(4, master=5)), "the link 'nv-web' is not on the bridge"),
        (False, host(nv_web=Link(4, up=False, master=3)), "the link 'nv-web' is down"),
        (True, host(nv_web=Link(4, master=3)), "the link 'nv-web' is not isolated from its neighbours any more"),
        (True, host(nv_web=Link(4, master=3, isolated=True)), ""),
    ],
)
def test_what_a_link_lacks(isolated, there, wrong):
    interface = WEB.replace(network=NETWORK.replace(isolated=isolated))
    assert wrong_interface(interface, there) == ([wrong] if wrong else [])
