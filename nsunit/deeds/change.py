"""Change containers and groups while they run: `set`, `plan` and `apply`."""

from __future__ import annotations

import os

from nsunit.bus.protocol import DISCONNECTED, NO_REPLY, TIMEOUT
from nsunit.bus.snapshot import Snapshot
from nsunit.core.context import take_back
from nsunit.core.dropin import check_not_outdone, dropped_in, write_drop_ins
from nsunit.core.jobs import Outcome, as_failed
from nsunit.core.limits import made_effective
from nsunit.core.prepare import expanded, used_by
from nsunit.core.running import find_running, is_running, slice_of, unit_of
from nsunit.core.stored import keep_started, no_record, place_of, stored, stored_text
from nsunit.deeds.look.drift import drift, from_bus
from nsunit.deeds.look.root import moved_links
from nsunit.deeds.restart import restart as restart_containers
from nsunit.deeds.session.covered import show_first_limits
from nsunit.deeds.shown import refresh
from nsunit.definition.load import any_of_text, load_any, serialize
from nsunit.definition.setting import lookup
from nsunit.errors import SET, BusError, NotFoundError, NsunitError
from nsunit.features import features_of, hooks, kinds_of
from nsunit.names import check_any_name, is_group
from nsunit.plan.change import Change, compare, how_to_change, live_properties, texts_by_key, unset, with_keys_of
from nsunit.plan.facts import Facts
from nsunit.plan.operations import limits_unit
from nsunit.plan.units import NEED_BPF, default_tasks, may_be_ignored, units
from nsunit.record import Record
from nsunit.storage import files
from nsunit.storage.lock import Lock
from nsunit.units import Property

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nsunit.core.context import Context, Undo
    from nsunit.definition.model import Definition
    from nsunit.plan.units import Units

_SECTIONS = ("Slice", "Service", "Container", "Unit", "Install")


class Plan(Record):
    """How container *name* differs from its definition; *state* is "running" or "inactive".

    *notes* tell of files by which others change its units.
    """

    name: str
    state: str
    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()


def set_keys(
    context: Context, name: str, assignments: Sequence[tuple[str, str, str]], *, persist: bool = False, typed: str = SET
) -> tuple[Change, ...]:
    """Change keys of the running container *name* at once; all of them, or none.

    *assignments* are `(section, key, value)`, the section empty for [Slice].  The change holds until the container is
    stopped, with *persist* for its later starts as well.  What *typed* says is named where one is wrong.  Returns what
    was changed.

    Raises:
        NotFoundError: it does not run.
        NsunitError: a key cannot change while it runs.
        DefinitionError: a key or value is wrong.
    """
    given = [(section or _home_of(key), key, text, typed) for section, key, text in assignments]
    with Lock(context.paths.locks, check_any_name(name)):
        for_later = f"'nsunit dropin {name} KEY=VALUE' sets it for the next start"
        unit = _unit_that_runs(context, name, for_later if persist else "")
        check_live(name, [(section, key) for section, key, _, _ in given])
        if persist:
            check_unit_keys(name, [(section, key) for section, key, _, _ in given])
        text = stored_text(context, name)
        origin = context.paths.runtime_of(name)
        _check_place(context, name)
        old = any_of_text(name, text, origin, context.host)
        new = any_of_text(name, text, origin, context.host, given)
        keys = tuple(dict.fromkeys((section, key) for section, key, _, _ in given))
        _check_growth(name, old, new, keys)
        desired = load_any(name, context.search, context.host, given) if persist else None
        if desired is None:
            _check_not_dropped_in(context, old, keys)
        undo: Undo = []
        try:
            _make_live(context, unit, old, new, keys, undo)
            if desired is not None:
                write_drop_ins(context, desired, keys, undo)
            _record(context, name, text, serialize(new), undo)
            if not kinds_of(name):
                keep_started(context, name, text)
        except BaseException:
            take_back(undo)
            raise
        return tuple(change for change in compare(old, new) if (change.section, change.key) in keys)


