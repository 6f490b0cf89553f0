"""Links of the host in containers: macvlan, ipvlan, vlan, veth, and links that move in.

`lan` is another host's end of a cable, which is a veth pair: wire0 here, far0 in a network namespace.
"""

import contextlib
import fcntl
import json
import os
import struct
import subprocess
from pathlib import Path

import pytest
from dying import LOCKS, die_at
from waiting import wait_until

from nsunit.features.network import program
from nsunit.features.network.model.attachment import Attachment, Device
from nsunit.features.network.wire import links as host_links

pytestmark = pytest.mark.machine("kernel modules")
ANYWHERE = pytest.mark.anywhere("links of the kernel's")

BUSYBOX = "[Container]\nRootfs=/srv/roots/busybox\nVolatile=yes\nExec=/bin/nc -ll -p 80 -e /bin/hostname\n"
FAR, FAR_VLAN = "198.51.100.1", "203.0.113.1"
TIOCSETD, N_SLIP = 0x5423, 1


def shell(line):
    return subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module", autouse=True)
def lan():
    shell(
        "ip netns add lan && ip link add wire0 type veth peer name far0 netns lan && ip link set wire0 up"
        f" && ip -n lan addr add {FAR}/24 dev far0 && ip -n lan link set far0 up"
        " && ip -n lan link add far0.7 link far0 type vlan id 7"
        f" && ip -n lan addr add {FAR_VLAN}/24 dev far0.7 && ip -n lan link set far0.7 up"
    )
    yield
    shell("ip netns del lan")


