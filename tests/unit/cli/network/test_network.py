"""network and capture: what they are asked for and what they print."""

import json

import pytest

from nsunit.cli.verbs import all_verbs, families, find_verb
from nsunit.features.network.model.attachment import Attachment, Device, Interface, Network
from nsunit.features.network.model.port import Port

SHOP = Network("shop", "nb-shop", ("10.20.0.0/24", "fd00:20::/64"), ("10.20.0.1", "fd00:20::1"), domain="shop.internal")
OFFICE = Network("office", "nb-office", (), (), internal=True, isolated=True, vlan="eth0.20")
WEB = Attachment(
    "web",
    (Interface(SHOP, "eth0", "nv-0", "0a:58:0a:14:00:02", ("10.20.0.2/24",)),),
    devices=(Device("macvlan", "eth0", "eth1", ("192.0.2.9/24",)),),
)


@pytest.fixture
def networks(manager):
    seen = []
    manager(
        "features.network.networks",
        overview=lambda _: [(SHOP, [WEB]), (OFFICE, [])],
        create=lambda _, *words: seen.append(words) or "/etc/nsunit/new.network.nsunit",
        remove=lambda _, name: seen.append(("rm", name)) or (["/usr/lib/x"] if name == "x" else []),
    )
    manager("features.network.check", prune=lambda _: ["shop", "bridge"], check=lambda _: ["a"], repair=lambda _: [])
    return seen


def test_list(nsunit, networks):
    assert (
        nsunit("network", "--no-headings")[1]
        == "shop\tnb-shop\t10.20.0.0/24 fd00:20::/64\tweb\noffice\tnb-office\t-\t-\n"
    )
    shop, office = json.loads(nsunit("network", "list", "--json")[1])
    assert (shop["domain"], office["vlan"], office["internal"]) == ("shop.internal", "eth0.20", True)
    (web,) = shop["containers"]
    assert web["addresses"] == ["10.20.0.2/24", "192.0.2.9/24"]
    assert web["interfaces"][0]["link"] == "nv-0"
    assert web["devices"][0]["parent"] == "eth0"


def test_lists_have_the_short_name_that_list_has(nsunit, networks):
    assert nsunit("network", "ls") == nsunit("network", "list")
    short = {name for verb in all_verbs() for name in verb.names if name.endswith(" ls")}
    assert short == {f"{name} ls" for name in families() if find_verb(f"{name} list")}
    assert {"image ls", "volume ls"} < short


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("web", "80"), "10.0.0.1:8080\n"),
        (("web", "53/udp"), "0.0.0.0:53 [::]:53\n"),
        (("80/tcp",), "web 10.0.0.1:8080\n"),
        (("web",), "80/tcp -> 10.0.0.1:8080\n53/udp -> 0.0.0.0:53 [::]:53\n"),
    ],
)
def test_port(nsunit, manager, words, said):
    published = WEB.replace(ports=(Port("10.0.0.1", 8080, 80, "tcp"), Port("", 53, 53, "udp")))
    manager("features.network.register", attachments=lambda _: [published], existing_attachment=lambda *_: published)
    assert nsunit("port", *words)[:2] == (0, said)


@pytest.mark.parametrize(
    ("port", "message", "status"),
    [
        ("53", "web: its port 53/tcp is not published", 3),
        ("80/icmp", "'80/icmp' is no port", 2),
        ("x/tcp", "'x/tcp' is no port", 2),
    ],
)
def test_a_port_that_is_none(nsunit, manager, port, message, status):
    manager("features.network.register", existing_attachment=lambda *_: WEB)
    found = nsunit("port", "web", port)
    assert (found[0], found[2].splitlines()[0]) == (status, f"nsunit: {message}")


def test_inspect(nsunit, networks):
    status, out, _ = nsunit("network", "--no-headings", "inspect")
    assert status == 0
    assert out.splitlines() == [
        " Network: shop",
        "  Bridge: nb-shop",
        " Subnets: 10.20.0.0/24 fd00:20::/64",
        "Gateways: 10.20.0.1 fd00:20::1",
        "     MTU: 1500",
        "  Domain: shop.internal",
        "web\teth0\tnv-0\t10.20.0.2/24\t0a:58:0a:14:00:02",
        "",
        " Network: office internal isolated",
        "  Bridge: nb-office on VLAN eth0.20",
        " Subnets: chosen when a container joins it",
        "     MTU: 1500",
    ]
    assert [net["name"] for net in json.loads(nsunit("network", "inspect", "office", "--json")[1])] == ["office"]
    status, _, err = nsunit("network", "inspect", "shob")
    assert (status, err.splitlines()[0]) == (3, "nsunit: the network 'shob' is not defined")
    assert "did you mean 'shop'?" in err


def test_changes(nsunit, networks):
    assert nsunit("network", "create", "new", "MTU=1400")[:2] == (0, "/etc/nsunit/new.network.nsunit\n")
    assert nsunit("network", "create", "-q", "new")[1] == ""
    assert nsunit("network", "rm", "a", "x") == (0, "", "nsunit: /usr/lib/x stays, it is not an administrator's\n")
    assert networks == [("new", ["MTU=1400"]), ("new", []), ("rm", "a"), ("rm", "x")]
    assert nsunit("network", "prune")[1] == "shop\nbridge\n"
    assert nsunit("network", "check")[:2] == (1, "a\n1 problem found\n")
    assert nsunit("network", "repair")[:2] == (0, "nothing is wrong\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("lost",), "network: 'lost' is not one of list, inspect, create, rm, prune, check, repair"),
        (("create",), "network create: a name is missing"),
        (("rm",), "network rm: a name is missing"),
        (("prune", "shop"), "network prune: 'shop' is one operand too many"),
    ],
)
def test_wrong_usage(nsunit, networks, words, message):
    status, _, err = nsunit("network", *words)
    assert (status, err.splitlines()[0]) == (2, f"nsunit: {message}")


def test_networks_are_the_systems(nsunit, networks):
    status, out, err = nsunit("--user", "network", "create", "shop")
    assert (status, out, networks) == (2, "", [])
    assert err.splitlines()[0] == "nsunit: networks are for containers of the system"


def test_capture(nsunit, manager):
    seen = []
    manager("deeds.session.capture", capture=lambda _, *words: seen.append(words) or 3)
    assert nsunit("capture", "web", "-i", "eth0", "--json")[0] == 3
    assert nsunit("capture", "web", "--", "-i", "eth0")[0] == 3
    assert seen == [("web", ["-i", "eth0", "--json"]), ("web", ["-i", "eth0"])]
