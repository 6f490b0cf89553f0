"""Bridges and veth pairs over rtnetlink: the only file that imports pyroute2.

Of pyroute2 it takes the message classes, which know how everything is encoded.  A message is sent on a plain socket:
IPRoute loads ten times as much, 90 ms where all else a connected container needs takes 30.
"""

from __future__ import annotations

import _socket  # the C half of socket: the Python half imports enum
import errno
import os
import struct
import sys

from nsunit.addresses import broadcast, has_six, is_six
from nsunit.errors import NsunitError
from nsunit.features.network.model.attachment import FORWARDING_SIX, parameter_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from nsunit.features.network.model.attachment import Device, Interface, Network

# linux/netlink.h, linux/rtnetlink.h, linux/if_addr.h, linux/if.h
_NETLINK_ROUTE = 0
_RTM_NEWLINK, _RTM_DELLINK, _RTM_NEWADDR, _RTM_NEWROUTE = 16, 17, 20, 24
_NLM_F_REQUEST, _NLM_F_ACK, _NLM_F_REPLACE, _NLM_F_EXCL, _NLM_F_CREATE = 0x1, 0x4, 0x100, 0x200, 0x400
_NLMSG_ERROR = 2
_RT_SCOPE_UNIVERSE, _RT_SCOPE_LINK = 0, 253
_RT_SCOPE_HOST = 254
_RTN_UNICAST, _RTN_LOCAL, _RT_TABLE_MAIN, _RT_TABLE_LOCAL, _RTPROT_STATIC = 1, 2, 254, 255, 4
_IFA_F_NODAD = 0x02  # nobody else can have an address that nsunit gave
_IFF_UP = 1
_LATE = 4096  # the metric of a route that only counts where the better one does not fit
_CLONE_NEWNET = 0x40000000
_SYSCTL = "/proc/sys/net"
_FAMILIES = {False: _socket.AF_INET, True: _socket.AF_INET6}


class _Messages:
    """The message classes of pyroute2, loaded without running the package's own __init__.

    That loads a database, a DHCP client and more, so a bare package object stands in for it.
    """

    def __init__(self) -> None:
        specs = (finder.find_spec("pyroute2", None) for finder in sys.meta_path)
        spec = next((found for found in specs if found is not None), None)
        if spec is None or spec.submodule_search_locations is None:
            hint = "install python3-pyroute2, or 'pip install pyroute2'"
            raise NsunitError("the Python package 'pyroute2' is not installed", hint=hint)
        package: Any = type(sys)("pyroute2")
        package.__path__ = spec.submodule_search_locations
        before = sys.modules.get("pyroute2")
        sys.modules["pyroute2"] = package
        try:
            from nsunit.features.network.wire.messages import ifaddrmsg, ifinfmsg, rtmsg  # pyroute2 takes its time
        finally:
            if before is not None:
                sys.modules["pyroute2"] = before
        self.link, self.address, self.route = ifinfmsg, ifaddrmsg, rtmsg


