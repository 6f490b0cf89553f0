"""Pods: the namespaces that their containers share, kept by a service from the first start to the pod's stop."""

from __future__ import annotations

from nsunit.core.context import make_directory, take_back
from nsunit.core.jobs import Outcome, explain_failure, stop_what_is_left, unfinished
from nsunit.core.stored import differences_from_running, stored
from nsunit.errors import DefinitionError, Problem
from nsunit.features import load
from nsunit.features.groups.deeds import members, start_member, units_around
from nsunit.features.network.deeds import connect
from nsunit.features.pods.definition import load_pod, member_contradictions, share_of
from nsunit.features.pods.plan import pod_operations, pod_unit
from nsunit.features.pods.state import (
    check_user,
    contents,
    facts,
    forget,
    is_up,
    pins_of,
    planned_facts,
    reserved_facts,
    stored_text,
)
from nsunit.names import group_of_pod, is_pod, pod_name, service_name
from nsunit.storage import files
from nsunit.storage.lock import Lock
from nsunit.units import DOWN, is_idle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context, Undo
    from nsunit.definition.model import Definition
    from nsunit.setup.operation import Operation
    from nsunit.units import Unit

__all__ = ["facts", "render", "require", "start", "stop", "stored_text"]

_TIMEOUT = 100.0  # s, above those of the unit itself


def check_limits(context: Context, definition: Definition) -> None:
    """Refuse a pod of a user without privileges; a container of one has `plan.without_root`.

    Raises:
        NsunitError: it is one.
    """
    if is_pod(definition.name):
        check_user(context, definition.name)


def start(context: Context, name: str) -> Outcome:
    """Start the pod *name*, `shop.pod`, without any of its containers.

    Raises:
        NsunitError: it cannot be started; nothing is left behind.
    """
    check_user(context, name)
    definition = load_pod(name, context.search, context.host)
    with Lock(context.paths.locks, name):
        if is_up(context, name):
            differences = differences_from_running(context, definition)
            return Outcome(name, "differs" if differences else "running", differences)
        _start(context, definition)
    return Outcome(name, "started")


def stop(context: Context, name: str) -> Outcome:
    """Stop the pod *name* and what still runs in it: systemd does, as those services are bound to the pod's.

    Raises:
        NsunitError: it cannot be stopped.
    """
    unit = service_name(name)
    with Lock(context.paths.locks, name):
        state = context.bus.get(unit, "LoadState", "ActiveState")
        if state.get("ActiveState") in DOWN:
            if state.get("LoadState") == "not-found":
                load_pod(name, context.search, context.host)  # an unknown name is an error, a stopped pod is none
            _end(context, name)
            return Outcome(name, "inactive")
        result = context.bus.wait(context.bus.stop(unit), _TIMEOUT)
        if result != "done":
            raise unfinished(name, "the stop", unit, result)
        _end(context, name)
        return Outcome(name, "stopped")


def require(context: Context, definition: Definition, undo: Undo) -> None:
    """See that the pod of container *definition* is there; in *undo* is how it goes again, if it was not.

    Raises:
        DefinitionError: the container says what its pod does not let it say.
        NsunitError: the pod cannot be started.
    """
    name = pod_name(definition.container.extra("pods"))
    with Lock(context.paths.locks, name):
        up = is_up(context, name)
        pod = stored(context, name) if up else load_pod(name, context.search, context.host)
        given = definition.texts_of("Container")
        wrong = member_contradictions(given, name, share_of(pod.container))
        if wrong:
            path = definition.sources[0]
            raise DefinitionError([Problem(path, 0, f"[Container] {key}: {text}", hint) for key, text, hint in wrong])
        if not up:
            undo.append(lambda: _stop_if_idle(context, name))  # before, since a signal may come in between
            _start(context, pod)


def _end(context: Context, name: str) -> None:
    forget(context, name)
    if context.paths.is_enabled(name):
        load("pods", "files").after_stop(context, name)  # brings Jinja2


def _start(context: Context, definition: Definition) -> None:
    name = definition.name
    forget(context, name)
    undo: Undo = []
    try:
        if context.paths.is_enabled(name):
            load("pods", "files").refresh_pod(context, definition)  # brings Jinja2
            undo.append(lambda: _give_up(context, name))
            job = context.bus.start(service_name(name))
        else:
            unit = _prepare(context, definition, undo)
            undo.append(lambda: _give_up(context, name))
            job = start_member(context, definition, lambda groups: context.bus.start_transient(unit, groups))
        result = context.bus.wait(job, _TIMEOUT)
        if result != "done":
            raise explain_failure(context.bus, name, service_name(name), result)
    except BaseException:
        take_back(undo)
        raise


def _give_up(context: Context, name: str) -> None:
    """Stop what was started, or may have been."""
    unit = service_name(name)
    state = context.bus.get(unit, "ActiveState", "Job")
    if not is_idle(state):
        stop_what_is_left(context, unit, _TIMEOUT)
    forget(context, name)


def _stop_if_idle(context: Context, name: str) -> None:
    with Lock(context.paths.locks, name):
        if is_up(context, name) and not members(context, group_of_pod(name), running=True):
            _give_up(context, name)


def _prepare(context: Context, definition: Definition, undo: Undo) -> Unit:
    """Reserve and write all that the start of a pod needs."""
    name, container = definition.name, definition.container
    paths = context.paths
    files.make_private_directory(paths.runtimes)
    files.make_private_directory(paths.states)
    make_directory(context, paths.runtime_of(name), undo)
    make_directory(context, paths.state_of(name), undo)
    if container.network == "bridge":
        connect(context, definition, paths.state_of(name), paths.network_of(name), undo)
    facts = reserved_facts(context, definition)
    for file, content in contents(definition, facts).items():
        files.write_file(f"{paths.runtime_of(name)}/{file}", content)
    return pod_unit(definition, facts, pins_of(context, name), paths.locks)


def render(context: Context, name: str) -> tuple[Definition, list[Unit], list[Operation]]:
    """What `render` shows of pod *name*: its definition, its units, and what its program does."""
    definition = load_pod(name, context.search, context.host)
    known = planned_facts(context, definition)
    service = pod_unit(definition, known, pins_of(context, name), context.paths.locks)
    return definition, [service, *units_around(context, definition)], pod_operations(definition, known)
