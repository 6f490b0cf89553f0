"""set, plan, apply, reclaim, dropin: change containers, while they run or for good."""

from __future__ import annotations

import sys

from nsunit.cli.lifecycle import fail, names_of, say
from nsunit.errors import NsunitError, UsageError
from nsunit.names import check_any_name, check_name, group_of_pod, limited, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.cli.options import Invocation
    from nsunit.manager.change import Plan
    from nsunit.manager.outcome import Outcome

_HOW = {"live": "at once", "restart": "by a restart"}


def set_keys(invocation: Invocation) -> int:
    """The verb `set`."""
    from nsunit.manager.change import set_keys

    name, *texts = invocation.operands
    persist = invocation.flag("persist")
    if persist and invocation.flag("runtime"):
        raise UsageError("set: --runtime and --persist exclude each other", hint="--runtime is what happens anyway")
    assignments = [_assignment(text) for text in texts]
    changes = set_keys(invocation.context(), limited(check_any_name(name)), assignments, persist=persist)
    if invocation.flag("json"):
        from nsunit.cli.output import print_json

        print_json(changes)
    return 0


def plan(invocation: Invocation) -> int:
    """The verb `plan`; without a name, that of all containers and groups that run."""
    from nsunit.manager.change import plan_all

    context = invocation.context()
    found = plan_all(context, [limited(name) for name in names_of(invocation)] or _running(invocation))
    plans = [item for item, _ in found if item is not None]
    if invocation.flag("json"):
        from nsunit.cli.output import print_json

        print_json(plans)
    else:
        for item in plans:
            for line in plan_lines(item):
                say(line)
    return fail([error for _, error in found if error is not None])


def plan_lines(plan: Plan) -> list[str]:
    """What `nsunit plan` prints of one container."""
    if plan.state == "inactive":
        lines = [f"{plan.name}: does not run"]
    elif not plan.changes:
        lines = [f"{plan.name}: runs as its definition says"]
    else:
        lines = [f"{plan.name}:", *(f"  {change} ({_HOW[change.how]})" for change in plan.changes)]
    return lines + [f"  note: {note}" for note in plan.notes]


def apply(invocation: Invocation) -> int:
    """The verb `apply`; without a name, for all containers and groups that run."""
    from nsunit.manager.change import apply

    context = invocation.context()
    names = [limited(name) for name in names_of(invocation)] or _running(invocation)
    outcomes = apply(context, names, restart=invocation.flag("restart"))
    if invocation.flag("json"):
        from nsunit.cli.output import print_json

        print_json(outcomes)
    elif not invocation.flag("quiet"):
        for outcome in outcomes:
            _tell(outcome)
    return fail([outcome.error for outcome in outcomes if outcome.error is not None])


def _tell(outcome: Outcome) -> None:
    if outcome.state == "changed":
        for difference in outcome.differences:
            say(f"{outcome.name}: {difference}")
    elif outcome.state == "differs":
        sys.stdout.flush()
        sys.stderr.write(f"nsunit: {outcome.name}: these take a restart\n")
        for difference in outcome.differences:
            sys.stderr.write(f"  {printable(difference)}\n")
        sys.stderr.write(f"  hint: 'nsunit apply --restart {outcome.name}'\n")
    elif outcome.error is None:
        texts = {"inactive": "does not run", "restarted": "restarted"}
        say(f"{outcome.name}: {texts.get(outcome.state, 'runs as its definition says')}")


def reclaim(invocation: Invocation) -> int:
    """The verb `reclaim`."""
    from nsunit.cli.output import format_size, print_json
    from nsunit.definition.values import SIZE_HINT, size
    from nsunit.definition.words import ValueProblem
    from nsunit.manager.attributes import reclaim

    name, text = invocation.operands
    try:
        amount = size(text)
    except ValueProblem as problem:
        raise UsageError(f"reclaim: {problem.message}", hint=SIZE_HINT) from problem
    before, after, found = reclaim(invocation.context(), check_name(name), amount)
    if invocation.flag("json"):
        print_json({"name": name, "before": before, "after": after, "found": found})
    elif not invocation.flag("quiet"):
        say(f"{name}: {format_size(before)} before, {format_size(after)} after")
    if not found:
        hint = "the rest is in use, and there is no swap to put it into" if after else None
        raise NsunitError(f"{name}: the kernel could not take {format_size(amount)}", hint=hint)
    return 0


def drop_in(invocation: Invocation) -> int:
    """The verb `dropin`."""
    from nsunit.manager.persist import drop_in, remove_drop_ins

    name, *texts = invocation.operands
    if invocation.flag("remove"):
        if texts:
            hint = f"nsunit dropin --remove {printable(name)}"
            raise UsageError("dropin: --remove takes away all that was set, so keys cannot be named", hint=hint)
        paths = remove_drop_ins(invocation.context(), limited(check_any_name(name)))
    else:
        paths = drop_in(invocation.context(), limited(check_any_name(name)), [_assignment(text) for text in texts])
    if invocation.flag("json"):
        from nsunit.cli.output import print_json

        print_json(paths)
    elif not invocation.flag("quiet"):
        for path in paths:
            say(path)
    return 0


def _running(invocation: Invocation) -> Sequence[str]:
    from nsunit.definition.search import list_groups, list_pods
    from nsunit.manager.group import groups_of_slice
    from nsunit.manager.query import list_containers

    context = invocation.context()
    states = [state for state in list_containers(context) if state.active_state not in ("inactive", "failed")]
    defined = {*list_groups(context.search), *map(group_of_pod, list_pods(context.search))}
    groups = {name for state in states for name in groups_of_slice(state.slice) if name in defined}
    return [*sorted(groups), *(state.name for state in states)]


def _assignment(text: str) -> tuple[str, str, str]:
    """Split `[SECTION.]KEY=VALUE`; the section is empty where it is not given."""
    left, equals, value = text.partition("=")
    section, dot, key = left.partition(".")
    if not equals or not (key if dot else left) or (dot and not section):
        raise UsageError(f"'{printable(text)}' is not a key with its value", hint="e.g. MemoryMax=1G")
    return (section, key, value) if dot else ("", left, value)
