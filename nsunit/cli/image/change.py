"""image tag, rm and prune."""

from __future__ import annotations

from nsunit.cli import say
from nsunit.cli.output import plural, print_json
from nsunit.features.images import collect
from nsunit.features.images.bring import check_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation


def tag(invocation: Invocation) -> int:
    """`nsunit image tag`."""
    text, *names = invocation.operands
    context = invocation.context()
    check_names(names)
    full = collect.tag(context, text, names)
    if invocation.flag("json"):
        print_json(full)
    elif not invocation.flag("quiet"):
        for name in full:
            say(name)
    return 0


def remove(invocation: Invocation) -> int:
    """`nsunit image rm`."""
    context = invocation.context()
    return _tell(invocation, collect.remove(context, invocation.operands))


def prune(invocation: Invocation) -> int:
    """`nsunit image prune`."""
    context = invocation.context()
    return _tell(invocation, collect.prune(context, everything=invocation.flag("all")))


def _tell(invocation: Invocation, removed: collect.Removed) -> int:
    if invocation.flag("json"):
        print_json(removed)
    elif not invocation.flag("quiet"):
        for name in removed.names:
            if "@" not in name:
                say(name)
        counts = (plural(len(removed.images), "image"), plural(removed.layers, "layer"))
        say(f"{counts[0]} and {counts[1]} taken away")
    return 0
