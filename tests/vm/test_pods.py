"""Pods: containers that share namespaces, which outlive each of them."""

import json
import os
import socket
import time
import uuid
from pathlib import Path

import pytest

SLEEP = "[Container]\nRootfs=/srv/roots/busybox\nVolatile=yes\nInit=yes\nPod={}\nExec=sleep 1000\n"
SHARED = ("ipc", "net", "user", "uts")
MIB = 1 << 20


class Pod:
    """A pod and how its containers are defined."""

    def __init__(self, containers, text):
        self.containers = containers
        self.name = f"p{uuid.uuid4().hex[:8]}"
        containers.groups.append(self.name)  # nothing of its slice may be left either
        path = Path(f"/etc/nsunit/{self.name}.pod.nsunit")
        path.parent.mkdir(exist_ok=True)
        containers.files.append(path)
        path.write_text(text)
        self.pins = Path(f"/run/nsunit/namespaces/{self.name}.pod")
        self.service = f"nsunit-{self.name}.pod.service"

    def member(self, more="", text=SLEEP):
        name = self.containers.define(text.format(self.name) + more)
        return self.containers.of(name, self.name)

    def inodes(self):
        return {kind: os.stat(self.pins / kind).st_ino for kind in os.listdir(self.pins) if kind[0] != "."}


@pytest.fixture
def make(containers, nsunit):
    """Define a pod; nothing at all is left of it once it has been stopped."""
    pods = []

    def maker(text):
        pods.append(Pod(containers, text))
        return pods[-1]

    yield maker
    for pod in pods:
        nsunit("stop", f"{pod.name}.pod", check=False)
        nsunit("rm", f"{pod.name}.pod", check=False)
        assert leftovers(pod) == []


def leftovers(pod):
    places = ("/proc/self/mountinfo", "/proc/1/mountinfo")
    found = [line for place in places for line in Path(place).read_text().splitlines() if pod.name in line]
    for directory in ("namespaces", "containers", "network", "locks"):
        found += [str(path) for path in Path("/run/nsunit", directory).glob(f"{pod.name}*")]
    return found


def inodes_of(container):
    return {kind: os.stat(f"/proc/{container.pid}/ns/{kind}").st_ino for kind in SHARED}


def until(condition, what, timeout=60):
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {timeout} s: {what}")
        time.sleep(0.2)


def said_by(address, port):
    try:
        with socket.create_connection((address, port), timeout=20) as link:
            return link.makefile().read()
    except OSError as error:
        return str(error)


def links():
    return set(os.listdir("/sys/class/net"))


def test_the_ids_of_one_that_is_about_to_start_again_are_not_the_hosts(make, nsunit):
    """Those of the pod are told by its process alone; it was "the host's own" where there was none."""
    pod = make("[Pod]\n")
    again = "[Service]\nRestart=always\nRestartSec=1h\n"
    member = pod.member(again, SLEEP.replace("sleep 1000", "true").replace("Init=yes\n", ""))
    nsunit("start", member.name)
    until(lambda: member.show("SubState")["SubState"] == "auto-restart", "its end")
    assert json.loads(nsunit("show", "-p", "ids", member.name).stdout) == {"ids": None}
    assert "Ids:" not in nsunit("status", member.name, check=False).stdout


