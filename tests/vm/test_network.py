"""Network=bridge, shown by what reaches whom.

`outside` is another host: a network namespace with a link to this one, which is 192.0.2.1 and 2001:db8::1 to it.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from outside import HOST, HOST6, OUTSIDE, OUTSIDE6, other_host
from waiting import wait_until

pytestmark = pytest.mark.kernel("nftables")

DEBIAN = "/srv/roots/debian"
LAYER = Path("/var/tmp/network-test")
# Says its name and who asks, to each who connects.
SERVER = """\
import socket, sys
server = socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True)
while True:
    connection, client = server.accept()
    connection.sendall(f"{socket.gethostname()} {client[0].removeprefix('::ffff:')}".encode())
    connection.close()
"""
CLIENT = """\
import socket, sys
try:
    print(socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=4).makefile().read())
except OSError as error:
    print(type(error).__name__)
"""


@pytest.fixture(scope="module", autouse=True)
def program():
    LAYER.mkdir()
    (LAYER / "server.py").write_text(SERVER)
    yield
    shutil.rmtree(LAYER)


@pytest.fixture(scope="module")
def outside(run):
    with other_host(run) as python:
        run(f"ip -n outside route add 10.91.0.0/24 via {HOST}")
        with subprocess.Popen([*python, SERVER, "7000"]) as server:
            yield lambda *words: run(*python, CLIENT, *map(str, words)).stdout.strip()
            server.kill()


def test_a_foreground_run_has_taken_its_network_back_before_others_have_the_name(containers, run):
    """However long that takes it: it is held up when its container ends."""
    name = containers.own("network-run")
    keys = (f"Rootfs={DEBIAN}", "Network=bridge", "PublishPort=8099:80")
    held = f"{name}-held.scope"
    words = ["systemd-run", "--quiet", "--scope", f"--unit={held}", "nsunit", "run", f"--name={name}"]
    words += [*(word for key in keys for word in ("-p", key)), "sleep", "1000"]
    runtime = Path(f"/run/nsunit/containers/{name}")
    with subprocess.Popen(words) as attending:
        unit = f"nsunit-{name.replace('-', chr(92) + 'x2d')}-run-*.scope"
        wait_until(lambda: run("systemctl", "list-units", "--plain", "--no-legend", unit).stdout)
        wait_until(lambda: not Path(f"/run/nsunit/locks/{name}").exists())
        inode = runtime.stat().st_ino
        run("systemctl", "freeze", held)  # one that is stopped would be woken
        with subprocess.Popen(["nsunit", "rm", "--force", name]) as removing:
            try:
                wait_until(lambda: f":{inode} " in waiting_for_locks(), "rm to wait", 20)
                assert runtime.exists()
            finally:
                run("systemctl", "thaw", held)
            assert removing.wait(60) == 0
        assert attending.wait(60) == 128 + signal.SIGKILL
    assert "8099" not in run("nft", "list", "ruleset").stdout


def test_the_next_foreground_run_takes_away_the_rules_of_one_that_was_killed(run, nsunit):
    keys = (f"Rootfs={DEBIAN}", "Network=bridge", "PublishPort=8098:80")
    words = ["nsunit", "run", *(word for key in keys for word in ("-p", key)), "sh", "-c", "echo runs; exec sleep 1000"]
    scopes = ("systemctl", "list-units", "--plain", "--no-legend", "nsunit-run*-run-*.scope")
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as attending:
        assert attending.stdout.readline() == "runs\n"
        attending.kill()
    wait_until(lambda: not run(*scopes).stdout, "its program to end with it")
    assert "8098" in run("nft", "list", "ruleset").stdout
    nsunit("run", "-p", f"Rootfs={DEBIAN}", "true")
    assert "8098" not in run("nft", "list", "ruleset").stdout
    assert nsunit("doctor", "--check").stdout == "nothing is left\n"


def waiting_for_locks():
    return "".join(line for line in Path("/proc/locks").read_text().splitlines(keepends=True) if "->" in line)


def definition(*lines):
    keys = (
        f"Layer={LAYER}",
        f"Layer={DEBIAN}",
        "Volatile=yes",
        "Network=bridge",
        "Exec=/usr/bin/python3 /server.py 80",
    )
    return "\n".join(("[Container]", *keys, *lines, ""))


def ask(address, port):
    """What a server answers to this host."""
    try:
        with socket.create_connection((address, port), timeout=4) as connection:
            return connection.makefile().read()
    except OSError as error:
        return type(error).__name__


def wait_for(address, port):
    """What a server answers once it listens; connected it is before that."""
    deadline = time.monotonic() + 60
    while (answer := ask(address, port)) == "ConnectionRefusedError" and time.monotonic() < deadline:
        time.sleep(0.2)
    return answer


def ask_from(container, address, port):
    """What a server answers to a container."""
    return container.exec("python3", "-c", CLIENT, address, str(port)).stdout.strip()


def connected(nsunit, container):
    """What `nsunit network` says of a container."""
    networks = json.loads(nsunit("network", "list", "--json").stdout)
    return next((row for net in networks for row in net["containers"] if row["container"] == container.name), None)


def address_of(nsunit, container, family=4):
    row = connected(nsunit, container)
    return row["addresses"][0 if family == 4 else 1].partition("/")[0]


def traces():
    """All links and rules that containers have."""
    rules = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout
    links = [name for name in os.listdir("/sys/class/net") if name.startswith("nv-")]
    return sorted(links), sorted({word.strip('"') for word in rules.split() if word.strip('"').startswith("nv-")})


@pytest.fixture(scope="module")
def pair(shared, nsunit):
    """Two containers of one network; the first publishes its port 80."""
    server = shared.start(definition("PublishPort=8080:80 127.0.0.1:8081:80", "Hostname=server"))
    other = shared.start(definition("Hostname=other", "HostPort=9001", "Capability=+NET_ADMIN"))
    for container in (server, other):
        wait_for(address_of(nsunit, container), 80)
    return server, other


def test_neighbours_reach_each_other_and_the_world(pair, outside, nsunit):
    server, other = pair
    for family in (4, 6):
        where, who = (address_of(nsunit, container, family) for container in pair)
        assert ask_from(other, where, 80) == f"server {who}"
        assert ask(where, 80).startswith("server ")  # from the host
    assert ask_from(server, OUTSIDE, 7000).split()[1] == HOST  # the world sees the host
    assert ask_from(server, OUTSIDE6, 7000).split()[1] == HOST6
    told = server.exec("cat", "/etc/hosts").stdout.splitlines()
    assert f"{address_of(nsunit, server)} server {server.name}" in told


def test_a_published_port_is_reached_from_everywhere(pair, outside):
    _, other = pair
    assert outside(HOST, 8080) == f"server {OUTSIDE}"  # with the client's own address
    assert outside(HOST6, 8080) == f"server {OUTSIDE6}"
    for address in ("127.0.0.1", "::1", HOST, HOST6):
        assert ask(address, 8080).startswith("server "), address
    assert ask_from(other, HOST, 8080).startswith("server ")  # to the host and back
    assert ask_from(other, HOST6, 8080).startswith("server ")


@pytest.fixture
def filtered_bridges(run):
    """Docker and others have the IP rules see what stays on a bridge, and replies are translated back there."""
    run("modprobe br_netfilter && sysctl -w net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1")
    yield
    run("modprobe -r br_netfilter")


@pytest.mark.anywhere("rules of the kernel's")
@pytest.mark.machine("kernel modules and NAT")
def test_a_published_port_is_reached_where_bridges_are_filtered(pair, outside, filtered_bridges):
    _, other = pair
    for address in ("127.0.0.1", "::1", HOST, HOST6):
        assert ask(address, 8080).startswith("server "), address
    for address in (HOST, HOST6):
        assert ask_from(other, address, 8080).startswith("server "), address


def test_a_port_of_one_address_is_not_reached_by_another(pair, outside):
    assert ask("127.0.0.1", 8081).startswith("server ")
    assert ask(HOST, 8081) == "ConnectionRefusedError"
    assert outside(HOST, 8081) == "ConnectionRefusedError"


def test_a_port_of_127_0_0_1_is_not_reached_by_a_neighbour(pair, outside, run):
    """Who sends that address by a link: the kernel would drop it, if it had no other by then."""
    inside = "ip netns exec outside"
    run(f"ip -n outside link set lo down; {inside} sysctl -qw net.ipv4.conf.all.route_localnet=1")
    run(f"ip -n outside route add 127.0.0.1 via {HOST} src {OUTSIDE}")
    try:
        for port in (8080, 8081):
            assert outside("127.0.0.1", port) in ("OSError", "ConnectionRefusedError", "TimeoutError")
    finally:
        run("ip -n outside route del 127.0.0.1")
    assert outside(HOST, 8080) == f"server {OUTSIDE}"


def test_what_is_not_published_is_not_reached_from_outside(pair, outside, nsunit):
    server, _ = pair
    assert outside(address_of(nsunit, server), 80) in ("OSError", "ConnectionRefusedError", "TimeoutError")


def test_services_of_the_host_are_closed_unless_declared(pair):
    server, other = pair
    with socket.create_server(("", 9001)) as one, socket.create_server(("", 9002)) as two:
        for listener in (one, two):
            listener.listen()
        assert ask_from(server, HOST, 9001) != ""  # an error: the connection is made and silent where it is open
        assert ask_from(other, HOST, 9002) != ""
        script = f"import socket; print(socket.create_connection(('{HOST}', 9001), 4).getpeername()[1])"
        assert other.exec("python3", "-c", script).stdout.strip() == "9001"


def test_addresses_of_others_cannot_be_used(pair, nsunit):
    server, other = pair
    where = address_of(nsunit, server)
    stolen = "10.91.0.200"
    script = f"""\
