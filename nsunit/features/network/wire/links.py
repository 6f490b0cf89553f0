"""Bridges, veth pairs, addresses and routes, over rtnetlink(7)."""

from __future__ import annotations

import _socket  # the C half of socket: the Python half imports enum
import errno
import os
import struct

from nsunit.addresses import broadcast, has_six, is_six
from nsunit.errors import NsunitError
from nsunit.features import load
from nsunit.features.network.model.attachment import FORWARDING_SIX, parameter_of
from nsunit.features.network.wire.netlink import (
    NLM_F_ACK,
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    NLM_F_REQUEST,
    ask,
    attribute,
    connect,
    message,
    number,
    text,
)
from nsunit.features.network.wire.removal import delete, delete_by, is_there
from nsunit.setup import linux

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from nsunit.features.network.model.attachment import Device, Interface, Network

# linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h, linux/if.h, linux/veth.h
_RTM_NEWLINK, _RTM_NEWADDR, _RTM_NEWROUTE = 16, 20, 24
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_MASTER, _IFLA_LINKINFO, _IFLA_IFALIAS = 1, 3, 4, 10, 18, 20
_IFLA_NET_NS_FD, _IFLA_INFO_KIND, _IFLA_INFO_DATA, _VETH_INFO_PEER = 28, 1, 2, 1
_IFA_ADDRESS, _IFA_LOCAL, _IFA_BROADCAST = 1, 2, 4
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PRIORITY = 1, 4, 5, 6
_RT_SCOPE_UNIVERSE, _RT_SCOPE_LINK, _RT_SCOPE_HOST = 0, 253, 254
_RTN_UNICAST, _RTN_LOCAL, _RT_TABLE_MAIN, _RT_TABLE_LOCAL, _RTPROT_STATIC = 1, 2, 254, 255, 4
_IFA_F_NODAD = 0x02  # nobody else can have an address that nsunit gave
_IFF_UP = 1
_LATE = 4096  # the metric of a route that only counts where the better one does not fit
_SYSCTL = "/proc/sys/net"
_FAMILIES = {False: _socket.AF_INET, True: _socket.AF_INET6}


class Route:
    """A connection to the kernel's links, addresses and routes in the network namespace it is made in.

    Whatever the kernel refuses raises NsunitError.
    """

    def __init__(self) -> None:
        self.socket = connect()

    def close(self) -> None:
        """Close it."""
        self.socket.close()

    def set_link(self, name: str, *, master: str = "", mtu: int = 0, namespace_fd: int = -1, up: bool = False) -> None:
        """Change what is given of the link *name*."""
        body = _link(index(name), up=up)
        body += number(_IFLA_MTU, mtu) if mtu else b""
        body += number(_IFLA_MASTER, index(master)) if master else b""
        body += number(_IFLA_NET_NS_FD, namespace_fd) if namespace_fd >= 0 else b""
        self._ask(f"change the link '{name}'", message(_RTM_NEWLINK, NLM_F_ACK, body))

    def add_bridge(self, name: str) -> None:
        """Make a bridge."""
        self._add(name, text(_IFLA_IFNAME, name) + _kind("bridge"))

    def add_veth(
        self, name: str, peer: str, namespace_fd: int, *, mtu: int = 0, mac: str = "", alias: str = ""
    ) -> None:
        """Make a veth pair: *name* here, *peer* with the address *mac* in the namespace; both of *mtu*, if any."""
        size = number(_IFLA_MTU, mtu) if mtu else b""
        other = _link() + text(_IFLA_IFNAME, peer) + size + number(_IFLA_NET_NS_FD, namespace_fd)
        other += attribute(_IFLA_ADDRESS, bytes.fromhex(mac.replace(":", ""))) if mac else b""
        own = text(_IFLA_IFNAME, name) + size + (text(_IFLA_IFALIAS, alias) if alias else b"")
        self._add(name, own + _kind("veth", attribute(_VETH_INFO_PEER, other)))

    def add_link(self, name: str, kind: str, data: dict[str, object], *attributes: tuple[str, object]) -> None:
        """Make a link of another *kind*, with attributes as pyroute2 spells them, *data* being those of that kind."""
        about = [("IFLA_INFO_KIND", kind), ("IFLA_INFO_DATA", {"attrs": list(data.items())})]
        everything = [("IFLA_IFNAME", name), ("IFLA_LINKINFO", {"attrs": about}), *attributes]
        flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL
        encoded = load("network", "wire.messages").link(flags, _RTM_NEWLINK, everything)
        self._ask(f"make the link '{name}'", encoded)

    def delete_link(self, name: str) -> None:
        """Remove the link *name*; without complaint if it is gone."""
        delete_by(self.socket, name)

    def set_address(self, name: str, address: str) -> None:
        """Give the link *name* an *address* with its prefix length, unless it has it."""
        plain, _, length = address.partition("/")
        six = is_six(plain)
        packed = _socket.inet_pton(_FAMILIES[six], plain)
        body = struct.pack("=BBBBI", _FAMILIES[six], int(length), _IFA_F_NODAD if six else 0, 0, index(name))
        body += attribute(_IFA_LOCAL, packed) + attribute(_IFA_ADDRESS, packed)
        if to_all := broadcast(address):
            # The systemd-networkd of Debian 12 fails to take over an address without.
            body += attribute(_IFA_BROADCAST, _socket.inet_pton(_socket.AF_INET, to_all))
        request = message(_RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, body)
        self._ask(f"give '{name}' the address {address}", request)

    def add_route(self, name: str, gateway: str, destination: str = "", *, may_be: int = 0) -> None:
        """Send what is for *destination*, else all that is not local, to *gateway*, if any, by the link *name*."""
        where, _, length = destination.partition("/")
        family = _FAMILIES[is_six(where or gateway)]
        scope = _RT_SCOPE_UNIVERSE if gateway else _RT_SCOPE_LINK
        body = _route(family, int(length or 0), _RT_TABLE_MAIN, scope, _RTN_UNICAST)
        body += attribute(_RTA_DST, _socket.inet_pton(family, where)) if where else b""
        body += attribute(_RTA_GATEWAY, _socket.inet_pton(family, gateway)) if gateway else b""
        body += number(_RTA_OIF, index(name))
        what = f"set the route to {destination}" if destination else f"set the default route to {gateway}"
        self._ask(what, message(_RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, body), may_be)

    def return_to_loopback(self, name: str) -> None:
        """Let replies to ::1 come in by the link *name*.

        Connections from ::1 that are led to a container are masqueraded, so its replies find their way to the host.
        They are for ::1 again there, which the kernel looks up for the link they came by, and lo is another one.
        What really says ::1 on a wire it drops before.  There may be such a route for each bridge.
        """
        body = _route(_socket.AF_INET6, 128, _RT_TABLE_LOCAL, _RT_SCOPE_HOST, _RTN_LOCAL)
        body += attribute(_RTA_DST, _socket.inet_pton(_socket.AF_INET6, "::1"))
        body += number(_RTA_OIF, index(name)) + number(_RTA_PRIORITY, _LATE)
        self._ask(
            f"lead replies to ::1 by '{name}'", message(_RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE, body), errno.EEXIST
        )

    def _add(self, name: str, attributes: bytes) -> None:
        request = message(_RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, _link() + attributes)
        self._ask(f"make the link '{name}'", request)

    def _ask(self, what: str, request: bytes, may_be: int = 0) -> None:
        """Send one message and wait for the kernel's word on it; the error *may_be* is none.

        Raises:
            NsunitError: it was refused.
        """
        code = ask(self.socket, request)
        if code not in (0, may_be):
            reason = "a bridge has room for 1,023 links" if code == errno.EXFULL else os.strerror(code)
            raise NsunitError(f"cannot {what}: {reason}")


