"""pasta connects the containers of a user without privileges."""

import json
import socket
import subprocess
import time
from pathlib import Path

import pytest
from rootless import foreground, nothing_left, user
from waiting import wait_until

__all__ = ["nothing_left", "user"]  # fixtures

SERVER = """
import socket
far, loopback = (socket.create_server((address, 7001)) for address in ("198.51.100.1", "127.0.0.1"))
print("listening", flush=True)
caller = far.accept()[0]
caller.sendall(b"hello")
while caller.recv(1000):  # the pasta of Debian 12 stumbles over a server that is the first to close
    pass
loopback.setblocking(False)
loopback.accept()
"""


# Two servers that say one word each to whoever comes.
WORDS = """
import socket, threading
tcp = socket.create_server(("", 80))
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("", 53))
def answer():
    while True:
        udp.sendto(b"udp", udp.recvfrom(10)[1])
threading.Thread(target=answer).start()
while True:
    caller = tcp.accept()[0]
    caller.sendall(b"tcp")
    caller.recv(10)  # the pasta of Debian 12 stumbles over a server that is the first to close
    caller.close()
"""


def ask(kind, *where):
    """What a server on this host answers, or the error."""
    with socket.socket(socket.AF_INET, kind) as asker:
        asker.settimeout(5)
        try:
            asker.connect(where)
            asker.sendall(b"?")
            return asker.recv(10)
        except OSError as error:
            return error


def assert_published(user):
    """Ports of the host lead into a container of pasta's; what cannot be had is told before the start."""
    program = user.home / "words.py"
    program.write_text(WORDS)
    lines = ("Volatile=yes", "Network=pasta", "DNS=192.0.2.53", f"BindReadOnly={program}:/words.py")
    lines += ("Layer=", "Layer=/srv/roots/debian", "Exec=/usr/bin/python3 /words.py", "Init=yes")
    name = user.define("serving", *lines, "PublishPort=127.0.0.1:18080:80 15353:53/udp")
    user.nsunit("start", name)
    assert user.exec(name, "cat /etc/resolv.conf") == "nameserver 192.0.2.53\n"
    # pasta listens before the program does.
    deadline, answers = time.monotonic() + 60, []
    while answers != [b"tcp", b"udp"] and time.monotonic() < deadline:
        answers = [ask(socket.SOCK_STREAM, "127.0.0.1", 18080), ask(socket.SOCK_DGRAM, "198.51.100.1", 15353)]
    assert answers == [b"tcp", b"udp"]
    assert user.nsunit("port", name).stdout == "80/tcp -> 127.0.0.1:18080\n53/udp -> 0.0.0.0:15353 [::]:15353\n"
    assert "Ports: 127.0.0.1:18080/tcp→80 15353/udp→53\n" in user.nsunit("status", name).stdout
    busy = user.define("busy", "Volatile=yes", "Network=pasta", "PublishPort=18080:80")
    done = user.nsunit("start", busy, check=False)
    assert "busy: PublishPort=: 18080/tcp is in use on the host" in done.stderr
    low = user.define("low", "Volatile=yes", "Network=pasta", "PublishPort=80:80")
    done = user.nsunit("start", low, check=False)
    assert "only root may listen on ports below 1024, and here is 80" in done.stderr
    assert "sysctl net.ipv4.ip_unprivileged_port_start=80" in done.stderr
    user.nsunit("stop", name)
    user.nsunit("rm", name)


PASTA = ("pgrep", "-f", "^pasta ")  # it executes a build of its own for some processors, and is called so


def assert_ended_by_a_kill(user, run):
    """A foreground container whose command was killed runs no more, and its port is another's."""
    words = ("run", "--name=killed", "-p", f"Layer={user.layer}", "-p", "Network=pasta", "-p", "PublishPort=18081:80")
    with subprocess.Popen([*user.words, "nsunit", "--user", *words, "sleep", "1000"]) as process:
        wait_until(lambda: not run(*PASTA, check=False).returncode)
        wait_until(lambda: "killed" in user.nsunit("list", "--quiet").stdout.split())
        process.kill()
    wait_until(lambda: "killed" not in user.nsunit("list", "--quiet").stdout.split())
    assert run(*PASTA, check=False).returncode == 1
    user.nsunit("doctor", "--repair")


