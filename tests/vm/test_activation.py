"""Activation=: containers that their first connection starts."""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest
from waiting import wait_until

LAYER = Path("/var/tmp/activation-test")
# Says who asks, how often it was asked, and how it came by its socket.
SERVER = """\
import os, signal, socket, sys
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
if os.environ.get("LISTEN_PID") == str(os.getpid()):
    server = socket.socket(fileno=3)
    count = os.environ["LISTEN_FDS"]
else:
    server, count = socket.create_server(("0.0.0.0", 80)), "0"
served = 0
while True:
    connection, client = server.accept()
    served += 1
    connection.sendall(f"{client[0]} {served} {count} {len(os.listdir('/sys/class/net'))}".encode())
    connection.close()
"""
# Says which of its runs it is, and stays connected.  It listens on port 81 when the first one has come to port 80.
STAYING = """\
import os, socket, threading
run = os.urandom(4).hex().encode()
def serve(port):
    server = socket.create_server(("0.0.0.0", port))
    while True:
        connection = server.accept()[0]
        connection.sendall(run + b"\\n")
        threading.Thread(target=connection.recv, args=(1,)).start()
        if port == 80:
            threading.Thread(target=serve, args=(81,)).start()
serve(80)
"""
FAILING = "[Container]\nRootfs=/srv/roots/busybox\nVolatile=yes\nExec={}\n{}\n[Unit]\nStartLimitBurst=1\n"


@pytest.fixture(scope="module", autouse=True)
def program():
    LAYER.mkdir()
    (LAYER / "server.py").write_text(SERVER)
    (LAYER / "staying.py").write_text(STAYING)
    yield
    shutil.rmtree(LAYER)


def definition(*lines):
    keys = (f"Layer={LAYER}", "Layer=/srv/roots/debian", "Volatile=yes", "Exec=/usr/bin/python3 /server.py")
    return "\n".join(("[Container]", *keys, *lines, ""))


def ask(port, address="127.0.0.1"):
    with socket.create_connection((address, port), timeout=90) as connection:
        return connection.makefile().read().split()


