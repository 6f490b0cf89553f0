"""Unit files of pods: of those that are enabled, and of those that have enabled containers, which cannot do without.

A pod is enabled when a link leads to its unit file.
"""

from __future__ import annotations

from nsunit.core.apart import check_apart
from nsunit.core.boot import write
from nsunit.core.context import make_directory, take_back
from nsunit.core.install import (
    check_own,
    former_files,
    let_read,
    link,
    runs_from_files,
    unlink,
    write_contents,
    write_unit,
)
from nsunit.core.jobs import Outcome
from nsunit.core.listeners import links
from nsunit.core.stored import on_disk, stored
from nsunit.definition.search import is_defined
from nsunit.dropins import files as unit_directory
from nsunit.dropins.render import render_unit
from nsunit.errors import NsunitError
from nsunit.features.groups import files as groups
from nsunit.features.network.deeds import check_enable, connect
from nsunit.features.pods.definition import load_pod, member_contradictions, pod_of_text, share_of
from nsunit.features.pods.plan import boot_directives, pinned_kinds, pod_directives
from nsunit.features.pods.state import check_user, contents, is_up, pins_of, planned_facts, reserved_facts
from nsunit.names import POD_SUFFIX, pod_name, service_name
from nsunit.plan.units import install_directives
from nsunit.storage import files
from nsunit.storage.lock import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context, Undo
    from nsunit.definition.model import Definition
    from nsunit.plan.facts import Facts


def enable(context: Context, name: str) -> Outcome:
    """Have systemd start the pod *name* at boot, as it is defined now.  The caller holds its lock.

    Raises:
        NsunitError: it cannot be.
    """
    check_user(context, name)
    definition = load_pod(name, context.search, context.host)
    undo: Undo = [context.bus.reload]
    try:
        changed = _write(context, definition, undo)
        linked = link(context, definition, undo)
        context.bus.reload()
    except BaseException:
        take_back(undo)
        raise
    return Outcome(name, "enabled" if changed or linked else "unchanged")


def disable(context: Context, name: str) -> Outcome:
    """Take away what `enable` made; the unit file stays while a container needs it.  The caller holds its lock.

    Raises:
        NsunitError: it runs from that.
    """
    if not context.paths.is_enabled(name):
        if not is_defined(name, context.search):
            load_pod(name, context.search, context.host)  # says so
        return Outcome(name, "unchanged")
    if runs_from_file(context, name):
        raise runs_from_files(context, name)
    found = links(context, name)
    for path in found:
        unlink(path)
    context.bus.reload()
    removed = remove_if_unneeded(context, name)
    return Outcome(name, "disabled" if found or removed else "unchanged")


def unit_files(context: Context, name: str) -> dict[str, str]:
    """The unit files of pod *name*, and of the groups around it."""
    definition = load_pod(name, context.search, context.host)
    own = pod_file(context, definition, planned_facts(context, definition))
    return {**groups.files_around(context, definition), **dict([own])}


def files_around(context: Context, definition: Definition) -> dict[str, str]:
    """Those of the pod that container *definition* is in."""
    return unit_files(context, pod_name(definition.container.extra("pods")))


def pod_file(context: Context, definition: Definition, facts: Facts) -> tuple[str, str]:
    """The service of a pod as a unit file: name and text."""
    name = definition.name
    lines = (
        *boot_directives(facts, context.paths.boot_of(name)),
        *pod_directives(definition, facts, pins_of(context, name), context.paths.locks),
        *install_directives(definition, context.boot_target),
    )
    title = f"Pod {name}: the service that keeps what its containers share."
    return service_name(name), render_unit(title, definition, lines, (), context.host.systemd_version)


def write_for(context: Context, definition: Definition, undo: Undo) -> bool:
    """Write what the pod of container *definition* is started from at boot; tells whether a unit file has changed.

    Raises:
        NsunitError: it cannot be written, or the pod runs with something else in it.
    """
    name = pod_name(definition.container.extra("pods"))
    with Lock(context.paths.locks, name):
        return _write(context, load_pod(name, context.search, context.host), undo)


def refresh_pod(context: Context, definition: Definition) -> None:
    """Bring the unit file of a pod that does not run up to *definition*, for a start.  The caller holds its lock."""
    name = definition.name
    undo: Undo = []
    try:
        changed = _write(context, definition, undo)
        stale = groups.forget_set_for_a_run(context, definition)
        names = (name, *groups.enabled_members(context, name))
        if not let_read(context, names, (service_name(name),)) and (changed or stale):
            context.bus.reload()
    except BaseException:
        take_back(undo)
        raise