@contextlib.contextmanager
def serial_line():
    """A device that is not of a virtual kind: the kernel's end of a serial line internet protocol."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, TIOCSETD, struct.pack("i", N_SLIP))
    try:
        yield "sl0"
    finally:
        os.close(slave)
        os.close(master)


def asked_from_lan(address):
    command = ["ip", "netns", "exec", "lan", "busybox", "nc", "-w", "5", address, "80"]
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False).stdout.strip()


def links(container):
    shown = json.loads(shell(f"nsenter --net=/proc/{container.pid}/ns/net ip -j -d addr"))
    return {link["ifname"]: link for link in shown if link["ifname"] != "lo"}


def exists(name):
    return Path(f"/sys/class/net/{name}").exists()


@ANYWHERE
@pytest.mark.machine("kernel modules and NAT")
def test_links_on_a_link_of_the_host(containers, nsunit, run):
    first = containers.start(
        BUSYBOX + "Hostname=first\nNetwork=macvlan:wire0:address=198.51.100.9/24,mac=0a:00:00:00:00:09,mtu=1400\n"
        "Network=vlan:wire0.7:address=203.0.113.9/24\n"
    )
    assert asked_from_lan("198.51.100.9") == "first"
    assert asked_from_lan("203.0.113.9") == "first"
    found = links(first)
    assert [link["linkinfo"]["info_kind"] for link in found.values()] == ["macvlan", "vlan"]
    assert (found["eth0"]["address"], found["eth0"]["mtu"]) == ("0a:00:00:00:00:09", 1400)
    assert found["eth0"]["linkinfo"]["info_data"]["mode"] == "bridge"
    assert (
        "Network: 198.51.100.9/24 203.0.113.9/24 (macvlan:wire0, vlan:wire0.7)" in nsunit("status", first.name).stdout
    )
    assert "nv-" not in shell("nft list ruleset; ls /sys/class/net")
    shell(f"nsenter --net=/proc/{first.pid}/ns/net sh -c 'ip addr flush dev eth0; ip link del eth1'")
    assert nsunit("network", "check", check=False).stdout.splitlines()[:-1] == [
        f"{first.name}: the interface 'eth0' has lost the address 198.51.100.9/24",
        f"{first.name}: the interface 'eth1' is gone",
    ]
    nsunit("network", "repair")
    shell(f"nsenter --net=/proc/{first.pid}/ns/net ip link set eth0 down")
    assert f"{first.name}: the interface 'eth0' is down\n" in nsunit("network", "check", check=False).stdout
    nsunit("network", "repair")
    assert nsunit("network", "check").stdout == "nothing is wrong\n"
    assert asked_from_lan("198.51.100.9") == "first"
    assert asked_from_lan("203.0.113.9") == "first"
    nsunit("restart", first.name)  # the links of the former one may be there still
    assert asked_from_lan("198.51.100.9") == "first"
    nsunit("stop", first.name)
    keys = f"Address=198.51.100.10/24\nGateway={FAR}\nRoute=192.0.2.0/24 via {FAR}\n"
    second = containers.start(BUSYBOX + "Hostname=second\nNetwork=ipvlan:wire0\nNetwork=bridge\n" + keys)
    assert asked_from_lan("198.51.100.10") == "second"
    assert links(second)["eth0"]["linkinfo"]["info_data"]["mode"] == "l2"
    routes = shell(f"nsenter --net=/proc/{second.pid}/ns/net ip route").splitlines()
    assert f"default via {FAR} dev eth0 proto static" in [route.strip() for route in routes]
    assert f"192.0.2.0/24 via {FAR} dev eth0 proto static" in [route.strip() for route in routes]
    assert any(route.startswith("10.91.0.0/24 dev eth1") for route in routes)


@ANYWHERE
@pytest.mark.machine("kernel modules and NAT")
def test_a_network_of_a_vlan(containers, nsunit, run):
    shell(
        "ip -n lan link add far0.8 link far0 type vlan id 8 && ip -n lan addr add 10.24.0.1/24 dev far0.8"
        " && ip -n lan link set far0.8 up"
    )
    keys = ("VLAN=wire0.8", "Subnet=10.24.0.0/24", "Gateway=10.24.0.1", "Range=10.24.0.100-10.24.0.199")
    nsunit("network", "create", "office", *keys)
    container = containers.start(BUSYBOX + "Hostname=office\nNetwork=office\n")
    assert asked_from_lan("10.24.0.100") == "office"
    assert "10.24" not in shell("ip addr")  # the host is not there
    shell("ip link del nu-office")
    found = nsunit("network", "check", check=False).stdout
    assert found.splitlines()[:-1] == ["the bridge 'nb-office' is not connected to VLAN wire0.8"]
    nsunit("network", "repair")
    assert asked_from_lan("10.24.0.100") == "office"
    nsunit("stop", container.name)
    nsunit("network", "rm", "office")
    assert not exists("nu-office")
    assert not exists("nb-office")


@ANYWHERE
def test_a_pair_has_the_name_that_was_asked_for(containers, nsunit, run):
    container = containers.start(BUSYBOX + "Hostname=pair\nNetwork=veth:to-pair\nAddress=198.51.100.65/26\n")
    shown = json.loads(shell("ip -j addr show to-pair"))[0]
    assert (shown["operstate"], shown["addr_info"]) == ("DOWN", [])
    shell("ip addr add 198.51.100.66/26 dev to-pair && ip link set to-pair up")
    assert shell("busybox nc -w 5 198.51.100.65 80").strip() == "pair"
    other = containers.define(BUSYBOX + "Network=veth:to-pair\n")
    done = nsunit("start", other, check=False)
    assert "Network=veth:to-pair: cannot make the link 'to-pair': File exists" in done.stderr
    assert "hint: choose another name, or see whose it is with 'ip link'" in done.stderr
    assert exists("to-pair")  # that of the first one
    nsunit("restart", container.name)
    assert exists("to-pair")
    os.kill(container.pid, 9)
    run(f"until systemctl show -P ActiveState {container.service} | grep -E 'failed|inactive'; do sleep 0.2; done")
    assert not exists("to-pair")


def inside(container, line):
    shell(f"nsenter --net=/proc/{container.pid}/ns/net sh -c '{line}'")


def addresses(container):
    """Of each interface: whether it is up, and its IPv4 addresses."""
    return {
        name: ("UP" in link["flags"], [item["local"] for item in link["addr_info"] if item["family"] == "inet"])
        for name, link in links(container).items()
    }


@ANYWHERE
def test_a_device_comes_back_however_it_ends(containers, nsunit, run):
    """Beside it are other links of the host; whatever is lost of them inside is put back, if it can be."""
    with serial_line() as name:
        container = containers.start(
            BUSYBOX + f"Network=phys:{name}:address=198.51.100.130/32\nNetwork=veth:to-kept:address=198.51.100.67/26\n"
            "Network=ipvlan:wire0:address=198.51.100.12/24\n"
        )
        whole = {"eth1": (True, ["198.51.100.67"]), "eth2": (True, ["198.51.100.12"])}
        whole[name] = True, ["198.51.100.130"]
        assert not exists(name)
        assert addresses(container) == whole
        for harm, told in (
            (
                f"ip addr flush dev {name}; ip link del eth1; ip link del eth2",
                [f"'{name}' has lost the address 198.51.100.130/32", "'eth1' is gone", "'eth2' is gone"],
            ),
            (
                f"ip link set {name} down; ip addr flush dev eth1; ip link set eth2 down",
                [f"'{name}' is down", "'eth1' has lost the address 198.51.100.67/26", "'eth2' is down"],
            ),
        ):
            inside(container, harm)
            lines = [f"{container.name}: the interface {text}" for text in told]
            assert nsunit("network", "check", check=False).stdout.splitlines()[:-1] == lines
            assert nsunit("network", "repair").stdout.splitlines()[:-1] == lines
            assert addresses(container) == whole
            assert exists("to-kept")
    # The device was pulled away.
    inside(container, "ip link del eth2")
    done = nsunit("network", "repair", check=False)
    assert (done.returncode, done.stderr.splitlines()) == (
        1,
        [
            f"nsunit: {container.name}: Network=phys:{name}: there is no link '{name}'",
            f"  hint: once there is a link '{name}', run 'nsunit network repair'",
        ],
    )
    assert "eth2" in addresses(container)
    with serial_line() as name:
        nsunit("network", "repair")
        assert addresses(container) == whole
        nsunit("restart", container.name)
        assert name in links(container)
        run("systemctl", "kill", "--signal=KILL", container.service)
        run(f"until test -e /sys/class/net/{name}; do sleep 0.2; done")
        broken = containers.define(BUSYBOX.replace("/bin/nc", "/bin/missing") + f"Network=phys:{name}\n")
        assert nsunit("start", broken, check=False).returncode == 1
        run(f"until test -e /sys/class/net/{name}; do sleep 0.2; done")


@ANYWHERE
def test_killed_at_each_step_nothing_is_left(tidy):
    """The program that connects a container is killed at each message to the kernel, and its namespace ends."""
    host_links.Route().close()  # loads what each of the processes would load again
    with serial_line() as name:
        devices = (
            Device("phys", name, name, ("198.51.100.131/32",)),
            Device("macvlan", "wire0", "eth1", ("198.51.100.13/24",)),
        )
        item = Attachment("faulty", (), devices=devices)
        step, killed = 0, True
        while killed:
            step += 1
            shell("ip netns add faulty")
            killed = die_at(step, item, "/run/netns/faulty")
            assert killed or not exists(name)
            shell("ip netns del faulty")
            program.detach(item, LOCKS)
            wait_until(lambda: exists(name), f"the device at step {step}")
            wait_until(has_no_macvlan, f"the end of the link at step {step}")
        assert step > 5


def has_no_macvlan():
    """Whether wire0 carries none: one that takes all can only be alone."""
    line = "ip link add probe0 link wire0 type macvlan mode passthru && ip link del probe0"
    return subprocess.run(["sh", "-c", line], capture_output=True, check=False).returncode == 0


@ANYWHERE
def test_what_cannot_be_is_told_in_a_line(containers, nsunit):
    shell("ip link add dummy7 type dummy && ip link add taken9 link wire0 type vlan id 9")
    for network, keys, message, hint in (
        ("macvlan:eth9", "", "there is no link 'eth9'", ""),
        ("phys:dummy7", "", "'dummy7' is a virtual link (dummy), which would end with the container", ""),
        ("vlan:wire0.9", "", "File exists", "the link has that VLAN already"),
        ("macvlan:wire0", "MTU=9000\n", "Invalid argument", "MTU= can be as large as that of the link"),
        ("ipvlan:wire0", "Address=198.51.100.9/24\nGateway=192.0.2.1\n", "is unreachable", "the gateway must be in"),
    ):
        done = nsunit("start", containers.define(BUSYBOX + f"Network={network}\n{keys}"), check=False)
        assert done.returncode == 1
        first, *rest = done.stderr.splitlines()
        assert message in first
        assert f"Network={network}: " in first or keys
        assert hint in "".join(rest)
    shell("ip link del dummy7; ip link del taken9")
