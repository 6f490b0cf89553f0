"""What an enabled container is started from: its unit files, and in its state directory the plan.

Everything the helper needs is kept there, from where the service copies it before it starts: nothing of nsunit runs at
boot but the helper.
"""

from __future__ import annotations

import os

from nsunit.core.context import take_back
from nsunit.core.install import (
    begin,
    forget_runtime_changes,
    former_files,
    let_read,
    write_contents,
    write_unit,
)
from nsunit.core.limits import check_files
from nsunit.core.listeners import listeners_on_disk
from nsunit.core.prepare import (
    Prepared,
    adopt_drop_ins,
    at_boot,
    check,
    facts_for,
    keep_state,
    obtain,
    reserve,
    resolved,
)
from nsunit.core.stored import on_disk
from nsunit.core.unit_files import unit_files
from nsunit.definition.load import serialize
from nsunit.features import hooks
from nsunit.names import slice_name
from nsunit.plan.operations import operations
from nsunit.plan.units import entry_of, may_be_ignored, units
from nsunit.setup.operation import dump
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context, Undo
    from nsunit.definition.model import Definition
    from nsunit.plan.facts import Facts


def write(context: Context, definition: Definition, undo: Undo) -> tuple[Prepared, bool]:
    """Write the plan and the unit files of *definition* where they differ; tells whether a unit file did.

    The caller holds the container's lock.
    """
    obtain(context, definition)
    definition = resolved(context, definition)
    name, paths = definition.name, context.paths
    adopt_drop_ins(context, name)
    former = on_disk(context, name)
    facts = _reserve(context, definition, undo)
    filter_ = files.read_file(facts.seccomp) or b""  # the cache it is in is gone at boot
    facts = at_boot(context, definition, facts).replace(seccomp=f"{paths.boot_of(name)}/seccomp")
    planned = units(definition, facts)
    if may_be_ignored(definition):
        check_files(context, definition)
    contents = {
        "seccomp": filter_,
        "plan": dump(operations(definition, facts)),
        "definition": serialize(definition).encode(),
    }
    write_contents(paths.boot_of(name), contents, undo)
    changed = False
    for write_around in hooks(definition.container.features, "files.write_around"):
        changed = write_around(context, definition, undo) or changed
    entry, _ = entry_of(definition, context.boot_target)  # perhaps a timer
    own = (planned.slice.name, planned.service.name, entry, *(unit.name for unit in planned.listeners))
    texts = {unit: text for unit, text in unit_files(context, name).items() if unit in own}
    if former and slice_name(name, former.container.slice) not in own:  # it was in another group
        texts[slice_name(name, former.container.slice)] = ""
    texts |= {unit: "" for unit in listeners_on_disk(context, name) if unit not in own}
    texts |= dict.fromkeys(former_files(context, name), "")
    for unit, text in texts.items():
        changed = write_unit(context, unit, text, undo) or changed
    return Prepared(definition, planned, ()), changed


def contents_at_boot(context: Context, name: str) -> dict[str, bytes | None]:
    """What the helper is to be given of *name* at boot, by its files; they may differ where no unit file does."""
    return {
        file: files.read_file(f"{context.paths.boot_of(name)}/{file}") for file in ("plan", "definition", "seccomp")
    }


def refresh(context: Context, definition: Definition) -> Prepared:
    """Bring the unit files of an enabled, stopped container up to *definition*, for a start of them.

    What was set for an earlier run only is forgotten.  The caller holds the container's lock.
    """
    undo: Undo = []
    started: Undo = []
    used = definition.container.features
    former = on_disk(context, definition.name)
    try:
        for require in hooks(used, "deeds.require"):
            require(context, definition, started)
        prepared, changed = write(context, definition, undo)
        stale = forget_runtime_changes(context, (prepared.units.slice.name, prepared.units.service.name))
        for forget in hooks(used, "files.forget_set_for_a_run"):
            stale = forget(context, definition) or stale
        if not let_read(context, (definition.name,), _units_of(prepared)) and (changed or stale):
            context.bus.reload()
    except BaseException:
        take_back(started + undo)
        raise
    let_go(context, former, definition)
    return prepared.replace(undo=tuple(started))


def _units_of(prepared: Prepared) -> tuple[str, ...]:
    return prepared.units.service.name, *(unit.name for unit in prepared.units.listeners)


def _reserve(context: Context, definition: Definition, undo: Undo) -> Facts:
    """Reserve what nobody else may have, as long as the container is enabled."""
    name, paths = definition.name, context.paths
    check(context, definition)
    keep_state(context, definition, undo)
    boot = paths.boot_of(name)
    if not os.path.isdir(boot):
        undo.append(lambda: context.remove_tree(boot))  # before, since a signal may come in between
        os.mkdir(boot, 0o700)
        begin(context, name)
    user_range = reserve(context, definition, paths.state_of(name), paths.boot_network_of(name), undo)
    return facts_for(context, definition, user_range)


def let_go(context: Context, former: Definition | None, definition: Definition) -> None:
    """Take away what a container needed that was in another group or pod before, or had times."""
    if former is None:
        return
    before, now = former.container, definition.container
    around = [(item.slice, item.extra("pods"), item.uses("timers")) for item in (before, now)]
    if around[0] != around[1]:
        leave(context, former)


def leave(context: Context, former: Definition | None) -> None:
    """Have systemd notice that what a container was has no unit file any more, and what was around it neither."""
    used = former.container.features if former else ()
    for go in hooks(used, "files.leave"):
        go(context, former)
    go_on = [remove(context, former.container.slice) for remove in hooks(used, "files.remove_around") if former]
    context.bus.reload()
    for deed in go_on:
        deed()
