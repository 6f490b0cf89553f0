"""Requests for links, addresses and routes, read by pyroute2, which has its own idea of the encoding."""

import errno
import os
import socket

import pytest
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from nsunit.errors import NsunitError
from nsunit.features.network.wire import links, netlink, removal
from nsunit.features.network.wire.links import Route

CREATE = netlink.NLM_F_REQUEST | netlink.NLM_F_ACK | netlink.NLM_F_CREATE
NEWLINK, DELLINK, NEWADDR, NEWROUTE = 16, 17, 20, 24


@pytest.fixture
def asked(monkeypatch):
    """The requests that would have been sent; the kernel says yes."""
    found = []

    def ask(_, request):
        found.append(request)
        return 0

    for module in (links, removal):
        monkeypatch.setattr(module, "ask", ask)
        monkeypatch.setattr(module, "is_there", lambda name: True)
    monkeypatch.setattr(links, "index", lambda name: len(name))
    return found


def read(kind, request):
    """What pyroute2 reads in a request."""
    message = kind(request)
    message.decode()
    return message


def header(message):
    return message["header"]["type"], message["header"]["flags"], message["header"]["length"]


def test_a_bridge(asked):
    Route().add_bridge("nb-one")
    (request,) = asked
    found = read(ifinfmsg, request)
    assert header(found) == (NEWLINK, CREATE | netlink.NLM_F_EXCL, len(request))
    assert found.get_attr("IFLA_IFNAME") == "nb-one"
    assert found.get_attr("IFLA_LINKINFO").get_attr("IFLA_INFO_KIND") == "bridge"


def test_a_veth_pair(asked):
    Route().add_veth("nv-one", "eth0", 7, mtu=1400, mac="0a:58:0a:5b:00:02", alias="nsunit web")
    found = read(ifinfmsg, asked[0])
    assert [found.get_attr(f"IFLA_{name}") for name in ("IFNAME", "MTU", "IFALIAS")] == ["nv-one", 1400, "nsunit web"]
    about = found.get_attr("IFLA_LINKINFO")
    assert about.get_attr("IFLA_INFO_KIND") == "veth"
    peer = about.get_attr("IFLA_INFO_DATA").get_attr("VETH_INFO_PEER")
    assert [peer.get_attr(f"IFLA_{name}") for name in ("IFNAME", "MTU", "ADDRESS", "NET_NS_FD")] == [
        "eth0",
        1400,
        "0a:58:0a:5b:00:02",
        7,
    ]


def test_a_veth_pair_as_the_kernel_has_it(asked):
    Route().add_veth("nv-one", "eth0", 7)
    found = read(ifinfmsg, asked[0])
    peer = found.get_attr("IFLA_LINKINFO").get_attr("IFLA_INFO_DATA").get_attr("VETH_INFO_PEER")
    assert not {"IFLA_MTU", "IFLA_IFALIAS"} & {name for name, _ in found["attrs"]}
    assert [name for name, _ in peer["attrs"]] == ["IFLA_IFNAME", "IFLA_NET_NS_FD"]


def test_changes_of_a_link(asked):
    route = Route()
    route.set_link("four", up=True, master="nb-one", mtu=1500)
    route.set_link("four", namespace_fd=9)
    route.delete_link("four")
    up, moved, deleted = (read(ifinfmsg, request) for request in asked)
    assert (up["index"], up["flags"], up["change"]) == (4, 1, 1)
    assert (up.get_attr("IFLA_MASTER"), up.get_attr("IFLA_MTU")) == (6, 1500)
    assert (moved["flags"], moved["change"], moved.get_attr("IFLA_NET_NS_FD"), len(moved["attrs"])) == (0, 0, 9, 1)
    assert (deleted["header"]["type"], deleted["index"]) == (DELLINK, 0)
    assert (deleted.get_attr("IFLA_IFNAME"), len(deleted["attrs"])) == ("four", 1)


def test_a_link_that_is_going_may_be_gone(asked, monkeypatch):
    """The kernel takes its name away before its directory in /sys."""
    monkeypatch.setattr(removal, "ask", lambda *_: errno.ENODEV)
    removal.delete("four")
    monkeypatch.setattr(removal, "ask", lambda *_: errno.EPERM)
    with pytest.raises(NsunitError, match="^cannot remove the link 'four': Operation not permitted$"):
        removal.delete("four")
    assert asked == []


