"""Restart containers."""

from __future__ import annotations

from nsunit.core.jobs import Outcome, as_failed
from nsunit.core.prepare import check, check_needed, obtain, resolved
from nsunit.core.running import is_running
from nsunit.core.stored import on_disk
from nsunit.deeds.start import start
from nsunit.deeds.stop import stop_running
from nsunit.definition.load import load_any
from nsunit.errors import NsunitError
from nsunit.features import hooks, kinds_of
from nsunit.names import container_of_unit, service_name
from nsunit.storage.files import check_room

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nsunit.core.context import Context


def restart(
    context: Context, names: Sequence[str], on_event: Callable[[str, str], object] | None = None
) -> list[Outcome]:
    """Stop what runs of *names*, then start them all from their definitions as they are now.

    What is bound to one of them, since it shares something with it, would end with it; so it is restarted, too, as
    `systemctl restart` does.  What a start would be refused for is found before its container is stopped, and an image
    that is not here yet is fetched while it runs.
    """
    names = (*names, *_bound_to(context, names))
    failed: dict[str, Outcome] = {}
    usable = list(names)
    while refused := {name: outcome for name in usable if (outcome := _unusable(context, name, usable))}:
        failed |= refused  # and what goes on may be in the way of others
        usable = [name for name in usable if name not in failed]
    stopped = stop_running(context, usable)
    failed |= {outcome.name: outcome for outcome in stopped if outcome.error}
    usable = [name for name in usable if name not in failed]
    started = {outcome.name: outcome for outcome in start(context, usable, on_event)}
    return [failed.get(name) or started[name].after(stopped) for name in dict.fromkeys(names)]


def _unusable(context: Context, name: str, names: Sequence[str]) -> Outcome | None:
    try:
        definition = load_any(name, context.search, context.host)
        for check_restart in hooks(definition.container.features, "deeds.check_restart"):
            check_restart(context, definition, names)
        if not kinds_of(name) and is_running(context, name):  # else the start tells, once what it needs is there
            obtain(context, definition)
            definition = resolved(context, definition)
            check(context, definition)
            check_needed(context, definition)
            if context.paths.is_enabled(name) and on_disk(context, name) != definition:
                check_room(context.paths.boot_of(name))
    except (NsunitError, OSError) as error:
        return as_failed(name, error)
    return None


def _bound_to(context: Context, names: Sequence[str]) -> list[str]:
    """The running containers that end with one of *names*, apart from those: each before what is bound to it."""
    found: list[str] = []
    waiting = list(names)
    while waiting:
        units = context.bus.get(service_name(waiting.pop(0)), "BoundBy").get("BoundBy")
        for unit in sorted(units) if isinstance(units, (list, tuple)) else ():
            name = container_of_unit(unit) if unit.endswith(".service") else None
            if name and name not in (*names, *found) and is_running(context, name):
                found.append(name)
                waiting.append(name)
    return found
