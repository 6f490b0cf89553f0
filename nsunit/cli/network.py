"""network and port: what containers are connected to."""

from __future__ import annotations

import sys

from nsunit.cli.output import Style, plural, print_json, print_table
from nsunit.errors import NotFoundError, UsageError
from nsunit.names import check_name, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.options import Invocation
    from nsunit.definition.values_network import Port
    from nsunit.plan.attachment import Attachment, Network

ACTIONS = ("list", "inspect", "create", "rm", "prune", "check", "repair")


def network(invocation: Invocation) -> int:
    """The verb `network`."""
    action, *operands = invocation.operands or ["list"]
    if action not in ACTIONS:
        raise UsageError(f"network: '{printable(action)}' is not one of {', '.join(ACTIONS)}")
    if invocation.flag("user"):
        hint = "a container of yours has a network of its own by Network=pasta"
        raise UsageError("networks are for containers of the system", hint=hint)
    if action in ("create", "rm") and not operands:
        raise UsageError(f"network {action}: which network?", hint=f"nsunit network {action} NAME")
    if action not in ("inspect", "create", "rm") and operands:
        raise UsageError(f"network {action}: '{printable(operands[0])}' is too much")
    return {
        "list": _list,
        "inspect": _inspect,
        "create": _create,
        "rm": _remove,
        "prune": _prune,
        "check": _check,
        "repair": _check,
    }[action](invocation, operands)


def _check(invocation: Invocation, _: list[str]) -> int:
    from nsunit.manager import connections

    action, context = invocation.operands[0], invocation.context()
    problems = connections.check(context) if action == "check" else connections.repair(context)
    if invocation.flag("json"):
        print_json(problems)
    elif not invocation.flag("quiet"):
        for problem in problems:
            sys.stdout.write(f"{printable(problem)}\n")
        done = "found" if action == "check" else "repaired"
        sys.stdout.write(f"{plural(len(problems), 'problem')} {done}\n" if problems else "nothing is wrong\n")
    return 1 if problems and action == "check" else 0


def _list(invocation: Invocation, _: list[str]) -> int:
    from nsunit.manager.networks import overview

    found = overview(invocation.context())
    if invocation.flag("json"):
        print_json([_document(network, inside) for network, inside in found])
        return 0
    rows: list[tuple[str, ...]] = [
        (network.name, network.bridge, " ".join(network.subnets) or "-", " ".join(item.container for item in inside))
        for network, inside in found
    ]
    print_table(Style(plain=invocation.flag("no-color")), ("NETWORK", "BRIDGE", "SUBNETS", "CONTAINERS"), rows)
    return 0


def _inspect(invocation: Invocation, names: list[str]) -> int:
    from nsunit.manager.networks import overview

    found = {network.name: (network, inside) for network, inside in overview(invocation.context())}
    for name in names:
        if name not in found:
            from nsunit.definition.near import did_you_mean

            hint = did_you_mean(name, list(found), "'{}'") or "see 'nsunit network list'"
            raise NotFoundError(f"the network '{printable(name)}' is not defined", hint=hint)
    chosen = [found[name] for name in names or found]
    if invocation.flag("json"):
        print_json([_document(network, inside) for network, inside in chosen])
        return 0
    for place, (network, inside) in enumerate(chosen):
        sys.stdout.write("\n" if place else "")
        _describe(network)
        rows: list[tuple[str, ...]] = [
            (item.container, interface.name, interface.link, " ".join(interface.addresses), interface.mac)
            for item in inside
            for interface in item.interfaces
            if interface.network.name == network.name
        ]
        if rows:
            style = Style(plain=invocation.flag("no-color"))
            print_table(style, ("CONTAINER", "INTERFACE", "LINK", "ADDRESSES", "MAC"), rows)
    return 0


def _describe(network: Network) -> None:
    words = [*(["internal"] if network.internal else []), *(["isolated"] if network.isolated else [])]
    lines = [
        ("Network", " ".join([network.name, *words])),
        ("Bridge", f"{network.bridge} on VLAN {network.vlan}" if network.vlan else network.bridge),
        ("Subnets", " ".join(network.subnets) or "chosen when a container joins it"),
        ("Gateways", " ".join(network.gateways)),
        ("MTU", str(network.mtu)),
        ("Domain", network.domain),
    ]
    for key, value in lines:
        if value:
            sys.stdout.write(f"{key:>8}: {value}\n")


def _create(invocation: Invocation, operands: list[str]) -> int:
    from nsunit.manager.networks import create

    path = create(invocation.context(), operands[0], operands[1:])
    if not invocation.flag("quiet"):
        sys.stdout.write(f"{path}\n")
    return 0


def _remove(invocation: Invocation, names: list[str]) -> int:
    from nsunit.manager.networks import remove

    context = invocation.context()
    for name in names:
        for path in remove(context, name):
            sys.stderr.write(f"nsunit: {path} stays, it is not an administrator's\n")
    return 0


def _prune(invocation: Invocation, _: list[str]) -> int:
    from nsunit.manager.connections import prune

    names = prune(invocation.context())
    if invocation.flag("json"):
        print_json(names)
    elif not invocation.flag("quiet"):
        sys.stdout.write("".join(f"{name}\n" for name in names))
    return 0


def port(invocation: Invocation) -> int:
    """The verb `port`; without a name, those of all containers."""
    from nsunit.manager.network import attachments, existing_attachment

    context = invocation.context()
    names = [check_name(name) for name in invocation.operands]
    found = attachments(context)
    if names:
        found = [existing_attachment(context, name) for name in names]
    if invocation.flag("json"):
        print_json([_row(item) for item in found])
        return 0
    for item in found:
        for published in item.ports:
            prefix = f"{item.container} " if len(names) != 1 else ""
            sys.stdout.write(f"{prefix}{published.container}/{published.protocol} -> {_host_side(published)}\n")
    return 0


def capture(invocation: Invocation) -> int:
    """The verb `capture`."""
    from nsunit.manager.capture import capture

    name, *words = invocation.operands
    return capture(invocation.context(), check_name(name), words[1:] if words[:1] == ["--"] else words)


def _host_side(published: Port) -> str:
    if not published.address:
        return f"0.0.0.0:{published.host} [::]:{published.host}"
    address = f"[{published.address}]" if ":" in published.address else published.address
    return f"{address}:{published.host}"


def _document(network: Network, inside: list[Attachment]) -> dict[str, object]:
    return {
        "name": network.name,
        "bridge": network.bridge,
        "subnets": list(network.subnets),
        "gateways": list(network.gateways),
        "mtu": network.mtu,
        "internal": network.internal,
        "isolated": network.isolated,
        "domain": network.domain,
        "vlan": network.vlan,
        "containers": [_row(item) for item in inside],
    }


def _row(item: Attachment) -> dict[str, object]:
    return {
        "container": item.container,
        "addresses": list(item.addresses),
        "interfaces": [
            {
                "network": interface.network.name,
                "bridge": interface.network.bridge,
                "name": interface.name,
                "link": interface.link,
                "mac": interface.mac,
                "addresses": list(interface.addresses),
                "gateways": list(interface.gateways),
            }
            for interface in item.interfaces
        ],
        "devices": [
            {
                "kind": device.kind,
                "parent": device.parent,
                "name": device.name,
                "mac": device.mac,
                "addresses": list(device.addresses),
            }
            for device in item.devices
        ],
        "ports": [
            {"address": port.address, "host": port.host, "container": port.container, "protocol": port.protocol}
            for port in item.ports
        ],
    }
