"""The verb `cp`."""

from __future__ import annotations

from nsunit.cli import say, warn
from nsunit.features.transfer.copy import copy as copy_files
from nsunit.features.transfer.offer import offered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation


def copy(invocation: Invocation) -> int:
    """The verb `cp`."""
    *sources, destination = invocation.operands
    left_out = copy_files(
        invocation.context(),
        sources,
        destination,
        archive=invocation.flag("archive"),
        follow=invocation.flag("follow-link"),
    )
    for text in left_out:
        warn(f"warning: {text}")
    return 0


def offer(invocation: Invocation) -> int:
    """`nsunit cp --offer NAME:PATH .`: what shells complete SRC and DEST with."""
    for text in offered(invocation.context(), invocation.operands[0]):
        say(text)
    return 0