def plan(context: Context, name: str) -> Plan:
    """What `apply` would have to do for container *name*.

    Raises:
        NotFoundError: it is not defined.
        DefinitionError: its definition is wrong.
    """
    definition = load_any(name, context.search, context.host)
    unit = unit_of(context, name)
    if not is_running(context, name):
        return Plan(name, "inactive")
    old = stored(context, name)
    changes = compare(old, definition)
    for path, places in moved_links(context.paths.runtime_of(name)).items():
        changes += (
            Change("Container", "Rootfs" if definition.container.rootfs == path else "Layer", *places, "restart"),
        )
    drifted, notes = drift(context, unit, _planned(context, old), definition, changes)
    return Plan(name, "running", tuple(sorted((*changes, *drifted), key=lambda item: (item.section, item.key))), notes)


def plan_all(context: Context, names: Sequence[str]) -> list[tuple[Plan | None, NsunitError | None]]:
    """`plan` of each of *names*, or why there is none."""
    found: list[tuple[Plan | None, NsunitError | None]] = []
    snapshot = Snapshot(context.bus)
    context = context.with_bus(snapshot)
    for name in names:
        snapshot.forget()
        try:
            found.append((plan(context, name), None))
        except NsunitError as error:
            found.append((None, error))
    return found


def apply(context: Context, names: Sequence[str], *, restart: bool = False) -> list[Outcome]:
    """Have the running containers *names* follow their definitions, as far as that goes without a restart.

    What only a restart changes is left alone and told, or with *restart* done by one.  Each container gets all of its
    changes or none.
    """
    outcomes = []
    for name in dict.fromkeys(names):
        try:
            outcome = _apply_one(context, name, restart)
        except (NsunitError, OSError) as error:
            outcome = as_failed(name, error)
        outcomes.append(outcome)
    return outcomes


def _apply_one(context: Context, name: str, restart: bool) -> Outcome:
    with Lock(context.paths.locks, check_any_name(name)):
        found = plan(context, name)
        if found.state == "inactive":
            return Outcome(name, "inactive")
        later = tuple(str(change) for change in found.changes if change.how == "restart")
        if not (later and restart):
            live = [change for change in found.changes if change.how == "live"]
            if live:
                _check_place(context, name)
                _apply_live(context, name, live, everything=not later)
            if later:
                return Outcome(name, "differs", later)
            return Outcome(name, "changed" if live else "running", tuple(str(change) for change in live))
    return _restart(context, name)


def _restart(context: Context, name: str) -> Outcome:
    names = [name]
    for running_members in hooks(kinds_of(name), "deeds.running_members"):
        names = running_members(context, name)  # all are stopped before one is started: the slice is made anew
    outcomes = restart_containers(context, names)
    failed = next((item.error for item in outcomes if item.error is not None), None)
    return Outcome(name, "failed", error=failed) if failed else Outcome(name, "restarted").after(outcomes)


def _apply_live(context: Context, name: str, live: Sequence[Change], *, everything: bool) -> None:
    text = stored_text(context, name)
    old = any_of_text(name, text, context.paths.runtime_of(name), context.host)
    definition = load_any(name, context.search, context.host)
    keys = tuple((change.section, change.key) for change in live)
    recorded = serialize(definition if everything else with_keys_of(old, definition, keys))
    new = any_of_text(name, recorded, context.paths.runtime_of(name), context.host)
    undo: Undo = []
    try:
        _make_live(context, unit_of(context, name), old, new, keys, undo)
        _record(context, name, text, recorded, undo)
    except BaseException:
        take_back(undo)
        raise


# What the deeds share


