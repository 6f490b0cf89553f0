"""What starts containers: what became of their sockets and proxies, and what of that is in the unit directory."""

from __future__ import annotations

import os

from nsunit.core.jobs import forget_failed
from nsunit.names import (
    container_of_listener,
    former_units,
    health_service,
    health_timer,
    listener_patterns,
    service_name,
    socket_patterns,
    timer_name,
)
from nsunit.record import Record
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from nsunit.bus.protocol import UnitStatus
    from nsunit.core.context import Context

PATTERNS = ("nsunit-*.socket", "nsunit-*-port-*.service")
LINK_DIRECTORIES = (".wants", ".requires", ".upholds")
# Results of sockets for which systemd takes no more connections, systemd.socket(5).
_TOO_OFTEN = ("service-start-limit-hit", "trigger-limit-hit")


class Listeners(Record):
    """Of one container: whether systemd listens for it, and those of its sockets and proxies that have failed."""

    listening: bool
    failed: tuple[str, ...]

    @property
    def given_up(self) -> bool:
        """Whether there is a socket on which systemd does not listen any more."""
        return any(unit.endswith(".socket") for unit in self.failed)


NONE = Listeners(listening=False, failed=())


def by_container(units: Iterable[UnitStatus]) -> dict[str, Listeners]:
    """The listeners of containers that have some, by container, of the *units* that `PATTERNS` match."""
    found: dict[str, Listeners] = {}
    for unit in units:
        name = container_of_listener(unit.name)
        if name is None:
            continue
        known = found.get(name, NONE)
        if unit.active_state == "failed":
            known = known.replace(failed=(*known.failed, unit.name))
        elif unit.active_state == "active" and unit.name.endswith(".socket"):
            known = known.replace(listening=True)
        found[name] = known
    return found


def note(context: Context, name: str, listeners: Listeners) -> str:
    """What has failed of the *listeners* of container *name*, and what to do, in one line; empty if nothing has."""
    for unit in sorted(listeners.failed, key=lambda unit: not unit.endswith(".socket")):
        return describe(name, unit, str(context.bus.get(unit, "Result").get("Result", "")))
    return ""


def describe(name: str, unit: str, result: str) -> str:
    """The note on *unit*, a socket or a proxy of container *name* that has failed with *result*."""
    if result in _TOO_OFTEN:
        return (
            f"systemd listens for it no more, as it was started too often in vain ('{result}' of '{unit}'); "
            f"'nsunit logs {name}' says why, 'nsunit start {name}' has it listen again"
        )
    if unit.endswith(".socket"):
        return f"systemd does not listen on '{unit}', which has failed ('{result}'); 'nsunit start {name}' tries again"
    return f"the proxy '{unit}' has failed ('{result}'); the next connection tries again"


def is_listening(context: Context, name: str) -> bool:
    """Whether systemd listens for container *name*."""
    return any(unit.active_state == "active" for unit in context.bus.list_units(socket_patterns(name)))


def who_listens(context: Context, names: Collection[str]) -> set[str]:
    """Those of the containers *names* of which systemd has sockets or proxies, whatever has become of these."""
    return by_container(context.bus.list_units(PATTERNS)).keys() & set(names)


def forget_failed_listeners(context: Context, name: str) -> list[str]:
    """Forget that sockets, or the proxies they started, have failed; returns their units."""
    failed = [unit.name for unit in context.bus.list_units(listener_patterns(name)) if unit.active_state == "failed"]
    for unit in failed:
        forget_failed(context, unit)
    return failed


def links(context: Context, name: str) -> list[str]:
    """All links in the unit directory that lead to container *name*: to its service, its timer or its sockets."""
    top = context.search.units
    places = [top, *(f"{top}/{entry}" for entry in files.list_directory(top) if entry.endswith(LINK_DIRECTORIES))]
    paths = [f"{place}/{entry}" for place in places for entry in files.list_directory(place)]
    own = {service_name(name), timer_name(name), *former_units(name), *listeners_on_disk(context, name)}
    return [path for path in paths if os.path.islink(path) and os.path.basename(os.readlink(path)) in own]


def listeners_on_disk(context: Context, name: str) -> list[str]:
    """The units beside container *name* that have unit files: its timer, sockets and proxies, and what checks it."""
    own, several, *_ = socket_patterns(name)
    beginning = several.removesuffix("*.socket")
    found = [entry for entry in files.list_directory(context.search.units) if entry.startswith(beginning)]
    single = (own, timer_name(name), health_timer(name), health_service(name))
    return [*found, *(unit for unit in single if os.path.lexists(f"{context.search.units}/{unit}"))]
