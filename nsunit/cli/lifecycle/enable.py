"""The verb `enable`."""

from __future__ import annotations

from nsunit.cli import warn
from nsunit.deeds.enable import enable as enable_containers
from nsunit.features import hooks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.cli.verbs import Invocation
    from nsunit.core.jobs import Outcome


def enable(invocation: Invocation) -> Sequence[Outcome]:
    """The verb `enable`."""
    context = invocation.context()
    outcomes = enable_containers(context, invocation.names("defined", pods=True), now=invocation.flag("now"))
    if any(item.error is None for item in outcomes):
        for note in hooks(context.features, "deeds.note_of_enable"):
            if text := note(context):
                warn(text)
    return outcomes
