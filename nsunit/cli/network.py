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
    from nsunit.plan.attachment import Attachment

_ACTIONS = ("list", "check", "repair", "remove")


def network(invocation: Invocation) -> int:
    """The verb `network`."""
    action = invocation.operands[0] if invocation.operands else "list"
    if action not in _ACTIONS:
        raise UsageError(f"network: '{printable(action)}' is not one of {', '.join(_ACTIONS)}")
    if action == "list":
        return _list(invocation)
    from nsunit.manager import connections

    context = invocation.context()
    if action == "remove":
        connections.remove(context)
        return 0
    problems = connections.check(context) if action == "check" else connections.repair(context)
    if invocation.flag("json"):
        print_json(problems)
    elif not invocation.flag("quiet"):
        for problem in problems:
            sys.stdout.write(f"{printable(problem)}\n")
        done = "found" if action == "check" else "repaired"
        sys.stdout.write(f"{plural(len(problems), 'problem')} {done}\n" if problems else "nothing is wrong\n")
    return 1 if problems and action == "check" else 0


def _list(invocation: Invocation) -> int:
    from nsunit.manager.network import attachments

    found = attachments(invocation.context())
    if invocation.flag("json"):
        print_json([_row(item) for item in found])
        return 0
    rows: list[tuple[str, ...]] = [
        (
            item.container,
            interface.network.name,
            interface.name,
            interface.link,
            " ".join(interface.addresses),
            " ".join(f"{port}→{port.container}" for port in item.ports) if place == 0 else "",
        )
        for item in found
        for place, interface in enumerate(item.interfaces)
    ]
    style = Style(plain=invocation.flag("no-color"))
    print_table(style, ("CONTAINER", "NETWORK", "INTERFACE", "LINK", "ADDRESSES", "PORTS"), rows)
    return 0


def port(invocation: Invocation) -> int:
    """The verb `port`; without a name, those of all containers."""
    from nsunit.manager.network import attachment_of, attachments

    context = invocation.context()
    names = [check_name(name) for name in invocation.operands]
    found = attachments(context)
    if names:
        found = []
        for name in names:
            item = attachment_of(context, name)
            if item is None:
                raise NotFoundError(f"{name}: it is not connected to a network that nsunit makes")
            found.append(item)
    if invocation.flag("json"):
        print_json([_row(item) for item in found])
        return 0
    for item in found:
        for published in item.ports:
            prefix = f"{item.container} " if len(names) != 1 else ""
            sys.stdout.write(f"{prefix}{published.container}/{published.protocol} -> {_host_side(published)}\n")
    return 0


def _host_side(published: Port) -> str:
    if not published.address:
        return f"0.0.0.0:{published.host} [::]:{published.host}"
    address = f"[{published.address}]" if ":" in published.address else published.address
    return f"{address}:{published.host}"


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
        "ports": [
            {"address": port.address, "host": port.host, "container": port.container, "protocol": port.protocol}
            for port in item.ports
        ],
    }
