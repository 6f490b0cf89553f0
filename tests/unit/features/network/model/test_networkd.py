"""What systemd-networkd inside is told."""

from nsunit.features.network.model.attachment import Attachment, Device, Interface, Network
from nsunit.features.network.model.networkd import network_files

NETWORK = Network("bridge", "nsunit0", ("10.91.0.0/24", "fd00:1::/64"), ("10.91.0.1", "fd00:1::1"))
BOTH = Interface(
    *(NETWORK, "eth0", "nv-0", "0a:58:0a:5b:00:02", ("10.91.0.2/24", "fd00:1::2/64"), ("10.91.0.1", "fd00:1::1")),
    routes=("10.5.0.0/16 via 10.91.0.9", "10.6.0.0/16"),
)
TEXT = """\
[Match]
Name=eth0

[Network]
LinkLocalAddressing=ipv6
IPv6AcceptRA=no
Gateway=10.91.0.1
Gateway=fd00:1::1

[Address]
Address=10.91.0.2/24

[Address]
Address=fd00:1::2/64
DuplicateAddressDetection=none

[Route]
Destination=10.5.0.0/16
Gateway=10.91.0.9

[Route]
Destination=10.6.0.0/16
Scope=link
"""


def test_what_nsunit_gave_is_kept_and_the_rest_is_asked_for():
    four = BOTH.replace(name="eth1", addresses=("10.9.0.2/29",), gateways=(), routes=())
    lan = Device("macvlan", "enp1s0", "eth2")
    found = network_files(Attachment("os", (BOTH, four), devices=(lan,)))
    assert found == {
        "05-nsunit-eth0.network": TEXT,
        "05-nsunit-eth1.network": "[Match]\nName=eth1\n\n[Network]\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n\n"
        "[Address]\nAddress=10.9.0.2/29\n",
        "95-nsunit-eth2.network": "[Match]\nName=eth2\n\n[Network]\nDHCP=yes\n",
    }