def test_no_link_is_asked_for_that_is_not_there(asked, monkeypatch):
    """The kernel would load a module for its name."""
    monkeypatch.setattr(removal, "is_there", lambda _name: False)
    removal.delete("four")
    Route().delete_link("four")
    assert asked == []


@pytest.mark.parametrize(
    ("address", "family", "flags", "to_all"),
    [
        ("10.91.0.2/24", socket.AF_INET, 0, "10.91.0.255"),
        ("10.91.0.2/31", socket.AF_INET, 0, None),
        ("fd00::2/64", socket.AF_INET6, 2, None),
    ],
)
def test_addresses(asked, address, family, flags, to_all):
    Route().set_address("eth0", address)
    found = read(ifaddrmsg, asked[0])
    where, _, length = address.partition("/")
    assert header(found)[:2] == (NEWADDR, CREATE | netlink.NLM_F_REPLACE)
    assert (found["family"], found["prefixlen"], found["flags"], found["index"]) == (family, int(length), flags, 4)
    assert (found.get_attr("IFA_LOCAL"), found.get_attr("IFA_ADDRESS")) == (where, where)
    assert found.get_attr("IFA_BROADCAST") == to_all


@pytest.mark.parametrize(
    ("gateway", "destination", "expected"),
    [
        ("10.91.0.1", "", (socket.AF_INET, 0, 0, None, "10.91.0.1")),
        ("fd00::1", "", (socket.AF_INET6, 0, 0, None, "fd00::1")),
        ("10.91.0.1", "10.5.0.0/16", (socket.AF_INET, 16, 0, "10.5.0.0", "10.91.0.1")),
        ("", "fd05::/48", (socket.AF_INET6, 48, 253, "fd05::", None)),
    ],
)
def test_routes(asked, gateway, destination, expected):
    Route().add_route("eth0", gateway, destination)
    found = read(rtmsg, asked[0])
    assert header(found)[:2] == (NEWROUTE, CREATE | netlink.NLM_F_EXCL)
    assert (found["table"], found["proto"], found["type"], found.get_attr("RTA_OIF")) == (254, 4, 1, 4)
    fields = found["family"], found["dst_len"], found["scope"], found.get_attr("RTA_DST"), found.get_attr("RTA_GATEWAY")
    assert fields == expected


def test_the_way_back_to_the_loopback(asked):
    Route().return_to_loopback("nb-one")
    found = read(rtmsg, asked[0])
    assert (found["table"], found["scope"], found["type"], found["dst_len"]) == (255, 254, 2, 128)
    assert [found.get_attr(f"RTA_{name}") for name in ("DST", "OIF", "PRIORITY")] == ["::1", 6, 4096]


def test_a_link_of_another_kind(asked):
    Route().add_link("eth0", "vlan", {"IFLA_VLAN_ID": 5}, ("IFLA_LINK", 3), ("IFLA_NET_NS_FD", 7))
    found = read(ifinfmsg, asked[0])
    assert header(found) == (NEWLINK, CREATE | netlink.NLM_F_EXCL, len(asked[0]))
    assert found.get_attr("IFLA_LINKINFO").get_attr("IFLA_INFO_DATA").get_attr("IFLA_VLAN_ID") == 5
    assert (found.get_attr("IFLA_LINK"), found.get_attr("IFLA_NET_NS_FD")) == (3, 7)


def test_what_the_kernel_refuses(monkeypatch):
    answers = iter((errno.EXFULL, errno.EEXIST, errno.EPERM))
    monkeypatch.setattr(links, "ask", lambda *_: next(answers))
    monkeypatch.setattr(links, "index", lambda name: 1)
    with pytest.raises(NsunitError, match="cannot change the link 'a': a bridge has room for 1,023 links"):
        Route().set_link("a", up=True)
    Route().return_to_loopback("a")  # it is there already
    with pytest.raises(NsunitError, match="cannot give 'a' the address 10.0.0.1/8: Operation not permitted"):
        Route().set_address("a", "10.0.0.1/8")


def test_who_cannot_come_back_out_of_a_container_s_network_goes_no_further(monkeypatch, capfd):
    """What follows would be done to the container's links and rules, which is said on standard error."""
    entered = []

    def enter(fd):
        entered.append(fd)
        if len(entered) == 2:
            raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(links, "enter", enter)
    pid = os.fork()
    if pid == 0:
        try:
            links.inside(0, lambda: None)
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
    assert "cannot leave the container's network namespace: " in capfd.readouterr().err
