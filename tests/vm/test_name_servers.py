"""Networks with DNS=yes: a server on the bridge tells names to programs that do not look into /etc/hosts."""

import json
import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from waiting import wait_until

ANYWHERE = pytest.mark.anywhere("nsunit's own server on the kernel's bridges")

GATEWAY, CLOSED_GATEWAY, ELSEWHERE = "10.79.1.1", "10.79.2.1", "192.0.2.9"
UNIT, CLOSED_UNIT = "nsunit-names@named.service", "nsunit-names@closed.service"
DNSMASQ = "/usr/sbin/dnsmasq"


def definition(*lines, network="named", program="/bin/sleep 3600"):
    keys = ("Layer=/srv/roots/busybox", "Volatile=yes", f"Network={network}", f"Exec={program}", "Init=yes")
    return "\n".join(("[Container]", *keys, *lines, ""))


def asked(container, name, *server, patience="10"):
    """What a server says of a name, IPv4: busybox's nslookup reads no hosts file."""
    words = ("timeout", patience, "nslookup", "-type=a", name, *server)
    lines = container.exec(*words, check=False).stdout.partition("Name:")[2].splitlines()
    return next((line.split()[-1] for line in lines if line.startswith("Address")), "")


def address_of(container):
    return container.exec("hostname", "-i").stdout.split()[0]


def resolver_of(container):
    return (container.root / "etc/resolv.conf").read_text().splitlines()


def state(run, unit=UNIT):
    return run("systemctl", "show", "-P", "ActiveState", unit).stdout.strip()


def ended(run):
    wait_until(lambda: state(run) == "inactive", "the server's end")
    return not os.path.exists("/run/nsunit-names-named") and not os.listdir("/run/nsunit-names")


@pytest.fixture(scope="module", autouse=True)
def networks(nsunit, shared):
    nsunit("network", "create", "named", f"Subnet={GATEWAY}/24".replace(".1/", ".0/"), "DNS=yes", "Domain=n.internal")
    nsunit(
        "network", "create", "closed", f"Subnet={CLOSED_GATEWAY}/24".replace(".1/", ".0/"), "DNS=yes", "Internal=yes"
    )
    yield
    shared.clean()
    nsunit("network", "prune")
    for name in ("named", "closed"):
        nsunit("network", "rm", name)


@pytest.fixture
def elsewhere():
    """A host that asks a server on its own loopback, which knows one name."""
    resolver = Path("/etc/resolv.conf")
    before = resolver.read_text()
    words = [
        DNSMASQ,
        "-k",
        "-C",
        "/dev/null",
        "-R",
        "-h",
        "-z",
        "-a",
        "127.0.0.53",
        f"--host-record=far.test,{ELSEWHERE}",
    ]
    with subprocess.Popen(words) as server:
        resolver.write_text("nameserver 127.0.0.53\noptions edns0 trust-ad\n")
        yield
        resolver.write_text(before)
        server.terminate()


@pytest.mark.kernel("nftables")
@ANYWHERE
def test_names_of_those_that_come_later_resolve_in_a_running_program(elsewhere, containers, nsunit, run):
    until = "/bin/sh -c 'until nslookup late >/tmp/told; do sleep 0.1; done; echo end >/tmp/report; exec sleep 3600'"
    early = containers.start(definition(program=until))
    assert resolver_of(early)[0] == f"nameserver {GATEWAY}"
    assert "trust-ad" not in "".join(resolver_of(early))
    assert asked(early, "far.test") == ELSEWHERE  # by the host's own loopback
    assert asked(early, "late") == ""
    late = containers.start(definition("NetworkAlias=late"))
    early.report()
    own = address_of(late)
    for name in ("late", late.name, "late.n.internal"):
        assert asked(early, name) == own
    assert asked(late, early.name) == address_of(early)
    by_address = early.exec("nslookup", own).stdout
    assert f"name = {late.name}" in by_address
    assert nsunit("network", "check").stdout == "nothing is wrong\n"

    # It is killed, and knows all of them again.
    os.kill(int(run("systemctl", "show", "-P", "MainPID", UNIT).stdout), signal.SIGKILL)
    wait_until(lambda: asked(early, "late") == own, "the server's return")

    os.kill(late.pid, signal.SIGKILL)
    wait_until(lambda: asked(early, "late") == "", "the name's end")
    nsunit("stop", early.name)
    assert ended(run)