def test_pasta_connects(user, run):
    """The host's addresses can be reached but for its loopback; pasta ends with the container."""
    for command in (
        "link add up0 type veth peer name up1",
        "link set up1 up",
        "address add 192.0.2.2/24 dev up0",
        "link set up0 up",
        "route add default via 192.0.2.1",
        "link add far0 type veth peer name far1",
        "link set far1 up",
        "address add 198.51.100.1/32 dev far0",
        "link set far0 up",
    ):
        run("ip", *command.split())
    server = subprocess.Popen(["python3", "-c", SERVER], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stdout.readline() == "listening\n"
        # A layer that is root's, without a file that a resolv.conf could be mounted on.
        lines = ("Volatile=yes", "Network=pasta", "User=1000", "Layer=", "Layer=/srv/roots/busybox")
        name = user.define("net", *lines)
        user.nsunit("start", name)
        script = "for to in 192.0.2.1 127.0.0.1 198.51.100.1; do timeout 5 nc $to 7001 </dev/null | head -c 5; done"
        assert user.exec(name, script) == "hello"
        assert "BlockingIOError" in server.communicate(timeout=60)[1]  # nobody has come to the loopback address
        processes = json.loads(user.nsunit("ps", name, "--json").stdout)
        (pasta,) = (item for item in processes if item["command"].split()[0] == "pasta")
        # Its PID namespace is one of its own, in which it is 1; its user would be the container's root.
        assert (pasta["inside_pid"], pasta["inside_uid"]) == (None, None)
        assert 1 in [item["inside_pid"] for item in processes]
        user.nsunit("stop", name)
        user.nsunit("rm", name)
        assert_published(user)
        assert "default via 192.0.2.1" in foreground(user, "ip route", "Network=pasta").stdout
        assert run(*PASTA, check=False).returncode == 1
        assert_ended_by_a_kill(user, run)
    finally:
        server.kill()
        run("ip", "link", "delete", "up0")
        run("ip", "link", "delete", "far0")


# Answers each question for an IPv4 address with the same one.
NAME_SERVER = """\
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.53", 53))
print("listening", flush=True)
while True:
    question, asker = server.recvfrom(512)
    answer = bytes((0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 192, 0, 2, 99))
    server.sendto(question[:2] + b"\\x81\\x80\\0\\1\\0\\1\\0\\0\\0\\0" + question[12:] + answer, asker)
"""


@pytest.mark.once("what pasta makes of routes has nothing to do with systemd, and that of Debian 12 needs a way out")
def test_a_host_whose_links_are_down(user, run):
    """As where a bridge is all there is, and no container is connected to it."""
    run("ip", "link", "add", "down0", "type", "veth", "peer", "name", "down1")
    try:
        run("ip", "address", "add", "203.0.113.1/24", "dev", "down0")
        run("ip", "link", "set", "down0", "up")
        assert "203.0.113.0/24 dev down0 proto kernel scope link src 203.0.113.1 linkdown" in run("ip", "route").stdout
        assert "default via " in foreground(user, "ip route", "Network=pasta").stdout
        run("ip", "route", "add", "default", "via", "203.0.113.2", "dev", "down0")
        run("ip", "link", "add", "up0", "type", "veth", "peer", "name", "up1")
        run("ip", "link", "set", "up1", "up")
        run("ip", "address", "add", "192.0.2.2/24", "dev", "up0")
        run("ip", "link", "set", "up0", "up")
        run("ip", "route", "add", "default", "via", "192.0.2.1", "metric", "5")
        assert "default via 192.0.2.1 " in foreground(user, "ip route", "Network=pasta").stdout
    finally:
        run("ip", "link", "delete", "down0")
        run("ip", "link", "delete", "up0", check=False)


@pytest.fixture
def way_out(run):
    """A default route, by a link to a network namespace."""
    run(
        "ip netns add beyond && ip link add up0 type veth peer name eth0 netns beyond && ip -n beyond link set eth0 up"
        " && ip addr add 192.0.2.2/24 dev up0 && ip link set up0 up && ip route add default via 192.0.2.1"
    )
    yield
    run("ip link delete up0; ip netns delete beyond", check=False)


def test_pasta_asks_a_name_server_of_the_hosts_loopback(user, way_out):
    """Nothing else there can be reached."""
    resolver, before = Path("/etc/resolv.conf"), Path("/etc/resolv.conf").read_text()
    with subprocess.Popen(["python3", "-c", NAME_SERVER], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout.readline() == "listening\n"
            resolver.write_text("nameserver 127.0.0.53\noptions edns0 trust-ad\n")
            script = "cat /etc/resolv.conf; nslookup -type=a site.example | tail -n 2"
            lines = foreground(user, script, "Network=pasta", "Volatile=yes").stdout.split("\n")
            assert lines[:2] == ["nameserver 169.254.1.1", "options edns0"]
            assert "Address: 192.0.2.99" in lines
        finally:
            resolver.write_text(before)
            server.kill()
