"""Networks with definitions of their own: who reaches whom, shown by connections."""

import ipaddress
import json
import os
import subprocess
import time
from pathlib import Path

import pytest
from counts import count
from dying import LOCKS, die_at
from waiting import wait_until

from nsunit.features.network import program
from nsunit.features.network.model import firewall
from nsunit.features.network.model.attachment import Attachment, Interface, Network
from nsunit.features.network.model.port import Port
from nsunit.features.network.wire import nft

pytestmark = pytest.mark.kernel("nftables")

ANYWHERE = pytest.mark.anywhere("bridges and addresses of the kernel's")

CROWD = count("CROWD")  # of containers in one network
STORM = min(CROWD, 50)  # of them at once
PATIENT = "[Service]\nTimeoutStartSec=10min\nTimeoutStopSec=10min\n"  # 50 starts share one emulated processor
DEFINITIONS = Path("/etc/nsunit")
NETWORKS = {
    "shop": "Subnet=10.20.0.0/24\nGateway=10.20.0.254\nDomain=shop.internal\nMTU=1400\n",
    "six": "Subnet=fd00:20::/64\n",
    "inside": "Subnet=10.21.0.0/24\nInternal=yes\n",
    "apart": "Isolate=yes\n",
}
BUSYBOX = "[Container]\nRootfs=/srv/roots/busybox\nVolatile=yes\nExec=/bin/nc -ll -p 80 -e /bin/hostname\n"
START_SECONDS, STOP_SECONDS = 12, 8
WORLD = "192.0.2.2"  # an address of the host that no container's network is a part of


def networks(*names):
    return BUSYBOX + "".join(f"Network={name}\n" for name in names)


@pytest.fixture(scope="module", autouse=True)
def defined(nsunit, shared):
    """The definitions; when all is done nothing may be left of the networks."""
    DEFINITIONS.mkdir(exist_ok=True)
    for name, text in NETWORKS.items():
        (DEFINITIONS / f"{name}.network.nsunit").write_text("[Network]\n" + text)
    shell(f"ip link add world type veth peer name world1 && ip addr add {WORLD}/24 dev world && ip link set world up")
    yield
    shared.clean()
    shell("ip link del world")
    nsunit("network", "prune")
    for name in NETWORKS:
        nsunit("network", "rm", name)
    assert [link for link in links() if link.startswith(("nv-", "nb-", "nu-"))] == []
    assert not list(Path("/var/lib/nsunit/networks").iterdir())


def shell(line):
    return subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True).stdout


def links():
    return [path.name for path in Path("/sys/class/net").iterdir()]


def addresses(nsunit, container):
    """What a container is connected to: network → addresses without lengths."""
    document = json.loads(nsunit("network", "list", "--json").stdout)
    rows = {row["container"]: row for net in document for row in net["containers"]}
    return {
        interface["network"]: [address.partition("/")[0] for address in interface["addresses"]]
        for interface in rows[container.name]["interfaces"]
    }


def ask(container, address):
    """What the server at an address tells a container; nothing where it is not reached."""
    command = ["nsenter", f"--net=/proc/{container.pid}/ns/net", "busybox", "nc", "-w", "3", address, "80"]
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False).stdout.strip()


def inside(container, *words):
    """A command of the host in the network of a container."""
    return shell(f"nsenter --net=/proc/{container.pid}/ns/net {' '.join(words)}")


@pytest.fixture(scope="module")
def town(shared):
    """Containers by name, each in some networks."""
    wanted = {"front": ("inside", "shop", "six"), "db": ("inside",), "six": ("six",), "one": ("apart",)}
    found = {name: shared.start(networks(*names) + f"Hostname={name}\n") for name, names in wanted.items()}
    found["two"] = shared.start(networks("apart") + "Hostname=two\nPublishPort=8070:80\n")
    return found


