"""The verb `plan`."""

from __future__ import annotations

from nsunit.cli import fail, say
from nsunit.cli.change.names import names_or_running
from nsunit.cli.output import print_json
from nsunit.deeds.change import plan_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation
    from nsunit.deeds.change import Plan

_HOW = {"live": "at once", "restart": "by a restart"}


def plan(invocation: Invocation) -> int:
    """The verb `plan`; without a name, that of all containers and groups that run."""
    found = plan_all(invocation.context(), names_or_running(invocation))
    plans = [item for item, _ in found if item is not None]
    if invocation.flag("json"):
        print_json(plans)
    else:
        for item in plans:
            for line in plan_lines(item):
                say(line)
    return fail([error for _, error in found if error is not None])


def plan_lines(plan: Plan) -> list[str]:
    """What `nsunit plan` prints of one container."""
    if plan.state == "inactive":
        lines = [f"{plan.name}: is not running"]
    elif not plan.changes:
        lines = [f"{plan.name}: runs as its definition says"]
    else:
        lines = [f"{plan.name}:", *(f"  {change} ({_HOW[change.how]})" for change in plan.changes)]
    return lines + [f"  note: {note}" for note in plan.notes]
