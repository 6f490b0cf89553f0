"""Patterns among the names of a command: `stop 'web@*'`; loaded only where there is one.

It stands for containers and pods; for groups only where it says so, `'shop*.slice'`, since a group means all that is
in it.
"""

from __future__ import annotations

from nsunit.cli import warn
from nsunit.cli.definitions.lookup import all_definitions
from nsunit.cli.verbs import PATTERNS
from nsunit.core.jobs import failed_names
from nsunit.deeds.look.listing import container_names
from nsunit.deeds.look.states import is_enabled, list_containers, pod_states
from nsunit.definition.search import list_groups, main_file
from nsunit.names import GROUP_SUFFIX, groups_of_slice, is_pattern, is_pod, is_valid_name, matching, printable
from nsunit.storage.files import list_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from nsunit.cli.verbs import Invocation
    from nsunit.core.context import Context
    from nsunit.deeds.look.states import ContainerState


def expanded(invocation: Invocation) -> list[str]:
    """Return the operands with each pattern replaced by what it stands for, sorted; it is told if that is nothing."""
    context, kind = invocation.context(), invocation.verb.patterns
    found: list[str] = []
    for operand in invocation.operands:
        names = [operand]
        if is_pattern(operand):
            groups = operand.endswith(GROUP_SUFFIX) and kind != "definitions"
            names = sorted(matching((_groups if groups else _names)(context, kind), (operand,)))
        if not names and not invocation.flag("quiet"):
            warn(f"'{printable(operand)}' matches none of the {'groups' if groups else PATTERNS[kind]}")
        if kind == "defined" and operand not in names and not invocation.flag("quiet"):
            for name in sorted(matching(_stopped_instances(context), (operand,)) - {*names}):
                warn(f"'{name}' is left out, as an instance that does not run has to be named")
        found += names
    return list(dict.fromkeys(found))


def _may_be_disabled(context: Context, name: str) -> bool:
    """Whether it has unit files, those without links as well; a pod may have them for its containers' sake."""
    return is_enabled(context, name) if is_pod(name) else context.paths.is_enabled(name)


def _stopped_instances(context: Context) -> list[str]:
    """Instances that have kept something, which `list --all` shows as well."""
    kept = (name for name in list_directory(context.paths.states) if is_valid_name(name) and not is_pod(name))
    return [name for name in kept if "@" in name and main_file(name, context.search)]


def _names(context: Context, kind: str) -> Iterable[str]:
    if kind == "definitions":
        return all_definitions(context)
    if kind in ("running", "listed"):
        return [state.name for state in _states(context, kind)]
    known = {*container_names(context, everything=True), *failed_names(context)}
    if kind == "defined":
        return [name for name in known if main_file(name, context.search)]
    known |= {name for name in list_directory(context.paths.states) if is_valid_name(name)}
    return [name for name in known if _may_be_disabled(context, name)] if kind == "enabled" else known


def _groups(context: Context, kind: str) -> Iterable[str]:
    running = {group for state in _states(context, kind) for group in groups_of_slice(state.slice)}
    return running if kind in ("running", "listed") else {*running, *list_groups(context.search)}


def _states(context: Context, kind: str) -> list[ContainerState]:
    states = [*list_containers(context), *pod_states(context)]
    if kind == "listed":
        return [item for item in states if item.active_state != "inactive" or item.sub_state == "listening"]
    return [item for item in states if item.active_state not in ("inactive", "failed")]
