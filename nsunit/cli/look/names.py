"""The verb `list` with --names, which the shells' completion calls."""

from __future__ import annotations

from nsunit.cli.output import Style
from nsunit.cli.verbs import load
from nsunit.deeds.look.listing import container_names, grouped_names
from nsunit.names import matching, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation

_AS_JSON = ("nsunit.cli.look.containers:list_containers", "nsunit.cli.look.tree:list_tree")


def list_names(invocation: Invocation) -> int:
    """The verb `list` with --names; JSON has the names and more."""
    if invocation.flag("json"):
        return int(load(_AS_JSON[invocation.flag("tree")])(invocation))
    everything = invocation.flag("all")
    if invocation.flag("tree"):
        above = grouped_names(invocation.context(), everything=everything)
        wanted = matching(above, invocation.operands)
        names = sorted(wanted.union(*(above[name] for name in wanted)))
    else:
        found = container_names(invocation.context(), everything=everything)
        wanted = matching(found, invocation.operands)
        names = [name for name in found if name in wanted]
    style = Style(plain=True)
    for name in names:
        style.line(printable(name))
    return 0