def test_each_network_is_an_interface(town, nsunit):
    found = addresses(nsunit, town["front"])
    assert found == {"inside": ["10.21.0.2"], "shop": ["10.20.0.1"], "six": ["fd00:20::2"]}
    shown = json.loads(inside(town["front"], "ip", "-j", "addr"))
    assert [(link["ifname"], link["mtu"]) for link in shown[1:]] == [("eth0", 1500), ("eth1", 1400), ("eth2", 1500)]
    # The first network with a way out has the default route, for each family.
    routes = [
        json.loads(inside(town["front"], "ip", "-j", family, "route", "show", "default"))[0] for family in ("-4", "-6")
    ]
    assert [(route["dst"], route["gateway"], route["dev"]) for route in routes] == [
        ("default", "10.20.0.254", "eth1"),
        ("default", "fd00:20::1", "eth2"),
    ]
    status = nsunit("status", town["front"].name).stdout
    assert "Network: 10.21.0.2/24 10.20.0.1/24 fd00:20::2/64 (inside, shop, six)\n" in status


def test_neighbours_reach_each_other_and_nobody_else_does(town, nsunit):
    where = {name: addresses(nsunit, container) for name, container in town.items()}
    assert ask(town["front"], where["db"]["inside"][0]) == "db"
    assert ask(town["front"], where["six"]["six"][0]) == "six"
    assert ask(town["db"], where["front"]["inside"][0]) == "front"
    # There is no route between networks, in neither family.
    for target in (where["front"]["shop"][0], where["front"]["inside"][0], where["front"]["six"][0]):
        assert ask(town["one"], target) == ""
    assert ask(town["six"], where["one"]["apart"][1]) == ""


def test_an_internal_network_has_no_way_out(town):
    # To the host itself nothing is open; an answer, a refusal, would come from there.
    assert inside(town["db"], "ip", "route", "show", "default") == ""
    with subprocess.Popen(["busybox", "nc", "-ll", "-p", "80", "-s", WORLD, "-e", "/bin/hostname"]) as server:
        inside(town["db"], "ip", "route", "add", "default", "via", "10.21.0.1")  # as its root could with NET_ADMIN
        assert ask(town["db"], WORLD) == ""
        server.kill()
    inside(town["db"], "ip", "route", "del", "default")


@ANYWHERE
def test_containers_of_an_isolated_network_are_apart(town, nsunit):
    where = {name: addresses(nsunit, town[name])["apart"] for name in ("one", "two")}
    assert where["one"][0].startswith("10.92.")
    for address in where["two"]:
        assert ask(town["one"], address) == ""
        assert shell(f"busybox nc -w 3 {address} 80").strip() == "two"  # the host reaches it
    assert shell("busybox nc -w 3 127.0.0.1 8070").strip() == "two"


def test_what_is_shown(town, nsunit):
    assert f"shop\tnb-shop\t10.20.0.0/24\t{town['front'].name}\n" in nsunit("network", "list").stdout
    shown = nsunit("network", "inspect", "inside").stdout
    assert "Network: inside internal\n" in shown
    assert f"{town['db'].name}\teth0\tnv-" in shown
    assert nsunit("network", "inspect", "bridged", check=False).stderr.startswith(
        "nsunit: the network 'bridged' is not defined"
    )
    assert nsunit("network", "check").stdout == "nothing is wrong\n"


def test_packets_are_watched_inside(town, nsunit):
    front = town["front"].name
    done = nsunit("capture", front, check=False)
    assert done.stderr.splitlines()[0] == "nsunit: tcpdump is not installed"
    stand_in = Path("/usr/local/sbin/tcpdump")
    stand_in.write_text("#!/bin/sh\necho $*; ls /sys/class/net; exit 7\n")
    stand_in.chmod(0o755)
    done = nsunit("capture", front, "-i", "eth1", check=False)
    stand_in.unlink()
    assert (done.returncode, done.stdout.split()) == (7, ["-i", "eth1", "eth0", "eth1", "eth2", "lo"])


def test_what_is_lost_is_repaired(town, nsunit):
    front = town["front"]
    subprocess.run(["nft", "flush", "ruleset"], check=True)
    subprocess.run(["ip", "link", "del", "nb-inside"], check=True)
    found = nsunit("network", "check", check=False)
    assert found.returncode == 1
    for line in (
        "the bridge 'nb-inside' is gone",
        f"{front.name}: some of its firewall rules are missing",
    ):
        assert line in found.stdout
    nsunit("network", "repair")
    assert nsunit("network", "check").stdout == "nothing is wrong\n"
    where = addresses(nsunit, town["db"])["inside"][0]
    assert ask(front, where) == "db"
    assert ask(town["one"], addresses(nsunit, front)["shop"][0]) == ""
    assert inside(front, "ip", "route", "show", "default").startswith("default via 10.20.0.254 dev eth1")


