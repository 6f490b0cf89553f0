"""The verb `reclaim`."""

from __future__ import annotations

from nsunit.cli import say
from nsunit.cli.output import format_size, print_json
from nsunit.deeds.control import reclaim as reclaim_memory
from nsunit.definition.values import SIZE_HINT, size
from nsunit.definition.words import ValueProblem
from nsunit.errors import NsunitError, UsageError
from nsunit.names import check_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation


def reclaim(invocation: Invocation) -> int:
    """The verb `reclaim`."""
    name, text = invocation.operands
    try:
        amount = size(text)
    except ValueProblem as problem:
        raise UsageError(f"reclaim: {problem.message}", hint=SIZE_HINT) from problem
    before, after, found = reclaim_memory(invocation.context(), check_name(name), amount)
    if invocation.flag("json"):
        print_json({"name": name, "before": before, "after": after, "found": found})
    elif not invocation.flag("quiet"):
        say(f"{name}: {format_size(before)} before, {format_size(after)} after")
    if not found:
        hint = "the rest is in use, and there is no swap to put it into" if after else None
        raise NsunitError(f"{name}: the kernel could not take {format_size(amount)}", hint=hint)
    return 0