def units(name):
    shown = subprocess.run(
        ["systemctl", "list-units", "--all", "--plain", "--no-legend", f"nsunit-{name}*"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return {line.split()[0]: line.split()[2] for line in shown.splitlines()}


def wait_for(container, state):
    deadline = time.monotonic() + 60
    while (now := container.show("ActiveState")["ActiveState"]) != state:
        assert time.monotonic() < deadline, f"{container.name} is {now}, not {state}"
        time.sleep(0.1)


def sub_state(nsunit, name):
    rows = (line.split() for line in nsunit("list", "--no-color").stdout.splitlines())
    return next((row[2] for row in rows if row[0] == name), None)


@pytest.fixture
def neighbour(containers, nsunit):
    """A container on the default network and on one without a way out, whose port is published on ::1."""
    nsunit("network", "create", "closed", "Subnet=10.78.1.0/24", "Internal=yes")
    keys = (
        "Rootfs=/srv/roots/busybox",
        "Volatile=yes",
        "Network=bridge",
        "Network=closed",
        "PublishPort=[::1]:8186:80",
    )
    yield containers.start("\n".join(("[Container]", *keys, "Exec=/bin/nc -ll -p 80 -e /bin/hostname", "")))
    containers.clean()
    nsunit("network", "prune")
    nsunit("network", "rm", "closed")


def ask_from(container, address, port):
    """What a container is told; nothing where it does not get in."""
    command = ["nsenter", f"--net=/proc/{container.pid}/ns/net", "busybox", "nc", "-w", "60", address, str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        told = client.stdout.read()  # the proxy would end with the client, so that sends no end of file
    return told.split()


@pytest.mark.kernel("nftables")
@pytest.mark.timeout(240)
def test_the_first_connection_starts_it_and_it_stops_when_idle(containers, neighbour, nsunit, run):
    name = containers.define(definition("Network=bridge", "PublishPort=8180:80", "Activation=socket", "IdleStop=500ms"))
    container = containers.of(name)
    assert nsunit("start", name).stdout == f"{name}: listens for its first connection\n"
    assert (container.show("ActiveState")["ActiveState"], sub_state(nsunit, name)) == ("inactive", "listening")
    assert nsunit("port", name).stdout == "80/tcp -> 0.0.0.0:8180 [::]:8180\n"
    assert nsunit("status", name).returncode == 0
    other = containers.define(definition("Network=bridge", "PublishPort=8180:80"))
    refused = nsunit("start", other, check=False).stderr.splitlines()[0]
    assert refused == f"nsunit: {other}: PublishPort=: 8180/tcp is published by container '{name}'"
    assert nsunit("rm", name, check=False).returncode == 1

    run("systemctl", "daemon-reload")  # what waits for the program to listen is still known after that
    assert ask(8180)[1] == "1"
    assert container.show("ActiveState")["ActiveState"] == "active"
    wait_for(container, "inactive")  # IdleStop=
    assert len([link for link in os.listdir("/sys/class/net") if link.startswith("nv-")]) == 2  # the neighbour's
    assert sub_state(nsunit, name) == "listening"

    # The published port, and nothing else of the host, is open to other containers, where there is a way out.
    with socket.create_server(("", 8181)):
        assert ask_from(neighbour, "10.91.0.1", 8181) == []
    assert ask_from(neighbour, "10.78.1.1", 8180) == []
    assert containers.of(name).show("ActiveState")["ActiveState"] == "inactive"
    assert ask_from(neighbour, "10.91.0.1", 8180)[1] == "1"  # it is another run
    assert int(ask(8180, "::1")[1]) in (1, 2)
    nsunit("stop", name)
    assert units(name) == {}
    assert not os.path.exists(f"/run/nsunit/containers/{name}")
    assert not os.path.exists(f"/run/nsunit/network/{name}")
    with pytest.raises(ConnectionRefusedError):
        ask(8180)
    a_port_of_six_loopback_only(neighbour, nsunit)


def a_port_of_six_loopback_only(container, nsunit):
    """The firewall leads nothing away from ::1, so a socket and a proxy carry it for a container that runs anyway."""
    assert container.show("ActiveState")["ActiveState"] == "active"
    assert ask(8186, "::1") == [container.name]
    with pytest.raises(ConnectionRefusedError):
        ask(8186)
    assert sub_state(nsunit, container.name) == "running"
    nsunit("stop", container.name)
    assert units(container.name) == {}
    with pytest.raises(ConnectionRefusedError):
        ask(8186, "::1")


@pytest.mark.timeout(240)
def test_the_sockets_themselves_are_handed_in(containers, nsunit, run):
    """A container without any network serves a port of the host, and sees who asks."""
    name = containers.define(definition("PublishPort=127.0.0.1:8182:80 8183:81", "Activation=fds"))
    nsunit("start", "--now", name)
    assert containers.of(name).show("ActiveState")["ActiveState"] == "active"
    run("systemctl", "daemon-reload")
    assert ask(8182) == ["127.0.0.1", "1", "2", "1"]
    os.kill(containers.of(name).pid, 9)
    wait_for(containers.of(name), "failed")
    assert ask(8182)[1] == "1"
    run("systemctl", "stop", f"nsunit-{name}.socket")  # whoever stops the socket stops all
    wait_for(containers.of(name), "inactive")
    assert not os.path.exists(f"/run/nsunit/containers/{name}")
    assert units(name) == {}
    with socket.create_server(("", 8184)):
        taken = containers.define(definition("PublishPort=8184:80", "Activation=fds"))
        refused = nsunit("start", taken, check=False).stderr.splitlines()[0]
    assert refused == f"nsunit: {taken}: PublishPort=: 8184/tcp is in use on the host"
    assert units(taken) == {}
    done = nsunit("run", "-pActivation=fds", "-pPublishPort=8184:80", "-pLayer=/srv/roots/debian", "true", check=False)
    assert "nothing waits for a connection in the foreground" in done.stderr


@pytest.mark.kernel("nftables")
@pytest.mark.timeout(240)
def test_an_enabled_one_listens_from_boot_on(containers, nsunit, run):
    name = containers.define(definition("Network=bridge", "PublishPort=8185:80", "Activation=socket", "IdleStop=500ms"))
    nsunit("enable", name)
    sockets = f"nsunit-{name}-port-80.socket"
    try:
        link = Path(f"/etc/systemd/system/sockets.target.wants/{sockets}")
        assert link.is_symlink()
        run("systemctl", "start", sockets)  # as at boot, without nsunit
        assert nsunit("start", name).stdout == f"{name}: listens for its first connection\n"
        assert ask(8185)[1] == "1"
        wait_for(containers.of(name), "inactive")
        refused = nsunit("disable", name, check=False)
        assert f"{name}: it is listened for by the unit files that would be removed" in refused.stderr
    finally:
        nsunit("disable", "--now", name)
    assert not link.exists()
    assert units(name) == {}


@pytest.mark.kernel("nftables")
@pytest.mark.parametrize("lines", [("PublishPort=8191:80", "Activation=socket"), ("PublishPort=[::1]:8191:80",)])
def test_one_whose_sockets_listen_can_be_enabled(containers, nsunit, lines):
    """Its own socket has the port, and nobody else; another container's is still refused."""
    name = containers.define(definition("Network=bridge", *lines))
    nsunit("start", name)
    try:
        assert nsunit("enable", name).returncode == 0
        assert nsunit("enable", name).stdout == f"{name}: was so already\n"
        other = containers.define(definition("Network=bridge", "PublishPort=8191:80", "Activation=socket"))
        refused = nsunit("enable", other, check=False)
        assert f"{other}: PublishPort=: 8191/tcp is published by container '{name}'" in refused.stderr
    finally:
        nsunit("disable", "--now", name)
    assert units(name) == {}


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=90).makefile()


def kill(container, unit, pid):
    """Kill the process that *pid*, MainPID or ControlPID, tells of *unit*, and wait until systemd knows."""
    before = wait_until(lambda: int(container.show(pid, unit=unit)[pid]), f"a {pid} of {unit}")
    os.kill(before, 9)
    wait_until(lambda: int(container.show(pid, unit=unit)[pid]) != before, f"the end of {unit}")


def notes(nsunit, name):
    lines = nsunit("status", "--lines=0", name, check=False).stdout.splitlines()
    return [line.partition("Note: ")[2] for line in lines if "Note: " in line]


@pytest.mark.kernel("nftables")
@pytest.mark.timeout(240)
def test_the_proxies_are_killed(containers, nsunit, run):
    """The container goes on, connections that wait are served, and what systemd has given up is told and mended."""
    lines = ("Network=bridge", "PublishPort=8187:80 8188:81", "Activation=socket", "IdleStop=10min")
    name = containers.define(definition(*lines).replace("server.py", "staying.py"))
    container = containers.of(name)
    prompt, late = (f"nsunit-{name}-port-{port}" for port in (80, 81))
    limit = Path(f"/run/systemd/system/{late}.service.d/limit.conf")
    limit.parent.mkdir(parents=True)
    limit.write_text("[Unit]\nStartLimitIntervalSec=1h\nStartLimitBurst=3\n")
    run("systemctl", "daemon-reload")
    nsunit("start", name)
    waiting = connect(8188)  # nobody is there yet
    kill(container, f"{late}.service", "ControlPID")
    served = connect(8187)
    started = served.readline()
    assert waiting.readline() == started
    kill(container, f"{prompt}.service", "MainPID")
    try:
        assert served.read() == ""
    except ConnectionResetError:
        pass
    assert connect(8187).readline() == started
    assert notes(nsunit, name) == []
    for _ in range(2):
        kill(container, f"{late}.service", "MainPID")
    wait_until(lambda: notes(nsunit, name), "a note")
    note = (
        f"systemd listens for it no more, as it was started too often in vain ('service-start-limit-hit' of "
        f"'{late}.socket'); 'nsunit logs {name}' says why, 'nsunit start {name}' has it listen again"
    )
    assert notes(nsunit, name) == [note]
    assert nsunit("list").stderr == f"nsunit: {name}: {note}\n"
    assert nsunit("start", name).stdout == f"{name}: listens again\n"
    assert nsunit("start", name).stdout == f"{name}: is already running\n"
    assert notes(nsunit, name) == []
    assert connect(8188).readline() == started
    nsunit("stop", name)
    assert units(name) == {}
    shutil.rmtree(limit.parent)


@pytest.mark.kernel("nftables")
@pytest.mark.timeout(240)
def test_one_that_fails_at_each_start_is_given_up(containers, nsunit):
    wanted = {
        "trigger-limit-hit": ("Network=bridge", "PublishPort=8189:80", "Activation=socket"),
        "service-start-limit-hit": ("PublishPort=8190:80", "Activation=fds"),
    }
    names = {
        result: containers.define(FAILING.format("/bin/false", "\n".join(lines))) for result, lines in wanted.items()
    }
    nsunit("start", *names.values())
    for port in (8189, 8190):
        with pytest.raises((ConnectionResetError, IndexError)):
            ask(port)[0]
    for result, name in names.items():
        wait_until(lambda name=name: sub_state(nsunit, name) == "not-listening", f"{name} is given up")
        assert f"'{result}' of 'nsunit-{name}" in notes(nsunit, name)[0]
        assert f"'nsunit start {name}' has it listen again" in notes(nsunit, name)[0]
    first, second = names.values()
    mended = FAILING.format("/bin/nc -ll -p 80 -e /bin/hostname", "\n".join(wanted["trigger-limit-hit"]))
    Path(f"/etc/nsunit/{first}.nsunit").write_text(mended)
    nsunit("start", first, second)
    assert (sub_state(nsunit, first), sub_state(nsunit, second)) == ("listening", "listening")
    assert (notes(nsunit, first), notes(nsunit, second)) == ([], [])
    assert ask(8189) == [first]
    nsunit("stop", first, second)
    assert units(first) == units(second) == {}
