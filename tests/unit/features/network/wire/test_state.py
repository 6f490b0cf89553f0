"""What is missing inside, given what the kernel says of links there."""

import pytest

from nsunit.features.network.model.attachment import Attachment, Device, Interface, Network
from nsunit.features.network.model.host_links import Link
from nsunit.features.network.wire import links
from nsunit.features.network.wire import state as looking

NETWORK = Network("shop", "nb-shop", ("10.20.0.0/24",), ("10.20.0.1",))
WEB = Interface(NETWORK, "eth0", "nv-web", "0a:58:0a:14:00:02", ("10.20.0.2/24",))
LAN = Device("macvlan", "wire0", "eth1", ("192.0.2.9/24", "2001:db8::9/64"))
ITEM = Attachment("web", (WEB,), egress=1000, ingress=2000, devices=(LAN,))
FOUR, SIX = (3, bytes((192, 0, 2, 9)), 24), (3, bytes.fromhex("20010db8000000000000000000000009"), 64)
UP, DOWN = Link(3), Link(3, up=False)


@pytest.mark.parametrize(
    ("there", "addresses", "held", "wrong"),
    [
        ({"eth1": UP}, {FOUR, SIX}, {"eth0"}, []),
        ({}, set(), {"eth0"}, ["the interface 'eth1' is gone"]),
        ({"eth1": DOWN}, {FOUR, SIX}, {"eth0"}, ["the interface 'eth1' is down"]),
        ({"eth1": UP}, {FOUR}, {"eth0"}, ["the interface 'eth1' has lost the address 2001:db8::9/64"]),
        (
            *({"eth1": UP}, {(*FOUR[:2], 32), SIX}, set()),
            [
                "the interface 'eth1' has lost the address 192.0.2.9/24",
                "the interface 'eth0' is not held to Egress= any more",
            ],
        ),
    ],
)
def test_what_is_wrong_inside(monkeypatch, there, addresses, held, wrong):
    monkeypatch.setattr(looking, "links", lambda: there)
    monkeypatch.setattr(looking, "all_addresses", lambda: addresses)
    monkeypatch.setattr(looking, "limited", lambda: held)
    assert looking.wrong_inside(ITEM) == wrong


def test_names_that_are_no_text(monkeypatch):
    """Who has CAP_NET_ADMIN can call an interface so, and all networks are looked at by one process."""
    there = [((0, 1, number, 1, 0), {3: name + b"\0"}) for number, name in ((2, b"\xff\xe2\x80\xa8"), (3, b"eth0"))]
    monkeypatch.setattr(looking, "_dump", lambda *_: there)
    assert looking.links().keys() == {"\udcff\u2028", "eth0"}


def test_this_machine():
    index = links.index("lo")
    assert looking.links()["lo"] == Link(index, looking.links()["lo"].up)
    found = looking.all_addresses()
    assert found == set() or (index, b"\x7f\0\0\1", 8) in found
    assert looking.reached_by_loopback() in (set(), {index})
    found = looking.host([NETWORK.replace(bridge="no-such-link")])
    assert found.sysctls["ipv4/conf/no-such-link/route_localnet"] == ""
    assert links.is_there("lo")
    assert not links.is_there("no-such-link")


def test_one_look_into_each_namespace(monkeypatch):
    entered = []
    monkeypatch.setattr(links, "enter", entered.append)
    monkeypatch.setattr(looking, "wrong_inside", lambda item: [f"{item.container} {len(entered)}", "more"])
    places = [
        ("/proc/self/ns/net", ITEM),
        ("/proc/self/ns/none", ITEM),
        ("/proc/self/ns/net", ITEM.replace(container="db")),
    ]
    assert looking.wrong_within(places) == {"web": ["web 1", "more"], "db": ["db 2", "more"]}
    assert entered == []  # it was another process
    assert looking.wrong_within([]) == {}
