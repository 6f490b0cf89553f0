"""Sysctl= of interfaces: which there are, who sets them, and what they rule out."""

import subprocess
import sys

import pytest
from definitions import container, problems

from nsunit.definition.values_container import interface_of
from nsunit.features.network.model.attachment import parameter_of
from nsunit.features.network.parameters import of_interface, switch_of_six
from nsunit.plan.operations import early_sysctls

OFF = "net.ipv6.conf.{}.disable_ipv6"


@pytest.mark.parametrize(
    ("parameter", "interface"),
    [
        ("net.ipv4.conf.eth0.forwarding", "eth0"),
        ("net.ipv6.neigh.eth12.app_solicit", "eth12"),
        ("net.mpls.conf.eth0.input", "eth0"),
        ("net.ipv4.conf.enp1s0/5.rp_filter", "enp1s0.5"),
        ("net.ipv4.conf.lo.forwarding", ""),
        ("net.ipv4.conf.all.forwarding", ""),
        ("net.ipv4.neigh.default.gc_thresh3", ""),
        ("net.ipv4.tcp_rmem", ""),
        ("net.core.somaxconn", ""),
        ("kernel.shmmax", ""),
    ],
)
def test_the_interface_of_a_parameter(parameter, interface):
    assert interface_of(parameter) == interface


def test_those_of_interfaces_are_set_by_what_attaches_them():
    said = "Sysctl=net.ipv4.conf.eth0.log_martians=1\nSysctl=net.ipv4.conf.all.log_martians=2\n"
    connected = container(said + "Network=bridge\n")
    assert early_sysctls(connected) == {"net.ipv4.conf.all.log_martians": "2"}
    assert of_interface(connected.sysctls, "eth0") == ("ipv4/conf/eth0/log_martians=1",)
    assert of_interface(connected.sysctls, "eth1") == ()
    # pasta(1) is done when the parameters are set.
    assert len(early_sysctls(container(said + "Network=pasta\n"))) == 2


def test_a_dot_of_an_interface():
    said = (("net.ipv4.conf.enp1s0/5.rp_filter", "1"),)
    assert of_interface(said, "enp1s0.5") == ("ipv4/conf/enp1s0.5/rp_filter=1",)
    assert parameter_of("ipv4/conf/enp1s0.5/rp_filter") == said[0][0]


@pytest.mark.parametrize(
    ("said", "switch"),
    [
        ({}, ""),
        ({"all": "1"}, "all"),
        ({"default": "1"}, "default"),
        ({"eth0": "1", "all": "0"}, "eth0"),
        ({"all": "1", "eth0": "0"}, ""),  # it is set last
        ({"eth1": "1", "lo": "1"}, ""),
    ],
)
def test_what_switches_ipv6_off(said, switch):
    sysctls = [(OFF.format(name), value) for name, value in said.items()]
    assert switch_of_six(sysctls, "eth0") == (switch and OFF.format(switch))


@pytest.mark.parametrize(
    ("lines", "message", "hint"),
    [
        (
            "Network=bridge\nNetwork=macvlan:eth9\nSysctl=net.ipv4.conf.eth9.forwarding=1",
            "Sysctl: there is no interface 'eth9'",
            "it has eth0, eth1, one for each Network= in their order",
        ),
        (
            "Sysctl=net.ipv4.conf.eth0.forwarding=1",
            "Sysctl: there is no interface 'eth0' with Network=none",
            "add Network=bridge, or leave it out",
        ),
        (
            f"Network=bridge\nAddress=fd00::9\nSysctl={OFF.format('all')}=1",
            f"Sysctl: '{OFF.format('all')}' switches off the IPv6 that 'fd00::9' needs",
            "leave out one of the two",
        ),
        (
            f"Network=bridge\nRoute=fd01::/64 via fd00::1\nSysctl={OFF.format('eth0')}=1",
            f"Sysctl: '{OFF.format('eth0')}' switches off the IPv6 that 'fd01::/64 via fd00::1' needs",
            "leave out one of the two",
        ),
    ],
)
def test_contradictions(lines, message, hint):
    assert problems(lines) == [(message, hint)]


def test_fitting_ones():
    for lines in (
        "Network=phys:wlan0\nSysctl=net.ipv4.conf.wlan0.forwarding=1",
        f"Network=bridge\nAddress=10.91.0.9\nSysctl={OFF.format('all')}=1",
        "Sysctl=net.ipv4.conf.lo.forwarding=1",
    ):
        container(lines)


def test_what_attaches_a_container_reads_no_definition():
    """It runs at each start and stop, of which the second one has no need of links and of libnftables either."""
    script = "import nsunit.features.network.program, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "nsunit.features.network.wire.ruleset" in loaded
    assert not {f"nsunit.features.network.wire.{name}" for name in ("links", "nft")} & loaded
    assert not {name for name in loaded if name.startswith("nsunit.definition.")}
    assert not {f"nsunit.features.network.{name}" for name in ("connection", "values")} & loaded
