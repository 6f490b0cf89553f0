"""The verb `stop`."""

from __future__ import annotations

from nsunit.deeds.stop import stop as stop_containers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.cli.verbs import Invocation
    from nsunit.core.jobs import Outcome


def stop(invocation: Invocation) -> Sequence[Outcome]:
    """The verb `stop`."""
    return stop_these(invocation, invocation.names("running", pods=True))


def stop_these(invocation: Invocation, names: list[str]) -> Sequence[Outcome]:
    """Stop the containers *names* as the options say."""
    return stop_containers(invocation.context(), names, kill_now=invocation.flag("now"))
