"""Beside firewalld, ufw and Docker themselves: installed here, and purged, from files that come with the system."""

import subprocess
from pathlib import Path

import pytest

HOST, OUTSIDE = "192.0.2.1", "192.0.2.2"
CONTAINER = """\
[Container]
Layer=/srv/roots/busybox
Volatile=yes
Network=guarded
PublishPort=8280:80
Exec=/bin/nc -ll -p 80 -e /bin/echo here
"""
DATABASE, COPY = "/var/lib/dpkg", "/run/dpkg"
POLICY = Path("/usr/sbin/policy-rc.d")
ALL = {"in": "here", "out": "yes", "name": True}


class Firewall:
    """How one of them is started, made to load its rules anew, and ended; what it leaves of *traffic*, unasked."""

    def __init__(self, name, start, reload, stop, traffic):
        self.name, self.start, self.reload, self.stop, self.traffic = name, start, reload, stop, traffic


FIREWALLS = [
    Firewall(
        *("firewalld", "systemctl start firewalld", "firewall-cmd --reload", "systemctl stop firewalld"),
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


@pytest.fixture(scope="module", autouse=True)
def installed(run):
    """All of them, none started."""
    files = sorted(map(str, Path("/srv/packages").glob("*/*.deb")))
    names = [Path(file).name.partition("_")[0] for file in files]
    POLICY.write_text("#!/bin/sh\nexit 101\n")  # deb-systemd-invoke(1p) starts nothing
    POLICY.chmod(0o755)
    # dpkg waits for the disk after each step; not for this one, and at the end it never knew of them.
    run(f"cp -a {DATABASE} {COPY} && mount --bind {COPY} {DATABASE}")
    run("dpkg", "--force-unsafe-io", "--install", *files)
    yield
    run("dpkg", "--force-unsafe-io", "--purge", *names)
    run(f"umount {DATABASE} && rm -r {COPY}")
    POLICY.unlink()


@pytest.fixture(scope="module")
def outside(run):
    """Another host, behind a link, where port 7000 answers; gives a function that asks port 8280 from there."""
    run(
        "ip netns add outside && ip link add out0 type veth peer name eth0 netns outside"
        f" && ip addr add {HOST}/24 dev out0 && ip link set out0 up"
        f" && ip -n outside addr add {OUTSIDE}/24 dev eth0 && ip -n outside link set eth0 up"
    )
    enter = "ip netns exec outside".split()
    code = "import socket; s = socket.create_server(('', 7000))\nwhile True: s.accept()[0].sendall(b'yes')"
    with subprocess.Popen([*enter, "python3", "-c", code]) as process:
        yield lambda: run(*enter, "timeout", "2", "busybox", "nc", HOST, "8280", check=False).stdout.strip()
        process.kill()
    run("ip netns del outside; ip link del out0", check=False)


@pytest.fixture(params=FIREWALLS, ids=lambda item: item.name)
def firewall(request, run, nsunit):
    nsunit("network", "create", "guarded", "Subnet=10.76.0.0/24", "DNS=yes")
    yield request.param
    run(request.param.stop)
    nsunit("network", "rm", "guarded")
    # What they leave behind when they are stopped, and Debian's packages when they are purged.
    run("nft flush ruleset; ip link del docker0", check=False)


def test_what_is_told_is_so_and_what_is_said_to_do_mends_it(firewall, containers, outside, nsunit, run):
    name = containers.define(CONTAINER)
    container = containers.of(name)

    def traffic():
        ask = ("timeout", "2", "nslookup", "-type=a", name)
        return {
            "in": outside(),
            "out": container.exec("timeout", "2", "nc", OUTSIDE, "7000", check=False).stdout,
            "name": "Name:" in container.exec(*ask, check=False).stdout,
        }

    def told():
        return [
            line for line in nsunit("network", "check", check=False).stdout.splitlines() if "the firewall's" in line
        ]

    nsunit("start", name)
    assert (told(), traffic()) == ([], ALL)
    run(firewall.start)
    nsunit("network", "repair")  # Docker's forwarding; what follows is not nsunit's to put right
    assert traffic() == firewall.traffic
    lines = told()
    assert any("forward; let" in line for line in lines)
    assert any("ask the server of names; let" in line for line in lines) is not firewall.traffic["name"]
    nsunit("stop", name)
    warned = nsunit("start", name).stderr  # it comes second now
    assert all(line in warned for line in lines)
    for line in lines:
        run(line.rpartition("let them through with '")[2].removesuffix("'"))
    assert (told(), traffic()) == ([], ALL)
    run(firewall.reload)
    assert (told(), traffic()) == ([], ALL)
    nsunit("stop", name)
    assert nsunit("start", name).stderr == ""
    assert traffic() == ALL
    nsunit("stop", name)
