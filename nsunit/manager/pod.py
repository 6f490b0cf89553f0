"""Pods: the namespaces that their containers share, kept by a service from the first start to the pod's stop.

Imported only where there is a pod.
"""

from __future__ import annotations

import os
import sys

from nsunit.bus.protocol import NO_SUCH_UNIT
from nsunit.definition.pod import load_pod, member_contradictions, pod_of_text
from nsunit.definition.text import serialize
from nsunit.errors import BusError, DefinitionError, NsunitError, Problem
from nsunit.manager import pod_program
from nsunit.manager.failure import explain_failure
from nsunit.manager.group import members, start_member
from nsunit.manager.outcome import Outcome
from nsunit.manager.prepare import connect, make_directory, take_back, with_network
from nsunit.names import group_of_pod, pod_name, service_name
from nsunit.plan.facts import Facts
from nsunit.plan.pod import operations, pinned_kinds, pod_unit
from nsunit.setup.operation import dump
from nsunit.storage import files, ranges
from nsunit.storage.lock import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from nsunit.definition.model import Definition
    from nsunit.manager.context import Context
    from nsunit.units import Unit

    Undo = list[Callable[[], object]]

_TIMEOUT = 100.0  # s, above those of the unit itself
_UP = ("active", "activating", "reloading")


def start_pod(context: Context, name: str) -> Outcome:
    """Start the pod *name*, `shop.pod`, without any of its containers.

    Raises:
        NsunitError: it cannot be started; nothing is left behind.
    """
    check_user(context, name)
    definition = load_pod(name, context.search, context.host)
    with Lock(context.paths.locks, name):
        if is_up(context, name):
            differences = _differences(context, definition)
            return Outcome(name, "differs" if differences else "running", differences)
        _start(context, definition)
    return Outcome(name, "started")


def check_user(context: Context, name: str) -> None:
    """Refuse a pod of a user without privileges.

    Raises:
        NsunitError: it would be one.
    """
    if context.user:
        raise NsunitError(
            f"{name}: a pod takes root: only root can mount what its containers share, so that it outlives them",
            hint="use Slice= for common limits, or have root run it as a pod of the system",
        )


def stop_pod(context: Context, name: str) -> Outcome:
    """Stop the pod *name* and what still runs in it: systemd does, as those services are bound to the pod's.

    Raises:
        NsunitError: it cannot be stopped.
    """
    unit = service_name(name)
    with Lock(context.paths.locks, name):
        state = context.bus.get(unit, "LoadState", "ActiveState")
        if state.get("ActiveState") in (None, "inactive", "failed"):
            if state.get("LoadState") == "not-found":
                load_pod(name, context.search, context.host)  # an unknown name is an error, a stopped pod is none
            _end(context, name)
            return Outcome(name, "inactive")
        result = context.bus.wait(context.bus.stop(unit), _TIMEOUT)
        if result != "done":
            raise NsunitError(f"{name}: the stop ended as '{result}'", hint=f"see 'systemctl status {unit}'")
        _end(context, name)
        return Outcome(name, "stopped")


def _end(context: Context, name: str) -> None:
    forget(context, name)
    if context.paths.is_enabled(name):
        from nsunit.manager.pod_files import after_stop

        after_stop(context, name)


def start_for(context: Context, definition: Definition, undo: Undo) -> None:
    """See that the pod of container *definition* is there; in *undo* is how it goes again, if it was not.

    Raises:
        DefinitionError: the container says what its pod does not let it say.
        NsunitError: the pod cannot be started.
    """
    name = pod_name(definition.container.pod)
    with Lock(context.paths.locks, name):
        up = is_up(context, name)
        pod = stored(context, name) if up else load_pod(name, context.search, context.host)
        given = definition.texts_of("Container")
        wrong = member_contradictions(given, name, pod.container.share)
        if wrong:
            path = definition.sources[0]
            raise DefinitionError([Problem(path, 0, f"[Container] {key}: {text}", hint) for key, text, hint in wrong])
        if not up:
            _start(context, pod)
            undo.append(lambda: _stop_if_idle(context, name))


