"""The verbs `pause` and `resume`."""

from __future__ import annotations

from nsunit.cli.lifecycle.each import each
from nsunit.deeds.control import pause as freeze
from nsunit.deeds.control import resume as thaw

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation


def pause(invocation: Invocation) -> int:
    """The verb `pause`."""
    context = invocation.context()
    return each(invocation, lambda name: freeze(context, name))


def resume(invocation: Invocation) -> int:
    """The verb `resume`."""
    context = invocation.context()
    return each(invocation, lambda name: thaw(context, name))