import socket, struct, fcntl
probe = socket.socket()
name = struct.pack("16sH2x4s8x", b"eth0:1", socket.AF_INET, socket.inet_aton("{stolen}"))
fcntl.ioctl(probe, 0x8916, name)  # SIOCSIFADDR: its root may, in a network namespace of its own
def ask(source):
    try:
        return socket.create_connection(("{where}", 80), 3, (source, 0)).makefile().read()
    except OSError as error:
        return type(error).__name__
print(ask("{address_of(nsunit, other)}").split()[0], ask("{stolen}"))
"""
    # In this order: what nobody answers makes the neighbour unreachable for a while.
    assert other.exec("python3", "-c", script).stdout.split() == ["server", "TimeoutError"]
    where, own = (address_of(nsunit, container, 6) for container in (server, other))
    stolen = where.rpartition(":")[0] + ":c8"
    script = f"""\
import socket, struct, fcntl, time
probe = socket.socket(socket.AF_INET6)
address = socket.inet_pton(socket.AF_INET6, "{stolen}")
fcntl.ioctl(probe, 0x8916, struct.pack("16sIi", address, 64, socket.if_nametoindex("eth0")))
while True:
    try:
        socket.socket(socket.AF_INET6).bind(("{stolen}", 0))  # once nobody has objected to it
        break
    except OSError:
        time.sleep(0.1)
