"""`rename`: a stopped container gets another name, and keeps all else: what it has written, its ids, its address."""

from __future__ import annotations

import os

from nsunit.core.context import take_back
from nsunit.core.dropin import copy_drop_ins, drop_ins_of
from nsunit.core.install import note_renaming, renaming
from nsunit.core.jobs import Outcome, forget_failed
from nsunit.core.listeners import is_listening
from nsunit.core.running import is_running
from nsunit.deeds.enable import enable, take_away_files
from nsunit.definition.load import load
from nsunit.definition.search import find, list_names, main_file
from nsunit.dropins import files as unit_directory
from nsunit.dropins.definitions import own_files, remove_own, renamed, texts_of, write_all
from nsunit.errors import DefinitionError, NotFoundError, NsunitError, UsageError
from nsunit.names import check_name, former_units, is_group, is_pod, service_name, split_instance
from nsunit.plan.units import needed_containers
from nsunit.storage import files
from nsunit.storage.lock import Lock
from nsunit.storage.mounted import refuse_mounted_state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context, Undo
    from nsunit.definition.model import Definition


def rename(context: Context, old: str, new: str) -> Outcome:
    """Call the stopped container *old* *new* from now on; who is killed half-way does the rest by the same command.

    Raises:
        NsunitError: one of them runs, *old* is not defined by a file that may be changed, or there is a *new* one.
    """
    _check_names(old, new)
    enable_again: Undo = []
    first, second = sorted((old, new))
    try:
        with Lock(context.paths.locks, first), Lock(context.paths.locks, second):
            enabled = _rename(context, old, new, enable_again)
    except BaseException:
        take_back(enable_again)  # it takes a lock itself
        raise
    if enabled:
        _raise(enable(context, [new]))
    _tell(context, old)
    return Outcome(new, "renamed")


def _rename(context: Context, old: str, new: str, enable_again: Undo) -> bool:
    """The part of it with both locks; tells whether *new* is to be enabled then.

    What fails has been taken back when it raises, but for *enable_again*, which is for when the locks are let go.
    """
    noted = [renaming(context, name) == (old, new) for name in (old, new)]
    if noted[1] and not main_file(old, context.search):
        return True
    _check(context, old, new, is_noted=noted[1])
    definition = load(old, context.search, context.host)  # else it could not be enabled again, by either name
    enabled = context.paths.is_enabled(old)
    if enabled:
        note_renaming(context, old, new)
        enable_again.append(lambda: _raise(enable(context, [old])))
        take_away_files(context, old)
    undo: Undo = []
    try:
        _move(context, definition, new, undo)
    except BaseException:
        take_back(undo)
        raise
    return enabled or any(noted)


def _check_names(old: str, new: str) -> None:
    for name in (old, new):
        if is_pod(check_name(name)) or is_group(name):
            raise UsageError(f"'{name}' is no container", hint="stop it, and rename its files")
    if old == new:
        raise UsageError(f"'{old}' has that name already")
    if split_instance(old)[1] or split_instance(new)[1]:
        raise UsageError("an instance's name is its template's and its own", hint="use 'nsunit clone', then 'rm'")


def _raise(outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        if outcome.error:
            raise outcome.error


def _check(context: Context, old: str, new: str, *, is_noted: bool) -> None:
    for name in (old, new):
        if is_running(context, name) or is_listening(context, name):
            raise NsunitError(f"{name}: it is running", hint=f"stop it first with 'nsunit stop {name}'")
    main = main_file(old, context.search)
    if main not in own_files(old, context.search):
        hint = f"copy it to {context.search.directories[0]}/{new}.nsunit, or use 'nsunit clone'"
        raise NsunitError(f"{old}: its definition '{main}' is not to be changed", hint=hint)
    refuse_mounted_state(context.paths, old, below=False)
    states = [os.path.lexists(context.paths.state_of(name)) for name in (old, new)]
    there = main_file(new, context.search)
    # Those that one which was killed has written are the same.
    if there and unit_directory.read(there) != unit_directory.read(main):
        raise NsunitError(f"{new}: a container of that name is defined ('{there}')", hint="take another name")
    if (states[1] and not there) or all(states) or (context.paths.is_enabled(new) and not is_noted):
        hint = f"remove that with 'nsunit rm {new}'"
        raise NsunitError(f"{new}: there is the state of a container of that name", hint=hint)


def _move(context: Context, definition: Definition, new: str, undo: Undo) -> None:
    old = definition.name
    texts = renamed(texts_of(find(old, context.search)), old, new)
    write_all(context.search.directories[0], texts, undo)
    changed = copy_drop_ins(context, definition, new, undo)
    state, target = context.paths.state_of(old), context.paths.state_of(new)
    if os.path.lexists(state):
        undo.append(lambda: files.move_back(target, state))  # before, since a signal may come in between
        files.move(state, target)  # before the last file that calls it *old* goes
    for path in drop_ins_of(context, definition):
        before = unit_directory.read(path)
        undo.append(lambda path=path, before=before: unit_directory.restore(path, before))  # type: ignore[misc]
        unit_directory.remove(path)
    remove_own(old, context.search, undo)
    forget_failed(context, service_name(old))
    if changed:
        context.bus.reload()


def _tell(context: Context, old: str) -> None:
    """Say whose definitions still name *old*."""
    for name in list_names(context.search):
        try:
            other = load(name, context.search, context.host)
        except (DefinitionError, NotFoundError):
            continue  # it cannot be started either
        names = old in needed_containers(other.container)
        units = {service_name(old), *former_units(old)}
        if names or any(units.intersection(item.text.split()) for item in other.assignments):
            context.warn(f"warning: {name}: its definition names '{old}'; see 'nsunit edit {name}'")
