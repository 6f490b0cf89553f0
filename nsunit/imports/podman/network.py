"""Networks, ports, names."""

from __future__ import annotations

from nsunit.addresses import parse_subnet
from nsunit.imports.model import NotCarried

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.imports.podman.target import Target

_OPTIONS = {"ip": "address", "ip6": "address", "mac": "mac"}


def network(target: Target, text: str) -> None:
    """`none`, `host`, `bridge`, `NAME`, each with options; `container:NAME`, `ns:PATH`, `pasta`."""
    for item in text.split(",") if ":" not in text else [text]:
        _network(target, item)


def _network(target: Target, text: str) -> None:
    name, _, options = text.partition(":")
    if name.endswith(".container"):
        target.plain("Network", f"container:{_container(target, name)}")
        return
    if name == "container":
        target.plain("Network", f"container:{_container(target, options)}")
    elif name == "ns":
        target.plain("Network", f"path:{options}")
    elif name in ("none", "host") and not options:
        if name == "host":
            target.say("Network", name)
        target.hold("network", name)
        return
    elif name in ("pasta", "slirp4netns"):
        if not target.user:
            raise NotCarried(f"'{name}' is for users without root", "use Network=bridge")
        if options or name == "slirp4netns":
            target.remark(f"'{text}' is not what users are connected by", "Network=pasta, without options, is taken")
        target.say("Network", "pasta")
    elif name == "private":
        target.say("Network", default(target))
    else:
        _joined(target, name, options)
    target.hold("network", name)


def default(target: Target) -> str:
    """What a container is connected to that says nothing of it."""
    return "pasta" if target.user else "bridge"


def _joined(target: Target, name: str, options: str) -> None:
    known = target.names.networks.get(name)
    if known is None and name.endswith(".network"):
        raise NotCarried(f"there is no file '{name}'", "import it too, or name the network")
    if known is None and name in ("bridge", "podman", "default"):
        known = default(target)
    elif known is None:
        known = name
        hint = f"define it: 'nsunit network create {name}', see nsunit.network(5)"
        target.remark(f"the network '{name}' is not imported with it", hint)
    kept = []
    for option in options.split(",") if options else ():
        key, _, value = option.partition("=")
        if key in ("ip", "ip6"):
            kept += on_link(value, target.names.subnets.get(name, []))
        elif key in _OPTIONS:
            kept.append(f"{_OPTIONS[key]}={value}")
        elif key == "alias":
            target.plain("NetworkAlias", value)
        else:
            target.remark(f"'{option}' is no option of a network", "interfaces are eth0, eth1 and so on")
    target.plain("Network", f"{known}:{','.join(kept)}" if kept else known)
    if known not in ("bridge", "pasta") and ":" not in known:
        target.pending.setdefault("named network", (known, target.origin))


def on_link(address: str, subnets: list[tuple[str, str]]) -> list[str]:
    """The options for *address* of a container on a link of the host, whose network there has *subnets*."""
    try:
        for text, gateway in subnets:
            subnet = parse_subnet(text)
            if subnet.number_of(address) is not None:
                return [f"address={address}/{subnet.length}", f"gateway={gateway or subnet.host(1)}"]
    except (ValueError, OSError):
        pass  # it is told where the definition is checked
    return [f"address={address}"]


def address_on_link(target: Target) -> None:
    """Have Address= of a container on a link say how long its subnet's prefix is, and where it gets out by."""
    joined = {line.value for line in target.draft.lines if line.key == "Network"}
    subnets = [item for name, items in target.names.subnets.items() for item in items if _link(target, name) in joined]
    for place, line in enumerate(target.draft.lines):
        if line.key == "Address" and "/" not in line.value:
            address, *gateway = on_link(line.value, list(dict.fromkeys(subnets)))
            target.draft.lines[place] = line.replace(value=address.partition("=")[2])
            for text in gateway:
                target.draft.add(line.section, "Gateway", text.partition("=")[2], line.origin)


def _link(target: Target, name: str) -> str:
    return target.names.networks.get(name, "")


def range_of(text: str, subnets: list[str]) -> str:
    """Range= for the addresses `FIRST-LAST` or `SUBNET` in a network of *subnets*."""
    first, dash, last = text.partition("-")
    if dash:
        return f"{first}-{last}"
    try:
        subnet = parse_subnet(text)
    except ValueError:
        raise NotCarried(f"'{text}' is no range of addresses", "use FIRST-LAST") from None
    begins = subnet.host(0) in [item.partition("/")[0] for item in subnets]  # that is no address of a host
    return f"{subnet.host(1 if begins else 0)}-{subnet.host(subnet.size - 1)}"


def _container(target: Target, name: str) -> str:
    known = target.names.containers.get(name)
    if known is None and name.endswith(".container"):
        raise NotCarried(f"there is no file '{name}'", "import it too, or name the container")
    return known or name


def namespace(target: Target, key: str, text: str) -> None:
    """`host`, `private`, `container:NAME`, `ns:PATH`."""
    kind, _, rest = text.partition(":")
    if text == "host":
        target.say(key, "host")
    elif kind == "container":
        target.plain(key, f"container:{_container(target, rest)}")
    elif kind == "ns":
        target.plain(key, f"path:{rest}")
    elif text not in ("private", "shareable", ""):
        raise NotCarried(
            f"'{text}' is no namespace of nsunit's", f"use {key}=private, host, container:NAME or path:PATH"
        )


def publish(target: Target, text: str) -> None:
    """`[[ADDRESS:][HOST]:]CONTAINER[/PROTOCOL]`."""
    rest, slash, protocol = text.partition("/")
    rest, _, inside = rest.rpartition(":")
    address, colon, host = rest.rpartition(":") if not rest.endswith("]") else (rest, ":", "")
    if not colon:
        address, host = "", rest
    if address and ":" in address and not address.startswith("["):
        address = f"[{address}]"
    first, _, last = inside.partition("-")
    if not (first.isdecimal() and (last or first).isdecimal()) and not target.specifiers:
        raise NotCarried(f"'{text}' is no port", "use [ADDRESS:]HOST:CONTAINER[/PROTOCOL]")
    if not host or host == "0":
        target.remark(
            "a port of the host is chosen anew at each start there, and never by nsunit",
            f"{inside} is taken here, too: PublishPort={inside}:{inside}",
        )
        host = inside
    if "-" in host and "-" not in inside:
        raise NotCarried(f"'{text}' leaves it open which port of the host it is", "name one")
    where = "" if address in ("0.0.0.0", "[::]", "") else f"{address}:"
    target.plain("PublishPort", f"{where}{host}:{inside}" + (f"/{protocol}" if slash and protocol != "tcp" else ""))


def add_host(target: Target, text: str) -> None:
    """`NAME[;NAME…]:ADDRESS`, docker's with `=`."""
    names, separator, address = text.partition("=") if "=" in text else text.partition(":")
    address = address.strip("[]")
    if not separator or address == "host-gateway":
        raise NotCarried(
            f"'{address or text}' is no address", "use that of the bridge, see 'nsunit network inspect', and HostPort="
        )
    for name in names.split(";"):
        target.plain("AddHost", f"{name}:{address}")


def dns(target: Target, text: str) -> None:
    """The address of a name server."""
    if text == "none":
        raise NotCarried("/etc/resolv.conf is made anyway", "mount a file on it by BindReadOnly=")
    target.plain("DNS", text)


def link(target: Target, text: str) -> None:
    """`NAME[:ALIAS]`."""
    name, colon, alias = text.partition(":")
    target.plain("Link", _container(target, name) + colon + alias)