def test_what_the_host_has_lost_is_named_and_put_back(town, nsunit):
    def answers():
        """What the published port answers by either loopback address."""
        return [shell(f"busybox nc -w 5 {address} 8070").strip() for address in ("127.0.0.1", "::1")]

    one, two = town["one"], town["two"]
    (network,) = json.loads(nsunit("network", "inspect", "apart", "--json").stdout)
    link = {row["container"]: row["interfaces"][0]["link"] for row in network["containers"]}
    address = "10.92." + addresses(nsunit, two)["apart"][0].split(".")[2] + ".1/24"
    shell(
        f"ip -6 route del local ::1 dev nb-apart table local; ip addr del {address} dev nb-apart"
        f"; ip link set {link[two.name]} down; bridge link set dev {link[one.name]} isolated off"
        "; ip link set nb-inside down"
        "; sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0 net.ipv4.conf.nb-apart.route_localnet=0"
    )
    lines = [
        f"the bridge 'nb-apart' has lost the address {address}",
        "replies to ::1 do not come in by the bridge 'nb-apart' any more",
        "the sysctl 'net/ipv4/ip_forward' is '0' and not '1'",
        "the sysctl 'net/ipv4/conf/nb-apart/route_localnet' is '0' and not '1'",
        "the sysctl 'net/ipv6/conf/all/forwarding' is '0' and not '1'",
        "the bridge 'nb-inside' is down",
        *sorted(
            (
                f"{one.name}: the link '{link[one.name]}' is not isolated from its neighbours any more",
                f"{two.name}: the link '{link[two.name]}' is down",
            )
        ),
    ]
    before = traces(), numbers()
    assert nsunit("network", "check", check=False).stdout.splitlines()[:-1] == lines
    assert nsunit("network", "repair").stdout.splitlines()[:-1] == lines
    assert nsunit("network", "check").stdout == "nothing is wrong\n"
    assert answers() == ["two", "two"]
    # A link that is off its bridge is put there again; it is the same one, and connections over it last.
    shell(f"ip link set nb-apart down; ip link set {link[two.name]} nomaster")
    found = nsunit("network", "repair").stdout
    assert "the bridge 'nb-apart' is down\n" in found
    assert f"{two.name}: the link '{link[two.name]}' is not on the bridge\n" in found
    assert nsunit("network", "check").stdout == "nothing is wrong\n"
    assert answers() == ["two", "two"]
    assert (traces(), numbers()) == before


def numbers():
    """The number of each link: another one made in its place has another."""
    return {path.name: (path / "ifindex").read_text() for path in Path("/sys/class/net").iterdir()}


def test_refused(town, containers, nsunit):
    def refused(*names, lines=""):
        done = nsunit("start", containers.define(networks(*names) + lines), check=False)
        assert done.returncode != 0
        return done.stderr.splitlines()[0].removeprefix("nsunit: ")

    assert refused("missing").endswith("the network 'missing' is not defined")
    verified = nsunit("verify", containers.define(networks("shap")), check=False)
    assert "the network 'shap' is not defined" in verified.stderr + verified.stdout
    assert "no port leads into 'inside'" in refused("inside", lines="PublishPort=8071:80\n")
    assert "MTU=: 9000 is more than the 1500 of the network 'inside'" in refused("inside", lines="MTU=9000\n")
    for name, subnet, message in (
        ("over", "10.91.0.0/16", "network 'over': 10.91.0.0/16 overlaps 10.91.0.0/24 of the default network"),
        ("part", "10.20.0.0/25", "network 'part': 10.20.0.0/25 overlaps 10.20.0.0/24 of network 'shop'"),
        (
            "world",
            "192.0.2.0/24",
            "network 'world': 192.0.2.0/24 overlaps 192.0.2.0/24, which the host reaches by 'world'",
        ),
    ):
        path = DEFINITIONS / f"{name}.network.nsunit"
        done = nsunit("network", "create", name, f"Subnet={subnet}", check=False)
        if name == "world":  # the route may be gone by the time that the network is used
            assert done.stdout == f"{path}\n"
        else:
            assert message in done.stderr
            assert not path.exists()
            path.write_text(f"[Network]\nSubnet={subnet}\n")
        try:
            assert refused(name).endswith(message)
            assert name != "part" or message in nsunit("verify", "part.network", check=False).stderr
        finally:
            path.unlink()
    definition = DEFINITIONS / "shop.network.nsunit"
    text = definition.read_text()
    definition.write_text(text + "Isolate=yes\n")
    said = refused("shop")
    definition.write_text(text)
    assert said.endswith(
        f"the network 'shop' has another definition by now than '{town['front'].name}' is connected with"
    )
    done = nsunit("network", "rm", "shop", check=False)
    assert done.stderr.startswith(f"nsunit: the network 'shop' has containers: {town['front'].name}\n")
    done = nsunit("network", "create", "new", "Subnet=10.20.0.1/24", check=False)
    assert "/etc/nsunit/new.network.nsunit:2: [Network] Subnet: '10.20.0.1/24' is not a subnet" in done.stderr


