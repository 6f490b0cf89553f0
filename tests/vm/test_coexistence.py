"""Beside others that look after the host's network."""

import json
import subprocess
from pathlib import Path

import pytest
from waiting import wait_until

NETWORKD = Path("/run/systemd/network/50-all.network")
UDEV = Path("/run/udev/data")
CONTAINER = """\
[Container]
Layer=/srv/roots/busybox
Volatile=yes
Network=bridge
PublishPort=8280:80
Init=yes
Exec=/bin/sleep 3600
"""


def addresses(link):
    shown = subprocess.run(["ip", "-j", "addr", "show", "dev", link], capture_output=True, text=True, check=True)
    return {item["local"] for item in json.loads(shown.stdout)[0]["addr_info"] if item.get("scope") == "global"}


@pytest.fixture
def networkd(run):
    """systemd-networkd, which wants to configure all links there are."""
    run("ip link add other0 type veth peer other1 && ip addr add 198.51.100.1/24 dev other0")
    run("ip link set other0 up && ip link set other1 up")
    NETWORKD.parent.mkdir(exist_ok=True)
    NETWORKD.write_text("[Match]\nName=*\n\n[Network]\nDHCP=yes\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n")
    run("systemctl unmask systemd-networkd && systemctl start systemd-networkd")
    seen = []

    def restart():
        """Begin anew, with what udevd says when it has seen a link: natively it is masked."""
        UDEV.mkdir(parents=True, exist_ok=True)
        places = (UDEV / f"n{file.read_text().strip()}" for file in Path("/sys/class/net").glob("*/ifindex"))
        seen.extend(place for place in places if not place.exists())
        for place in seen:
            place.write_text("I:1\nV:1\n")
        run("systemctl", "restart", "systemd-networkd")

    yield restart
    run("systemctl stop systemd-networkd.socket systemd-networkd; systemctl mask systemd-networkd; ip link del other0")
    NETWORKD.unlink()
    for place in seen:
        place.unlink()


@pytest.mark.kernel("nftables")
def test_networkd_leaves_containers_alone(containers, nsunit, networkd, run):
    container = containers.start(CONTAINER)
    before = addresses("nsunit0")
    assert "10.91.0.1" in before
    networkd()
    # It has looked at all links when it has taken this one's address away.
    wait_until(lambda: "198.51.100.1" not in addresses("other0"), "it has looked at all links")
    links = json.loads(run("networkctl", "list", "--json=short").stdout)["Interfaces"]
    states = {item["Name"]: item["AdministrativeState"] for item in links}
    assert states["other0"] != "unmanaged"
    ours = {name: state for name, state in states.items() if name.startswith(("nsunit", "nv-"))}
    assert len(ours) == 2
    assert set(ours.values()) == {"unmanaged"}
    assert addresses("nsunit0") == before
    assert nsunit("network", "check").stdout == "nothing is wrong\n"
    assert container.exec("ip", "-4", "addr", "show", "dev", "eth0").stdout.count("inet 10.91.0.") == 1


@pytest.fixture(scope="module")
def outside(run):
    """Another host, behind a link: 192.0.2.2, where port 7000 answers."""
    run(
        "ip netns add outside && ip link add out0 type veth peer name eth0 netns outside"
        " && ip addr add 192.0.2.1/24 dev out0 && ip link set out0 up"
        " && ip -n outside addr add 192.0.2.2/24 dev eth0 && ip -n outside link set eth0 up"
    )
    server = "ip netns exec outside python3 -c".split()
    code = "import socket; s = socket.create_server(('', 7000))\nwhile True: s.accept()[0].sendall(b'yes')"
    with subprocess.Popen([*server, code]) as process:
        yield lambda container: container.exec("timeout", "3", "nc", "192.0.2.2", "7000", check=False).stdout
        process.kill()
    run("ip netns del outside; ip link del out0", check=False)


@pytest.fixture
def others(run):
    """Docker's chains, and a table of the host's own."""
    run("iptables -P FORWARD DROP && iptables -N DOCKER-USER && iptables -A FORWARD -j DOCKER-USER")
    run("nft add table inet mine")
    run("nft add chain inet mine through '{ type filter hook forward priority 10; policy drop; }'")
    yield
    run("nft delete table ip filter; nft delete table inet mine", check=False)


@pytest.mark.kernel("nftables")
def test_a_firewall_in_the_way_is_told_of_and_how_to_mend_it(containers, outside, others, run, nsunit):
    name = containers.define(CONTAINER)
    told = [line for line in nsunit("start", name).stderr.splitlines() if "drops what containers on 'nsunit0'" in line]
    assert len(told) == 2
    container = containers.of(name)
    assert nsunit("network", "check", check=False).returncode == 1
    assert nsunit("network", "repair").stdout == "nothing is wrong\n"  # of nsunit's own
    for line in told:
        assert outside(container) == ""
        run(line.rpartition("let them through with '")[2].removesuffix("'"))
    assert outside(container) == "yes"
    assert nsunit("network", "check").stdout == "nothing is wrong\n"