def follow(context: Context, name: str, old: Definition, new: Definition, undo: Undo) -> tuple[Change, ...]:
    """Give the running container *name* the live keys of *new* that differ in *old*, and record that it has them."""
    changes = tuple(change for change in compare(old, new) if change.how == "live")
    keys = tuple((change.section, change.key) for change in changes)
    text = stored_text(context, name)
    stored = any_of_text(name, text, context.paths.runtime_of(name), context.host)
    recorded = serialize(with_keys_of(stored, new, keys))
    after = any_of_text(name, recorded, context.paths.runtime_of(name), context.host)
    _make_live(context, unit_of(context, name), stored, after, keys, undo)
    _record(context, name, text, recorded, undo)
    return changes


def _make_live(
    context: Context, unit: str, old: Definition, new: Definition, keys: Iterable[tuple[str, str]], undo: Undo
) -> None:
    for check in hooks(used_by(context, new), "deeds.check_limits"):
        check(context, new)
    planned = _planned(context, expanded(new))
    if may_be_ignored(new):
        planned = made_effective(context, new, planned)
    keys = tuple(keys)
    if default_tasks(old, _facts(context, old)) != default_tasks(new, _facts(context, new)):
        keys = (*keys, ("Slice", "TasksMax"))  # the default would be the tighter one
    changed = features_of(key for section, key in keys if section == "Container")
    undo.append(lambda: refresh(context.paths.runtimes))
    for prepare in hooks(changed, "deeds.before_change"):
        prepare(context, unit, old, new, undo)
    for target, source, section in (
        (slice_of(context, new.name), planned.slice, "Slice"),
        (unit, planned.service, "Service"),
        (unit, planned.service, "Unit"),
    ):
        properties = live_properties(source, section, keys)
        if not properties:
            continue
        before = _as_it_is(context, target, properties)
        filtered = any(item.name in NEED_BPF for item in source.properties)

        def put_back(target: str = target, before: tuple[Property, ...] = before, filtered: bool = filtered) -> None:
            _set(context, target, before, filtered)

        try:
            _set(context, target, properties, filtered)
        except BaseException as error:
            # systemd checks all of them before it changes one; without an answer it may have changed them.
            if not isinstance(error, BusError) or error.name in (DISCONNECTED, NO_REPLY, TIMEOUT):
                undo.append(put_back)
            raise
        undo.append(put_back)
    for change in (*hooks(changed, "deeds.change"), *hooks(changed, "rates.change")):
        change(context, unit, old, new, undo)
    if limits_unit(new) and not limits_unit(old) and not kinds_of(new.name):
        show_first_limits(context, new.name)
    refresh(context.paths.runtimes)


def _set(context: Context, unit: str, properties: tuple[Property, ...], filtered: bool) -> None:
    """Change a running *unit*, that has programs for sockets and interfaces attached if it is *filtered*."""
    change = any(item.name in NEED_BPF for item in properties)
    if filtered and not change:
        # Any change has systemd attach the programs once more; without a reload in between it forgets the ones that
        # are attached, and nothing would take those away any more.
        context.bus.reload()
    context.bus.set_properties(unit, True, properties)
    if change:
        # systemd 252 to 257 notes these on a unit that is active, and attaches the programs after the next reload only:
        # 257 when a unit beside it starts, or when properties of this one are set.
        context.bus.reload()
        context.bus.set_properties(unit, True, properties)


def _as_it_is(context: Context, unit: str, properties: Sequence[Property]) -> tuple[Property, ...]:
    """The values that *unit* has now for *properties*, in the form that gives them back to it."""
    signatures = {}
    for item in properties:
        scaled = item.name.endswith("Scale")
        signatures[item.name.removesuffix("Scale") if scaled else item.name] = "t" if scaled else item.signature
    values = context.bus.get(unit, *signatures)
    found: list[Property] = []
    for name, signature in signatures.items():
        if name not in values:
            continue
        item = Property(name, signature, from_bus(signature, values[name]))
        if signature.startswith(("a", "(b")) and signature != "ay":
            found.append(unset(name, signature))
        found.append(item)
    return tuple(found)


