"""Who finds whom by name: hosts files that follow starts and stops, and the resolver's."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from waiting import wait_until

ANYWHERE = pytest.mark.anywhere("files of nsunit's, and the kernel's network")

DEBIAN = "/srv/roots/debian"


def definition(*lines, network="bridge"):
    keys = (f"Layer={DEBIAN}", "Volatile=yes", f"Network={network}", "Exec=/usr/bin/sleep infinity", "Init=yes")
    return "\n".join(("[Container]", *keys, *lines, ""))


def resolved(container, name):
    """What a name is for a program in the container: the C library's answer, IPv4."""
    answer = container.exec("getent", "ahostsv4", name, check=False).stdout.split()
    return answer[0] if answer else None


def addresses(container, name):
    """The first address of a name in the container's hosts file, which is quicker to read than a program to start."""
    lines = (line.split() for line in (container.root / "etc/hosts").read_text().splitlines())
    return next((words[0] for words in lines if name in words[1:]), None)


def own_address(container):
    return addresses(container, container.name)


def others(container):
    """The lines of the container's hosts file but the first: localhost and its own."""
    lines = (container.root / "etc/hosts").read_text().splitlines()
    return [line for line in lines[2:] if container.name not in line.split()]


@pytest.fixture(scope="module")
def web(shared):
    return shared.start(definition("AddHost=printer:192.0.2.9 printer:[2001:db8::9]"))


@pytest.mark.kernel("nftables")
def test_containers_find_each_other_as_they_come_and_go(web, shared, nsunit, run):
    before = others(web)
    inode = os.stat(f"/run/nsunit/network/{web.name}/hosts").st_ino
    assert before == ["192.0.2.9 printer", "2001:db8::9 printer"]
    db = shared.start(definition("NetworkAlias=database store", "Hostname=db.example.org", "Register=yes"))
    for name in (db.name, "database", "store", "db.example.org"):
        assert addresses(web, name) == own_address(db), name
    assert resolved(web, "database") == own_address(db)
    assert resolved(db, web.name) == own_address(web)
    # nss-mymachines asks for just that; its result is a list of (family, address).
    call = "busctl call org.freedesktop.machine1 /org/freedesktop/machine1 org.freedesktop.machine1.Manager"
    octets = own_address(db).replace(".", " ")
    assert f" 2 4 {octets}" in run(f"{call} GetMachineAddresses s {db.name}").stdout
    assert addresses(db, "printer") is None  # that is the other one's affair
    os.kill(db.pid, signal.SIGKILL)
    run(f"systemctl stop {db.service}", check=False)  # waits for what comes after its end
    assert others(web) == before
    nsunit("stop", db.name)  # systemd forgets that it has failed
    nsunit("enable", "--now", db.name)
    assert resolved(web, "database") == own_address(db)
    assert addresses(db, web.name) == own_address(web)
    nsunit("enable", db.name)  # once more, while it runs: its file stays the one that is bound
    assert addresses(db, web.name) == own_address(web)
    run(f"systemctl restart {db.service}")
    assert addresses(web, "database") == own_address(db)
    assert addresses(db, web.name) == own_address(web)
    nsunit("disable", "--now", db.name)
    assert others(web) == before
    assert os.stat(f"/run/nsunit/network/{web.name}/hosts").st_ino == inode
    assert os.listdir("/run/nsunit/connected") == [web.name]


@pytest.mark.kernel("nftables")
@ANYWHERE
def test_a_hosts_file_of_ones_own_is_left_alone(web, shared, workplace, nsunit):
    own = workplace / "hosts"
    own.write_text("127.0.0.1 localhost\n192.0.2.77 mine\n")
    own.chmod(0o644)
    container = shared.start(definition(f"BindReadOnly={own}:/etc/hosts"))
    assert (container.root / "etc/hosts").read_text() == own.read_text() == "127.0.0.1 localhost\n192.0.2.77 mine\n"
    assert addresses(web, container.name)
    nsunit("stop", container.name)


@pytest.mark.kernel("nftables")
def test_a_changed_file_is_found_and_put_right(web, nsunit):
    path = Path(f"/run/nsunit/network/{web.name}/hosts")
    right = path.read_text()
    path.write_text("192.0.2.66 printer\n")
    checked = nsunit("network", "check", check=False)
    assert checked.returncode == 1
    assert f"{web.name}: its hosts file does not name the others as it should" in checked.stdout
    nsunit("network", "repair")
    assert (web.root / "etc/hosts").read_text() == right
    assert nsunit("network", "check").stdout == "nothing is wrong\n"


