"""Which connections of UDP a published port makes wrong, and its end."""

import pytest

from nsunit.features.network.model.attachment import Attachment, Interface, Network
from nsunit.features.network.model.flows import Flow, leads_in, misses, ports
from nsunit.features.network.model.port import Port

NETWORK = Network("bridge", "nsunit0", ("10.91.0.0/24", "fd00:1::/64"), ("10.91.0.1", "fd00:1::1"))
WEB = Attachment(
    "web",
    (Interface(NETWORK, "eth0", "nv-0", "0a:58:0a:5b:00:02", ("10.91.0.2/24", "fd00:1::2/64")),),
    (
        Port("", 5353, 53, "udp"),
        Port("192.0.2.1", 5354, 54, "udp"),
        Port("", 5355, 55, "udp", listened=True),
        Port("", 5356, 56, "tcp"),
    ),
)


def packed(text):
    return bytes(int(part) for part in text.split("."))


HERE, THERE, OWN = packed("192.0.2.1"), packed("198.51.100.9"), packed("10.91.0.2")
LOCAL = {HERE, bytes(15) + b"\1"}
SIX = bytes.fromhex("fd000001000000000000000000000002")


def test_ports_that_matter():
    assert [port.host for port in ports(WEB)] == [5353, 5354]


@pytest.mark.parametrize(
    ("flow", "is_wrong", "is_own"),
    [
        (Flow(HERE, 5353, HERE, 5353), True, False),  # from before the start
        (Flow(HERE, 5353, packed("10.91.0.7"), 53), True, False),  # to a container that had the port before
        (Flow(HERE, 5353, OWN, 53), False, True),
        (Flow(HERE, 5353, OWN, 99), True, False),  # the port inside was another one
        (Flow(packed("127.0.0.1"), 5353, packed("127.0.0.1"), 5353), True, False),
        (Flow(THERE, 5353, THERE, 5353), False, False),  # somebody asks another host
        (Flow(HERE, 53, HERE, 53), False, False),  # another port of this one
        (Flow(HERE, 5354, HERE, 5354), True, False),
        (Flow(packed("127.0.0.1"), 5354, packed("127.0.0.1"), 5354), False, False),  # published on one address
        (Flow(HERE, 5355, HERE, 5355), False, False),  # a socket has it
        (Flow(HERE, 5356, HERE, 5356), False, False),  # TCP connections end
        (Flow(bytes(15) + b"\1", 5353, bytes(15) + b"\1", 5353), True, False),
        (Flow(bytes(15) + b"\1", 5353, SIX, 53), False, True),
    ],
)
def test_what_is_forgotten(flow, is_wrong, is_own):
    assert misses(flow, WEB, LOCAL) == is_wrong
    assert leads_in(flow, WEB, LOCAL) == is_own


def test_a_family_that_leads_nowhere_is_left_alone():
    interface = WEB.interfaces[0].replace(addresses=("10.91.0.2/24",))
    assert not misses(
        Flow(bytes(15) + b"\1", 5353, bytes(15) + b"\1", 5353), WEB.replace(interfaces=(interface,)), LOCAL
    )