def _link(link_index: int = 0, *, up: bool = False) -> bytes:
    """The struct ifinfomsg."""
    flags = _IFF_UP if up else 0
    return struct.pack("=BxHiII", 0, 0, link_index, flags, flags)


def _kind(kind: str, data: bytes = b"") -> bytes:
    return attribute(_IFLA_LINKINFO, text(_IFLA_INFO_KIND, kind) + (attribute(_IFLA_INFO_DATA, data) if data else b""))


def _route(family: int, length: int, table: int, scope: int, kind: int) -> bytes:
    """The struct rtmsg."""
    return struct.pack("=BBBBBBBBI", family, length, 0, 0, table, _RTPROT_STATIC, scope, kind, 0)


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
    route.add_bridge(bridge)
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
    route.set_link(bridge, mtu=network.mtu, up=True)
    if network.vlan:
        _uplink(route, network)
    elif network.returns_to_loopback:
        route.return_to_loopback(bridge)
    route.close()
    _forward(network)


def _uplink(route: Route, network: Network) -> None:
    """Connect the bridge to the VLAN of a network interface."""
    device, _, vlan = network.vlan.rpartition(".")
    if not is_there(network.uplink):
        route.add_link(network.uplink, "vlan", {"IFLA_VLAN_ID": int(vlan)}, ("IFLA_LINK", index(device)))
    route.set_link(network.uplink, master=network.bridge, up=True)


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
    route.add_veth(interface.link, interface.name, namespace_fd, mtu=interface.mtu, mac=interface.mac)
    plug(interface, route)
    route.close()


def plug(interface: Interface, route: Route) -> None:
    """Put the host's end of *interface*, which is there, on the bridge as it should be.

    Raises:
        NsunitError: the kernel refused it.
    """
    if has_six():
        _set_sysctl(f"ipv6/conf/{interface.link}/disable_ipv6", "1")  # a bridge port needs no address of its own
    route.set_link(interface.link, master=interface.network.bridge, up=True)
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
    """What *deed* says that it found in the namespace, from which this thread comes back afterwards.

    Where the kernel does not let it back this process ends: it would go on to change the container's links and rules
    where it means the host's.

    Raises:
        NsunitError: it failed.
    """
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        enter(namespace_fd)
        try:
            return deed() or ""
        finally:
            _return(own)
    except OSError as error:
        raise NsunitError(str(error)) from None
    finally:
        os.close(own)


def _return(own: int) -> None:
    try:
        enter(own)
    except OSError as error:
        os.write(2, f"cannot leave the container's network namespace: {error}\n".encode())
        os._exit(1)


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
        told = report.read().decode()
    _, status = os.waitpid(pid, 0)
    if status:
        raise NsunitError(told or f"configuring the container's links ended with status {status}")
    return told


def enter(namespace_fd: int) -> None:
    """Enter a network namespace with this thread.

    Raises:
        OSError: the kernel refused it.
    """
    linux.setns(namespace_fd, linux.CLONE_NEWNET)


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
    for line in interface.routes:
        destination, _, gateway = line.partition(" via ")
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
        told = f"cannot set sysctl '{parameter_of(path)}' to '{value}': {error.strerror}"
        raise NsunitError(told) from None


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
