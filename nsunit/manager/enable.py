"""`enable` and `disable`: containers and pods that systemd starts at boot, from unit files of their own.

Everything the helper needs is kept in the container's state directory, from where the service copies it before it
starts: nothing of nsunit runs at boot but the helper.
"""

from __future__ import annotations

import os

from nsunit.definition.load import load, load_text
from nsunit.definition.text import serialize
from nsunit.dropins import files as unit_directory
from nsunit.errors import NsunitError
from nsunit.manager.activation import is_listening
from nsunit.manager.install import (
    check_own,
    forget_runtime_changes,
    let_read,
    link,
    links,
    listeners_on_disk,
    runs_from_files,
    unlink,
    write_contents,
    write_unit,
)
from nsunit.manager.limits import check_files
from nsunit.manager.outcome import Outcome
from nsunit.manager.prepare import (
    Prepared,
    at_boot,
    connect,
    facts_for,
    has_own_files,
    make_own_files,
    reserve,
    take_back,
)
from nsunit.manager.render import unit_files
from nsunit.manager.running import is_running
from nsunit.manager.start import forget_failed, start
from nsunit.manager.stop import stop
from nsunit.names import check_name, is_pod, service_name, slice_name
from nsunit.plan.setup import operations
from nsunit.plan.units import may_be_ignored, units
from nsunit.setup.operation import dump
from nsunit.storage import files
from nsunit.storage.lock import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nsunit.definition.model import Container, Definition
    from nsunit.manager.context import Context

    Undo = list[Callable[[], object]]


def enable(context: Context, names: Sequence[str], *, now: bool = False) -> list[Outcome]:
    """Have systemd start the containers *names* at boot, with their definitions as they are now; *now*: start them.

    A container that runs goes on as it is.
    """
    outcomes = [_each(context, name, _enable) for name in dict.fromkeys(names)]
    if now:
        started = {item.name: item for item in start(context, [item.name for item in outcomes if not item.error])}
        outcomes = [item if item.error or not started[item.name].error else started[item.name] for item in outcomes]
    return outcomes


def disable(context: Context, names: Sequence[str], *, now: bool = False) -> list[Outcome]:
    """Take away what `enable` made; *now*: stop them as well."""
    names = tuple(dict.fromkeys(names))
    failed = {}
    if now:
        running = [name for name in names if is_running(context, check_name(name)) or is_listening(context, name)]
        failed = {item.name: item for item in stop(context, running) if item.error}
    return [failed.get(name) or _each(context, name, _disable) for name in names]


def refresh(context: Context, definition: Definition) -> Prepared:
    """Bring the unit files of an enabled, stopped container up to *definition*, for a start of them.

    What was set for an earlier run only is forgotten.  The caller holds the container's lock.
    """
    undo: Undo = []
    started: Undo = []
    former = _on_disk(context, definition.name)
    try:
        if definition.container.pod:
            from nsunit.manager.pod import start_for

            start_for(context, definition, started)
        prepared, changed = _write(context, definition, undo)
        stale = forget_runtime_changes(context, (prepared.units.slice.name, prepared.units.service.name))
        if definition.container.slice:
            from nsunit.manager.group_files import forget_set_for_a_run

            stale = forget_set_for_a_run(context, definition.container.slice, forget_runtime_changes) or stale
        if not let_read(context, (definition.name,), _units_of(prepared)) and (changed or stale):
            context.bus.reload()
    except BaseException:
        take_back(started + undo)
        raise
    _let_go(context, former, definition)
    return prepared.replace(undo=tuple(started))


def follow_pod(context: Context, name: str, pod: Definition, undo: Undo) -> bool:
    """Bring the files of the enabled container *name*, with its definition as it was enabled, up to its changed *pod*.

    Tells whether a unit file has changed.  The caller holds the container's lock.
    """
    from nsunit.definition.pod import member_contradictions

    stored = files.read_file(context.paths.boot_of(name) + "/definition") or b""
    definition = load_text(name, stored.decode(), name, context.host)
    wrong = member_contradictions(definition.texts_of("Container"), pod.name, pod.container.share)
    if wrong:
        key, reason, _ = wrong[0]
        context.warn(f"warning: {name}: {key}: {reason}: it will not start at boot before that is mended")
        return False
    return _write(context, definition, undo)[1]


def _units_of(prepared: Prepared) -> tuple[str, ...]:
    return prepared.units.service.name, *(unit.name for unit in prepared.units.listeners)


def _each(context: Context, name: str, deed: Callable[[Context, str], Outcome]) -> Outcome:
    try:
        with Lock(context.paths.locks, check_name(name)):
            return deed(context, name)
    except NsunitError as error:
        return Outcome(name, "failed", error=error)


def _enable(context: Context, name: str) -> Outcome:
    if is_pod(name):
        from nsunit.manager.pod_files import enable_pod

        return enable_pod(context, name)
    definition = load(name, context.search, context.host)
    if any(key == "Also" for key, _ in definition.texts_of("Install")):
        raise NsunitError(
            f"{name}: [Install] Also= is not for containers", hint="enable those units by 'systemctl enable'"
        )
    _check_own(context, definition)
    if definition.container.needs_others:
        from nsunit.manager.linked import check_enabled

        check_enabled(context, definition)
    from nsunit.manager.group import check_apart  # not for each start of one that is enabled

    check_apart(context, definition)
    if not is_running(context, name):
        forget_failed(context, service_name(name))  # else systemd would keep it as it was started last
    former = _on_disk(context, name)
    undo: Undo = [context.bus.reload]
    try:
        changed = False
        if definition.container.pod:
            from nsunit.manager.pod_files import write_for

            changed = write_for(context, definition.container, undo)
        changed = _write(context, definition, undo)[1] or changed
        linked = link(context, definition, undo)
        context.bus.reload()
    except BaseException:
        take_back(undo)
        raise
    _let_go(context, former, definition)
    return Outcome(name, "enabled" if changed or linked else "unchanged")


