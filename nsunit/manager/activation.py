"""Containers with Activation=: their sockets are started, and they themselves by the first connection."""

from __future__ import annotations

import os

from nsunit.errors import NsunitError
from nsunit.manager.outcome import Outcome
from nsunit.manager.running import slice_of
from nsunit.manager.start import GRACE_SECONDS, differences_from_running, forget_failed
from nsunit.names import listener_patterns, service_name, socket_patterns
from nsunit.plan.activation import PROXY, START_SECONDS, entry_socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from nsunit.definition.model import Definition
    from nsunit.manager.context import Context
    from nsunit.plan.units import Units


def listening_facts(context: Context, definition: Definition) -> dict[str, Any]:
    """What the plan of *definition* has to know, as fields of Facts.

    Raises:
        NsunitError: the proxy is not installed, or the container has no address.
    """
    if definition.container.activation == "fds":
        return {}
    find_socket_proxy(definition.name, "PublishPort", "use Activation=fds, or publish on another address than ::1")
    from nsunit.manager.network import attachment_of

    item = attachment_of(context, definition.name)
    if item is not None and not item.interfaces:
        raise NsunitError(
            f"{definition.name}: PublishPort=: the host reaches none of its networks",
            hint="add a Network= that is a bridge, or use Activation=fds",
        )
    package = os.path.dirname(os.path.dirname(__file__))
    return {
        # It is chosen at the start; `render` may come earlier.
        "listen_address": item.interfaces[0].addresses[0].partition("/")[0] if item else "ADDRESS",
        "listening_program": package + "/network/listening.py",
        "cgroup": context.cgroup,
    }


def find_socket_proxy(name: str, key: str, instead: str) -> str:
    """The program systemd-socket-proxyd(8), which *key* of container *name* needs.

    Raises:
        NsunitError: it is not installed; the hint says what to do *instead*.
    """
    if os.access(PROXY, os.X_OK):
        return PROXY
    raise NsunitError(
        f"{name}: {key}= needs '{PROXY}' here, which is not installed",
        hint=f"it belongs to systemd: see that the package is complete, or {instead}",
    )


def check_unconnected(context: Context, definition: Definition) -> None:
    """See that nobody has the ports of a container that is in no network of nsunit's.

    Raises:
        NsunitError: somebody has.
    """
    from nsunit.manager.network import check_ports

    check_ports(context, definition.name, definition.container.published_ports)


def settle(context: Context, definition: Definition) -> Outcome | None:
    """What a start comes to where the container is listened for already; None if it is to be started."""
    name = definition.name
    if context.bus.get(entry_socket(definition), "LoadState", "ActiveState").get("ActiveState") != "active":
        forget(context, name)
        return None
    mended = mend(context, name)
    differences = differences_from_running(context, definition)
    active = context.bus.get(service_name(name), "ActiveState").get("ActiveState")
    state = "running" if active in ("active", "activating", "reloading") else "listening"
    return Outcome(name, "differs" if differences else "mended" if mended else state, differences)


def is_listening(context: Context, name: str) -> bool:
    """Whether systemd listens for container *name*."""
    return any(unit.active_state == "active" for unit in context.bus.list_units(socket_patterns(name)))


def mend(context: Context, name: str) -> bool:
    """Have systemd listen again where it has given a socket of container *name* up; tells whether anything had failed.

    Raises:
        NsunitError: it cannot, e.g. since somebody else has the port by now.
    """
    failed = forget(context, name)
    for unit in (unit for unit in failed if unit.endswith(".socket")):
        result = context.bus.wait(context.bus.start(unit), GRACE_SECONDS)
        if result != "done":
            text = f"{name}: systemd cannot listen again: the start of '{unit}' ended as '{result}'"
            raise NsunitError(text, hint=f"see 'systemctl status {unit}'")
    return bool(failed)


def forget(context: Context, name: str) -> list[str]:
    """Forget that sockets, or the proxies they started, have failed; returns their units."""
    failed = [unit.name for unit in context.bus.list_units(listener_patterns(name)) if unit.active_state == "failed"]
    for unit in failed:
        forget_failed(context, unit)
    return failed


def give_up(context: Context, definition: Definition, units: Units) -> None:
    """Stop whatever there is after a start that failed."""
    if context.bus.get(units.slice.name, "ActiveState").get("ActiveState") == "active":
        context.bus.wait(context.bus.stop(slice_of(context, definition.name)), GRACE_SECONDS)
    forget(context, definition.name)
    forget_failed(context, service_name(definition.name))


def start_now(context: Context, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Start those of *outcomes* that listen, as their first connections would; returns what became of these."""
    found = []
    for name in (item.name for item in outcomes if item.state in ("listening", "mended")):
        sockets = (unit.name for unit in context.bus.list_units(socket_patterns(name)))
        error = None
        for unit in sorted(socket.removesuffix(".socket") + ".service" for socket in sockets):
            result = context.bus.wait(context.bus.start(unit), START_SECONDS + GRACE_SECONDS)
            if result != "done":
                text = f"{name}: the start of '{unit}' ended as '{result}'"
                error = NsunitError(text, hint=f"see 'nsunit logs {name}'")
        found.append(Outcome(name, "failed" if error else "started", error=error))
    return found