def _unit_that_runs(context: Context, name: str, instead: str = "") -> str:
    if not is_group(name):
        return find_running(context, name, instead=instead).unit
    if not is_running(context, name):
        hint = "it is there as long as one of its containers runs"
        raise NotFoundError(f"{name}: no container of the group is running", hint=hint)
    return unit_of(context, name)


def _planned(context: Context, definition: Definition) -> Units:
    for of_kind in hooks(kinds_of(definition.name), "plan.group_units"):
        found: Units = of_kind(definition, context.host.systemd_version)
        return found
    return units(definition, _facts(context, definition))


def _facts(context: Context, definition: Definition) -> Facts:
    """What can change live does not depend on the other facts."""
    return Facts(context.host.systemd_version, "", "", context.paths.runtime_of(definition.name))


def _check_place(context: Context, name: str) -> None:
    """Refuse what cannot be noted: an enabled container has its definition for the next boot all the same."""
    if not kinds_of(name) and not os.path.isdir(context.paths.runtime_of(name)):
        raise no_record(name)


def _record(context: Context, name: str, old: str, new: str, undo: Undo) -> None:
    """Note that the container runs with the definition *new* from now on."""
    path = place_of(context, name)
    undo.append(lambda: files.write_file(path, old.encode()))
    files.write_file(path, new.encode())


def check_live(name: str, keys: Iterable[tuple[str, str]]) -> None:
    """Refuse *keys*, `(section, key)`, that cannot change while a container runs; those that are none are let pass.

    Raises:
        NsunitError: one cannot.
    """
    for section, key in keys:
        found = lookup(section, key)
        if section == "Slice" and (found is None or found.refused):
            elsewhere = ((place, lookup(place, key)) for place in _SECTIONS[1:])
            section, found = next(((place, item) for place, item in elsewhere if item and not item.refused), ("", None))
        lives = found is not None and found.live and section in ("Slice", "Service", "Container")
        if found is not None and not found.refused and not lives:
            raise _needs_restart(name, section, key)


def check_unit_keys(name: str, keys: Iterable[tuple[str, str]]) -> None:
    """Refuse *keys* that no drop-in of a unit can hold.

    Raises:
        NsunitError: one is of [Container].
    """
    for section, key in keys:
        if section == "Container" and lookup(section, key) is not None:
            raise NsunitError(
                f"{name}: [Container] {key}= cannot be in a drop-in of a unit, since systemd does not know it",
                hint=f"change the definition with 'nsunit edit {name}', then run 'nsunit apply {name}'",
            )


def _home_of(key: str) -> str:
    """The section of *key* where none is given: [Slice], but for the limits that only [Container] has."""
    if lookup("Slice", key) is None:
        own = lookup("Container", key)
        if own is not None and own.live:
            return "Container"
    return "Slice"


def _check_growth(name: str, old: Definition, new: Definition, keys: Iterable[tuple[str, str]]) -> None:
    before, after = texts_by_key(old.assignments), texts_by_key(new.assignments)
    for place in keys:
        if how_to_change(*place, before.get(place, []), after.get(place, [])) == "restart":
            raise _needs_restart(name, *place)


def _needs_restart(name: str, section: str, key: str) -> NsunitError:
    return NsunitError(
        f"{name}: [{section}] {key}= cannot change while the container runs",
        hint=f"change the definition with 'nsunit edit {name}', then run 'nsunit restart {name}'",
    )


def _check_not_dropped_in(context: Context, definition: Definition, keys: Iterable[tuple[str, str]]) -> None:
    """Refuse to change for this run only what a drop-in says: the next daemon-reload would bring that back."""
    check_not_outdone(context, definition, keys)
    for place, path in dropped_in(context, definition):
        if place in keys:
            raise NsunitError(
                f"{definition.name}: {place[1]} is set for good in '{path}', which would count again at any reload",
                hint="change it there with --persist",
            )
