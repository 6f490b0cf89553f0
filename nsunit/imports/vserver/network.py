"""Interfaces of a vserver, which had addresses of the host's own links."""

from __future__ import annotations

import ipaddress

from nsunit.imports.vserver.files import at, first_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.imports.model import Origin
    from nsunit.imports.podman.target import Target

    Files = dict[str, str]

_NEIGHBOUR = (
    "its address was one of the host's own, and the host does not reach it by that now",
    "add Gateway= for a way out, or use Network=bridge and PublishPort=",
)


def interfaces(target: Target, root: str, files: Files) -> None:
    """`interfaces/NAME/ip` and the like become links of their own on the same device; without any there is none."""
    names = sorted({key.split("/")[1] for key in files if key.startswith("interfaces/") and key.count("/") == 2})
    links: dict[str, tuple[list[str], Origin]] = {}
    for name in names:
        _one(target, root, files, name, links)
    for key in files:
        if key in ("interfaces/vlandev", "interfaces/novlandev"):
            _vlan(target, root, key)
    if not links:
        target.origin = at(root, "interfaces")
        target.say("Network", "none")
    for device, (addresses, origin) in links.items():
        target.origin = origin
        options = ",".join(f"address={item}" for item in addresses)
        target.plain("Network", f"macvlan:{device}:{options}" if device != "lo" else "none")
        if device != "lo":
            target.remark(*_NEIGHBOUR)


def _one(target: Target, root: str, files: Files, name: str, links: dict[str, tuple[list[str], Origin]]) -> None:
    folder = f"interfaces/{name}"

    def said(key: str) -> str:
        return first_of(files.get(f"{folder}/{key}", "") or files.get(f"interfaces/{key}", ""))

    if f"{folder}/disabled" in files:
        return
    target.origin = at(root, f"{folder}/ip")
    address, _, prefix = said("ip").partition("/")
    try:
        known = ipaddress.ip_interface(f"{address}/{prefix or said('prefix') or said('mask') or _whole(address)}")
    except ValueError:
        target.remark(f"'{said('ip')}' with '{said('prefix') or said('mask')}' is no address", "use Network=")
        return
    for key in files:
        if key.startswith(f"{folder}/") and key.rpartition("/")[2] in ("vlandev", "novlandev"):
            _vlan(target, root, key)
    if f"{folder}/name" in files:
        target.origin = at(root, f"{folder}/name")
        target.remark("links are eth0, eth1 and so on", "leave it out")
    device = said("dev")
    target.origin = at(root, f"{folder}/ip")
    if known.ip.is_loopback:
        links.setdefault("lo", ([], target.origin)) if not links else None
        return  # every network has its own
    if f"{folder}/nodev" in files or not device:
        target.remark(f"it does not say which link has {known.ip}", "use Network=macvlan:DEV:address=ADDRESS/LENGTH")
        return
    links.pop("lo", None)
    links.setdefault(device, ([], target.origin))[0].append(str(known))


def _whole(address: str) -> str:
    return "128" if ":" in address else "32"


def _vlan(target: Target, root: str, key: str) -> None:
    if key.endswith("/vlandev"):
        target.origin = at(root, key)
        target.remark("a VLAN is made by the host, or is the container's alone", "use Network=vlan:DEV.ID")
