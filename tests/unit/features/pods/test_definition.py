"""Definitions of pods, what their containers may say, and what is planned from both."""

from __future__ import annotations

import pytest
from definitions import problems_of

from nsunit.definition.load import Host, load, load_any, serialize
from nsunit.definition.search import find_group, list_groups, list_names, list_pods
from nsunit.errors import NotFoundError, UsageError
from nsunit.features.groups.definition import load_group
from nsunit.features.network.values import of
from nsunit.features.pods.definition import load_pod, pod_of_text, share_of
from nsunit.names import check_any_name, container_of_unit, is_valid_group, limited, service_name

HOST = Host(257, "host", "abc", "def", "6.12", "x86-64")
MEMBER = "[Container]\nRootfs=/srv\nExec=/bin/sh\nPod=shop\n"
PINS = "/run/nsunit/namespaces/shop.pod"


def problems(call):
    return [(item.line, item.message, item.hint) for item in problems_of(call)]


def test_a_pod_shares_all_three_kinds_unless_told_otherwise(define, search):
    define("shop.pod", "[Pod]\nNetwork=bridge\nPublishPort=8080:80\n[Slice]\nMemoryMax=1G\n")
    pod = load_pod("shop.pod", search, HOST)
    assert share_of(pod.container) == ("net", "ipc", "uts")
    assert (pod.container.network, pod.container.hostname, pod.container.slice) == ("bridge", "shop", "shop")
    assert [str(port) for port in of(pod.container).published_ports] == ["8080/tcp"]
    assert load_any("shop.pod", search, HOST) == pod
    assert pod_of_text("shop.pod", serialize(pod), "/x", HOST) == pod
    define("shop.pod", "[Pod]\nShare=uts net\nHostname=here\nPrivateUsers=no\nSysctl=net.core.somaxconn=9\n")
    pod = load_pod("shop.pod", search, HOST)
    assert (share_of(pod.container), pod.container.hostname) == (("net", "uts"), "here")
    assert pod.container.sysctls == (("net.core.somaxconn", "9"),)


def test_a_pod_is_the_group_with_its_limits(define, search):
    define("shop.pod", "[Pod]\nNetwork=bridge\n[Unit]\nDescription=Shop\n[Slice]\nMemoryMax=1G\n")
    define("other.slice", "[Slice]\nTasksMax=9\n")
    define("web", MEMBER)
    group = load_group("shop.slice", search, HOST)
    assert group.texts_of("Slice") == (("MemoryMax", "1G"),)
    assert find_group("shop.slice", search).main.endswith("/shop.pod.nsunit")
    assert (list_pods(search), list_groups(search), list_names(search)) == (("shop.pod",), ("other.slice",), ("web",))
    assert load("web", search, HOST).container.slice == "shop"
    define("shop.slice", "[Slice]\nTasksMax=9\n")
    [(_, message, hint)] = problems(lambda: load_pod("shop.pod", search, HOST))
    assert message == "group 'shop.slice' is the pod 'shop.pod', which has its limits"
    assert hint == f"move its [Slice] into '{search.directories[0]}/shop.pod.nsunit', and remove it"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            "[Pod]\nShare=net pid\n",
            "Share: 'pid' cannot be shared by a pod",
            "a PID namespace ends with its first process",
        ),
        ("[Pod]\nShare=all\n", "Share: 'all' is not a kind of namespace that a pod shares", "there are net, ipc, uts"),
        (
            "[Pod]\nNetwork=host\n",
            "Network: 'host' is not a network for a pod",
            "use none, bridge or that of a NAME.network.nsunit",
        ),
        (
            "[Pod]\nNetwork=bridge\nNetwork=bridge\n",
            "Network: a network is named twice",
            "each is joined once",
        ),
        (
            "[Pod]\nEgress=10M\n",
            "Egress: there is no link to be limited with Network=none",
            "add Network=bridge, or leave it out",
        ),
        (
            "[Pod]\nDNS=9.9.9.9\n",
            "DNS: there is no server to ask with Network=none",
            "use another Network=, or leave it out",
        ),
        (
            "[Pod]\nShare=ipc\nNetwork=bridge\n",
            "Network: its containers do not share the network",
            "add 'net' to Share=, or leave it out",
        ),
        (
            "[Pod]\nShare=net\nHostname=a\n",
            "Hostname: its containers do not share the host name",
            "add 'uts' to Share=, or leave it out",
        ),
        (
            "[Pod]\nSysctl=net.ipv4.conf.eth0.forwarding=1\n",
            "Sysctl: there is no interface 'eth0' with Network=none",
            "add Network=bridge, or leave it out",
        ),
        (
            "[Pod]\nNetwork=bridge\nSysctl=net.ipv4.conf.eth1.forwarding=1\n",
            "Sysctl: there is no interface 'eth1'",
            "it has eth0, one for each Network= in their order",
        ),
        (
            "[Pod]\nShare=net\nSysctl=kernel.shmmax=1\n",
            "Sysctl: its containers do not share what 'kernel.shmmax' belongs to",
            "add 'ipc' to Share=, or leave it out",
        ),
        (
            "[Pod]\nPublishPort=80:80\n",
            "PublishPort: ports cannot be published with Network=none",
            "add Network=bridge, or leave it out",
        ),
        (
            "[Pod]\nNetwork=bridge\nPublishPort=all\n",
            "PublishPort: a pod has no image that could say what 'all' is",
            "name the ports",
        ),
        (
            "[Pod]\nHostPort=80\n",
            "HostPort: there is nothing to open with Network=none",
            "add Network=bridge, or leave it out",
        ),
        (
            "[Pod]\nNetwork=bridge\nPublishPort=80:80 80:80\n",
            "PublishPort: a port of the host is published twice",
            "leave out one of the two",
        ),
        (
            "[Container]\nExec=/bin/sh\n",
            "Exec: a pod has only [Pod], [Slice] and [Unit]",
            "each container has a definition of its own, and joins with [Container] Pod=",
        ),
        (
            "[Service]\nNice=1\n",
            "Nice: a pod has only [Pod], [Slice] and [Unit]",
            "limits of the pod belong in [Slice], those of one container in its own definition",
        ),
    ],
)
def test_mistakes_in_a_pod(define, search, text, message, hint):
    define("shop.pod", text)
    [(line, said, advice)] = problems(lambda: load_pod("shop.pod", search, HOST))
    assert (said.partition("] ")[2], advice) == (message, hint)
    assert line >= 2


