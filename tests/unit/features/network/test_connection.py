"""Network= with options, and the keys for the first network."""

import pytest
from definitions import definition

from nsunit.definition.words import ValueProblem
from nsunit.errors import DefinitionError, NsunitError
from nsunit.features.network.connection import Connection, connection, route
from nsunit.features.network.deeds import check_enable
from nsunit.features.network.values import of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("shop", Connection("shop")),
        (
            "shop:address=10.1.2.3,address=FD00:0::3,mac=0A:00:00:00:00:01,gateway=10.1.2.9,mtu=1400",
            Connection(
                *("shop", "bridge", ("10.1.2.3", "fd00::3"), "0a:00:00:00:00:01", ("10.1.2.9",), ()),
                mtu=1400,
            ),
        ),
        ("bridge:route=10.5.0.0/16 via 10.91.0.9", Connection("bridge", routes=("10.5.0.0/16 via 10.91.0.9",))),
        ("macvlan:eth0", Connection("eth0", "macvlan")),
        ("ipvlan:eth0:address=fd00::3/64", Connection("eth0", "ipvlan", ("fd00::3/64",))),
        ("vlan:eth0.5:address=10.0.0.1/8,route=::/0", Connection("eth0.5", "vlan", ("10.0.0.1/8",), routes=("::/0",))),
        ("veth:host-web", Connection("host-web", "veth")),
        ("phys:sl0", Connection("sl0", "phys")),
    ],
)
def test_networks(text, expected):
    assert connection(text) == expected
    assert str(expected) == (expected.target if expected.kind == "bridge" else f"{expected.kind}:{expected.target}")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("front back", "one Network= for each network"),
        ("front,back", "one Network= for each network"),
        ("front:alias=db", "use NetworkAlias="),
        ("front:ip=10.0.0.1", "use address="),
    ],
)
def test_what_podman_and_compose_write_is_answered(text, hint):
    with pytest.raises(ValueProblem) as caught:
        connection(text)
    assert caught.value.hint == hint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Shop", "'Shop' is not the name of a network"),
        ("shop:ip=1", "'ip=1' is not an option of a network"),
        ("shop:address", "'address' is not an option of a network"),
        ("shop:address=10.1", "'10.1' is not an IP address"),
        ("shop:address=10.1.2.3/33", "'10.1.2.3/33' has no valid prefix length"),
        ("shop:mac=0a:00", "'0a:00' is not a MAC address"),
        ("shop:mac=01:00:00:00:00:01", "'01:00:00:00:00:01' is not the address of one link"),
        ("shop:mac=00:00:00:00:00:00", "'00:00:00:00:00:00' is not the address of one link"),
        ("shop:mtu=1", "'1' is not from 68 to 65535"),
        ("shop:route=10.1.0.1/16", "'10.1.0.1/16' is not SUBNET or SUBNET via ADDRESS"),
        ("shop:route=10.1.0.0/16 via fd00::1", "'10.1.0.0/16 via fd00::1' has addresses of different families"),
        ("macvlan:", "'macvlan:' does not say which link of the host"),
        ("ipvlan", "'ipvlan' does not say which link of the host"),
        ("macvlam:eth0", "'eth0' is not an option of a network"),
        ("shop:route=default via 10.1.0.1", "'default via 10.1.0.1' is not a route but the way out"),
        ("shop:address=127.0.0.1", "'127.0.0.1' is not an address that a host can have"),
        ("shop:address=::", "'::' is not an address that a host can have"),
        (f"macvlan:eth0:address=10.0.0.1/{'9' * 5000}", f"'10.0.0.1/{'9' * 5000}' has no valid prefix length"),
        ("macvlan:a/b", "'a/b' is not the name of a network interface"),
        ("vlan:eth0", "'eth0' is not DEV.ID"),
    ],
)
def test_wrong_networks(text, message):
    with pytest.raises(ValueProblem) as caught:
        connection(text)
    assert str(caught.value) == message


def test_routes():
    assert route("10.0.0.0/8  via  10.1.2.3") == "10.0.0.0/8 via 10.1.2.3"


def test_keys_are_about_the_first_network():
    keys = "Address=10.1.2.3\nMACAddress=0a:00:00:00:00:01\nGateway=10.1.2.9\nRoute=10.5.0.0/16\nMTU=1400"
    connected = of(definition(f"Network=shop:mtu=1300\nNetwork=bridge\n{keys}").container)
    first, second = connected.connections
    assert first == Connection(
        *("shop", "bridge", ("10.1.2.3",), "0a:00:00:00:00:01", ("10.1.2.9",), ("10.5.0.0/16",), 1400)
    )
    assert second == Connection("bridge")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("Network=shop\nNetwork=shop:mtu=1400", "6: [Container] Network: a network is named twice"),
        (
            "Network=shop\nAddress=10.1.2.3/24",
            "5: [Container] Network: shop: address '10.1.2.3/24' has a prefix length",
        ),
        (
            "Network=macvlan:eth0:address=fd00::1",
            "5: [Container] Network: macvlan:eth0: address 'fd00::1' needs a prefix length",
        ),
        ("Network=shop:address=10.0.0.1,address=10.0.0.2", "5: [Container] Network: shop: there can be one address of"),
        (
            "Network=ipvlan:eth0:mac=0a:00:00:00:00:01",
            "5: [Container] Network: ipvlan:eth0: the MAC address is that of",
        ),
        (
            "Network=macvlan:eth0:address=fd00::1/64,mtu=1000",
            "5: [Container] Network: macvlan:eth0: IPv6 needs an MTU of 1280",
        ),
        ("Network=pasta\nAddress=10.1.2.3", "6: [Container] Address: it is as on the host with Network=pasta"),
        ("Network=phys:eth0:mtu=1400", "5: [Container] Network: phys:eth0: the MTU is that of the link"),
        ("Address=10.1.2.3", "5: [Container] Address: there is no network with Network=none"),
        ("Network=host\nMTU=1400", "6: [Container] MTU: there is no network with Network=host"),
    ],
)
def test_contradictions(lines, message):
    with pytest.raises(DefinitionError) as caught:
        definition(lines)
    assert str(caught.value.problems[0]).startswith(f"web.nsunit:{message}")


@pytest.mark.parametrize("now", ["Network=host", "Network=lab", "Network=bridge\nPublishPort=81:80", "Network=bridge"])
def test_what_runs_is_detached_by_what_it_was_attached_with(now):
    def with_network(text):
        return definition(f"[Container]\nRootfs=/srv/r\nExec=sh\n{text}\n")

    running = with_network("Network=bridge\nPublishPort=80:80")
    check_enable(running, with_network("Network=bridge\nPublishPort=80:80\nEgress=1M\nUser=1"))
    with pytest.raises(NsunitError, match="runs with other networks or ports than its definition has"):
        check_enable(running, with_network(now))