def ask(source):
    try:
        return socket.create_connection(("{where}", 80), 3, (source, 0)).makefile().read()
    except OSError as error:
        return type(error).__name__
print(ask("{own}").split()[0], ask("{stolen}"))
"""
    assert other.exec("python3", "-c", script, timeout=60).stdout.split() == ["server", "TimeoutError"]


def test_what_is_told_of_it(pair, nsunit):
    server, other = pair
    address = address_of(nsunit, server)
    assert nsunit("port", server.name).stdout.splitlines() == [
        "80/tcp -> 0.0.0.0:8080 [::]:8080",
        "80/tcp -> 127.0.0.1:8081",
    ]
    one = "0.0.0.0:8080 [::]:8080\n127.0.0.1:8081\n"
    assert [nsunit("port", server.name, port).stdout for port in ("80", "80/tcp")] == [one, one]
    assert [len(item["ports"]) for item in json.loads(nsunit("port", "--json", server.name, "80").stdout)] == [2]
    none = nsunit("port", server.name, "80/udp", check=False)
    assert (none.returncode, none.stderr) == (3, f"nsunit: {server.name}: its port 80/udp is not published\n")
    status = nsunit("status", server.name).stdout
    assert f"Network: {address}/24" in status
    assert "8080/tcp→80" in status
    assert nsunit("port", other.name).stdout == ""
    assert nsunit("network", "check").stdout == "nothing is wrong\n"


def test_a_taken_port_is_refused_before_the_start(pair, containers, nsunit):
    server, _ = pair
    before = traces()
    name = containers.define(definition("PublishPort=8080:81"))
    done = nsunit("start", name, check=False)
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        1,
        f"nsunit: {name}: PublishPort=: 8080/tcp is published by container '{server.name}'",
    )
    with socket.create_server(("", 9003)):
        name = containers.define(definition("PublishPort=9003:81"))
        done = nsunit("start", name, check=False)
    assert done.stderr.splitlines()[0] == f"nsunit: {name}: PublishPort=: 9003/tcp is in use on the host"
    name = containers.define(definition("PublishPort=198.51.100.7:9004:81"))
    done = nsunit("start", name, check=False)
    assert done.stderr.splitlines()[0] == f"nsunit: {name}: PublishPort=: the host has no address '198.51.100.7'"
    assert traces() == before


def test_flushed_rules_are_repaired(pair, outside, nsunit):
    server, _ = pair
    before = traces()
    subprocess.run(["nft", "flush", "ruleset"], check=True)
    found = nsunit("network", "check", check=False)
    assert found.returncode == 1
    assert f"{server.name}: some of its firewall rules are missing" in found.stdout
    assert outside(HOST, 8080) == "ConnectionRefusedError"
    told = [item for item in json.loads(nsunit("doctor", "--json", check=False).stdout) if item["subject"] == "network"]
    assert [item["state"] for item in told] == ["ok", "warning"]
    assert "the firewall's tables are gone or incomplete" in told[1]["text"]
    nsunit("network", "repair")
    assert nsunit("network", "check").stdout == "nothing is wrong\n"
    assert outside(HOST, 8080) == f"server {OUTSIDE}"
    assert traces() == before


def test_what_a_killed_run_had_is_there_for_others(containers, nsunit):
    """Whoever runs it in the foreground takes its network back, unless that is killed: then who wants its port does."""
    name, publish = containers.own(f"k{os.urandom(4).hex()}"), "PublishPort=9055:80"
    words = ("run", "--name", name, "-p", "Layer=/srv/roots/busybox", "-p", "Network=bridge", "-p", publish)
    other = containers.define(definition(publish))
    with subprocess.Popen(["nsunit", *words, "sleep", "1000"]) as process:
        wait_until(lambda: name in nsunit("list", "--quiet").stdout.split())
        taken = nsunit("start", other, check=False).stderr
        assert taken.startswith(f"nsunit: {other}: PublishPort=: 9055/tcp is published by container '{name}'\n")
        process.kill()
    wait_until(lambda: name not in nsunit("list", "--quiet").stdout.split())
    nsunit("start", other)
    assert nsunit("network", "check").stdout == "nothing is wrong\n"
    nsunit("stop", other)
    nsunit("doctor", "--repair")


def test_nothing_is_left_however_it_ends(containers, nsunit, run):
    before = traces()
    container = containers.start(definition("PublishPort=8090:80"))
    address = address_of(nsunit, container)
    assert wait_for("127.0.0.1", 8090).startswith(container.name)
    os.kill(container.pid, 9)
    run(f"until systemctl show -P ActiveState {container.service} | grep -E 'failed|inactive'; do sleep 0.2; done")
    assert traces() == before
    assert connected(nsunit, container) is None
    nsunit("start", container.name)
    assert address_of(nsunit, container) == address  # it is remembered
    nsunit("restart", container.name)
    assert wait_for("127.0.0.1", 8090).startswith(container.name)
    nsunit("stop", container.name)
    assert traces() == before


def test_an_enabled_one_keeps_its_place(containers, nsunit, run):
    before = traces()
    name = containers.define(definition("PublishPort=8091:80"))
    nsunit("enable", name)
    try:
        run("systemctl", "start", containers.of(name).service)  # as at boot, without nsunit
        address = address_of(nsunit, containers.of(name))
        assert wait_for("127.0.0.1", 8091).startswith(name)
        nsunit("stop", name)
        assert traces() == before
        other = containers.define(definition("PublishPort=8091:80"))
        done = nsunit("start", other, check=False)
        assert f"8091/tcp is published by container '{name}'" in done.stderr
        nsunit("start", name)
        assert address_of(nsunit, containers.of(name)) == address
        nsunit("stop", name)
    finally:
        nsunit("disable", name)
    assert connected(nsunit, containers.of(name)) is None
    assert traces() == before


def test_a_failed_start_leaves_nothing(containers, nsunit):
    before = traces()
    name = containers.define(definition().replace("Exec=/usr/bin/python3", "Exec=/missing"))
    assert nsunit("start", name, check=False).returncode == 1
    assert traces() == before
    assert connected(nsunit, containers.of(name)) is None


def test_run_in_the_foreground(nsunit):
    before = traces()
    done = nsunit("run", f"-pLayer={DEBIAN}", "-pNetwork=bridge", "python3", "-c", CLIENT, "10.91.0.1", "1")
    assert done.stdout.strip() in ("ConnectionRefusedError", "OSError")
    assert traces() == before


def test_a_stop_leaves_what_the_foreground_needs_to_detach_it(nsunit):
    before = traces()
    words = ("nsunit", "run", "--name=attended", f"-pLayer={DEBIAN}", "-pNetwork=bridge", "-pPublishPort=8099:80")
    with subprocess.Popen(
        [*words, "sh", "-c", "trap 'exit 143' TERM; echo up; sleep 1000 & wait"], stdout=-1, stderr=-1, text=True
    ) as foreground:
        assert foreground.stdout.readline() == "up\n"
        nsunit("stop", "attended")
        assert foreground.communicate(timeout=120) == ("", "")
    assert foreground.returncode in (137, 143)
    assert traces() == before
    assert not os.path.exists("/run/nsunit/network/attended")


def test_the_bridge_goes_when_nobody_needs_it(pair, nsunit):
    nsunit("network", "prune")  # what others have left, and not this one
    assert os.path.exists("/sys/class/net/nsunit0")
    for container in pair:
        nsunit("stop", container.name)
    assert nsunit("network", "prune").stdout == "bridge\n"
    assert not os.path.exists("/sys/class/net/nsunit0")
    assert "nsunit" not in subprocess.run(["nft", "list", "tables"], capture_output=True, text=True).stdout
