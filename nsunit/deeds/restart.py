"""Restart containers."""

from __future__ import annotations

from nsunit.core.jobs import Outcome, as_failed
from nsunit.core.prepare import check, check_needed, obtain, resolved
from nsunit.core.running import is_running
from nsunit.core.stored import on_disk
from nsunit.deeds.start import start
from nsunit.deeds.stop import stop_running
from nsunit.definition.load import load_any
from nsunit.errors import BusError, NsunitError
from nsunit.features import hooks, kinds_of
from nsunit.names import container_of_unit, service_name
from nsunit.storage.files import check_room
from nsunit.units import DOWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nsunit.core.context import Context

# By which relations systemd stops one unit with another, and a restart starts both again: systemd.unit(5).
_STOPPED_WITH = ("BoundBy", "RequiredBy", "ConsistsOf")
_STARTED_ALONE = (".service", ".target", ".timer", ".socket", ".path", ".mount", ".automount", ".swap")


def restart(
    context: Context, names: Sequence[str], on_event: Callable[[str, str], object] | None = None
) -> list[Outcome]:
    """Stop what runs of *names*, then start them all from their definitions as they are now.

    What is bound to one of them, since it shares something with it, and what requires it would end with it; so both are
    restarted, too, as `systemctl restart` does, be they containers or not.  What a start would be refused for is found
    before its container is stopped, and an image that is not here yet is fetched while it runs.
    """
    bound, others = _stopped_with(context, names)
    names = (*names, *bound)
    failed: dict[str, Outcome] = {}
    usable = list(names)
    while refused := {name: outcome for name in usable if (outcome := _unusable(context, name, usable))}:
        failed |= refused  # and what goes on may be in the way of others
        usable = [name for name in usable if name not in failed]
    stopped = stop_running(context, usable)
    failed |= {outcome.name: outcome for outcome in stopped if outcome.error}
    usable = [name for name in usable if name not in failed]
    started = {outcome.name: outcome for outcome in start(context, usable, on_event)}
    _start_again(context, others)
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


def _stopped_with(context: Context, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """What runs and ends with one of *names*, apart from those, each before what ends with it in turn.

    Containers by their names, and units that are no part of nsunit.
    """
    found: list[str] = []
    others: list[str] = []
    waiting = [service_name(name) for name in names]
    while waiting:
        lists = context.bus.get(waiting.pop(0), *_STOPPED_WITH).values()
        for unit in sorted({unit for units in lists if isinstance(units, (list, tuple)) for unit in units}):
            name = container_of_unit(unit) if unit.endswith(".service") else None
            if name and name not in (*names, *found) and is_running(context, name):
                found.append(name)
                waiting.append(unit)
            elif _is_apart(unit) and unit not in others and not _is_down(context, unit):
                others.append(unit)
                waiting.append(unit)
    return found, others


def _is_apart(unit: str) -> bool:
    """Whether *unit* is none of nsunit's, and can be started by itself."""
    return unit.endswith(_STARTED_ALONE) and not unit.startswith("nsunit-")


def _is_down(context: Context, unit: str) -> bool:
    return context.bus.get(unit, "ActiveState").get("ActiveState") in DOWN


def _start_again(context: Context, others: Sequence[str]) -> None:
    """Have systemd start those of *others* that were stopped; as with systemctl, nobody waits until they are up."""
    for unit in others:
        try:
            context.bus.start(unit)
        except BusError as error:
            context.warn(f"warning: {unit} was stopped with it, and is not started again: {error}")
