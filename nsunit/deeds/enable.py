"""`enable` and `disable`: containers and pods that systemd starts at boot, from unit files of their own."""

from __future__ import annotations

from nsunit.core.apart import check_apart
from nsunit.core.boot import contents_at_boot, leave, let_go, write
from nsunit.core.context import take_back
from nsunit.core.install import (
    begin,
    check_own,
    finish,
    forget_renaming,
    forget_runtime_changes,
    link,
    runs_from_files,
    unlink,
)
from nsunit.core.jobs import Outcome, as_failed, forget_failed
from nsunit.core.listeners import is_listening, links, listeners_on_disk
from nsunit.core.prepare import obtain, resolved
from nsunit.core.running import is_running
from nsunit.core.stored import known, on_disk
from nsunit.deeds.start import start
from nsunit.deeds.stop import stop
from nsunit.deeds.verify import missing_units
from nsunit.definition.load import load
from nsunit.definition.search import is_defined
from nsunit.dropins import files as unit_directory
from nsunit.errors import NsunitError
from nsunit.features import hooks, kinds_of
from nsunit.names import check_name, former_units, service_name, slice_name
from nsunit.plan.units import entry_of, needed_containers
from nsunit.storage.lock import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nsunit.core.context import Context, Undo
    from nsunit.definition.model import Definition


def enable(context: Context, names: Sequence[str], *, now: bool = False) -> list[Outcome]:
    """Have systemd start the containers *names* at boot, with their definitions as they are now; *now*: start them.

    A container that runs goes on as it is.
    """
    outcomes = [_each(context, name, _enable) for name in dict.fromkeys(names)]
    for item in outcomes:
        if not item.error and not kinds_of(item.name):
            _warn_of_missing(context, item.name)
    if now:
        outcomes = _start_timers(context, outcomes)
        others = [item.name for item in outcomes if not item.error and not _is_timed(context, item.name)]
        started = {item.name: item for item in start(context, others)}
        outcomes = [
            started[item.name] if item.name in started and started[item.name].error else item for item in outcomes
        ]
    return outcomes


def _warn_of_missing(context: Context, name: str) -> None:
    """Warn of units that systemd does not start container *name* without, and will not find."""
    definition = on_disk(context, name)
    for problem in missing_units(context, definition) if definition else ():
        context.warn(f"warning: {name}: {problem.message}; {problem.hint}")


def _is_timed(context: Context, name: str) -> bool:
    """Whether *name*, which is enabled, is started at times of its own."""
    enabled = on_disk(context, name)
    return enabled is not None and enabled.container.uses("timers")


