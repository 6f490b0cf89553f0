"""Egress= and Ingress=, shown by how much gets through compared with a container that has neither."""

import json
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

ANYWHERE = pytest.mark.anywhere("the kernel holds the rates")

LAYER = Path("/var/tmp/bandwidth-test")
# To each who connects to port 80 it sends, and from each to port 81 it takes, whatever goes.
SERVER = """\
import socket, sys, threading
def serve(port, deed):
    server = socket.create_server(("", port))
    while True:
        connection, _ = server.accept()
        threading.Thread(target=deed, args=(connection,)).start()
def send(connection):
    try:
        while True:
            connection.sendall(bytes(65536))
    except OSError:
        pass
def take(connection):
    while connection.recv(65536):
        pass
threading.Thread(target=serve, args=(81, take)).start()
serve(80, send)
"""
SECONDS = 2
RATE = 400_000  # bits


@pytest.fixture(scope="module", autouse=True)
def program():
    LAYER.mkdir()
    (LAYER / "server.py").write_text(SERVER)
    yield
    shutil.rmtree(LAYER)


def definition(*lines):
    keys = (f"Layer={LAYER}", "Layer=/srv/roots/debian", "Volatile=yes", "Network=bridge", "Init=yes")
    return "\n".join(("[Container]", *keys, "Exec=/usr/bin/python3 /server.py", *lines, ""))


def connect(address, port):
    deadline = time.monotonic() + 60
    while True:
        try:
            return socket.create_connection((address, port), timeout=30)
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.2)


def received(address):
    """Bytes that a container sends in a while."""
    count, end = 0, time.monotonic() + SECONDS
    with connect(address, 80) as connection:
        while time.monotonic() < end:
            count += len(connection.recv(65536))
    return count


def sent(address):
    """Bytes that a container acknowledges in a while."""
    with connect(address, 81) as connection:
        connection.setblocking(False)
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            try:
                connection.send(bytes(65536))
            except BlockingIOError:
                time.sleep(0.01)
        shown = subprocess.run(["ss", "-tinH", "dst", address], capture_output=True, text=True, check=True).stdout
    return sum(int(word.removeprefix("bytes_acked:")) for word in shown.split() if word.startswith("bytes_acked:"))


@pytest.fixture(scope="module")
def pair(shared):
    """A container that may send and receive what it can, and one that may not."""
    return shared.start(definition()), shared.start(definition(f"Egress={RATE}", f"Ingress={RATE}"))


def rows_of(nsunit):
    networks = json.loads(nsunit("network", "list", "--json").stdout)
    return {row["container"]: row for network in networks for row in network["containers"]}


def link_of(row):
    return row["interfaces"][0]["link"]


def rates(run, container):
    """The rates of the queues in a container, and of those on the host."""
    inner = run("nsenter", "-t", str(container.pid), "-n", "tc", "qdisc", "show").stdout
    found = []
    for shown in (inner, run("tc", "qdisc", "show").stdout):
        words = [line.split() for line in shown.splitlines() if line.startswith("qdisc tbf")]
        found.append([line[line.index("rate") + 1] for line in words])
    return tuple(found)


@pytest.mark.kernel("nftables")
@ANYWHERE
def test_it_bites_both_ways(pair, nsunit, run):
    free, held = pair
    rows = rows_of(nsunit)
    one, other = (rows[item.name]["addresses"][0].partition("/")[0] for item in (free, held))
    # What a rate lets through, with what fills the buckets at the beginning, and as much again for a slow machine.
    most = 2 * (RATE // 8 * SECONDS + 512 * 1024)
    for measure in (received, sent):
        unlimited, limited = measure(one), measure(other)
        assert 0 < limited < most
        assert unlimited > 2 * limited, measure
    # One who may change his links gets rid of the bucket, and of no limit.
    run("nsenter", "-t", str(held.pid), "-n", "tc", "qdisc", "del", "dev", "eth0", "root")
    assert 0 < received(other) < most
    # What is gone is noticed, and a lost bridge repaired with the limit.
    run(f"tc qdisc del dev {link_of(rows[held.name])} root")
    assert nsunit("network", "check", check=False).stdout.splitlines()[:-1] == [
        f"{held.name}: the link '{link_of(rows[held.name])}' is not held to Ingress= any more",
        f"{held.name}: the interface 'eth0' is not held to Egress= any more",
    ]
    nsunit("network", "repair")
    assert rates(run, held) == (["400Kbit"], ["400Kbit"])
    run("ip", "link", "del", "nsunit0")
    nsunit("network", "repair")
    assert rates(run, held) == (["400Kbit"], ["400Kbit"])
    assert nsunit("network", "check").stdout == "nothing is wrong\n"


@pytest.mark.kernel("nftables")
def test_it_changes_at_once_until_the_stop(pair, nsunit, run):
    _, held = pair
    pid = held.pid
    nsunit("set", held.name, "Egress=", "Ingress=800K")
    assert rates(run, held) == ([], ["800Kbit"])
    assert "limit rate" not in run("nft list table bridge nsunit").stdout
    assert "Egress: '' -> '400000' (at once)" in nsunit("plan", held.name).stdout
    run("tc", "qdisc", "del", "dev", link_of(rows_of(nsunit)[held.name]), "root")
    nsunit("network", "repair")
    assert rates(run, held) == ([], ["800Kbit"])  # the rate that it has by now
    assert nsunit("set", held.name, "Egress=1", check=False).returncode == 2
    nsunit("set", held.name, "Egress=1M")
    assert rates(run, held) == (["1Mbit"], ["800Kbit"])
    assert "limit rate" in run("nft list table bridge nsunit").stdout
    assert held.pid == pid
    nsunit("apply", held.name)
    assert rates(run, held) == (["400Kbit"], ["400Kbit"])
    nsunit("set", held.name, "Egress=1M")
    nsunit("restart", held.name)
    assert rates(run, held) == (["400Kbit"], ["400Kbit"])