def _check_own(context: Context, definition: Definition) -> None:
    """Refuse to overwrite a unit that nsunit has not made."""
    name = definition.name
    if context.paths.is_enabled(name):
        return
    own = [service_name(name), slice_name(name, definition.container.slice)]
    if definition.container.activation:
        from nsunit.plan.activation import entry_socket

        own.append(entry_socket(definition))
    check_own(context, name, own)


def _write(context: Context, definition: Definition, undo: Undo) -> tuple[Prepared, bool]:
    """Write the plan and the unit files where they differ; tells whether a unit file did."""
    name = definition.name
    boot = context.paths.boot_of(name)
    former = _on_disk(context, name)
    user_range = reserve(context, definition, undo)
    if not os.path.isdir(boot):
        os.mkdir(boot, 0o700)
        undo.append(lambda: context.remove_tree(boot))
    if definition.container.network == "bridge":
        connect(context, definition, context.paths.state_of(name), context.paths.boot_network_of(name), undo)
    elif has_own_files(definition.container):
        make_own_files(context, definition, context.paths.boot_network_of(name), undo)
    facts = facts_for(context, definition, user_range)
    filter_ = files.read_file(facts.seccomp) or b""  # the cache it is in is gone at boot
    facts = at_boot(context, definition, facts).replace(seccomp=f"{boot}/seccomp")
    planned = units(definition, facts)
    if may_be_ignored(definition):
        check_files(context, definition)
    contents = {
        "seccomp": filter_,
        "plan": dump(operations(definition, facts)),
        "definition": serialize(definition).encode(),
    }
    write_contents(boot, contents, undo)
    changed = False
    if group := definition.container.slice:
        from nsunit.manager.group_files import write_group_files

        changed = write_group_files(context, group, undo)
    own = (planned.slice.name, planned.service.name, *(unit.name for unit in planned.listeners))
    texts = {unit: text for unit, text in unit_files(context, name).items() if unit in own}
    if former and slice_name(name, former.slice) not in own:  # it was in another group
        texts[slice_name(name, former.slice)] = ""
    texts |= {unit: "" for unit in listeners_on_disk(context, name) if unit not in own}
    for unit, text in texts.items():
        changed = write_unit(context, unit, text, undo) or changed
    return Prepared(definition, planned, ()), changed


def _disable(context: Context, name: str) -> Outcome:
    if is_pod(name):
        from nsunit.manager.pod_files import disable_pod

        return disable_pod(context, name)
    if not context.paths.is_enabled(name):
        load(name, context.search, context.host)  # an unknown name is an error
        return Outcome(name, "unchanged")
    service = service_name(name)
    fragment = str(context.bus.get(service, "FragmentPath").get("FragmentPath", ""))
    if is_running(context, name) and not fragment.startswith(context.transient):
        raise runs_from_files(name)
    if not fragment.startswith(context.transient) and is_listening(context, name):
        raise NsunitError(
            f"{name}: it is listened for by the unit files that would be removed",
            hint=f"stop it first, or do both with 'nsunit disable --now {name}'",
        )
    for path in links(context, name):
        unlink(path)
    listeners = listeners_on_disk(context, name)
    former = _on_disk(context, name)
    slice_ = slice_name(name, former.slice if former else "")
    for unit in (service, slice_, *listeners):
        unit_directory.remove(f"{context.search.units}/{unit}")
    forget_runtime_changes(context, (service, slice_))
    context.remove_tree(context.paths.boot_of(name))
    _leave_pod(context, former)
    _reload_without(context, slice_)
    forget_failed(context, service)
    return Outcome(name, "disabled")


def _let_go(context: Context, former: Container | None, definition: Definition) -> None:
    """Take away what a container needed that was in another group or pod before."""
    if former is None or (former.slice, former.pod) == (definition.container.slice, definition.container.pod):
        return
    _leave_pod(context, former)
    _reload_without(context, slice_name(definition.name, former.slice))


def _leave_pod(context: Context, container: Container | None) -> None:
    if container and container.pod:
        from nsunit.manager.pod_files import leave

        leave(context, container.pod)


def _reload_without(context: Context, slice_: str) -> None:
    """Have systemd notice that a container's *slice_* has no unit file any more, and those of its groups neither."""
    group = slice_.removeprefix("nsunit-").rpartition("-")[0]
    if not group:
        context.bus.reload()
        return
    from nsunit.manager.group_files import remove_group_files

    go_on = remove_group_files(context, group)
    context.bus.reload()
    go_on()


def _on_disk(context: Context, name: str) -> Container | None:
    """What container *name* was when its unit files were written; None if it is not enabled."""
    stored = files.read_file(context.paths.boot_of(name) + "/definition")
    return None if stored is None else load_text(name, stored.decode(), name, context.host).container
