"""What is planned of a pod, and of a container in it."""

from __future__ import annotations

from nsunit.definition.load import Host, load
from nsunit.features.network.plan import NetworkFacts
from nsunit.features.pods.definition import load_pod
from nsunit.features.pods.plan import PodFacts, pinned_kinds, pod_operations, pod_unit
from nsunit.plan.facts import Facts
from nsunit.plan.operations import operations
from nsunit.plan.units import units

HOST = Host(257, "host", "abc", "def", "6.12", "x86-64")
MEMBER = "[Container]\nRootfs=/srv\nExec=/bin/sh\nPod=shop\n"
PINS = "/run/nsunit/namespaces/shop.pod"


def facts(**more):
    return Facts(257, "/usr/bin/python3", "/p/program.py", "/run/nsunit/containers/shop.pod", **more)


def test_the_plan_of_a_pod(define, search):
    define("shop.pod", "[Pod]\nNetwork=bridge\nSysctl=net.core.somaxconn=9\n")
    pod = load_pod("shop.pod", search, HOST)
    directory = "/run/nsunit/network/s"
    extras = (("network", NetworkFacts("/n.py", directory, "/l")),)
    connected = facts(user_range=(1 << 20, 1 << 16), directories=(directory,), extras=extras)
    assert [item.keyword for item in pod_operations(pod, connected)] == [
        *("user-namespace", "namespaces", "hostname", "loopback", *["sysctl"] * 3, "network")
    ]
    assert pinned_kinds(pod.container) == ("user", "net", "ipc", "uts")
    properties = pod_unit(pod, connected, PINS, "/l").properties
    values = {item.name: item.value for item in properties}
    assert (values["Type"], values["RemainAfterExit"], values["Slice"]) == ("oneshot", True, "nsunit-shop.slice")
    assert values["RuntimeDirectory"] == ("nsunit/containers/shop.pod", "nsunit/network/s")
    commands = [item.value[0][1][2:] for item in properties if item.name in ("ExecStart", "ExecStopPost")]
    assert commands.pop(1)[-5:] == ("/n.py", "features.network.program", "detach", "/run/nsunit/network/s", "/l")
    assert commands == [
        ("/p/program.py", "features.pods.program", "make", PINS, "/l", "/run/nsunit/containers/shop.pod"),
        ("/p/program.py", "features.pods.program", "remove", PINS, "/l"),
    ]
    define("shop.pod", "[Pod]\nShare=ipc\nPrivateUsers=no\n")
    plain = load_pod("shop.pod", search, HOST)
    assert [item.keyword for item in pod_operations(plain, facts())] == ["namespaces"]
    assert pinned_kinds(plain.container) == ("ipc",)


def test_the_plan_of_a_container_in_a_pod(define, search):
    define("shop.pod", "[Pod]\n")
    define("web", MEMBER)
    web = load("web", search, HOST)
    shared = PodFacts(("user", "net", "ipc", "uts"), PINS, "/run/nsunit/network/shop.pod")
    known = facts(extras=(("pods", shared),))
    planned = operations(web, known)
    joins = [item.arguments() for item in planned if item.keyword == "join"]
    assert joins == [(kind, f"path:{PINS}/{kind}") for kind in ("user", "ipc", "net", "uts")]
    assert {"user-namespace", "hostname", "loopback", "network"}.isdisjoint(item.keyword for item in planned)
    made = next(item for item in planned if item.keyword == "namespaces")
    assert made.kinds == ("cgroup", "mnt", "pid", "time")
    binds = [item.arguments() for item in planned if item.keyword == "bind"]
    assert [arguments[:2] for arguments in binds] == [
        ("/run/nsunit/network/shop.pod/hosts", "/etc/hosts"),
        ("/run/nsunit/network/shop.pod/resolv.conf", "/etc/resolv.conf"),
    ]
    properties = {item.name: item.value for item in units(web, known).service.properties}
    assert properties["BindsTo"] == properties["After"] == ("nsunit-shop.pod.service",)
    assert properties["Slice"] == "nsunit-shop-web.slice"
