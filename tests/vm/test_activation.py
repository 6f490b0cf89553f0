"""Activation=: containers that their first connection starts."""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

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


@pytest.fixture(scope="module", autouse=True)
def program():
    LAYER.mkdir()
    (LAYER / "server.py").write_text(SERVER)
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


@pytest.mark.timeout(240)
def test_the_first_connection_starts_it_and_it_stops_when_idle(containers, nsunit):
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

    assert ask(8180)[1] == "1"
    assert container.show("ActiveState")["ActiveState"] == "active"
    wait_for(container, "inactive")  # IdleStop=
    assert not [link for link in os.listdir("/sys/class/net") if link.startswith("nv-")]
    assert sub_state(nsunit, name) == "listening"

    assert ask(8180, "::1")[1] == "1"  # it is another run
    nsunit("stop", name)
    assert units(name) == {}
    assert not os.path.exists(f"/run/nsunit/containers/{name}")
    assert not os.path.exists(f"/run/nsunit/network/{name}")
    with pytest.raises(ConnectionRefusedError):
        ask(8180)


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


@pytest.mark.timeout(240)
def test_a_port_of_six_loopback_only(containers, nsunit):
    """The firewall leads nothing away from ::1, so a socket and a proxy carry it for a container that runs anyway."""
    container = containers.start(definition("Network=bridge", "PublishPort=[::1]:8186:80"))
    assert container.show("ActiveState")["ActiveState"] == "active"
    assert ask(8186, "::1")[1] == "1"
    with pytest.raises(ConnectionRefusedError):
        ask(8186)
    assert sub_state(nsunit, container.name) == "running"
    nsunit("stop", container.name)
    assert units(container.name) == {}
    with pytest.raises(ConnectionRefusedError):
        ask(8186, "::1")


@pytest.mark.timeout(240)
def test_an_enabled_one_listens_from_boot_on(containers, nsunit, run):
    name = containers.define(definition("Network=bridge", "PublishPort=8185:80", "Activation=socket", "IdleStop=500ms"))
    nsunit("enable", name)
    sockets = f"nsunit-{name}-port-80.socket"
    try:
        link = Path(f"/etc/systemd/system/sockets.target.wants/{sockets}")
        assert link.is_symlink()
        run("systemctl", "start", sockets)  # as at boot, without nsunit
        assert ask(8185)[1] == "1"
        os.kill(containers.of(name).pid, 9)
        wait_for(containers.of(name), "failed")
        assert ask(8185)[1] == "1"
        wait_for(containers.of(name), "inactive")
        refused = nsunit("disable", name, check=False)
        assert f"{name}: it is listened for by the unit files that would be removed" in refused.stderr
    finally:
        nsunit("disable", "--now", name)
    assert not link.exists()
    assert units(name) == {}