def after_stop(context: Context, name: str) -> None:
    """Remove the unit file of a pod that was stopped if nobody needs it, or else have systemd use it from now on."""
    if not remove_if_unneeded(context, name):
        names = (name, *groups.enabled_members(context, name))
        let_read(context, names, tuple(map(service_name, names)), required=False)


def leave(context: Context, definition: Definition) -> None:
    """Remove the unit file of the pod of container *definition*, unless others need it, or it runs."""
    name = pod_name(definition.container.extra("pods"))
    with Lock(context.paths.locks, name):
        remove_if_unneeded(context, name)


def remove_if_unneeded(context: Context, name: str) -> bool:
    """Remove the unit file of pod *name* and what belongs to it if it is not enabled and no enabled one is in it."""
    paths = context.paths
    if not paths.is_enabled(name) or is_wanted(context, name) or runs_from_file(context, name):
        return False
    if groups.enabled_members(context, name):
        return False
    for unit in (service_name(name), *former_files(context, name)):
        unit_directory.remove(f"{context.search.units}/{unit}")
    context.remove_tree(paths.boot_of(name))
    go_on = groups.remove_around(context, name.removesuffix(POD_SUFFIX))
    context.bus.reload()
    go_on()
    return True


def is_wanted(context: Context, name: str) -> bool:
    """Whether pod *name* is started at boot for its own sake."""
    return bool(links(context, name))


def runs_from_file(context: Context, name: str) -> bool:
    """Whether pod *name* is there and was started from its unit file."""
    fragment = str(context.bus.get(service_name(name), "FragmentPath").get("FragmentPath", ""))
    return is_up(context, name) and fragment == f"{context.search.units}/{service_name(name)}"


def _write(context: Context, definition: Definition, undo: Undo) -> bool:
    name, paths = definition.name, context.paths
    if not paths.is_enabled(name):
        check_own(context, name, (service_name(name),))
    check_apart(context, definition)
    if is_up(context, name):
        running = stored(context, name)
        if _shared(running) != _shared(definition):
            raise NsunitError(
                f"{name}: it runs and shares something else than it is defined to share now",
                hint=f"restart it first: nsunit restart {name}",
            )
        check_enable(running, definition)
    boot = paths.boot_of(name)
    files.make_private_directory(paths.states)
    make_directory(context, paths.state_of(name), undo)
    make_directory(context, boot, undo)
    if definition.container.network == "bridge":
        connect(context, definition, paths.state_of(name), paths.boot_network_of(name), undo)
    else:
        context.remove_tree(paths.boot_network_of(name))
    facts = reserved_facts(context, definition)
    former = files.read_file(boot + "/definition")
    write_contents(boot, contents(definition, facts), undo)
    changed = groups.write_around(context, definition, undo)
    unit, text = pod_file(context, definition, facts)
    changed = write_unit(context, unit, text, undo) or changed
    for old in former_files(context, name):
        changed = write_unit(context, old, "", undo) or changed
    if former and _shared(pod_of_text(name, former.decode(), boot, context.host)) != _shared(definition):
        changed = _have_members_follow(context, definition, undo) or changed
    return changed


def _have_members_follow(context: Context, definition: Definition, undo: Undo) -> bool:
    """Write what the enabled containers of a pod are started from anew: it joins what the pod shares.

    They do not run, since the pod does not.  One that somebody is at work on follows by that; one that is now in
    contradiction to its pod is told of, and stays as it is.
    """
    changed = False
    for member in groups.enabled_members(context, definition.name):
        lock = Lock(context.paths.locks, member, timeout=0)
        try:
            lock.__enter__()
        except NsunitError:
            continue
        try:
            changed = _have_follow(context, member, definition, undo) or changed
        finally:
            lock.release()
    return changed


def _have_follow(context: Context, name: str, pod: Definition, undo: Undo) -> bool:
    """Bring the files of the enabled container *name*, with its definition as it was enabled, up to its changed *pod*.

    Tells whether a unit file has changed.  The caller holds the container's lock.
    """
    definition = on_disk(context, name)
    if definition is None:
        return False
    wrong = member_contradictions(definition.texts_of("Container"), pod.name, share_of(pod.container))
    if wrong:
        key, reason, _ = wrong[0]
        context.warn(f"warning: {name}: {key}: {reason}: it will not start at boot before that is mended")
        return False
    return write(context, definition, undo)[1]


def _shared(definition: Definition) -> tuple[object, ...]:
    """What of a pod its containers' own plans depend on."""
    return pinned_kinds(definition.container), definition.container.network == "bridge"