@pytest.mark.timeout(max(300, CROWD * 20))
def test_a_crowd_in_a_network_that_is_too_small(containers, nsunit):
    """Some are started at once; nobody shares an address, one gets none, and all find each other by name."""
    before = traces()
    first = "10.22.0.254"  # and on beyond 10.22.0.255
    last = str(ipaddress.ip_address(first) + CROWD - 2)
    nsunit("network", "create", "small", "Subnet=10.22.0.0/22", f"Range={first}-{last}")
    try:
        names = [containers.define(networks("small") + PATIENT) for _ in range(CROWD)]
        said = nsunit_at_once(names[:STORM])
        for begin in range(STORM, CROWD, STORM):
            said.append(nsunit("start", *names[begin : begin + STORM], check=False, timeout=600).stderr)
        (text,) = filter(None, said)
        late = text.split(": ")[1]
        assert text.startswith(f"nsunit: {late}: the network 'small' has no address left\n")
        others = [containers.of(name) for name in names if name != late]
        (document,) = json.loads(nsunit("network", "inspect", "small", "--json").stdout)
        where = {row["container"]: row["addresses"][0].partition("/")[0] for row in document["containers"]}
        assert sorted(where) == sorted(other.name for other in others)
        assert len(set(where.values())) == len(others)
        for one, other in ((others[0], others[-1]), (others[-1], others[0])):
            assert ask(one, where[other.name]) == other.name
            lines = (one.root / "etc/hosts").read_text().splitlines()[2:]
            assert dict(reversed(line.split()) for line in lines) == where
        nsunit("stop", others[0].name)
        nsunit("start", late)
        assert addresses(nsunit, containers.of(late))["small"] == [where[others[0].name]]
        assert nsunit("start", others[0].name, check=False).returncode == 1
    finally:
        nsunit("stop", *names, timeout=CROWD * 20)
        nsunit("network", "rm", "small")
    assert traces() == before
    assert "nb-small" not in links()


@pytest.fixture
def unwatched_links(run):
    """Nobody looks at each link that is made: there are many."""
    units = ("systemd-udevd-kernel.socket", "systemd-udevd-control.socket", "systemd-udevd")
    watched = run("systemctl", "is-active", units[-1], check=False).returncode == 0  # not where it is booted natively
    if watched:
        run("systemctl", "stop", *units)
    yield
    if watched:
        run("systemctl", "start", *units)