@pytest.mark.kernel("nftables")
def test_a_pod_has_one_network_that_outlives_its_containers(make, nsunit, run):
    before = links()
    pod = make(
        "[Pod]\nNetwork=bridge\nPublishPort=8171:80\nHostname=together\nSysctl=net.ipv4.ip_default_ttl=33\n"
        "[Slice]\nMemoryMax=100M\n"
    )
    # A port below 1024 takes a user namespace that owns the network.
    web = pod.member(
        "[Service]\nRestart=always\nRestartSec=0\n",
        SLEEP.replace("sleep 1000", "nc -ll -p 80 -e echo hello").replace("Init=yes\n", ""),
    )
    db = pod.member("Capability=+NET_ADMIN\n")
    nsunit("start", web.name)
    assert nsunit("list", "--names").stdout.splitlines() == sorted([f"{pod.name}.pod", web.name])
    kept = pod.inodes()
    assert kept.keys() == set(SHARED)
    assert inodes_of(web) == kept
    assert web.show("MemoryMax", unit=f"nsunit-{pod.name}.slice")["MemoryMax"] == f"{100 * MIB}"
    assert web.show("MainPID", unit=pod.service)["MainPID"] == "0"

    used = json.loads(nsunit("stats", "--json", f"{pod.name}.pod").stdout)["usages"]
    assert [(item["kind"], item["name"]) for item in used][:2] == [("pod", f"{pod.name}.pod"), ("container", web.name)]
    status = json.loads(nsunit("status", "--json", f"{pod.name}.pod", check=False).stdout)[0]
    address = status["addresses"][0].partition("/")[0]
    assert (status["state"]["sub_state"], status["namespaces"]) == ("exited", kept)
    until(lambda: said_by(address, 80) == "hello\n", "web answers")
    outside = json.loads(run("ip -j -4 address show nsunit0").stdout)[0]["addr_info"][0]["local"]
    assert said_by(outside, 8171) == "hello\n"

    link = json.loads(Path(f"/run/nsunit/network/{pod.name}.pod/attachment").read_text())["interfaces"][0]["link"]
    run("ip", "link", "delete", link)
    assert f"{pod.name}.pod: the link '{link}' is gone" in nsunit("network", "repair").stdout
    until(lambda: said_by(outside, 8171) == "hello\n", "web answers by a new link")

    # The network is that of the pod, not of whoever happens to run.
    first = web.pid
    os.kill(first, 9)
    until(lambda: web.show("NRestarts")["NRestarts"] == "1", "systemd starts it again")
    until(lambda: said_by(outside, 8171) == "hello\n", "web answers again")
    assert web.pid != first
    assert inodes_of(web) == pod.inodes() == kept

    started = nsunit("start", f"{pod.name}.pod")
    assert started.stdout.splitlines() == [f"{pod.name}.pod: is already running", f"{web.name}: is already running"]
    assert inodes_of(db) == kept
    compared = nsunit("ns", "same", "--json", web.name, db.name, check=False)
    same = {item["kind"]: item["same"] for item in json.loads(compared.stdout)}
    assert {kind for kind, shared in same.items() if shared} == set(SHARED)
    seen = db.exec(
        "sh", "-c", "hostname; nc 127.0.0.1 80; cat /proc/sys/net/ipv4/ip_default_ttl; grep -c together /etc/hosts"
    )
    assert seen.stdout.split()[:3] == ["together", "hello", "33"]
    assert int(seen.stdout.split()[3]) >= 1
    assert db.exec("ip", "address", "add", "10.99.0.1/32", "dev", "lo").returncode == 0
    tree = nsunit("list", "--tree").stdout
    assert f"{pod.name}.pod" in tree and web.name in tree

    nsunit("stop", web.name, db.name)
    assert pod.inodes() == kept
    stopped = nsunit("stop", f"{pod.name}.pod")
    assert stopped.returncode == 0
    assert leftovers(pod) == []
    until(lambda: links() - {"nsunit0"} == before - {"nsunit0"}, "its link is gone")
    assert pod.name not in run("nft list ruleset").stdout
    assert nsunit("status", f"{pod.name}.pod", check=False).returncode == 3


