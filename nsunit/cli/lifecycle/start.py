"""The verb `start`."""

from __future__ import annotations

from nsunit.deeds.start import start as start_containers
from nsunit.definition.search import list_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.cli.verbs import Invocation
    from nsunit.core.jobs import Outcome


def start(invocation: Invocation) -> Sequence[Outcome]:
    """The verb `start`."""
    context = invocation.context()
    if invocation.flag("all"):
        return start_containers(context, list(list_names(context.search)))
    return start_containers(context, invocation.names("defined", pods=True))
