"""The verb `start` with --now: those that wait for a first connection do not."""

from __future__ import annotations

from nsunit.cli.lifecycle.start import start
from nsunit.features.activation.deeds import start_now as start_listening

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.cli.verbs import Invocation
    from nsunit.core.jobs import Outcome


def start_now(invocation: Invocation) -> Sequence[Outcome]:
    """The verb `start` with --now."""
    outcomes = start(invocation)
    started = {item.name: item for item in start_listening(invocation.context(), outcomes)}
    return [started.get(item.name, item) for item in outcomes]
