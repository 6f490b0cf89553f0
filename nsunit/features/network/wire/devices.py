"""Interfaces that a container has of the host's links: macvlan, ipvlan, vlan and veth links, and links that move in."""

from __future__ import annotations

import struct
import time

from nsunit.errors import NsunitError
from nsunit.features.network.wire import links, removal
from nsunit.features.network.wire.netlink import NETLINK_ROUTE, answers, attributes
from nsunit.storage.files import read_kernel_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from nsunit.features.network.model.attachment import Attachment, Device

# linux/netlink.h, linux/rtnetlink.h, linux/if_link.h
_RTM_GETLINK = 18
_IFLA_LINKINFO, _IFLA_INFO_KIND = 18, 1
_IPVLAN_MODE_L2 = 0
_IFINFOMSG = 16  # bytes
# The namespace of a container that has just ended takes a while to go, and what it had of a link with it.
_PATIENCE_SECONDS = 3.0
_INTERVAL_SECONDS = 0.05
_RETURNS = ("", "can")  # a link without a kind is a device; of the others these are given back (netns_refund)


def attach(item: Attachment, namespace_fd: int) -> None:
    """Make the devices of *item* in the namespace, without configuring them.

    Raises:
        NsunitError: a link is missing or of the wrong kind, or the kernel refused it.
    """
    for device in item.devices:
        make(device, item.container, namespace_fd)


def make(device: Device, container: str, namespace_fd: int) -> None:
    """Make one device of *container* in the namespace.

    Raises:
        NsunitError: as `attach`.
    """
    try:
        _MAKERS[device.kind](device, container, namespace_fd)
    except NsunitError as error:
        raise NsunitError(f"Network={device.kind}:{device.parent}: {error}") from None


def make_again(device: Device, container: str, namespace_fd: int) -> None:
    """Make one device that *container*, which runs, has lost; at once, since nobody is about to let go of its link.

    Raises:
        NsunitError: as `attach`.
    """
    parent = device.parent.rpartition(".")[0] if device.kind == "vlan" else device.parent
    if device.kind != "veth" and not removal.is_there(parent):
        hint = f"once there is a link '{parent}', run 'nsunit network repair'"
        raise NsunitError(f"Network={device.kind}:{device.parent}: there is no link '{parent}'", hint=hint)
    make(device, container, namespace_fd)


def detach(item: Attachment) -> None:
    """Remove the host's ends of what `attach` made, where the namespace is slow to take them with it.

    Raises:
        NsunitError: the kernel refused it.
    """
    for device in item.devices:
        if device.kind == "veth" and _is_own(device.parent, item.container):
            removal.delete(device.parent)


def _on_link(kind: str, data: dict[str, object]) -> Callable[[Device, str, int], None]:
    def maker(device: Device, _: str, namespace_fd: int) -> None:
        parent, given = device.parent, dict(data)
        if kind == "vlan":
            parent, _, number = device.parent.rpartition(".")
            given = {"IFLA_VLAN_ID": int(number)}
        _patiently(lambda: _make(device, kind, namespace_fd, ("IFLA_LINK", links.index(parent)), given))

    return maker


def _make(device: Device, kind: str, namespace_fd: int, more: tuple[str, object], data: dict[str, object]) -> None:
    route = links.Route()
    try:
        route.add_link(device.name, kind, data, ("IFLA_NET_NS_FD", namespace_fd), more, *_chosen(device))
    finally:
        route.close()


def _chosen(device: Device) -> list[tuple[str, object]]:
    mac = [("IFLA_ADDRESS", device.mac)] if device.mac else []
    return [*mac, *([("IFLA_MTU", device.mtu)] if device.mtu else [])]


def _veth(device: Device, container: str, namespace_fd: int) -> None:
    route = links.Route()
    try:
        if _is_own(device.parent, container):
            route.delete_link(device.parent)
        route.add_veth(
            device.parent, device.name, namespace_fd, mtu=device.mtu, mac=device.mac, alias=_alias(container)
        )
    finally:
        route.close()


def _alias(container: str) -> str:
    return f"nsunit {container}"


def _is_own(link: str, container: str) -> bool:
    """Whether a link with that name was made for the container."""
    # One that goes just then can be opened and not be read: its namespace takes it along when the container has ended.
    return (read_kernel_file(f"/sys/class/net/{link}/ifalias") or "").rstrip("\n") == _alias(container)


def _phys(device: Device, _: str, namespace_fd: int) -> None:
    def move() -> None:
        kind = kind_of(device.parent)
        if kind not in _RETURNS:
            raise NsunitError(f"'{device.parent}' is a virtual link ({kind}), which would end with the container")
        route = links.Route()
        try:
            route.set_link(device.parent, namespace_fd=namespace_fd)
        finally:
            route.close()

    _patiently(move)


def kind_of(link: str) -> str:
    """The kind of a link that is virtual, as ip-link(8) calls it; empty for a device.

    Raises:
        NsunitError: there is no such link.
    """
    wanted = struct.pack("=BxHiII", 0, 0, links.index(link), 0, 0)
    reply = answers(NETLINK_ROUTE, _RTM_GETLINK, 0, wanted)[0]
    about = attributes(reply[_IFINFOMSG:]).get(_IFLA_LINKINFO, b"")
    return attributes(about).get(_IFLA_INFO_KIND, b"").rstrip(b"\0").decode()


def _patiently(deed: Callable[[], None]) -> None:
    """Do *deed*, again for a while where it fails because the last container has not let go of the link yet."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return deed()
        except NsunitError as error:
            waits = any(
                reason in str(error) for reason in ("File exists", "Address already in use", "there is no link")
            )
            if not waits or time.monotonic() > deadline:
                raise
        time.sleep(_INTERVAL_SECONDS)


_MAKERS: dict[str, Callable[[Device, str, int], None]] = {
    "macvlan": _on_link("macvlan", {"IFLA_MACVLAN_MODE": "bridge"}),
    "ipvlan": _on_link("ipvlan", {"IFLA_IPVLAN_MODE": _IPVLAN_MODE_L2}),
    "vlan": _on_link("vlan", {}),
    "veth": _veth,
    "phys": _phys,
}