def test_a_network_that_changes_takes_its_enabled_containers_along(containers, nsunit, run):
    nsunit("network", "create", "moves", "Subnet=10.23.0.0/24")
    definition = DEFINITIONS / "moves.network.nsunit"

    def move(subnet):
        definition.write_text(f"[Network]\nSubnet={subnet}\n")

    names = [containers.define(networks("moves")) for _ in range(2)]
    one, other = map(containers.of, names)
    try:
        nsunit("enable", "--now", one.name)
        move("10.24.0.0/24")
        assert nsunit("enable", one.name, check=False).returncode == 1  # it runs on the former bridge
        assert nsunit("exec", one.name, "ip", "addr").stdout.count("10.23.0.")
        nsunit("restart", one.name)
        assert addresses(nsunit, one) == {"moves": ["10.24.0.2"]}
        nsunit("stop", one.name)
        move("10.25.0.0/24")
        nsunit("start", one.name)
        assert addresses(nsunit, one) == {"moves": ["10.25.0.2"]}
        # Others in it are a reason not even to stop it.
        nsunit("start", other.name)
        move("10.26.0.0/24")
        done = nsunit("restart", one.name, check=False)
        said = f"nsunit: {one.name}: the network 'moves' has another definition by now than '{other.name}' is connected"
        assert (done.returncode, done.stderr.startswith(said)) == (1, True)
        assert addresses(nsunit, one) == {"moves": ["10.25.0.2"]}
        done = nsunit("restart", *names, check=False)  # the enabled one has what it has at boot
        assert (done.returncode, done.stderr.count(" by now than ")) == (1, 2)
        assert addresses(nsunit, one) == {"moves": ["10.25.0.2"]}
        nsunit("disable", "--now", one.name)
        nsunit("start", one.name, check=False)
        nsunit("restart", *names)
        assert sorted([*addresses(nsunit, one)["moves"], *addresses(nsunit, other)["moves"]]) == [
            "10.26.0.2",
            "10.26.0.3",
        ]
    finally:
        nsunit("disable", "--now", one.name, check=False)
        nsunit("stop", *names, check=False)
        nsunit("network", "rm", "moves")


@ANYWHERE
def test_a_full_bridge_is_told_of(town, containers, nsunit, unwatched_links):
    fill("nb-inside")
    try:
        refused = nsunit("start", containers.define(networks("inside")), check=False)
        assert refused.returncode == 1
        first = refused.stderr.splitlines()[0]
        assert first.endswith("the bridge 'nb-inside' has 1,023 links, and the kernel allows no more")
    finally:
        subprocess.run("ip link del group 77".split(), check=True)
    containers.start(networks("inside"))


def fill(bridge):
    """Put links on *bridge* until the kernel takes no more."""
    count = 1023 - len(os.listdir(f"/sys/class/net/{bridge}/brif"))
    lines = [
        f"link add name fill{number} group 77 master {bridge} type veth peer fell{number}" for number in range(count)
    ]
    subprocess.run(["ip", "-batch", "-"], input="\n".join(lines), text=True, check=True)
    full = subprocess.run(f"ip link add name more master {bridge} type veth".split(), capture_output=True, check=False)
    assert b"Exchange full" in full.stderr


def nsunit_at_once(names):
    """Start *names* in so many processes; returns what each says of errors."""
    starts = [subprocess.Popen(["nsunit", "start", name], stderr=subprocess.PIPE, text=True) for name in names]
    return [start.communicate()[1] for start in starts]


def test_killed_anywhere_nothing_is_left(town, containers, nsunit, run):
    """Whoever changes links waits for his turn, longer than systemd would give a start or an end by itself."""
    before = sorted(links())
    ending = containers.start(
        networks("shop", "six") + f"PublishPort=8072:80\n[Service]\nTimeoutStopSec={STOP_SECONDS}s\n"
    )
    assert len(links()) == len(before) + 2
    starting = containers.define(networks("shop") + f"[Service]\nTimeoutStartSec={START_SECONDS}s\n")
    with program.locked(LOCKS):
        run("systemctl", "kill", "--signal=KILL", ending.service)
        start = subprocess.Popen(["nsunit", "start", starting])
        wait_until(lambda: len(waiting()) == 2, "both wait")
        found = waiting()
        begun = int(containers.of(starting).show("InactiveExitTimestampMonotonic")["InactiveExitTimestampMonotonic"])
        time.sleep(max(0, begun / 1_000_000 + START_SECONDS + 1 - time.monotonic()))
        assert waiting() == found
    assert start.wait(120) == 0
    wait_until(lambda: ending.show("ActiveState")["ActiveState"] == "failed", "its end")
    assert ending.show("Result")["Result"] == "signal"
    nsunit("stop", starting)
    assert sorted(links()) == before
    assert "8072" not in run("nft", "list", "ruleset").stdout


def waiting():
    """PIDs of those who wait for the lock on the host's links."""
    number = f":{os.stat(f'{LOCKS}/{program.LOCK}').st_ino}"
    rows = (line.split() for line in Path("/proc/locks").read_text().splitlines())
    return sorted(row[5] for row in rows if row[1] == "->" and row[6].endswith(number))