def with_pod(context: Context, facts: Facts, group: str) -> Facts:
    """*facts* with what a container needs to know of its pod, the *group*, as it runs, or else is defined."""
    name = pod_name(group)
    pod = stored(context, name) if is_up(context, name) else load_pod(name, context.search, context.host)
    return facts.replace(
        pod_kinds=pinned_kinds(pod.container),
        pod_pins=pins_of(context, name),
        pod_network=context.paths.network_of(name) if pod.container.network == "bridge" else "",
    )


def pins_of(context: Context, name: str) -> str:
    """Where the namespaces of pod *name* are pinned."""
    return f"{context.paths.namespaces}/{name}"


def stored(context: Context, name: str) -> Definition:
    """The definition that the running pod *name* was started with."""
    return pod_of_text(name, stored_text(context, name), context.paths.runtime_of(name), context.host)


def stored_text(context: Context, name: str) -> str:
    """The text of `stored`.

    Raises:
        NsunitError: there is none.
    """
    text = files.read_file(context.paths.runtime_of(name) + "/definition")
    if text is None:
        unit = service_name(name)
        raise NsunitError(
            f"{name}: it is there, but nsunit has no record of having started it",
            hint=f"stop it with 'systemctl stop {unit}'",
        )
    return text.decode()


def forget(context: Context, name: str) -> None:
    """Let go of what is left of pod *name*, which does not run."""
    unit = service_name(name)
    bound = context.bus.get(unit, "BoundBy").get("BoundBy")
    # Containers that have failed keep it loaded, and a transient unit cannot be made anew while there is one.
    for item in (*(bound if isinstance(bound, (list, tuple)) else ()), unit):
        try:
            context.bus.reset_failed(str(item))
        except BusError as error:
            if error.name != NO_SUCH_UNIT:
                raise
    for path in (context.paths.runtime_of(name), context.paths.network_of(name)):
        context.remove_tree(path)


def is_up(context: Context, name: str) -> bool:
    """Whether the pod *name* is there, or is about to be."""
    return context.bus.get(service_name(name), "ActiveState").get("ActiveState") in _UP


def _start(context: Context, definition: Definition) -> None:
    name = definition.name
    forget(context, name)
    undo: Undo = []
    try:
        if context.paths.is_enabled(name):
            from nsunit.manager.pod_files import refresh_pod

            refresh_pod(context, definition)
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
    job = state.get("Job")
    if state.get("ActiveState") not in (None, "inactive", "failed") or (isinstance(job, tuple) and job[0]):
        context.bus.wait(context.bus.stop(unit), _TIMEOUT)
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
    return pod_unit(definition, facts, pins_of(context, name))


def contents(definition: Definition, facts: Facts) -> dict[str, bytes]:
    """The files that a pod is started from."""
    return {"plan": dump(operations(definition, facts)), "definition": serialize(definition).encode()}


def reserved_facts(context: Context, definition: Definition) -> Facts:
    """The facts that a start of the pod uses; its ids are reserved."""
    return _facts(context, definition, _user_range(context, definition))


def _user_range(context: Context, definition: Definition) -> tuple[int, int]:
    users, keeper = definition.container.private_users, context.paths.state_of(definition.name)
    if users.mode == "yes":
        return ranges.allocate(context.paths, definition.name, keeper)
    if users.mode == "range":
        ranges.remember(keeper, (users.start, users.count))
    return users.start, users.count


def planned_facts(context: Context, definition: Definition) -> Facts:
    """The facts that a start of the pod would use, without reserving anything."""
    users, name = definition.container.private_users, definition.name
    known = (users.start, users.count)
    if users.mode == "yes":
        known = ranges.remembered(context.paths.state_of(name)) or (ranges.planned(name), ranges.COUNT)
    return _facts(context, definition, known)


def _facts(context: Context, definition: Definition, user_range: tuple[int, int]) -> Facts:
    facts = Facts(
        systemd_version=context.host.systemd_version,
        interpreter=sys.executable or "/usr/bin/python3",
        helper=os.path.abspath(pod_program.__file__),
        runtime_directory=context.paths.runtime_of(definition.name),
        user_range=user_range,
        runtime_base=context.paths.runtime_base,
        locks=context.paths.locks,
    )
    return with_network(context, facts, definition.name) if definition.container.network == "bridge" else facts


def _differences(context: Context, definition: Definition) -> tuple[str, ...]:
    from nsunit.plan.change import compare

    return tuple(str(change) for change in compare(stored(context, definition.name), definition))