@pytest.mark.parametrize(
    ("share", "lines", "message", "hint"),
    [
        ("net", "Slice=a", "Slice: its group is its pod 'shop.pod'", "leave it out"),
        (
            "net",
            "PrivateUsers=auto",
            "PrivateUsers: its user and group ids are those of its pod 'shop.pod'",
            "leave it out, or set PrivateUsers= of the pod",
        ),
        (
            "net",
            "Network=bridge",
            "Network: its network is that of its pod 'shop.pod'",
            "put it into [Pod] of shop.pod.nsunit, or take 'net' out of Share= there",
        ),
        (
            "ipc",
            "IPCNamespace=private",
            "IPCNamespace: its IPC is that of its pod 'shop.pod'",
            "leave it out, or take 'ipc' out of Share= there",
        ),
        (
            "uts",
            "Hostname=a",
            "Hostname: its host name is that of its pod 'shop.pod'",
            "put it into [Pod] of shop.pod.nsunit, or take 'uts' out of Share= there",
        ),
        (
            "net",
            "Egress=10M",
            "Egress: its network is that of its pod 'shop.pod'",
            "put it into [Pod] of shop.pod.nsunit, or take 'net' out of Share= there",
        ),
        ("ipc", "PublishPort=8080:80", "PublishPort: that takes a network", "add Network=bridge, or leave it out"),
        (
            "net",
            "Sysctl=net.core.somaxconn=9",
            "Sysctl: 'net.core.somaxconn' belongs to what it shares with its pod 'shop.pod'",
            "put it into [Pod] of shop.pod.nsunit",
        ),
    ],
)
def test_what_a_container_in_a_pod_may_not_say(define, search, share, lines, message, hint):
    define("shop.pod", f"[Pod]\nShare={share}\n")
    define("web", f"{MEMBER}{lines}\n")
    assert problems(lambda: load("web", search, HOST)) == [(5, f"[Container] {message}", hint)]


def test_what_is_not_shared_is_the_containers_own(define, search):
    define("shop.pod", "[Pod]\nShare=uts\n")
    define("web", MEMBER + "Network=bridge\nPublishPort=8080:80\nSysctl=kernel.shmmax=1\n")
    assert load("web", search, HOST).container.network == "bridge"


def test_a_pod_that_is_not_there_or_has_mistakes(define, search):
    define("web", MEMBER)
    [(line, message, hint)] = problems(lambda: load("web", search, HOST))
    assert (line, message) == (4, "[Container] Pod: pod 'shop.pod' is not defined")
    assert hint == f"looked for shop.pod.nsunit in {search.directories[0]}"
    define("shop.pod", "[Pod]\nNetwork=host\n")
    [(line, message, _)] = problems(lambda: load("web", search, HOST))
    assert (line, message) == (2, "[Pod] Network: 'host' is not a network for a pod")


def test_sections_of_other_kinds_of_definitions(define, search):
    define("web", "[Container]\nRootfs=/srv\nExec=/bin/sh\n[Pod]\nShare=net\n")
    assert problems(lambda: load("web", search, HOST)) == [
        (
            5,
            "[Pod] Share: a container is no pod",
            "that is for NAME.pod.nsunit; a container joins it with [Container] Pod=NAME",
        )
    ]
    define("shop.slice", "[Pod]\nShare=net\n")
    assert problems(lambda: load_group("shop.slice", search, HOST)) == [
        (
            2,
            "[Pod] Share: a group has only [Slice] and [Unit]",
            "a group that shares namespaces as well is defined in NAME.pod.nsunit",
        )
    ]


def test_names(define, search):
    assert not is_valid_group("shop.pod")
    assert (limited("shop.pod"), limited("web")) == ("shop.slice", "web")
    assert service_name("shop-eu.pod") == "nsunit-shop-eu.pod.service"
    assert container_of_unit("nsunit-shop.pod.service") is None
    with pytest.raises(UsageError, match="^'A.pod' is not the name of a pod$"):
        check_any_name("A.pod")
    define("shop.pod", "[Pod]\n")
    with pytest.raises(UsageError, match="^'shop.pod' is a pod, not a container$") as caught:
        load("shop.pod", search, HOST)
    assert caught.value.hint == "name one of its containers, or for its limits the group 'shop.slice'"
    with pytest.raises(NotFoundError) as missing:
        load("shop", search, HOST)
    assert missing.value.hint == "there is a pod of that name: 'shop.pod'"
    define("web", MEMBER.replace("Pod=shop", "Pod=a/b"))
    [(_, message, hint)] = problems(lambda: load("web", search, HOST))
    assert message == "[Container] Pod: 'a/b' is not the name of a pod"
    assert hint == "use a-z, 0-9, '_' and '.', with a dash before the name of a pod within a group"
