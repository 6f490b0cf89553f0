"""image tag, rm and prune."""

from __future__ import annotations

from nsunit.cli import say
from nsunit.cli.lifecycle.prune import agreed
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
    context, everything = invocation.context(), invocation.flag("all")
    only = None
    if invocation.flag("dry-run") or (everything and not invocation.flag("force")):
        found = collect.prune(context, everything=everything, dry_run=True)
        if invocation.flag("dry-run"):
            return _tell(invocation, found, "would be taken away")
        only = found.images
        if only and not agreed("image prune", _lines(found), "Remove them?"):
            return 1
    return _tell(invocation, collect.prune(context, everything=everything, only=only))


def _lines(found: collect.Removed) -> list[str]:
    """What is told of images that would go: their names, and how many have none."""
    names = [name for name in found.names if "@" not in name]
    return [*names, *([] if names else [f"{plural(len(found.images), 'image')} without a name"])]


def _tell(invocation: Invocation, removed: collect.Removed, what: str = "taken away") -> int:
    if invocation.flag("json"):
        print_json(removed)
    elif not invocation.flag("quiet"):
        for name in removed.names:
            if "@" not in name:
                say(name)
        counts = (plural(len(removed.images), "image"), plural(removed.layers, "layer"))
        say(f"{counts[0]} and {counts[1]} {what}")
    return 0
