"""What there is of a pod, and what its start needs to know."""

from __future__ import annotations

import sys

from nsunit.bus.protocol import NO_SUCH_UNIT
from nsunit.core.stored import stored
from nsunit.definition.load import serialize
from nsunit.errors import BusError, NsunitError
from nsunit.features import STARTER
from nsunit.features.network import deeds as network
from nsunit.features.pods.definition import load_pod
from nsunit.features.pods.plan import PodFacts, pinned_kinds, pod_operations
from nsunit.names import pod_name, service_name
from nsunit.plan.facts import Facts
from nsunit.setup.operation import dump
from nsunit.storage import files, ranges
from nsunit.units import UP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context
    from nsunit.definition.model import Definition


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


def is_up(context: Context, name: str) -> bool:
    """Whether the pod *name* is there, or is about to be."""
    return context.bus.get(service_name(name), "ActiveState").get("ActiveState") in (*UP, "activating")


def pins_of(context: Context, name: str) -> str:
    """Where the namespaces of pod *name* are pinned."""
    return f"{context.paths.namespaces}/{name}"


def stored_text(context: Context, name: str) -> str:
    """The definition that the running pod *name* was started with.

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


def facts(context: Context, definition: Definition, facts: Facts) -> Facts:
    """*facts* with what a container needs to know of its pod as it runs, or else is defined."""
    name = pod_name(definition.container.extra("pods"))
    pod = stored(context, name) if is_up(context, name) else load_pod(name, context.search, context.host)
    network_directory = context.paths.network_of(name) if pod.container.network == "bridge" else ""
    return facts.with_extra("pods", PodFacts(pinned_kinds(pod.container), pins_of(context, name), network_directory))


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


def contents(definition: Definition, facts: Facts) -> dict[str, bytes]:
    """The files that a pod is started from."""
    return {"plan": dump(pod_operations(definition, facts)), "definition": serialize(definition).encode()}


def reserved_facts(context: Context, definition: Definition) -> Facts:
    """The facts that a start of the pod uses; its ids are reserved."""
    return _facts(context, definition, _user_range(context, definition))


def _user_range(context: Context, definition: Definition) -> tuple[int, int]:
    users, keeper = definition.container.private_users, context.paths.state_of(definition.name)
    if users.mode == "yes":
        return ranges.allocate(context.paths, definition.name, keeper)
    if users.mode == "range":
        ranges.remember(context.paths, keeper, (users.start, users.count))
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
        helper=STARTER,
        runtime_directory=context.paths.runtime_of(definition.name),
        user_range=user_range,
        runtime_base=context.paths.runtime_base,
    )
    return network.facts(context, definition, facts)
