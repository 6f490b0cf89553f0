"""The verb `set`."""

from __future__ import annotations

from nsunit.cli.change.assignments import assignment
from nsunit.cli.output import print_json
from nsunit.deeds.change import set_keys as change_keys
from nsunit.errors import UsageError
from nsunit.names import check_any_name, limited

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation


def set_keys(invocation: Invocation) -> int:
    """The verb `set`."""
    name, *texts = invocation.operands
    persist = invocation.flag("persist")
    if persist and invocation.flag("runtime"):
        raise UsageError("set: --runtime and --persist exclude each other", hint="--runtime is the default")
    assignments = [assignment(text) for text in texts]
    changes = change_keys(invocation.context(), limited(check_any_name(name)), assignments, persist=persist)
    if invocation.flag("json"):
        print_json(changes)
    return 0