@ANYWHERE
def test_killed_at_each_step_of_two_connections(run):
    """The program that connects a container is killed at each of its messages to the kernel and transactions."""
    before = traces()
    one = Network("one", "nb-faults1", ("10.23.0.0/24",), ("10.23.0.1",))
    two = Network("two", "nb-faults2", ("fd00:23::/64",), ("fd00:23::1",), isolated=True)
    item = Attachment(
        "faulty",
        (
            Interface(one, "eth0", "nv-faults1", "0a:00:00:00:00:01", ("10.23.0.2/24",), one.gateways),
            Interface(two, "eth1", "nv-faults2", "0a:00:00:00:00:02", ("fd00:23::2/64",), two.gateways),
        ),
        (Port("", 8073, 80, "tcp"),),
    )
    shell("ip netns add faulty")
    try:
        step = 1
        while die_at(step, item, "/run/netns/faulty"):
            program.detach(item, LOCKS)  # as systemd has it done once the container is gone
            assert traces() == before, step
            step += 1
        assert step > 15
        assert len(traces()[0]) == len(before[0]) + 2
        program.detach(item, LOCKS)
        assert traces() == before
    finally:
        shell("ip netns del faulty; ip link del nb-faults1; ip link del nb-faults2")


def test_a_transaction_has_what_is_needed(monkeypatch):
    """A start adds its own rules, or makes all of them where somebody has changed some; a stop names what goes."""
    network = Network("one", "nb-rules", ("10.23.0.0/24", "fd00:23::/64"), ("10.23.0.1", "fd00:23::1"))
    interface = Interface(network, "eth0", "nv-faults1", "0a:00:00:00:00:01", ("10.23.0.2/24", "fd00:23::2/64"))
    addresses = ("", "127.0.0.1", "::1")
    ports = [Port(address, 8073, 80, kind) for address in addresses for kind in ("tcp", "udp", "sctp")]
    item = Attachment("faulty", (interface,), tuple(ports), ((8073, "tcp"), (8073, "udp")), egress=1_000_000)
    inward = item.replace(interfaces=(interface.replace(network=network.replace(internal=True, isolated=True)),))
    before, made_of, apply = traces(), [], nft.apply
    monkeypatch.setattr(nft, "apply", lambda items: [apply(items), made_of.append(items)])
    whole = [*firewall.base(), *firewall.detach(item), *firewall.attach(item)]
    added = firewall.attach(item, new=True)
    try:
        shell("nft add table inet others")  # so that what there is was not left by nsunit
        program.make_way(item, LOCKS)
        made = ruleset_without_handles()
        program.detach(item, LOCKS)
        assert traces() == before
        program.make_way(item, LOCKS)
        assert ruleset_without_handles() == made
        program.make_way(item, LOCKS)  # it has not been taken away
        assert ruleset_without_handles() == made
        shell("nft flush chain inet nsunit forward")
        program.detach(item, LOCKS)
        program.make_way(item, LOCKS)
        assert ruleset_without_handles() == made
        assert made_of == [whole, added, whole, whole]
        program.detach(item, LOCKS)
        program.make_way(inward, LOCKS)
        program.detach(inward, LOCKS)
        program.make_way(item, LOCKS)  # its bridge is still where the network of that name had it
        assert made_of[4:] == [[*firewall.base(), *firewall.detach(inward), *firewall.attach(inward)], whole]
        assert ruleset_without_handles() == made
        shell("nft delete element inet nsunit host4 '{ 10.23.0.2 . tcp . 8073 }'")
        program.detach(item, LOCKS)
        assert traces() == before
        program.detach(item, LOCKS)
        assert traces() == before
    finally:
        shell("nft delete table inet others; ip link del nb-rules")


def ruleset_without_handles():
    """All rules, as lines without handles; the order of chains and elements does not count."""
    found = json.loads(shell("nft -j list ruleset"))["nftables"]
    for entry in found:
        for about in entry.values():
            about.pop("handle", None)
            about["elem"] = sorted(about.get("elem", ()), key=json.dumps)
    return sorted(map(json.dumps, found))


def traces():
    """The links and rules of containers."""
    rules = shell("nft list ruleset").split()
    return sorted(name for name in links() if name.startswith("nv-")), [
        word for word in rules if "nv-faults" in word or word == "8073"
    ]
