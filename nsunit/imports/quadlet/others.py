"""[Pod], [Network], [Volume], [Image] and [Build] of Quadlet."""

from __future__ import annotations

from nsunit.imports.model import NotCarried, Origin, Remark
from nsunit.imports.podman.arguments import parse
from nsunit.imports.podman.network import range_of
from nsunit.imports.podman.table import option
from nsunit.imports.quadlet import container
from nsunit.imports.quadlet.units import expanded, systemds
from nsunit.imports.text import truth
from nsunit.imports.unitfiles import words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.imports.podman.target import Target
    from nsunit.imports.quadlet.units import Names
    from nsunit.imports.unitfiles import Said, UnitFile

_POD = frozenset("AddHost DNS DNSOption DNSSearch HostName IP IP6 Network NetworkAlias PublishPort UserNS".split())
_POD_LOST = {
    "ContainersConfModule": ("containers.conf(5) is podman's", "leave it out"),
    "ExitPolicy": ("a pod of nsunit's stays until it is stopped", "nsunit stop POD.pod"),
    "GIDMap": ("a pod has a range of ids", "use PrivateUsers=START:COUNT"),
    "GlobalArgs": ("they are about podman itself", "leave it out"),
    "PodName": ("the pod's name is that of the file", "rename the file for another"),
    "RemapGid RemapUid RemapUidSize RemapUsers": ("a pod has a range of ids", "use PrivateUsers=START:COUNT"),
    "ServiceName": ("a pod's service has its name from that", "leave it out"),
    "ShmSize": ("the containers of a pod have a /dev/shm each", "use ShmSize= in each"),
    "StopTimeout": ("each container has its own", "use [Service] TimeoutStopSec= in each"),
    "SubGIDMap SubUIDMap": ("ids are not taken from somebody's in /etc/subuid", "use PrivateUsers=START:COUNT"),
    "UIDMap": ("a pod has a range of ids", "use PrivateUsers=START:COUNT"),
    "Volume": ("a pod has no files", "use Bind= or Volume= in each of its containers"),
}
_POD_LOST = {key: why for keys, why in _POD_LOST.items() for key in keys.split()}

_NETWORK_LOST = {
    "ContainersConfModule": ("containers.conf(5) is podman's", "leave it out"),
    "DNS": ("its containers ask the host's servers, or their own", "use DNS= in each of its containers"),
    "GlobalArgs": ("they are about podman itself", "leave it out"),
    "IPAMDriver": ("nsunit gives the addresses itself", "use Range= to choose among them"),
    "InterfaceName": ("nsunit names bridges itself", "'nsunit network inspect' shows the name"),
    "NetworkDeleteOnStop": ("a bridge goes with its last container anyway", "leave it out"),
    "NetworkName": ("the network's name is that of the file", "rename the file for another"),
    "PodmanArgs": ("they are about podman", "use the keys that the arguments stand for, see nsunit.network(5)"),
    "ServiceName": ("a network is no unit", "leave it out"),
}
_VOLUME_LOST = {
    "ContainersConfModule": ("containers.conf(5) is podman's", "leave it out"),
    "GlobalArgs": ("they are about podman itself", "leave it out"),
    "Group": ("a volume's owners are those of the root at its target", "have the image set them"),
    "Image": ("a volume is no image", "use Layer="),
    "Label": ("a volume has a name, and nothing else", "leave it out"),
    "PodmanArgs": ("they are about podman", "leave it out"),
    "ServiceName": ("a volume is no unit", "leave it out"),
    "User": ("a volume's owners are those of the root at its target", "have the image set them"),
    "VolumeName": (
        "the volume's name is that of the file",
        "what podman's has: 'podman volume export', 'nsunit volume import'",
    ),
}
_FETCH = ("it is about how the image is fetched", "have it fetched by 'nsunit image import', or 'skopeo copy'")
_BUILT = ("nsunit does not build it at a start", "build it by 'nsunit build -t NAME DIR'")


