"""lxc.net: each number is an interface."""

from __future__ import annotations

from nsunit.imports.model import NotCarried

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.imports.lxc.config import Config, Said
    from nsunit.imports.podman.target import Target

_BRIDGES = ("lxcbr0", "virbr0", "incusbr0", "lxdbr0", "")
_SCRIPT = ("scripts do not run when a link is made", "use [Service] ExecStartPost= or ExecStopPost=")
_LOST = {
    "script.up": _SCRIPT,
    "script.down": _SCRIPT,
    "veth.pair": ("the host's end of a link has a name that nsunit gives", "'nsunit network inspect' shows it"),
    "veth.mode": ("a link is on a bridge", "use Network=macvlan:DEVICE, or Network=bridge"),
    "ipvlan.isolation": ("links on a device see each other", "use a network with Isolate=yes"),
    "l2proxy": ("nsunit answers for no address", "use Network=bridge with PublishPort="),
}
_LOST |= dict.fromkeys(("veth.ipv4.route", "veth.ipv6.route"), ("the host gets no routes", "use Route= for the inside"))
_LOST |= dict.fromkeys(("veth.vlan.id", "veth.vlan.tagged.id"), ("a bridge has one VLAN", "use a network with VLAN="))
_LOST |= dict.fromkeys(("veth.n_rxqueues", "veth.n_txqueues"), ("a link has the kernel's queues", "leave it out"))


def interfaces(target: Target, config: Config) -> None:
    """Say what the interfaces of *config* are, in the order of their numbers."""
    nets: dict[int, dict[str, list[Said]]] = {}
    for item in config.said:
        if item.key.startswith("lxc.net."):
            number, _, rest = item.key.removeprefix("lxc.net.").partition(".")
            if number.isdecimal() and rest:
                nets.setdefault(int(number), {}).setdefault(rest, []).append(item)
            else:
                target.origin = item.origin
                target.remark("it names no interface by its number", "write lxc.net.0.type and so on")
    is_alone = False
    for place, (_, said) in enumerate(sorted(nets.items())):
        kind = said["type"][-1].value if "type" in said else "veth"
        first = said["type"][-1] if "type" in said else next(iter(said.values()))[0]
        target.origin = first.origin
        if kind == "none" and len(nets) > 1 or is_alone:
            target.remark("the host's network is there alone, or not at all", "leave out one of the two")
            continue
        try:
            _interface(target, kind, said, place)
        except NotCarried as lost:
            target.remark(lost.reason, lost.instead)
        is_alone = kind == "none"


def _interface(target: Target, kind: str, said: dict[str, list[Said]], place: int) -> None:
    if kind in ("none", "empty"):
        if kind == "none":
            target.say("Network", "host")
        _not_said(target, said, ("type", "flags"))
        return
    link = said["link"][-1].value if "link" in said else ""
    network = _network(target, kind, link, said)
    options = _options(target, said, is_bridge=network == "bridge")
    target.origin = said["type"][-1].origin if "type" in said else target.origin
    target.plain("Network", ":".join([network, *([",".join(options)] if options else [])]))
    _name(target, said, place)
    _not_said(target, said, _SAID)


_SAID = (
    *("type", "link", "flags", "name", "hwaddr", "mtu", "vlan.id", "macvlan.mode", "ipvlan.mode"),
    *("ipv4.address", "ipv6.address", "ipv4.gateway", "ipv6.gateway"),
)


def _network(target: Target, kind: str, link: str, said: dict[str, list[Said]]) -> str:
    """What the interface is, without options."""
    if kind == "veth":
        if link not in _BRIDGES:
            target.origin = said["link"][-1].origin
            target.remark(
                f"nsunit puts no links into '{link}', which is somebody else's; it is on nsunit's own bridge",
                f"use Network=macvlan:DEVICE with the device that '{link}' has, or a network with VLAN=",
            )
        return "bridge"
    if not link:
        raise NotCarried(f"it does not say what device it is on, of type {kind}", f"use Network={kind}:DEVICE")
    if kind == "vlan":
        if "vlan.id" not in said:
            raise NotCarried("it does not say which VLAN", "use Network=vlan:DEVICE.ID")
        return f"vlan:{link}.{said['vlan.id'][-1].value}"
    if kind not in ("macvlan", "ipvlan", "phys"):
        raise NotCarried(f"there are no links of type '{kind}'", "use Network=bridge, or Network=macvlan:DEVICE")
    mode = said.get(f"{kind}.mode")
    if mode and mode[-1].value not in ("bridge", "l2"):
        target.origin = mode[-1].origin
        target.remark(f"a link of this kind has the mode {'l2' if kind == 'ipvlan' else 'bridge'}", "leave it out")
    return f"{kind}:{link}"


def _options(target: Target, said: dict[str, list[Said]], *, is_bridge: bool) -> list[str]:
    found = []
    for key, name in (("ipv4.address", "address"), ("ipv6.address", "address"), ("hwaddr", "mac"), ("mtu", "mtu")):
        for item in said.get(key, ()):
            target.origin = item.origin
            if is_bridge and name == "address":
                target.remark(
                    "an address of LXC's bridge is none of nsunit's, which gives one of its own",
                    "define a network with that Subnet=, and use Network=NAME:address=ADDRESS",
                )
            elif name == "mac" and "x" in item.value.lower():
                continue  # as nsunit chooses it
            else:
                found.append(f"{name}={item.value.split()[0]}")
    for key in ("ipv4.gateway", "ipv6.gateway"):
        for item in said.get(key, ()):
            target.origin = item.origin
            if is_bridge and item.value == "auto":
                continue
            if is_bridge or item.value in ("auto", "dev"):
                target.remark("the way out is nsunit's bridge, or a router by its address", "use Gateway=ADDRESS")
            else:
                found.append(f"gateway={item.value}")
    for item in said.get("flags", ()):
        if item.value != "up":
            target.origin = item.origin
            target.remark("links are up", "leave it out")
    return found


def _name(target: Target, said: dict[str, list[Said]], place: int) -> None:
    for item in said.get("name", ()):
        if item.value != f"eth{place}":
            target.origin = item.origin
            target.remark(f"inside it is called eth{place}", "use that, or Network=phys:DEVICE, which keeps its name")


def _not_said(target: Target, said: dict[str, list[Said]], known: tuple[str, ...]) -> None:
    for key, items in said.items():
        if key not in known:
            target.origin = items[-1].origin
            target.remark(*_LOST.get(key, ("there is nothing for it here", "leave it out")))