class Route:
    """A connection to the kernel's links, addresses and routes in the network namespace it is made in."""

    def __init__(self) -> None:
        self.messages = _Messages()
        self.socket = _socket.socket(_socket.AF_NETLINK, _socket.SOCK_RAW | _socket.SOCK_CLOEXEC, _NETLINK_ROUTE)
        self.socket.bind((0, 0))

    def close(self) -> None:
        """Close it."""
        self.socket.close()

    def set_link(self, name: str, *attributes: tuple[str, object], up: bool = False) -> None:
        """Change the link *name*."""
        fields = {"index": index(name), "flags": _IFF_UP if up else 0, "change": _IFF_UP if up else 0}
        self._send(f"change the link '{name}'", self.messages.link, _RTM_NEWLINK, 0, fields, attributes)

    def add_link(self, name: str, kind: str, *attributes: tuple[str, object], data: object = None) -> None:
        """Make a link of *kind*, with the attributes *data* of that kind."""
        about = [("IFLA_INFO_KIND", kind), *([("IFLA_INFO_DATA", data)] if data else [])]
        everything = (("IFLA_IFNAME", name), ("IFLA_LINKINFO", {"attrs": about}), *attributes)
        flags = _NLM_F_CREATE | _NLM_F_EXCL
        self._send(f"make the link '{name}'", self.messages.link, _RTM_NEWLINK, flags, {}, everything)

    def delete_link(self, name: str) -> None:
        """Remove the link *name*; without complaint if it is gone."""
        if not is_there(name):
            return
        try:
            fields = {"index": index(name)}
            self._send(f"remove the link '{name}'", self.messages.link, _RTM_DELLINK, 0, fields, ())
        except NsunitError:
            if is_there(name):
                raise

    def set_address(self, name: str, address: str) -> None:
        """Give the link *name* an *address* with its prefix length, unless it has it."""
        plain, _, length = address.partition("/")
        is_six = ":" in plain
        fields = {
            "family": _FAMILIES[is_six],
            "index": index(name),
            "prefixlen": int(length),
            "flags": _IFA_F_NODAD if is_six else 0,
        }
        attributes = [("IFA_LOCAL", plain), ("IFA_ADDRESS", plain)]
        if to_all := broadcast(address):
            # The systemd-networkd of Debian 12 fails to take over an address without.
            attributes.append(("IFA_BROADCAST", to_all))
        flags = _NLM_F_CREATE | _NLM_F_REPLACE
        what = f"give '{name}' the address {address}"
        self._send(what, self.messages.address, _RTM_NEWADDR, flags, fields, tuple(attributes))

    def add_route(self, name: str, gateway: str, destination: str = "", *, may_be: int = 0) -> None:
        """Send what is for *destination*, else all that is not local, to *gateway*, if any, by the link *name*."""
        where, _, length = destination.partition("/")
        fields = {
            "family": _FAMILIES[":" in (where or gateway)],
            "dst_len": int(length or 0),
            "scope": _RT_SCOPE_UNIVERSE if gateway else _RT_SCOPE_LINK,
            "table": _RT_TABLE_MAIN,
            "proto": _RTPROT_STATIC,
            "type": _RTN_UNICAST,
        }
        given = [("RTA_DST", where)] if where else []
        given += [("RTA_GATEWAY", gateway)] if gateway else []
        attributes = (*given, ("RTA_OIF", index(name)))
        flags = _NLM_F_CREATE | _NLM_F_EXCL
        what = f"set the route to {destination}" if destination else f"set the default route to {gateway}"
        self._send(what, self.messages.route, _RTM_NEWROUTE, flags, fields, attributes, may_be=may_be)

    def return_to_loopback(self, name: str) -> None:
        """Let replies to ::1 come in by the link *name*.

        Connections from ::1 that are led to a container are masqueraded, so its replies find their way to the host.
        They are for ::1 again there, which the kernel looks up for the link they came by, and lo is another one.
        What really says ::1 on a wire it drops before.  There may be such a route for each bridge.
        """
        fields = {
            "family": _socket.AF_INET6,
            "dst_len": 128,
            "scope": _RT_SCOPE_HOST,
            "table": _RT_TABLE_LOCAL,
            "proto": _RTPROT_STATIC,
            "type": _RTN_LOCAL,
        }
        attributes = (("RTA_DST", "::1"), ("RTA_OIF", index(name)), ("RTA_PRIORITY", _LATE))
        what = f"lead replies to ::1 by '{name}'"
        self._send(what, self.messages.route, _RTM_NEWROUTE, _NLM_F_CREATE, fields, attributes, may_be=errno.EEXIST)

    def _send(
        self,
        what: str,
        kind: Any,
        number: int,
        flags: int,
        fields: dict[str, int],
        attributes: tuple[tuple[str, object], ...],
        may_be: int = 0,
    ) -> None:
        """Send one message and wait for the kernel's word on it; the error *may_be* is none.

        Raises:
            NsunitError: it was refused.
        """
        message = kind()
        for key, value in fields.items():
            message[key] = value
        message["attrs"] = [list(pair) for pair in attributes]
        message["header"]["type"] = number
        message["header"]["flags"] = _NLM_F_REQUEST | _NLM_F_ACK | flags
        message["header"]["sequence_number"] = 1
        message.reset()
        message.encode()
        self.socket.send(message.data)
        reply = self.socket.recv(1 << 16)
        kind_of_reply, code = struct.unpack_from("=4xH10xi", reply)
        if kind_of_reply != _NLMSG_ERROR:
            raise NsunitError(f"cannot {what}: the kernel answers with a message of type {kind_of_reply}")
        if code and -code != may_be:
            full = -code == errno.EXFULL
            reason = "a bridge has room for 1,023 links" if full else os.strerror(-code)
            raise NsunitError(f"cannot {what}: {reason}")