def pod(unit: UnitFile, target: Target, services: Names) -> None:
    """Fill the target's draft with the pod that *unit* is."""
    target.section = "Pod"
    for said in unit.section("Pod"):
        target.origin = said.origin
        item = expanded(target, said)
        try:
            if item.key == "PodName" and item.value == unit.stem:
                continue
            if item.key in _POD_LOST:
                raise NotCarried(*_POD_LOST[item.key])
            if item.key == "Label":
                for word in words(item):
                    target.words("X-Label", word)
            elif item.key == "PodmanArgs":
                for name, value in parse(words(item))[0]:
                    _pod_option(target, name, value)
            elif item.key in ("IP", "IP6"):
                target.hold(item.key, item.value)
            elif item.key in _POD:
                container.take(target, item)
            else:
                raise NotCarried("it is no key of Quadlet's, and none of nsunit's", "leave it out")
        except NotCarried as lost:
            target.remark(lost.reason, lost.instead)
    for key in ("IP", "IP6"):
        if key in target.pending:
            _address(target, target.held(key))
    if not target.draft.has("Pod", "Network") and "network" not in target.pending:
        target.origin = target.origin.replace(line=0, key="Network")  # said nowhere
        target.say("Network", "bridge")
    if "network" in target.pending and target.pending["network"][0] == "host":
        target.origin = target.pending["network"][1]
        target.draft.drop([line for line in target.draft.lines if line.key == "Network"])
        target.remark("a pod has a network of its own", "use Network=host in each container, without the pod")
    systemds(unit, target, services, but=("KillMode",))


def _address(target: Target, text: str) -> None:
    """Put an address into the first network."""
    for place, line in enumerate(target.draft.lines):
        if line.key == "Network":
            separator = "," if ":" in line.value else ":"
            target.draft.lines[place] = line.replace(value=f"{line.value}{separator}address={text}")
            return
    target.say("Network", f"bridge:address={text}")


_OF_SLICE = frozenset(
    "blkio-weight cgroup-conf cpu-shares cpus cpuset-cpus cpuset-mems device-read-bps device-write-bps memory"
    " memory-swap".split()
)


def _pod_option(target: Target, name: str, value: str) -> None:
    if name == "memory":
        target.say("MemoryMax", value.upper(), "Slice")
    elif (name, value) == ("memory-swap", "-1"):
        pass  # there is no limit
    elif (
        name in _OF_SLICE
        and name != "memory-swap"
        or name in ("add-host", "dns", "dns-option", "dns-search", "hostname", "network", "network-alias", "publish")
    ):
        option(target, name, value)
    else:
        target.remark(f"--{name}: a pod has nothing of that kind", "use the key of its containers")


def link_of(unit: UnitFile) -> str:
    """The link of the host that a network of drivers macvlan and ipvlan is, `macvlan:eth0`; empty for a bridge."""
    driver = unit.last("Network", "Driver")
    if driver not in ("macvlan", "ipvlan"):
        return ""
    options = _options(unit)
    return f"{driver}:{options['parent']}" if options.get("parent") else ""


def remarks_of_link(unit: UnitFile) -> list[Remark]:
    """What of a network that is a link of the host is not carried over."""
    why = ("its containers are connected to the link itself", "use Address= and Gateway= in each")
    return [
        Remark(item.origin, *why)
        for item in unit.section("Network")
        if item.key not in ("Driver", "Options", "Label", "Subnet", "Gateway")
    ]


def network(unit: UnitFile, target: Target) -> None:
    """Fill the target's draft with the network that *unit* is."""
    target.section = "Network"
    for item in unit.section("Network"):
        target.origin = item.origin
        try:
            _network_key(unit, target, expanded(target, item))
        except NotCarried as lost:
            target.remark(lost.reason, lost.instead)
    for section in ("Unit", "Service", "Install"):
        for item in unit.section(section):
            target.origin = item.origin
            target.remark("a network is no unit: it is made for its first container", "leave it out")


def _network_key(unit: UnitFile, target: Target, item: Said) -> None:
    if item.key == "NetworkName" and item.value == unit.stem:
        return
    if item.key in _NETWORK_LOST:
        raise NotCarried(*_NETWORK_LOST[item.key])
    if item.key in ("Subnet", "Gateway"):
        target.plain(item.key, item.value)
    elif item.key == "IPRange":
        target.plain("Range", range_of(item.value, values_of(unit, "Subnet")))
    elif item.key == "Internal":
        if truth(item.value):
            target.say("Internal", "yes")
    elif item.key == "DisableDNS":
        if truth(item.value):
            raise NotCarried("names are in each container's /etc/hosts", "leave it out")
    elif item.key == "IPv6":
        six = any(":" in entry.value for entry in unit.section("Network") if entry.key == "Subnet")
        four = any("." in entry.value for entry in unit.section("Network") if entry.key == "Subnet")
        if truth(item.value) and four and not six:
            raise NotCarried("its subnet of IPv6 would be chosen by podman", "add a Subnet= of IPv6, e.g. fd00:1::/64")
    elif item.key == "Driver":
        if item.value != "bridge":
            raise NotCarried(
                f"a network of driver '{item.value}' is none of nsunit's", "use Network=macvlan:DEV in each"
            )
    elif item.key == "Label":
        for word in words(item):
            target.words("X-Label", word)
    elif item.key == "Options":
        for word in words(item):
            _network_option(target, word)
    else:
        raise NotCarried("it is no key of Quadlet's, and none of nsunit's", "leave it out")


