"""The verb `reload`."""

from __future__ import annotations

from nsunit.cli.lifecycle.each import each
from nsunit.deeds.control import reload as reload_program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation


def reload(invocation: Invocation) -> int:
    """The verb `reload`."""
    context = invocation.context()
    return each(invocation, lambda name: reload_program(context, name))