def ensure_bridge(network: Network) -> None:
    """Make the bridge of *network* with its addresses, and let the host forward.  The caller holds the network's lock.

    Raises:
        NsunitError: something else has that name, or the kernel refused it.
    """
    bridge = network.bridge
    if is_there(bridge):
        if not os.path.isdir(f"/sys/class/net/{bridge}/bridge"):
            raise NsunitError(f"'{bridge}' is there already and is no bridge", hint=f"see 'ip link show {bridge}'")
        return _complete_bridge(network)
    route = Route()
    route.add_link(bridge, "bridge")
    route.close()
    try:
        _complete_bridge(network)
    except BaseException:
        delete(bridge)  # nobody is on it yet
        raise
    return None


def _complete_bridge(network: Network) -> None:
    bridge = network.bridge
    route = Route()
    if any(is_six(address) for address in network.own_addresses):
        # The host may have it switched off for all its links; between this one and others there is no way then.
        _set_sysctl(f"ipv6/conf/{bridge}/disable_ipv6", "0")
    for address in network.own_addresses:
        route.set_address(bridge, address)
    route.set_link(bridge, ("IFLA_MTU", network.mtu), up=True)
    if network.vlan:
        _uplink(route, network)
    elif network.returns_to_loopback:
        route.return_to_loopback(bridge)
    route.close()
    _forward(network)


def _uplink(route: Route, network: Network) -> None:
    """Connect the bridge to the VLAN of a network interface."""
    device, _, number = network.vlan.rpartition(".")
    if not is_there(network.uplink):
        data = {"attrs": [("IFLA_VLAN_ID", int(number))]}
        route.add_link(network.uplink, "vlan", ("IFLA_LINK", index(device)), data=data)
    route.set_link(network.uplink, ("IFLA_MASTER", index(network.bridge)), up=True)


def _forward(network: Network) -> None:
    for name, value in network.sysctls:
        if name != FORWARDING_SIX:
            _set_sysctl(name, value)
        elif sysctl(name) != value:
            # A host that forwards ignores router advertisements, unless told to take them all the same.
            for link in os.listdir(f"{_SYSCTL}/ipv6/conf"):
                if sysctl(f"ipv6/conf/{link}/accept_ra") == "1":
                    _set_sysctl(f"ipv6/conf/{link}/accept_ra", "2")
            _set_sysctl(name, value)


def attach(interface: Interface, namespace_fd: int) -> None:
    """Make the veth pair of *interface*, one end on the bridge, the other one configured in the namespace.

    Raises:
        NsunitError: the kernel refused it.
    """
    route = Route()
    route.delete_link(interface.link)  # left from before a restart, if its namespace is slow to die
    peer = [
        ("IFLA_IFNAME", interface.name),
        ("IFLA_ADDRESS", interface.mac),
        ("IFLA_MTU", interface.mtu),
        ("IFLA_NET_NS_FD", namespace_fd),
    ]
    data = {"attrs": [("VETH_INFO_PEER", {"attrs": peer})]}
    route.add_link(interface.link, "veth", ("IFLA_MTU", interface.mtu), data=data)
    plug(interface, route)
    route.close()


def plug(interface: Interface, route: Route) -> None:
    """Put the host's end of *interface*, which is there, on the bridge as it should be.

    Raises:
        NsunitError: the kernel refused it.
    """
    if has_six():
        _set_sysctl(f"ipv6/conf/{interface.link}/disable_ipv6", "1")  # a bridge port needs no address of its own
    route.set_link(interface.link, ("IFLA_MASTER", index(interface.network.bridge)), up=True)
    if interface.network.isolated:
        with open(f"/sys/class/net/{interface.link}/brport/isolated", "w") as file:
            file.write("1")


