"""Kernel parameters of a container's interfaces, and a host that has IPv6 switched off."""

import json
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.anywhere("parameters of the kernel's network")

OFF = Path("/proc/sys/net/ipv6/conf/all/disable_ipv6")
LOCALHOST6 = "::1 localhost ip6-localhost"
BASE = ("Layer=/srv/roots/busybox", "Volatile=yes", "Init=yes", "Exec=/bin/sleep 3600")


def definition(*lines):
    return "\n".join(("[Container]", *BASE, *lines, ""))


def inside(container, parameter):
    return container.exec("cat", f"/proc/sys/net/{parameter}").stdout.strip()


def addresses(namespace=""):
    words = (*(("nsenter", f"--net={namespace}") if namespace else ()), "ip", "-j", "addr")
    shown = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    return {
        link["ifname"]: [item["local"] for item in link["addr_info"] if item["scope"] == "global"] for link in shown
    }


@pytest.mark.kernel("nftables")
def test_parameters_of_interfaces_are_set(containers, nsunit, run):
    said = ("Sysctl=net.ipv4.conf.eth0.log_martians=1", "Sysctl=net.ipv6.neigh.eth0.app_solicit=7")
    pod = containers.define("\n".join(("[Pod]", "Share=net", "Network=bridge", *said, "")), "parameters.pod")
    try:
        member = containers.start(definition("Pod=parameters"), "parameters-member")
        alone = containers.start(definition("Network=bridge", *said))
        for container in (member, alone):
            assert (
                inside(container, "ipv4/conf/eth0/log_martians"),
                inside(container, "ipv6/neigh/eth0/app_solicit"),
            ) == (*("1", "7"),)
        link = json.loads(run("ip", "-j", "link", "show", "type", "veth").stdout)
        for item in link:
            run("ip", "link", "del", item["ifname"])
        nsunit("network", "repair")
        for container in (member, alone):
            assert inside(container, "ipv4/conf/eth0/log_martians") == "1"
    finally:
        nsunit("stop", "parameters-member", pod, check=False)
    name = containers.define(definition("Network=bridge", "Sysctl=net.ipv4.conf.eth0.nothing=1"))
    done = nsunit("start", name, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"nsunit: {name}: Failed to attach the container to its network: cannot set sysctl"
        " 'net.ipv4.conf.eth0.nothing' to '1': No such file or directory",
        "  hint: this kernel has no such parameter in a user namespace of its own; see 'sysctl -a'",
    ]


@pytest.fixture
def without_six(run, nsunit):
    nsunit("network", "prune")
    OFF.write_text("1")
    yield
    OFF.write_text("0")


@pytest.mark.kernel("nftables")
def test_containers_start_on_a_host_without_ipv6(containers, without_six, nsunit):
    """They have it among themselves and to the host, by a bridge that has it; nothing else of the host is changed."""
    one, two = (containers.start(definition("Network=bridge", "Capability=+NET_RAW")) for _ in range(2))
    assert {name: found for name, found in addresses().items() if found and ":" in found[-1]}.keys() == {"nsunit0"}
    six = addresses(f"/proc/{two.pid}/ns/net")["eth0"][1]
    for address in (six, addresses()["nsunit0"][1]):
        one.exec("ping", "-c", "1", "-W", "20", address)
    assert nsunit("network", "check").stdout == "nothing is wrong\n"
    OFF.write_text("1")  # once more: the kernel takes all addresses away
    assert "the bridge 'nsunit0' has lost the address" in nsunit("network", "check", check=False).stdout
    nsunit("network", "repair")
    one.exec("ping", "-c", "1", "-W", "20", six)
    assert OFF.read_text() == "1\n"


def test_no_half_of_a_bridge_is_left(containers, nsunit):
    nsunit("network", "create", "cut", "VLAN=missing0.5", "Subnet=10.78.0.0/24", "Gateway=10.78.0.1")
    try:
        name = containers.define(definition("Network=cut"))
        assert "there is no link 'missing0'" in nsunit("start", name, check=False).stderr
        assert {"nb-cut", "nu-cut"}.isdisjoint(addresses())
    finally:
        nsunit("network", "rm", "cut")


@pytest.mark.kernel("nftables")
def test_a_container_may_be_without_ipv6(containers, nsunit):
    for switch in ("all", "default", "eth0"):
        container = containers.start(definition("Network=bridge", f"Sysctl=net.ipv6.conf.{switch}.disable_ipv6=1"))
        (own,) = addresses(f"/proc/{container.pid}/ns/net")["eth0"]
        assert f"Network: {own}/24 " in nsunit("status", container.name).stdout
        lines = container.exec("cat", "/etc/hosts").stdout.splitlines()
        assert lines[0] == "127.0.0.1 localhost"
        assert (LOCALHOST6 in lines) == (switch != "all")
        assert f"{own} {container.name}" in lines
