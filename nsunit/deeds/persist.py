"""`dropin`: limits that hold for good, in files as systemd's users know them."""

from __future__ import annotations

from nsunit.core.context import take_back
from nsunit.core.dropin import drop_ins_of, forget_drop_ins, write_drop_ins
from nsunit.core.running import is_running
from nsunit.core.stored import stored_text
from nsunit.deeds.change import check_live, follow, set_keys
from nsunit.definition.load import any_of_text, load_any, serialize
from nsunit.errors import DROPIN, NotFoundError, NsunitError
from nsunit.names import check_any_name
from nsunit.plan.change import compare, with_keys_of
from nsunit.storage.lock import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.core.context import Context, Undo
    from nsunit.definition.model import Definition


def drop_in(context: Context, name: str, assignments: Sequence[tuple[str, str, str]]) -> tuple[str, ...]:
    """Set keys of container *name* for good, and at once if it runs; returns its drop-ins.

    Without *assignments*, keep what `set` has changed for this run.

    Raises:
        NotFoundError: it is not defined, or does not run, so that there is nothing to keep.
        DefinitionError: a key or value is wrong.
    """
    running = is_running(context, check_any_name(name))
    if running and assignments:
        set_keys(context, name, assignments, persist=True, typed=DROPIN)
    elif running:
        _keep(context, name)
    elif assignments:
        _write(context, name, assignments)
    else:
        hint = f"name what to set: nsunit dropin {name} KEY=VALUE"
        raise NotFoundError(f"{name}: it is not running, so there are no changes to keep", hint=hint)
    definition = load_any(name, context.search, context.host)
    return tuple(path for path in drop_ins_of(context, definition) if path in definition.sources)


def remove_drop_ins(context: Context, name: str) -> tuple[str, ...]:
    """Remove the drop-ins of container *name*; a running one gets back what its definition says.

    Returns their paths.

    Raises:
        NotFoundError: it has none.
    """
    with Lock(context.paths.locks, check_any_name(name)):
        undo: Undo = [context.bus.reload]
        try:
            before = _load_if_running(context, name)
            removed = forget_drop_ins(context, name, undo)
            if not removed:
                load_any(name, context.search, context.host)
                raise NotFoundError(f"{name}: it has no drop-ins", hint=f"'nsunit dropin {name} KEY=VALUE' makes one")
            context.bus.reload()
            if before is not None:
                follow(context, name, before, load_any(name, context.search, context.host), undo)
        except BaseException:
            take_back(undo)
            raise
        return removed


def _load_if_running(context: Context, name: str) -> Definition | None:
    return load_any(name, context.search, context.host) if is_running(context, name) else None


def _write(context: Context, name: str, assignments: Sequence[tuple[str, str, str]]) -> None:
    given = [(section or "Slice", key, text, DROPIN) for section, key, text in assignments]
    keys = [(section, key) for section, key, _, _ in given]
    with Lock(context.paths.locks, name):
        check_live(name, keys)
        definition = load_any(name, context.search, context.host, given)
        undo: Undo = []
        try:
            write_drop_ins(context, definition, keys, undo)
        except BaseException:
            take_back(undo)
            raise


def _keep(context: Context, name: str) -> None:
    with Lock(context.paths.locks, name):
        definition = load_any(name, context.search, context.host)
        text = stored_text(context, name)
        stored = any_of_text(name, text, context.paths.runtime_of(name), context.host)
        keys = [(change.section, change.key) for change in compare(definition, stored) if change.how == "live"]
        keys = [key for key in keys if key[0] in ("Slice", "Service")]
        if not keys:
            raise NsunitError(f"{name}: it runs as its definition says, there are no changes to keep")
        kept = any_of_text(name, serialize(with_keys_of(definition, stored, keys)), definition.sources[0], context.host)
        undo: Undo = []
        try:
            write_drop_ins(context, kept.replace(sources=definition.sources), keys, undo)
        except BaseException:
            take_back(undo)
            raise