@pytest.mark.kernel("nftables")
@ANYWHERE
def test_it_is_asked_on_its_own_bridge_alone(elsewhere, containers, nsunit):
    inside = containers.start(definition("Network=closed"))
    outside = containers.start(definition(network="bridge"))
    closed = containers.start(definition(network="closed"))
    assert resolver_of(inside)[0] == f"nameserver {GATEWAY}"  # of the first one that has a server
    assert asked(inside, inside.name, GATEWAY)
    for container, server in ((outside, GATEWAY), (outside, CLOSED_GATEWAY), (closed, GATEWAY)):
        assert asked(container, "far.test", server, patience="2") == ""
    own = asked(closed, inside.name)
    assert own.startswith("10.79.2.")
    assert f"{own} {inside.name}\n" in (closed.root / "etc/hosts").read_text()
    # From an internal network nothing is asked outside, and it says so at once.
    assert "NXDOMAIN" in closed.exec("nslookup", "far.test", check=False).stdout
    # What else listens on port 53 of the host is not open to anybody.
    with socket.create_server(("10.91.0.1", 53)), socket.create_server((GATEWAY, 5353)):
        for container, *where in ((inside, "10.91.0.1", "53"), (outside, "10.91.0.1", "53"), (inside, GATEWAY, "5353")):
            assert container.exec("timeout", "5", "nc", *where, check=False).returncode
    assert inside.exec("timeout", "5", "nc", GATEWAY, "53").returncode == 0
    own = containers.start(definition("DNS=192.0.2.53"))
    assert resolver_of(own) == ["nameserver 192.0.2.53", "options edns0"]


@pytest.mark.kernel("nftables")
def test_pods_foreground_runs_and_enabled_ones_have_it(containers, nsunit, run):
    words = ("-p", "Layer=/srv/roots/busybox", "-p", "Network=named", "-p", "NetworkAlias=front")
    assert "Name:\tfront" in nsunit("run", *words, "nslookup", "front").stdout
    assert ended(run)
    Path("/etc/nsunit/names.pod.nsunit").write_text("[Pod]\nNetwork=named\nNetworkAlias=those\n")
    member = containers.start(definition("Pod=names").replace("Network=named\n", ""))
    assert asked(member, "those")
    nsunit("stop", member.name)
    nsunit("stop", "names.pod")
    os.unlink("/etc/nsunit/names.pod.nsunit")
    assert ended(run)
    enabled = containers.define(definition())
    nsunit("enable", enabled)
    nsunit("start", enabled)
    container = containers.of(enabled)
    assert asked(container, enabled)
    run("systemctl", "restart", container.service)
    assert asked(container, enabled)
    nsunit("disable", "--now", enabled)
    assert ended(run)


@pytest.mark.kernel("nftables")
def test_where_it_cannot_be_names_are_in_hosts_files_as_ever(containers, nsunit, run):
    host = Path("/etc/resolv.conf").read_text().splitlines()
    run("mount", "--bind", "/dev/null", DNSMASQ)
    try:
        name = containers.define(definition("NetworkAlias=me"))
        told = nsunit("start", name).stderr
        assert f"network 'named': DNS= needs '{DNSMASQ}', which is not installed" in told
        assert resolver_of(containers.of(name)) == host
        assert " me " in (containers.of(name).root / "etc/hosts").read_text()
    finally:
        run("umount", DNSMASQ)
    nsunit("stop", name)
    # The port is another one's.
    with socket.create_server((GATEWAY, 53)):
        nsunit("start", name)
        assert resolver_of(containers.of(name)) == host
        checked = nsunit("network", "check", check=False).stdout
        assert f"network 'named': the server of its names does not run: 'systemctl status {UNIT}'" in checked
        nsunit("stop", name)
    run("systemctl", "reset-failed", UNIT, check=False)


@pytest.fixture
def resolved(run):
    """A host whose programs ask systemd-resolved, the real one."""
    resolver = Path("/etc/resolv.conf")
    before = resolver.read_text()
    run(
        "dpkg",
        "--force-unsafe-io",
        "--install",
        *sorted(map(str, Path("/srv/packages/systemd-resolved").glob("*.deb"))),
    )
    # Its user is new to the bus, which has refused it its name if it was started before this was read again.
    run("systemctl", "reload", "dbus.service")
    run("systemctl", "restart", "systemd-resolved.service")
    yield lambda name: run("getent", "ahostsv4", name, check=False).stdout.split()[:1]
    run("dpkg", "--purge", "systemd-resolved")
    resolver.unlink(missing_ok=True)
    resolver.write_text(before)


@pytest.mark.kernel("nftables")
@pytest.mark.once("a package that changes how the host finds names")
def test_the_hosts_programs_find_names_by_resolved(resolved, containers, nsunit, run):
    (network,) = json.loads(nsunit("network", "inspect", "named", "--json").stdout)
    bridge = network["bridge"]
    told = lambda: run("resolvectl", "--no-pager", "domain", bridge, check=False).stdout.partition(": ")[2].strip()  # noqa: E731
    web = containers.start(definition())
    name = f"{web.name}.n.internal"
    assert told() == "~n.internal"
    assert resolved(name) == [address_of(web)]
    assert resolved("none.n.internal") == resolved(web.name) == []
    late = containers.start(definition("NetworkAlias=late"))
    assert resolved("late.n.internal") == [address_of(late)]
    run("systemctl", "restart", "systemd-resolved.service")
    assert resolved(name) == [address_of(web)]
    nsunit("stop", late.name)
    assert resolved("late.n.internal") == []
    nsunit("stop", web.name)
    assert ended(run)
    assert told() == ""
    assert resolved(name) == []