def test_a_pod_ends_with_all_its_containers_and_a_failed_start_leaves_none(make, nsunit, run):
    pod = make("[Pod]\nShare=ipc\n")
    both = [pod.member("Hostname=mine\n"), pod.member()]
    nsunit("start", f"{pod.name}.pod")
    first, second = map(inodes_of, both)
    assert {kind for kind in SHARED if first[kind] == second[kind]} == {"ipc", "user"}
    assert both[0].exec("hostname").stdout == "mine\n"
    refused = [
        nsunit("exec", f"{pod.name}.pod", "true", check=False),
        nsunit("ns", "unpin", f"{pod.name}.pod", check=False),
    ]
    assert [item.stderr.splitlines()[0] for item in refused] == [
        f"nsunit: {pod.name}.pod: a pod has no process of its own",
        f"nsunit: the pin '{pod.name}.pod' is that of a pod",
    ]
    # By systemd's own tools, too, and after that from unit files.
    nsunit("enable", both[0].name)
    run("systemctl", "stop", pod.service)
    assert {item.show("ActiveState")["ActiveState"] for item in both} <= {"inactive", "failed"}
    until(lambda: not both[0].group_cgroup.exists(), "the slice is gone")
    assert leftovers(pod) == []
    nsunit("stop", f"{pod.name}.pod")
    run("systemctl", "start", both[0].service)
    units = Path("/etc/systemd/system")
    assert both[0].show("FragmentPath", unit=pod.service)["FragmentPath"] == str(units / pod.service)
    assert inodes_of(both[0]).items() >= pod.inodes().items()
    assert run("systemctl", "is-enabled", pod.service, check=False).stdout == "disabled\n"
    enabled = nsunit("enable", "--now", f"{pod.name}.pod").stdout
    assert enabled == f"{both[0].name}: was so already\n"
    assert run("systemctl", "is-enabled", pod.service, both[1].service).stdout == "enabled\n" * 2
    assert json.loads(nsunit("list", "--json", pod.name + ".pod").stdout)[0]["enabled"]
    assert inodes_of(both[1]).items() >= pod.inodes().items()
    assert nsunit("verify", both[0].name).returncode == 0
    # Once it shares something else, all its containers join that, also where systemd starts them.
    Path(f"/etc/nsunit/{pod.name}.pod.nsunit").write_text("[Pod]\nShare=net\n")
    nsunit("stop", f"{pod.name}.pod")
    nsunit("enable", both[0].name)
    run("systemctl", "start", both[1].service)
    assert set(pod.inodes()) == {"net", "user"}
    assert inodes_of(both[1]).items() >= pod.inodes().items()
    nsunit("disable", "--now", f"{pod.name}.pod")
    assert list(units.rglob(f"*{pod.name}*")) == []
    assert leftovers(pod) == []

    file = Path(f"/etc/nsunit/{pod.name}.pod.nsunit")
    right = file.read_text()
    file.write_text("[Pod]\nFoo=1\n")
    assert nsunit("disable", f"{pod.name}.pod").stdout == f"{pod.name}.pod: was so already\n"
    assert nsunit("disable", "nobody.pod", check=False).returncode == 3
    file.write_text(right)

    bad = pod.member(text=SLEEP.replace("sleep 1000", "/nothing"))
    failed = nsunit("start", bad.name, check=False)
    assert failed.returncode == 1
    assert "/nothing" in failed.stderr
    assert leftovers(pod) == []
    assert run("systemctl", "is-active", pod.service, check=False).stdout == "inactive\n"


def test_a_pod_that_cannot_be_made_leaves_nothing(make, nsunit):
    pod = make("[Pod]\nNetwork=bridge\nPublishPort=8172:80\nSysctl=net.nothing.there=1\n")
    web = pod.member()
    failed = nsunit("start", web.name, check=False)
    wrong = f"nsunit: {pod.name}.pod: Failed to set sysctl 'net.nothing.there' to '1': "
    assert failed.stderr.startswith(wrong)
    assert leftovers(pod) == []
    with socket.create_server(("", 8172)):
        failed = nsunit("start", f"{pod.name}.pod", check=False)
    assert f"{pod.name}.pod: PublishPort=: 8172/tcp is in use on the host" in failed.stderr
    assert leftovers(pod) == []