def configure(interfaces: tuple[Interface | Device, ...], namespace_fd: int, *, again: bool = False) -> None:
    """Configure the container's ends; with *again* some of it is there.

    Raises:
        NsunitError: the kernel refused it.
    """

    def within() -> None:
        for interface in interfaces:
            _configure(interface, errno.EEXIST if again else 0)

    inside(namespace_fd, within)


def inside(namespace_fd: int, deed: Callable[[], str | None]) -> str:
    """What *deed* says that it found in the namespace; done in a process of its own: setns(2) moves one for good.

    Raises:
        NsunitError: it failed.
    """

    def within() -> str | None:
        enter(namespace_fd)
        return deed()

    return in_child(within)


def in_child(deed: Callable[[], str | None]) -> str:
    """What *deed* says, in a process of its own.

    Raises:
        NsunitError: it failed.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            said = (deed() or "").encode()
            while said:
                said = said[os.write(writer, said) :]
            status = 0
        except (NsunitError, OSError) as error:
            os.write(writer, str(error).encode())
        finally:
            os._exit(status)
    os.close(writer)
    with open(reader, "rb") as report:
        text = report.read().decode()
    _, status = os.waitpid(pid, 0)
    if status:
        raise NsunitError(text or f"configuring the container's links ended with status {status}")
    return text


def enter(namespace_fd: int) -> None:
    """Enter a network namespace, for good.

    Raises:
        OSError: the kernel refused it.
    """
    import ctypes  # os.setns() is there from Python 3.12 on

    if ctypes.CDLL(None, use_errno=True).setns(namespace_fd, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), f"cannot enter the network namespace: {os.strerror(ctypes.get_errno())}")


def _configure(interface: Interface | Device, may_be: int) -> None:
    six = any(is_six(address) for address in interface.addresses)
    if has_six():
        if not interface.is_device:
            _set_sysctl(f"ipv6/conf/{interface.name}/accept_ra", "0")
        if six or not interface.is_device:
            # New interfaces may be without IPv6, as the kernel's command line or a parameter of all of them says.
            _set_sysctl(f"ipv6/conf/{interface.name}/disable_ipv6", "0" if six else "1")
    route = Route()
    route.set_link(interface.name, up=True)
    for address in interface.addresses:
        route.set_address(interface.name, address)
    for text in interface.routes:
        destination, _, gateway = text.partition(" via ")
        route.add_route(interface.name, gateway, destination, may_be=may_be)
    for gateway in interface.gateways:
        route.add_route(interface.name, gateway, may_be=may_be)
    route.close()
    for line in interface.sysctls:
        _set_parameter(*line.split("=", 1))


def _set_parameter(path: str, value: str) -> None:
    try:
        _set_sysctl(path, value)
    except OSError as error:
        text = f"cannot set sysctl '{parameter_of(path)}' to '{value}': {error.strerror}"
        raise NsunitError(text) from None


def delete(link: str) -> None:
    """Remove the link *link*, a veth pair or a bridge; without complaint if it is gone.

    Raises:
        NsunitError: the kernel refused it.
    """
    route = Route()
    route.delete_link(link)
    route.close()


def is_there(link: str) -> bool:
    """Whether the host has a link of that name.  To ask the kernel by name would have it load a module for it."""
    return os.path.exists(f"/sys/class/net/{link}")


def index(name: str) -> int:
    """The number of the link *name*.

    Raises:
        NsunitError: there is none.
    """
    try:
        return _socket.if_nametoindex(name)
    except OSError:
        raise NsunitError(f"there is no link '{name}'") from None


def sysctl(name: str) -> str:
    """A parameter below /proc/sys/net; empty where there is none."""
    try:
        with open(f"{_SYSCTL}/{name}") as file:
            return file.read().strip()
    except FileNotFoundError:
        return ""  # the link is gone, or IPv6 switched off


def _set_sysctl(name: str, value: str) -> None:
    with open(f"{_SYSCTL}/{name}", "w") as file:
        file.write(value)
