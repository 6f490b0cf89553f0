"""The verb `dropin`."""

from __future__ import annotations

from nsunit.cli import say
from nsunit.cli.change.assignments import assignment
from nsunit.cli.output import print_json
from nsunit.deeds.persist import drop_in as write_drop_ins
from nsunit.deeds.persist import remove_drop_ins
from nsunit.errors import UsageError
from nsunit.names import check_any_name, limited, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation


def drop_in(invocation: Invocation) -> int:
    """The verb `dropin`."""
    name, *texts = invocation.operands
    if invocation.flag("remove"):
        if texts:
            hint = f"nsunit dropin --remove {printable(name)}"
            raise UsageError("dropin: --remove takes away all that was set, so keys cannot be named", hint=hint)
        paths = remove_drop_ins(invocation.context(), limited(check_any_name(name)))
    else:
        paths = write_drop_ins(
            invocation.context(), limited(check_any_name(name)), [assignment(text) for text in texts]
        )
    if invocation.flag("json"):
        print_json(paths)
    elif not invocation.flag("quiet"):
        for path in paths:
            say(path)
    return 0
