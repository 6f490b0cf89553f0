"""The verbs `ns pin` and `ns unpin`."""

from __future__ import annotations

import sys

from nsunit.cli.output import print_json
from nsunit.features.namespaces import pins
from nsunit.names import check_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation


def pin(invocation: Invocation) -> int:
    """The verb `ns pin`: prints the path of the pinned namespace."""
    name, kind, *place = invocation.operands
    path = pins.pin(invocation.context(), check_name(name), kind, place[0] if place else None)
    if invocation.flag("json"):
        print_json({"path": path})
    elif not invocation.flag("quiet"):
        sys.stdout.write(path + "\n")
    return 0


def unpin(invocation: Invocation) -> int:
    """The verb `ns unpin`."""
    place, *kind = invocation.operands
    gone = pins.unpin(invocation.context(), place, kind[0] if kind else None)
    if invocation.flag("json"):
        print_json({"pin": place, "kinds": gone})
    return 0