@pytest.mark.kernel("nftables")
def test_the_resolver_asks_whom_it_is_told_to(web, shared, nsunit):
    host = Path("/etc/resolv.conf").read_text()
    assert (web.root / "etc/resolv.conf").read_text() == host
    lines = ("DNS=192.0.2.53 2001:db8::53", "DNSSearch=shop.example", "DNSOption=ndots:2")
    told = "nameserver 192.0.2.53\nnameserver 2001:db8::53\nsearch shop.example\noptions ndots:2\n"
    for network in ("bridge", "host"):
        container = shared.start(definition(*lines, network=network))
        assert (container.root / "etc/resolv.conf").read_text() == told
        nsunit("stop", container.name)
    untold = shared.start(definition("AddHost=printer:192.0.2.9", network="none"))
    # Without an address of its own it has none of others either, says getaddrinfo(3) to those who ask like that.
    assert untold.exec("getent", "hosts", "printer").stdout.split() == ["192.0.2.9", "printer"]
    assert (untold.root / "etc/hosts").read_text().splitlines()[2] == f"127.0.1.1 {untold.name}"
    assert "resolv.conf" not in untold.proc("mountinfo")
    nsunit("stop", untold.name)
    assert not os.path.exists(f"/run/nsunit/network/{untold.name}")


@pytest.fixture
def stub():
    """A host that asks a server of its own, which asks others: the file in which it says so."""
    resolver, upstream = Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf")
    before = resolver.read_text()
    resolver.write_text("nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch near.example\n")
    upstream.parent.mkdir()
    yield upstream
    resolver.write_text(before)
    shutil.rmtree(upstream.parent)


@pytest.mark.kernel("nftables")
def test_the_resolver_is_told_nothing_that_is_true_for_the_host_alone(stub, containers, nsunit):
    stub.write_text("nameserver 127.0.0.54\nnameserver fe80::1%out0\nnameserver 192.0.2.7\nsearch far.example\n")
    name = containers.define(definition())
    said = {
        f"warning: {name}: there is no name server it could ask, as 127.0.0.53 is the host's alone; name one with DNS="
    }
    assert nsunit("start", name).stderr == ""
    assert (containers.of(name).root / "etc/resolv.conf").read_text() == "nameserver 192.0.2.7\nsearch far.example\n"
    nsunit("stop", name)
    stub.write_text("nameserver 127.0.0.54\n")
    assert said <= {line.removeprefix("nsunit: ") for line in nsunit("start", name).stderr.splitlines()}
    assert (containers.of(name).root / "etc/resolv.conf").read_text() == "search near.example\noptions edns0\n"
    as_the_host = containers.start(definition("DNSSearch=.", network="host"))
    assert (as_the_host.root / "etc/resolv.conf").read_text() == "nameserver 127.0.0.53\noptions edns0 trust-ad\n"


@pytest.fixture
def networks(nsunit):
    """Two networks, the first one with a domain."""
    for name, *keys in (("inner", "Subnet=10.77.1.0/24", "Domain=shop.internal"), ("outer", "Subnet=10.77.2.0/24")):
        nsunit("network", "create", name, *keys)
    yield
    nsunit("network", "prune")
    for name in ("inner", "outer"):
        nsunit("network", "rm", name)


@pytest.mark.kernel("nftables")
@ANYWHERE
def test_each_network_has_its_own_names(networks, containers, nsunit):
    middle = containers.start(definition("Network=inner", "NetworkAlias=middle", network="outer"))
    inside = containers.start(definition("NetworkAlias=db", network="inner"))
    outside = containers.start(definition(network="outer"))
    assert resolved(middle, "db.shop.internal") == addresses(middle, "db") == own_address(inside)
    assert own_address(inside).startswith("10.77.1.")
    assert addresses(middle, outside.name) == own_address(outside)
    assert addresses(inside, "middle.shop.internal").startswith("10.77.1.")
    assert addresses(outside, "middle").startswith("10.77.2.")
    assert addresses(outside, "middle.shop.internal") is None
    for asker, name in ((inside, outside.name), (outside, inside.name), (outside, "db")):
        assert addresses(asker, name) is None
    linked = containers.define(definition(f"Link={inside.name}", network="outer"))
    refused = nsunit("start", linked, check=False)
    assert refused.returncode
    assert f"{linked}: Link=: '{inside.name}' is in none of its networks" in refused.stderr
    alone = containers.start(definition(network="none"))
    linked = containers.define(definition(f"Link={alone.name}"))
    refused = nsunit("start", linked, check=False)
    assert f"{linked}: Link=: '{alone.name}' is not connected to a network" in refused.stderr
    containers.clean()  # a network can be removed when nobody is in it


