"""Links and networks of systemd-nspawn."""

from __future__ import annotations

from nsunit.imports.model import Draft, NotCarried
from nsunit.imports.nspawn.options import Said, is_true
from nsunit.imports.services import nothing
from nsunit.imports.text import name_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.imports.podman.target import Target
    from nsunit.imports.services import Handler

# Options that give it a network of its own.
_LINKS = {
    "network-interface": "phys",
    "network-ipvlan": "ipvlan",
    "network-macvlan": "macvlan",
    "network-veth-extra": "veth",
}
_ALONE = ("its network is that of a path, which it has alone", "leave out one of the two")
_OWN = frozenset(("network-bridge", "network-zone", *_LINKS))


def _link(kind: str) -> Handler:
    def take(target: Target, text: str) -> None:
        device, _, inside = text.partition(":")
        if not device:
            raise NotCarried(f"'{text}' names no link", f"use Network={kind}:DEVICE")
        if "path" in target.pending:
            raise NotCarried(*_ALONE)
        target.plain("Network", f"{kind}:{device}")
        if inside and inside != device:
            target.remark(f"inside it is not called '{inside}'", "interfaces are eth0, eth1 and so on")

    return take


def _port(target: Target, text: str) -> None:
    """`[PROTOCOL:]HOST[:CONTAINER]`."""
    protocol, colon, rest = text.partition(":")
    if protocol not in ("tcp", "udp"):
        protocol, rest = "tcp", text
    host, _, inside = rest.partition(":")
    if not host.isdecimal() or not (inside or host).isdecimal():
        raise NotCarried(f"'{text}' is no port", "use PublishPort=HOST:CONTAINER")
    target.plain("PublishPort", f"{host}:{inside or host}" + ("/udp" if protocol == "udp" else ""))


def _path(target: Target, text: str) -> None:
    target.plain("Network", f"path:{text}")


HANDLERS: dict[str, Handler] = {
    **{name: _link(kind) for name, kind in _LINKS.items()},
    **dict.fromkeys(("network-bridge", "network-veth", "network-zone", "private-network"), nothing),  # see below
    "network-namespace-path": _path,
    "port": _port,
}


def networks(target: Target, options: Sequence[Said]) -> list[Draft]:
    """Say what it is connected to; returns definitions of networks, one for a zone."""
    said = {item.option: item for item in options}
    if "network-namespace-path" in said:
        for name in ("network-zone", "network-bridge"):
            if name in said:
                target.origin = said[name].origin
                target.remark(*_ALONE)
        return []
    if not (_OWN & said.keys() or is_true(options, "network-veth") or is_true(options, "private-network")):
        target.say("Network", "host")
        return []
    if "network-zone" in said:
        if "network-bridge" in said:
            target.origin = said["network-bridge"].origin
            target.remark("it has a zone's bridge", "leave out one of the two")
        target.origin = said["network-zone"].origin
        name = name_for(said["network-zone"].value)
        target.plain("Network", name)
        draft = Draft(f"{name}.network", f"Imported from {target.origin.path}")
        draft.add("Network", "X-Zone", said["network-zone"].value, target.origin)
        return [draft]
    if "network-bridge" in said:
        target.origin = said["network-bridge"].origin
        bridge = said["network-bridge"].value
        target.say("Network", "bridge")
        target.remark(
            f"nsunit puts no links into '{bridge}', which is somebody else's; it is on nsunit's own bridge",
            f"use Network=macvlan:DEVICE with the device that '{bridge}' has, or a network with VLAN=",
        )
    elif is_true(options, "network-veth"):
        target.origin = said["network-veth"].origin
        target.say("Network", "bridge")
    return []