def _start_timers(context: Context, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """*outcomes* with what became of the starts of timers."""
    found = []
    for item in outcomes:
        used = ("timers",) if not item.error and _is_timed(context, item.name) else ()
        for enable_now in hooks(used, "deeds.enable_now"):
            item = item.replace(error=enable_now(context, item.name))
        found.append(item)
    return found


def disable(context: Context, names: Sequence[str], *, now: bool = False) -> list[Outcome]:
    """Take away what `enable` made; *now*: stop them as well."""
    names = tuple(dict.fromkeys(names))
    stopped: list[Outcome] = []
    if now:
        running = [name for name in names if is_running(context, check_name(name)) or is_listening(context, name)]
        stopped = stop(context, running)
    failed = {item.name: item for item in stopped if item.error}
    outcomes = [failed.get(name) or _each(context, name, _disable).after(stopped) for name in names]
    ended = {item.name for item in stopped}
    return [
        item.replace(state="stopped") if item.state == "unchanged" and item.name in ended else item for item in outcomes
    ]


def _each(context: Context, name: str, deed: Callable[[Context, str], Outcome]) -> Outcome:
    try:
        with Lock(context.paths.locks, check_name(name)):
            return deed(context, name)
    except (NsunitError, OSError) as error:
        return as_failed(name, error)


def _enable(context: Context, name: str) -> Outcome:
    for enable_kind in hooks(kinds_of(name), "files.enable"):
        found: Outcome = enable_kind(context, name)
        return found
    definition = load(name, context.search, context.host)
    _check_own(context, definition)
    _check_needed(context, definition)
    check_apart(context, definition)  # not for each start of one that is enabled
    if is_running(context, name):
        _check_running(context, definition)
    else:
        forget_failed(context, service_name(name))  # else systemd would keep it as it was started last
    former, kept = on_disk(context, name), contents_at_boot(context, name)
    undo: Undo = [context.bus.reload]
    try:
        changed = False
        for write_for in hooks(definition.container.features, "files.write_for"):
            changed = write_for(context, definition, undo) or changed
        changed = write(context, definition, undo)[1] or changed
        changed = kept != contents_at_boot(context, name) or changed
        linked = link(context, definition, undo)
        finish(context, name)
        context.bus.reload()
    except BaseException:
        take_back(undo)
        raise
    let_go(context, former, definition)
    return Outcome(name, "enabled" if changed or linked else "unchanged")


def _check_own(context: Context, definition: Definition) -> None:
    """Refuse to overwrite a unit that nsunit has not made."""
    name = definition.name
    if not context.paths.is_enabled(name):
        entry, _ = entry_of(definition, context.boot_target)
        own = (service_name(name), slice_name(name, definition.container.slice), entry)
        check_own(context, name, tuple(dict.fromkeys(own)))


def _check_running(context: Context, definition: Definition) -> None:
    """Refuse to write unit files of *definition* that could not take back what its container runs with.

    Raises:
        NsunitError: they could not.
    """
    running = known(context, definition.name, definition)
    if running is None or running is definition:
        return
    obtain(context, definition)
    now = resolved(context, definition)
    for check in hooks(running.container.features, "deeds.check_enable"):
        check(running, now)


def _check_needed(context: Context, definition: Definition) -> None:
    """See that what *definition* needs is there at boot.

    Raises:
        NsunitError: it is not enabled.
    """
    for other, why in needed_containers(definition.container).items():
        if not context.paths.is_enabled(other):
            raise NsunitError(
                f"{definition.name}: {why} '{other}', which is not enabled",
                hint=f"do that first: nsunit enable {other}",
            )


def _disable(context: Context, name: str) -> Outcome:
    for disable_kind in hooks(kinds_of(name), "files.disable"):
        found: Outcome = disable_kind(context, name)
        return found
    if not context.paths.is_enabled(name):
        if not is_defined(name, context.search):
            load(name, context.search, context.host)  # says so
        forget_renaming(context, name)
        return Outcome(name, "unchanged")
    fragment = str(context.bus.get(service_name(name), "FragmentPath").get("FragmentPath", ""))
    if is_running(context, name) and not fragment.startswith(context.transient):
        raise runs_from_files(context, name)
    if not fragment.startswith(context.transient) and is_listening(context, name):
        raise NsunitError(
            f"{name}: it is listened for by the unit files that would be removed",
            hint=f"stop it first, or do both with 'nsunit disable --now {name}'",
        )
    take_away_files(context, name)
    return Outcome(name, "disabled")


def take_away_files(context: Context, name: str) -> None:
    """Remove what starts *name* at boot; nothing runs by it.  The caller holds the lock."""
    service = service_name(name)
    begin(context, name)
    for path in links(context, name):
        unlink(path)
    listeners = listeners_on_disk(context, name)
    former = on_disk(context, name)
    slice_ = slice_name(name, former.container.slice if former else "")
    for unit in (service, *former_units(name), slice_, *listeners):
        unit_directory.remove(f"{context.search.units}/{unit}")
    forget_runtime_changes(context, (service, slice_))
    context.remove_tree(context.paths.boot_of(name))
    leave(context, former)
    forget_failed(context, service)
