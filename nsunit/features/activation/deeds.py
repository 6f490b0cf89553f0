"""Containers with Activation=: their sockets are started, and they themselves by the first connection."""

from __future__ import annotations

from nsunit.core.jobs import GRACE_SECONDS, Outcome, forget_failed, stop_what_is_left
from nsunit.core.listeners import forget_failed_listeners
from nsunit.core.programs import find_socket_proxy
from nsunit.core.running import slice_of
from nsunit.core.stored import differences_from_running
from nsunit.errors import NsunitError
from nsunit.features import STARTER
from nsunit.features.activation.plan import START_SECONDS, ListenFacts, entry_socket
from nsunit.features.network.register import attachment_of, check_ports
from nsunit.features.network.values import listened, of
from nsunit.names import service_name, socket_patterns
from nsunit.units import UP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.core.context import Context
    from nsunit.definition.model import Definition
    from nsunit.plan.facts import Facts
    from nsunit.plan.units import Units


def listening_facts(context: Context, definition: Definition) -> ListenFacts:
    """What the plan of *definition* has to know.

    Raises:
        NsunitError: the proxy is not installed, or the container has no address.
    """
    if listened(definition.container).how == "fds":
        return ListenFacts()
    find_socket_proxy(definition.name, "PublishPort", "use Activation=fds, or publish on another address than ::1")
    item = attachment_of(context, definition.name)
    if item is not None and not item.interfaces:
        raise NsunitError(
            f"{definition.name}: PublishPort=: the host reaches none of its networks",
            hint="add a Network= that is a bridge, or use Activation=fds",
        )
    # The address is chosen at the start; `render` may come earlier.
    address = item.interfaces[0].addresses[0].partition("/")[0] if item else "ADDRESS"
    return ListenFacts(address, STARTER, context.cgroup)


def facts(context: Context, definition: Definition, facts: Facts) -> Facts:
    """*facts* with what there is to listen for; as long as that is done its directories stay."""
    stay = bool(listened(definition.container).how)
    return facts.replace(directories_stay=stay).with_extra("activation", listening_facts(context, definition))


def at_boot(_context: Context, _definition: Definition, facts: Facts) -> Facts:
    """*facts* for unit files: its directories are copied anew at each start."""
    return facts.replace(directories_stay=False)


def check_now(context: Context, definition: Definition) -> None:
    """See that nobody has the ports of a container that is in no network of nsunit's.

    Raises:
        NsunitError: somebody has.
    """
    if definition.container.network != "bridge" and listened(definition.container).how:
        check_ports(context, definition.name, of(definition.container).published_ports)


def foreground(_context: Context, definition: Definition) -> Definition:
    """Refuse to run it in the foreground.

    Raises:
        NsunitError: always.
    """
    hint = "leave out Activation=, and ports on ::1"
    raise NsunitError(f"{definition.name}: nothing waits for a connection in the foreground", hint=hint)


def settle(context: Context, definition: Definition) -> Outcome | None:
    """What a start comes to where the container is listened for already; None if it is to be started."""
    name = definition.name
    if not listened(definition.container).how:
        return None
    if context.bus.get(entry_socket(definition), "LoadState", "ActiveState").get("ActiveState") != "active":
        forget_failed_listeners(context, name)
        return None
    repaired = repair(context, name)
    differences = differences_from_running(context, definition)
    active = context.bus.get(service_name(name), "ActiveState").get("ActiveState")
    state = "running" if active in (*UP, "activating") else "listening"
    return Outcome(name, "differs" if differences else "mended" if repaired else state, differences)


def repair(context: Context, name: str) -> bool:
    """Have systemd listen again where it has given a socket of container *name* up; tells whether anything had failed.

    Raises:
        NsunitError: it cannot, e.g. since somebody else has the port by now.
    """
    failed = forget_failed_listeners(context, name)
    for unit in (unit for unit in failed if unit.endswith(".socket")):
        result = context.bus.wait(context.bus.start(unit), GRACE_SECONDS)
        if result != "done":
            text = f"{name}: systemd cannot listen again: the start of '{unit}' ended as '{result}'"
            raise NsunitError(text, hint=f"see 'systemctl status {unit}'")
    return bool(failed)


def give_up(context: Context, definition: Definition, units: Units) -> None:
    """Stop whatever there is after a start that failed."""
    if context.bus.get(units.slice.name, "ActiveState").get("ActiveState") == "active":
        stop_what_is_left(context, slice_of(context, definition.name))
    forget_failed_listeners(context, definition.name)
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