def _network_option(target: Target, text: str) -> None:
    name, _, value = text.partition("=")
    if name in ("mtu", "com.docker.network.driver.mtu"):
        target.plain("MTU", value)
    elif name == "isolate":
        if value in ("true", "strict", "1"):
            target.remark("networks are apart from each other anyway", "leave it out")
    else:
        target.remark(f"nsunit's networks have no option '{name}'", "see nsunit.network(5)")


def subnets_of_link(unit: UnitFile) -> list[tuple[str, str]]:
    """The subnets of a network, each with its gateway, which is empty where that is not said."""
    subnets, gateways = values_of(unit, "Subnet"), values_of(unit, "Gateway")
    return [(subnet, gateways[place] if place < len(gateways) else "") for place, subnet in enumerate(subnets)]


def values_of(unit: UnitFile, key: str) -> list[str]:
    """All that [Network] says of *key*."""
    return [item.value for item in unit.section("Network") if item.key == key]


def _options(unit: UnitFile) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in unit.section("Network"):
        if item.key == "Options":
            found |= dict(word.partition("=")[::2] for word in words(item))
    return found


def volume(unit: UnitFile) -> tuple[str, list[Remark]]:
    """What a volume is here, NAME[:OPTIONS], a directory or `tmpfs`, with remarks."""
    remarks = []
    said = {item.key: item for item in unit.section("Volume")}
    driver = unit.last("Volume", "Driver") or "local"
    kind, device = unit.last("Volume", "Type"), unit.last("Volume", "Device")
    options = [item for item in unit.last("Volume", "Options").split(",") if item]
    for item in unit.section("Volume"):
        why = None if item.key == "VolumeName" and item.value == unit.stem else _VOLUME_LOST.get(item.key)
        if item.key == "Driver" and item.value not in ("local", ""):
            why = (f"volumes of driver '{item.value}' are none of nsunit's", "mount it, and use Bind=")
        elif item.key not in _VOLUME_LOST and item.key not in ("Copy", "Device", "Driver", "Options", "Type"):
            why = ("it is no key of Quadlet's, and none of nsunit's", "leave it out")
        if why:
            remarks.append(Remark(item.origin, *why))
    for section in ("Unit", "Service", "Install"):
        why = ("a volume is no unit: it is made for its first container", "leave it out")
        remarks += [Remark(item.origin, *why) for item in unit.section(section)]
    if driver == "local" and (kind in ("bind", "none") or "bind" in options) and device.startswith("/"):
        kept = [item for item in options if item not in ("bind", "rbind")]
        return ":".join([device, *([",".join(kept)] if kept else [])]), remarks
    if driver == "local" and kind == "tmpfs":
        return ":".join(["tmpfs", *([",".join(options)] if options else [])]), remarks
    if device:
        mounted = ("a file system is not mounted for a volume", "mount it by fstab(5), and use Bind=")
        remarks += [Remark(said[key].origin, *mounted) for key in ("Device", "Type", "Options") if key in said]
    copy = unit.last("Volume", "Copy")
    return unit.stem + (":nocopy" if copy and not truth(copy) else ""), remarks


def image(unit: UnitFile) -> tuple[str, list[Remark]]:
    """The name of the image that a .image file fetches, or a .build file makes; with remarks."""
    building = unit.name.endswith(".build")
    section = "Build" if building else "Image"
    name = unit.last(section, "ImageTag") or unit.last(section, "Image")
    if building:
        name = next((item.value for item in unit.section(section) if item.key == "ImageTag"), "")
    taken = ("ImageTag",) if building else ("Image", "ImageTag")
    why = _BUILT if building else _FETCH
    remarks = [Remark(item.origin, *why) for item in unit.section(section) if item.key not in taken]
    source = unit.last(section, "Image")
    if not building and name != source:
        origins = (item.origin for item in unit.section(section) if item.key == "Image")
        origin = next(origins, Origin(unit.path, 0, "Image"))
        hint = f"bring it in: 'nsunit image import {source} --name {name}'"
        remarks.insert(0, Remark(origin, f"it is called '{name}' in the store, and fetched from elsewhere", hint))
    no_unit = ("an image is no unit: a start fetches it", "leave it out")
    remarks += [
        Remark(item.origin, *no_unit) for other in ("Unit", "Service", "Install") for item in unit.section(other)
    ]
    return name, remarks
