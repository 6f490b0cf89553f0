"""The verbs `stop` and `restart` with --all: they are for all containers that run."""

from __future__ import annotations

from nsunit.cli.lifecycle.stop import stop_these
from nsunit.deeds.look.states import list_containers, pod_states
from nsunit.deeds.restart import restart

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.cli.verbs import Invocation
    from nsunit.core.context import Context
    from nsunit.core.jobs import Outcome

_CALM = ("inactive", "failed")


def stop_all(invocation: Invocation) -> Sequence[Outcome]:
    """The verb `stop` with --all: pods as well, which may be there without any container."""
    context = invocation.context()
    pods = [state.name for state in pod_states(context) if state.active_state not in _CALM]
    outcomes = stop_these(invocation, [*_running(context), *pods])
    return [
        item.replace(state="stopped") if item.state == "inactive" and item.name in pods else item for item in outcomes
    ]


def restart_all(invocation: Invocation) -> Sequence[Outcome]:
    """The verb `restart` with --all."""
    context = invocation.context()
    return restart(context, _running(context))


def _running(context: Context) -> list[str]:
    return [state.name for state in list_containers(context) if state.active_state not in _CALM]
