"""PublishPort= and HostPort=."""

import pytest

from nsunit.definition.load import Host, load_text
from nsunit.definition.words import ValueProblem
from nsunit.errors import DefinitionError
from nsunit.features.network.values import Port, host_ports, of, published_ports, with_exposed


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("8080:80", [Port("", 8080, 80, "tcp")]),
        ("53:53/udp 9:9/sctp", [Port("", 53, 53, "udp"), Port("", 9, 9, "sctp")]),
        ("127.0.0.1:8080:80", [Port("127.0.0.1", 8080, 80, "tcp")]),
        ("[::1]:8080:80/tcp", [Port("::1", 8080, 80, "tcp")]),
        ("[2001:DB8:0::1]:8080:80", [Port("2001:db8::1", 8080, 80, "tcp")]),
        ("0.0.0.0:1:2 [::]:3:4", [Port("", 1, 2, "tcp"), Port("", 3, 4, "tcp")]),
        ("8000-8002:9000-9002", [Port("", 8000 + n, 9000 + n, "tcp") for n in range(3)]),
    ],
)
def test_published_ports(text, ports):
    assert list(published_ports(text)) == ports


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("80", "'80' does not say which port of the host"),
        ("0:80", "'0:80' has no valid port"),
        ("80:65536", "'80:65536' has no valid port"),
        ("8x:80", "'8x:80' has no valid port"),
        (":80", "':80' has no valid port"),
        ("9-8:1-2", "'9-8:1-2' has no valid port"),
        ("1-3:1-2", "'1-3:1-2' has ranges of different lengths"),
        ("1-300:1-300", "'1-300:1-300' is a range of more than 256 ports"),
        ("80:80/icmp", "'80:80/icmp' has an unknown protocol"),
        ("300.1.1.1:80:80", "'300.1.1.1:80:80' has no valid address"),
        ("::1:80:80", "'::1:80:80' has no valid address"),
        ('80:80"; flush ruleset #"', None),
    ],
)
def test_wrong_published_ports(text, message):
    with pytest.raises(ValueProblem) as caught:
        published_ports(text)
    assert message is None or str(caught.value) == message


def test_host_ports():
    assert host_ports("5432 53/udp 7-8") == ((5432, "tcp"), (53, "udp"), (7, "tcp"), (8, "tcp"))
    with pytest.raises(ValueProblem, match="'x' has no valid port") as caught:
        host_ports("x")
    assert "HOST:CONTAINER" not in caught.value.hint


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Network=bridge\nPublishPort=80:80\nPublishPort=80:81", "a port of the host is published twice"),
        ("Network=none\nPublishPort=80:80", "ports cannot be published with Network=none"),
        ("Network=pasta\nPublishPort=9:9/sctp", r"pasta\(1\) cannot publish 9/sctp"),
        ("Network=slirp4netns", "'slirp4netns' is not what containers are connected by"),
        ("Network=none\nImage=x\nPublishPort=all", "ports cannot be published with Network=none"),
        ("PublishPort=all", "there is no Image= that could say what 'all' is"),
        ("Image=x\nActivation=socket\nPublishPort=all", "nobody knows yet what 'all' is when systemd listens"),
        ("HostPort=80", "there is nothing to open with Network=none"),
        ("Ingress=1M", "there is no link to be limited with Network=none"),
        ("Egress=7999", "'7999' is less than 8K, which is 8000 bits in a second"),
        ("Ingress=10Mbit", "'10Mbit' is not a rate"),
    ],
)
def test_ports_need_a_network(line, message):
    with pytest.raises(DefinitionError, match=message):
        load_text("web", f"[Container]\nRootfs=/r\nReadOnly=yes\nExec=/a\n{line}\n", "web.nsunit", Host(257))


@pytest.mark.parametrize(
    ("lines", "uid", "network"),
    [
        ("PublishPort=8080:80", 0, "bridge"),
        ("PublishPort=8080:80", 1000, "pasta"),
        ("Activation=socket\nPublishPort=8080:80", 0, "bridge"),
        ("Activation=fds\nPublishPort=8080:80", 0, "none"),
        ("Network=shop\nNetwork=\nPublishPort=8080:80", 0, "bridge"),
        ("PublishPort=8080:80\nPublishPort=", 0, "none"),
    ],
)
def test_published_ports_mean_a_network(lines, uid, network):
    text = f"[Container]\nRootfs=/r\nReadOnly=yes\nExec=/a\n{lines}\n"
    found = load_text("web", text, "web.nsunit", Host(257, uid=uid)).container
    assert (found.network, found.uses("pasta")) == (network, network == "pasta")


def test_what_an_image_exposes():
    text = "[Container]\nImage=x\nPublishPort=all 8080:80 443:8443\n"
    container = load_text("web", text, "web.nsunit", Host(257)).container
    assert of(container).exposed
    found = of(with_exposed(container, ((80, "tcp"), (80, "udp"), (443, "tcp"), (22, "tcp"))))
    assert not found.exposed
    assert [f"{port}={port.container}" for port in found.published_ports] == [
        *("8080/tcp=80", "443/tcp=8443", "80/udp=80", "22/tcp=22")
    ]


def networks(*values):
    lines = "".join(f"Network={value}\n" for value in values)
    return load_text("web", f"[Container]\nRootfs=/r\nReadOnly=yes\nExec=/a\n{lines}", "web.nsunit", Host(257))


@pytest.mark.parametrize(
    ("values", "network", "names"),
    [
        (("bridge",), "bridge", ["bridge"]),
        (("bridge", "shop", "db-1"), "bridge", ["bridge", "shop", "db-1"]),
        (("bridge", "host"), "host", []),
        (("host", "shop"), "bridge", ["shop"]),
        (("shop", "container:db"), "container:db", []),
        (("shop", ""), "none", []),
        (("shop", "", "bridge"), "bridge", ["bridge"]),
    ],
)
def test_networks_add_up_and_anything_else_is_the_only_one(values, network, names):
    found = networks(*values)
    assert found.container.network == network
    assert [connection.target for connection in of(found.container).connections] == names
    texts = [text for key, text in found.texts_of("Container") if key == "Network"]
    assert texts == (names or ([network] if network != "none" else []))


def test_wrong_networks():
    with pytest.raises(DefinitionError, match="Network: 'Shop' is not the name of a network"):
        networks("Shop")
    with pytest.raises(DefinitionError, match=r"web.nsunit:6: \[Container\] Network: a network is named twice"):
        networks("shop", "shop")


def test_bandwidth_is_in_bits():
    text = "[Container]\nRootfs=/r\nReadOnly=yes\nExec=/a\nNetwork=bridge\nEgress=10M\nIngress=8K\n"
    connected = of(load_text("web", text, "web.nsunit", Host(257)).container)
    assert (connected.egress, connected.ingress) == (1_250_000, 1000)