# Sends back what it is sent, until the other side is done.
ECHO = """\
import socket, sys, threading
server = socket.create_server((sys.argv[1], int(sys.argv[2])))
def serve(connection):
    with connection:
        while data := connection.recv(65536):
            connection.sendall(data)
while True:
    threading.Thread(target=serve, args=server.accept()[:1]).start()
"""
# Sends a megabyte and wants it back.
CLIENT = """\
import os, socket, sys, threading
if sys.argv[1].startswith("/"):
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(sys.argv[1])
else:
    connection = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=30)
sent = os.urandom(1 << 20)
threading.Thread(target=connection.sendall, args=(sent,)).start()
got = b""
while len(got) < len(sent) and (data := connection.recv(65536)):
    got += data
print(os.getuid(), got == sent)
"""


@pytest.fixture(scope="module")
def echo(workplace):
    """Lines of a definition whose program sends back what it gets; it listens at the address that is given."""
    layer = workplace / "echo"
    layer.mkdir()
    (layer / "echo.py").write_text(ECHO)
    (layer / "client.py").write_text(CLIENT)

    def lines(address, network, *more):
        keys = (f"Layer={layer}", f"Layer={DEBIAN}", "Volatile=yes", f"Network={network}")
        return "\n".join(("[Container]", *keys, f"Exec=/usr/bin/python3 /echo.py {address} 5432", *more, ""))

    return lines


def talk(container, *where):
    """What the client says in the container; the server may take a moment until it listens."""
    deadline = time.monotonic() + 60
    while True:
        done = container.exec("python3", "/client.py", *where, check=False)
        if done.stdout == "0 True\n" or time.monotonic() > deadline:
            break
    return done.stdout.strip() or done.stderr


@pytest.fixture(scope="module")
def db(shared, echo):
    return shared.start(echo("0.0.0.0", "bridge", "ExposedPort=5432 53/udp", "PublishPort=18080:80"))


@pytest.mark.kernel("nftables")
def test_a_link_orders_binds_and_tells(db, define, nsunit, containers, run):
    name = define(definition(f"Link={db.name}:DB"))
    nsunit("start", name)
    web = containers.of(name)
    address = own_address(db)
    assert resolved(web, "DB") == addresses(web, "db") == addresses(web, db.name) == address
    variables = dict(line.split("=", 1) for line in web.proc("environ").split("\0") if line.startswith("DB_"))
    expected = {"DB_NAME": f"/{name}/DB", "DB_PORT": f"tcp://{address}:80"}
    for port, protocol in (("80", "tcp"), ("5432", "tcp"), ("53", "udp")):
        prefix = f"DB_PORT_{port}_{protocol.upper()}"
        expected |= {prefix: f"{protocol}://{address}:{port}", f"{prefix}_ADDR": address}
        expected |= {f"{prefix}_PORT": port, f"{prefix}_PROTO": protocol}
    assert variables == expected
    shown = web.show("BindsTo", "After")
    assert db.service in shown["BindsTo"].split()
    assert db.service in shown["After"].split()
    refused = nsunit("enable", name, check=False)
    assert f"{name}: it is linked with '{db.name}', which is not enabled" in refused.stderr
    nsunit("stop", name)
    alone = define(definition("Link=nobody-there"))
    refused = nsunit("start", alone, check=False)
    assert refused.returncode
    assert f"{alone}: it is linked with 'nobody-there', which is not running" in refused.stderr


