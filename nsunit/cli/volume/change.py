"""volume create, rm and prune."""

from __future__ import annotations

from nsunit.cli import fail, say
from nsunit.cli.lifecycle.prune import agreed
from nsunit.cli.output import print_json
from nsunit.deeds.remove import remove as remove_containers
from nsunit.definition.values import size
from nsunit.definition.words import ValueProblem
from nsunit.errors import UsageError
from nsunit.features.volumes import change
from nsunit.features.volumes.look import users

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation


def create(invocation: Invocation) -> int:
    """`nsunit volume create`."""
    change.create(invocation.context(), invocation.operands[0], _size(invocation.value("size")))
    return _tell(invocation, invocation.operands)


def _size(text: str | None) -> int | None:
    try:
        return None if text is None else size(text)
    except ValueProblem as problem:
        raise UsageError(f"--size: {problem.message}", hint=problem.hint) from None


def remove(invocation: Invocation) -> int:
    """`nsunit volume rm`."""
    context, names = invocation.context(), list(dict.fromkeys(invocation.operands))
    if not invocation.flag("force"):
        change.remove(context, names)
        return _tell(invocation, names)
    used = users(context)
    containers = sorted({container for name in names for container in used.bound.get(name, ())})
    failed = [outcome.error for outcome in remove_containers(context, containers, force=True) if outcome.error]
    if failed:
        return fail(failed)
    change.remove_bound(context, names)
    return _tell(invocation, names)


def prune(invocation: Invocation) -> int:
    """`nsunit volume prune`."""
    context = invocation.context()
    found = change.unused(context) if invocation.flag("all") else ()
    if invocation.flag("dry-run"):
        return _tell(invocation, list(found))
    if found and not invocation.flag("force") and not agreed("volume prune", found, "Remove them, with all in them?"):
        return 1
    return _tell(invocation, list(change.prune(context, found)))


def _tell(invocation: Invocation, names: list[str]) -> int:
    if invocation.flag("json"):
        print_json(names)
    elif not invocation.flag("quiet"):
        for name in names:
            say(name)
    return 0
