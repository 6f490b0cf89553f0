"""The verbs `stop` and `restart` with --all: they are for all containers that run."""

from __future__ import annotations

from nsunit.cli.lifecycle.stop import stop_these
from nsunit.deeds.look.states import list_containers
from nsunit.deeds.restart import restart

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.cli.verbs import Invocation
    from nsunit.core.context import Context
    from nsunit.core.jobs import Outcome


def stop_all(invocation: Invocation) -> Sequence[Outcome]:
    """The verb `stop` with --all."""
    return stop_these(invocation, _running(invocation.context()))


def restart_all(invocation: Invocation) -> Sequence[Outcome]:
    """The verb `restart` with --all."""
    context = invocation.context()
    return restart(context, _running(context))


def _running(context: Context) -> list[str]:
    return [state.name for state in list_containers(context) if state.active_state not in ("inactive", "failed")]
