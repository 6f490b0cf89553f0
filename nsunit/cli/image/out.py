"""commit, diff, image export and push."""

from __future__ import annotations

from nsunit.cli import say
from nsunit.cli.output import plural, print_json
from nsunit.features.images.out.commit import Wish, commit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation


def commit_container(invocation: Invocation) -> int:
    """The verb `commit`."""
    name, reference = invocation.operands
    wish = Wish(
        invocation.value("message") or "",
        invocation.value("author") or "",
        invocation.values("change"),
        not invocation.flag("no-pause"),
    )
    found = commit(invocation.context(), name, reference, wish)
    if invocation.flag("json"):
        print_json(found)
    elif not invocation.flag("quiet"):
        say(f"{found.id}  {', '.join(found.names)}")
        say(f"{plural(found.layers, 'layer')}, {found.fetched} of them new")
    return 0
