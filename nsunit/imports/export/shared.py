"""A network or a pod as a file of Quadlet: what containers share."""

from __future__ import annotations

from nsunit.imports.export.options import Options
from nsunit.imports.export.podman import of_command_line, renamed
from nsunit.imports.export.source import Source, words
from nsunit.imports.model import NotCarried
from nsunit.imports.text import word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.imports.model import Line

_NETWORK = {"Subnet": "Subnet", "Gateway": "Gateway", "Range": "IPRange"}
_NETWORK_LOST = {
    "DNS": ("containers of podman's network ask its own server, which asks others", "use DNS= in each"),
    "Domain": ("podman's networks have no domain", "use NetworkAlias= in each container"),
    "Isolate": ("containers of a network reach each other there", "use a network for each"),
    "VLAN": ("a bridge of podman's is in none", "make a network of driver macvlan on the VLAN's link"),
}
# Of a pod: keys of Quadlet, and options of 'podman pod create' that it has none for.
_POD = {"add-host": "AddHost", "dns": "DNS", "dns-option": "DNSOption", "dns-search": "DNSSearch"}
_POD |= {"hostname": "HostName", "network": "Network", "network-alias": "NetworkAlias", "publish": "PublishPort"}
_POD |= {"userns": "UserNS"}
_POD_ARGUMENTS = frozenset("cpus cpu-shares cpuset-cpus cpuset-mems memory memory-swap blkio-weight sysctl".split())
_DEFAULTS = frozenset(("security-opt", "pids-limit"))  # of each container


def network(source: Source) -> list[tuple[str, str]]:
    """The text of NAME.network, by whose name podman's containers find it as nsunit's do."""
    name = source.name.removesuffix(".network")
    lines = ["[Network]", f"NetworkName={name}"]

    def take(line: Line) -> None:
        if line.section != "Network" or line.key in _NETWORK_LOST:
            raise NotCarried(*_NETWORK_LOST.get(line.key, ("podman's networks have nothing like it", "leave it out")))
        if line.key in _NETWORK:
            lines.append(f"{_NETWORK[line.key]}={line.value}")
        elif line.key == "Internal":
            lines.append(f"Internal={'true' if _is_true(line.value) else 'false'}")
        elif line.key == "MTU":
            lines.append(f"Options=mtu={line.value}")
        elif line.key == "X-Label":
            lines.extend(f"Label={word(item, specifiers=True)}" for item in words(line.value))
        elif not line.key.startswith("X-"):
            raise NotCarried("podman's networks have nothing like it", "leave it out")

    source.each({}, take)
    return [(f"{name}.network", "\n".join(of_command_line(lines)) + "\n")]


def pod(source: Source) -> list[tuple[str, str]]:
    """The text of NAME.pod."""
    name = source.name.removesuffix(".pod")
    inner = Source(
        name, [line.replace(section="Container") if line.section == "Pod" else line for line in source.lines]
    )
    options = Options(inner, keep_service=True)
    source.remarks += inner.remarks
    lines = ["[Pod]", f"PodName={name}"]
    for item in options.found:
        if item.name in _POD:
            lines.append(f"{_POD[item.name]}={item.value}")
        elif item.name in _POD_ARGUMENTS:
            lines.append(f"PodmanArgs={word(f'--{item.name}={item.value}', specifiers=True)}")
        elif item.line is not None and item.name not in _DEFAULTS:
            source.remark(item.line, "a pod of podman's has nothing like it", "use it in each of its containers")
    found = [f"{line.key}={renamed(line.value)}" for line in options.of_services if line.section == "Unit"]
    lines = [*of_command_line(lines), *(["", "[Unit]", *found] if found else [])]
    return [(f"{name}.pod", "\n".join(lines) + "\n")]


def _is_true(text: str) -> bool:
    return text.lower() in ("1", "yes", "y", "true", "t", "on")