# firewalld, ufw and Docker themselves: installed here, and purged, from files that come with the system.

GUARDED = """\
[Container]
Layer=/srv/roots/busybox
Volatile=yes
Network=guarded
PublishPort=8280:80
Exec=/bin/nc -ll -p 80 -e /bin/echo here
"""
DATABASE, COPY = "/var/lib/dpkg", "/run/dpkg"
FROM_OUTSIDE = "ip netns exec outside timeout 2 busybox nc 192.0.2.1 8280".split()
# What the purge leaves: what they were told, and what they keep.
LEFT = ("/etc/firewalld", "/etc/ufw", "/etc/docker", "/var/lib/docker", "/var/lib/containerd")
POLICY = Path("/usr/sbin/policy-rc.d")
ALL = {"in": "here", "out": "yes", "name": True}


PACKAGES = ("firewalld", "ufw", "docker.io")


class Firewall:
    """How one of them is started, made to load its rules anew, and ended; what it leaves of *traffic*, unasked."""

    def __init__(self, name, start, reload, stop, traffic):
        self.name, self.start, self.reload, self.stop, self.traffic = name, start, reload, stop, traffic


FIREWALLS = [
    Firewall(
        "firewalld",
        # It has its name on the bus before it has its rules.
        "systemctl start firewalld && until firewall-cmd --state; do sleep 0.1; done",
        "firewall-cmd --reload",
        "systemctl stop firewalld",
        {"in": "here", "out": "", "name": False},
    ),
    Firewall(*("ufw", "ufw --force enable", "ufw reload", "ufw --force disable"), {"in": "", "out": "", "name": False}),
    Firewall(
        "docker",
        "sysctl -w net.ipv4.ip_forward=0 && systemctl start docker",  # it drops what it did not let forward itself
        "systemctl restart docker",
        "systemctl stop docker.socket docker containerd",
        {"in": "", "out": "", "name": True},
    ),
]


@pytest.fixture(scope="module")
def installed(run):
    """All of them, none started."""
    files = sorted(str(file) for name in PACKAGES for file in Path("/srv/packages", name).glob("*.deb"))
    names = [Path(file).name.partition("_")[0] for file in files]
    POLICY.write_text("#!/bin/sh\nexit 101\n")  # deb-systemd-invoke(1p) starts nothing
    POLICY.chmod(0o755)
    # dpkg waits for the disk after each step; not for this one, and at the end it never knew of them.
    run(f"cp -a {DATABASE} {COPY} && mount --bind {COPY} {DATABASE}")
    run("dpkg", "--force-unsafe-io", "--install", *files)
    yield
    run("dpkg", "--force-unsafe-io", "--purge", *names)
    run(f"umount {DATABASE} && rm -r {COPY}")
    run("rm", "-rf", *LEFT)
    POLICY.unlink()


@pytest.fixture(params=FIREWALLS, ids=lambda item: item.name)
def firewall(request, installed, run, nsunit):
    nsunit("network", "create", "guarded", "Subnet=10.76.0.0/24", "DNS=yes")
    yield request.param
    run(request.param.stop)
    nsunit("network", "rm", "guarded")
    # What they leave behind when they are stopped, and Debian's packages when they are purged.
    run("nft flush ruleset; ip link del docker0", check=False)


@pytest.mark.kernel("nftables")
@pytest.mark.once("the rules are the kernel's, and the packages take half a minute each")
def test_what_is_told_is_so_and_what_is_said_to_do_mends_it(firewall, containers, outside, nsunit, run):
    name = containers.define(GUARDED)
    container = containers.of(name)

    def traffic():
        ask = ("timeout", "2", "nslookup", "-type=a", name)
        return {
            "in": run(*FROM_OUTSIDE, check=False).stdout.strip(),
            "out": outside(container),
            "name": "Name:" in container.exec(*ask, check=False).stdout,
        }

    def told():
        return [
            line for line in nsunit("network", "check", check=False).stdout.splitlines() if "the firewall's" in line
        ]

    def whole():
        """All of it passes; the server of names is told of a container in a time of its own."""
        wait_until(lambda: traffic() == ALL, "all traffic")
        assert told() == []

    nsunit("start", name)
    whole()
    run(firewall.start)
    nsunit("network", "repair")  # Docker's forwarding; what follows is not nsunit's to put right
    wait_until(lambda: traffic() == firewall.traffic, f"no more than {firewall.traffic}")
    lines = told()
    assert any("forward; let" in line for line in lines)
    assert any("ask the server of names; let" in line for line in lines) is not firewall.traffic["name"]
    nsunit("stop", name)
    warned = nsunit("start", name).stderr  # it comes second now
    assert all(line in warned for line in lines)
    for line in lines:
        run(line.rpartition("let them through with '")[2].removesuffix("'"))
    whole()
    run(firewall.reload)
    whole()
    nsunit("stop", name)
    assert nsunit("start", name).stderr == ""
    whole()
    nsunit("stop", name)