@pytest.mark.kernel("nftables")
@ANYWHERE
def test_a_tunnel_leads_to_another_network(shared, containers, echo, workplace, nsunit, run):
    """To one with no network at all, from one with no network at all, and from a network that has no route to it."""
    hidden = shared.start(echo("127.0.0.1", "none"))
    tunnels = (f"Tunnel={hidden.name}:5432", f"Tunnel={hidden.name}:5432:/run/deep/db.sock")
    alone = containers.start(echo("127.0.0.2", "none", *tunnels, "[Service]", "Restart=on-failure", "RestartSec=100ms"))
    assert talk(alone, "127.0.0.1", "5432") == "0 True"
    assert talk(alone, "::1", "5432") == "0 True"
    assert talk(alone, "/run/deep/db.sock") == "0 True"
    # Two proxies beside the container's own group, without privileges and in the other one's network.
    group = alone.cgroup / alone.service / "tunnel/cgroup.procs"
    pids = group.read_text().split()
    assert len(pids) == 2
    for pid in pids:
        status = Path(f"/proc/{pid}/status").read_text()
        assert "\nUid:\t65534\t65534\t65534\t65534\n" in status
        assert "\nCapEff:\t0000000000000000\n" in status
        assert "\nCapPrm:\t0000000000000000\n" in status
        assert os.readlink(f"/proc/{pid}/ns/net") == os.readlink(f"/proc/{hidden.pid}/ns/net")
        assert os.readlink(f"/proc/{pid}/ns/mnt") == os.readlink("/proc/1/ns/mnt")
    # One that was killed is told of.  A restart that nobody asked nsunit for makes all anew.
    assert "Note:" not in nsunit("status", "--lines=0", alone.name).stdout
    os.kill(int(pids[1]), signal.SIGKILL)
    wait_until(lambda: group.read_text().split() == pids[:1], "its end")
    told = (
        f"Note: its tunnel from '/run/deep/db.sock' to port 5432 of '{hidden.name}' is broken, as the proxy has ended"
    )
    status = nsunit("status", "--lines=0", alone.name).stdout
    assert status.count("Note:") == status.count(told) == 1
    before = alone.pid
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: alone.show("NRestarts", "ActiveState") == {"NRestarts": "1", "ActiveState": "active"}, "it runs")
    assert talk(alone, "127.0.0.1", "5432") == "0 True"
    assert talk(alone, "/run/deep/db.sock") == "0 True"
    # The end of the container is that of the proxies.
    pids = group.read_text().split()
    assert len(pids) == 2
    nsunit("stop", alone.name)
    assert not any(os.path.exists(f"/proc/{pid}") for pid in pids)
    layers = (f"--property=Layer={workplace}/echo", f"--property=Layer={DEBIAN}")
    command = ("/usr/bin/python3", "/client.py", "127.0.0.1", "5432")
    done = nsunit("run", *layers, f"--property=Tunnel={hidden.name}:5432", "--", *command)
    assert done.stdout == "0 True\n"
    assert run("pgrep", "-f", "socket-proxyd 127.0.0.1:5432", check=False).stdout == ""
    killed = ("nsunit", "run", *layers, f"--property=Tunnel={hidden.name}:5432", "--", "sleep", "1000")
    with subprocess.Popen(killed) as process:
        wait_until(lambda: run("pgrep", "-f", "socket-proxyd 127.0.0.1:5432", check=False).stdout)
        process.kill()
    wait_until(lambda: not run("pgrep", "-f", "socket-proxyd 127.0.0.1:5432", check=False).stdout)
    bridged = containers.start(echo("0.0.0.0", "bridge", f"Tunnel={hidden.name}:5432:15432"))
    assert talk(bridged, "127.0.0.1", "15432") == "0 True"
    nsunit("stop", hidden.name)  # and with it what is bound to it
    assert bridged.show("ActiveState")["ActiveState"] != "active"


@pytest.mark.kernel("nftables")
@ANYWHERE
def test_killed_at_each_step_of_a_tunnel(containers, db, nsunit, run):
    """The helper, and each of the processes that it has for the tunnel."""
    steps = ("listen", "listening", "start", "proxy")
    text = f"[Container]\nRootfs=/srv/roots/busybox\nVolatile=yes\nExec=/bin/sleep 1000\nTunnel={db.name}:5432\n"
    names = {containers.define(text): step for step in steps}
    places = [Path(f"/run/systemd/system/nsunit-{name}.service.d") for name in names]
    for place, step in zip(places, steps, strict=True):
        place.mkdir(parents=True)
        (place / "fail.conf").write_text(f"[Service]\nEnvironment=NSUNIT_FAILPOINT=tunnel:{step}\n")
    run("systemctl", "daemon-reload")
    failed = nsunit("start", *names, check=False)
    for place in places:
        shutil.rmtree(place)
    told = [[line for line in failed.stderr.splitlines() if line.startswith(f"nsunit: {name}: ")] for name in names]
    assert all(len(lines) == 1 and "kill" in lines[0] for lines in told), told
    assert containers.left() == []
    assert run("pgrep", "-f", "socket-proxyd 127.0.0.1:5432", check=False).stdout == ""


@pytest.mark.kernel("nftables")
@ANYWHERE
def test_a_place_that_is_taken_fails_the_start(containers, echo, db, nsunit):
    name = containers.define(echo("0.0.0.0", "none", f"Tunnel={db.name}:5432:/etc"))
    failed = nsunit("start", name, check=False)
    assert failed.returncode
    assert f"Failed to make the tunnel from '/etc' to port 5432 of '{db.service}'" in failed.stderr
    assert "Address already in use" in failed.stderr
