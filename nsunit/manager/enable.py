"""`enable` and `disable`: containers that systemd starts at boot, from unit files of their own.

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
from nsunit.names import check_name, service_name, slice_name, socket_patterns
from nsunit.plan.setup import operations
from nsunit.plan.units import install_links, may_be_ignored, units
from nsunit.setup.operation import dump
from nsunit.storage import files
from nsunit.storage.lock import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nsunit.definition.model import Definition
    from nsunit.manager.context import Context

    Undo = list[Callable[[], object]]

_LINK_DIRECTORIES = (".wants", ".requires", ".upholds")


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
    former = _slice_on_disk(context, definition.name)
    try:
        prepared, changed = _write(context, definition, undo)
        stale = _forget_runtime_changes(context, (prepared.units.slice.name, prepared.units.service.name))
        if definition.container.slice:
            from nsunit.manager.group_files import forget_set_for_a_run

            stale = forget_set_for_a_run(context, definition.container.slice, _forget_runtime_changes) or stale
        if changed or stale:
            context.bus.reload()
    except BaseException:
        take_back(undo)
        raise
    if former not in ("", prepared.units.slice.name):
        _reload_without(context, former)
    return prepared


def _each(context: Context, name: str, deed: Callable[[Context, str], Outcome]) -> Outcome:
    try:
        with Lock(context.paths.locks, check_name(name)):
            return deed(context, name)
    except NsunitError as error:
        return Outcome(name, "failed", error=error)


def _enable(context: Context, name: str) -> Outcome:
    definition = load(name, context.search, context.host)
    if any(key == "Also" for key, _ in definition.texts_of("Install")):
        raise NsunitError(
            f"{name}: [Install] Also= is not for containers", hint="enable those units by 'systemctl enable'"
        )
    if definition.container.pod:
        raise NsunitError(f"{name}: what is in a pod cannot be enabled", hint="have a unit of your own start it")
    _check_own(context, definition)
    if definition.container.needs_others:
        from nsunit.manager.linked import check_enabled

        check_enabled(context, definition)
    from nsunit.manager.group import check_apart  # not for each start of one that is enabled

    check_apart(context, definition)
    former = _slice_on_disk(context, name)
    undo: Undo = [context.bus.reload]
    try:
        prepared, changed = _write(context, definition, undo)
        linked = _link(context, definition, undo)
        context.bus.reload()
    except BaseException:
        take_back(undo)
        raise
    if former not in ("", prepared.units.slice.name):
        _reload_without(context, former)
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
    for unit in own:
        path = str(context.bus.get(unit, "FragmentPath").get("FragmentPath", ""))
        path = path if path and not path.startswith(context.transient) else f"{context.search.units}/{unit}"
        if os.path.lexists(path):
            raise NsunitError(
                f"{name}: '{unit}' is there already and was not made by nsunit ('{path}')",
                hint="remove that unit file, or give the container another name",
            )


def _write(context: Context, definition: Definition, undo: Undo) -> tuple[Prepared, bool]:
    """Write the plan and the unit files where they differ; tells whether a unit file did."""
    name = definition.name
    boot = context.paths.boot_of(name)
    former = _slice_on_disk(context, name)
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
    for file, content in contents.items():
        path = f"{boot}/{file}"
        before = files.read_file(path)
        if before != content:
            files.write_file(path, content)
            if before is not None:  # else the whole directory goes
                undo.append(lambda path=path, before=before: files.write_file(path, before))  # type: ignore[misc]
    changed = False
    if group := definition.container.slice:
        from nsunit.manager.group_files import write_group_files

        changed = write_group_files(context, group, undo)
    own = (planned.slice.name, planned.service.name, *(unit.name for unit in planned.listeners))
    texts = {unit: text for unit, text in unit_files(context, name).items() if unit in own}
    if former and former not in own:  # it was in another group
        texts[former] = ""
    texts |= {unit: "" for unit in _listeners_on_disk(context, name) if unit not in own}
    for unit, text in texts.items():
        path = f"{context.search.units}/{unit}"
        old = unit_directory.read(path)
        if old != text.encode():
            undo.append(lambda path=path, old=old: unit_directory.restore(path, old))  # type: ignore[misc]
            unit_directory.write(path, text.encode()) if text else unit_directory.remove(path)
            changed = True
    return Prepared(definition, planned, ()), changed


def _link(context: Context, definition: Definition, undo: Undo) -> bool:
    """Make the links that [Install] asks for, as systemctl enable would, and remove those it no longer asks for."""
    entry = service_name(definition.name)
    if definition.container.activation:
        from nsunit.plan.activation import entry_socket

        entry = entry_socket(definition)
    target = f"{context.search.units}/{entry}"
    wanted = {f"{context.search.units}/{link}" for link in install_links(definition, context.boot_target)}
    present = set(_links(context, definition.name))
    for path in sorted(wanted - present):
        if os.path.lexists(path):
            raise NsunitError(
                f"{definition.name}: '{path}' is there already", hint="remove it, or leave out the Alias="
            )
        _symlink(target, path)
        undo.append(lambda path=path: _unlink(path))  # type: ignore[misc]
    for path in sorted(present - wanted):
        _unlink(path)
        undo.append(lambda path=path: _symlink(target, path))  # type: ignore[misc]
    return wanted != present


def _links(context: Context, name: str) -> list[str]:
    """All links in the unit directory that lead to container *name*: to its service or its sockets."""
    top = context.search.units
    places = [top, *(f"{top}/{entry}" for entry in files.list_directory(top) if entry.endswith(_LINK_DIRECTORIES))]
    paths = [f"{place}/{entry}" for place in places for entry in files.list_directory(place)]
    own = {service_name(name), *_listeners_on_disk(context, name)}
    return [path for path in paths if os.path.islink(path) and os.path.basename(os.readlink(path)) in own]


def _listeners_on_disk(context: Context, name: str) -> list[str]:
    """The sockets and proxies of container *name* that have unit files."""
    own, several = socket_patterns(name)
    beginning = several.removesuffix("*.socket")
    found = [entry for entry in files.list_directory(context.search.units) if entry.startswith(beginning)]
    return [*found, *([own] if os.path.lexists(f"{context.search.units}/{own}") else [])]


def _symlink(target: str, path: str) -> None:
    os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
    os.symlink(target, path)


def _unlink(path: str) -> None:
    os.unlink(path)
    directory = os.path.dirname(path)
    if directory.endswith(_LINK_DIRECTORIES) and not os.listdir(directory):
        os.rmdir(directory)


def _disable(context: Context, name: str) -> Outcome:
    if not context.paths.is_enabled(name):
        load(name, context.search, context.host)  # an unknown name is an error
        return Outcome(name, "unchanged")
    service = service_name(name)
    fragment = str(context.bus.get(service, "FragmentPath").get("FragmentPath", ""))
    if is_running(context, name) and not fragment.startswith(context.transient):
        raise NsunitError(
            f"{name}: it runs from the unit files that would be removed",
            hint=f"stop it first, or do both with 'nsunit disable --now {name}'",
        )
    if not fragment.startswith(context.transient) and is_listening(context, name):
        raise NsunitError(
            f"{name}: it is listened for by the unit files that would be removed",
            hint=f"stop it first, or do both with 'nsunit disable --now {name}'",
        )
    for path in _links(context, name):
        _unlink(path)
    listeners = _listeners_on_disk(context, name)
    slice_ = _slice_on_disk(context, name) or slice_name(name)
    for unit in (service, slice_, *listeners):
        unit_directory.remove(f"{context.search.units}/{unit}")
    _forget_runtime_changes(context, (service, slice_))
    context.remove_tree(context.paths.boot_of(name))
    _reload_without(context, slice_)
    forget_failed(context, service)
    return Outcome(name, "disabled")


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


def _slice_on_disk(context: Context, name: str) -> str:
    """The slice in the unit files of container *name*; empty if it is not enabled."""
    stored = files.read_file(context.paths.boot_of(name) + "/definition")
    if stored is None:
        return ""
    return slice_name(name, load_text(name, stored.decode(), name, context.host).container.slice)


def _forget_runtime_changes(context: Context, units: Sequence[str]) -> bool:
    """Remove what SetUnitProperties has left for *units* until the next boot; True if there was anything."""
    removed = [files.remove_tree(f"{context.runtime_control}/{unit}.d") for unit in units]
    return any(removed)
