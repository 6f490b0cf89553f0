"""All containers that run, and the groups that they are in."""

from __future__ import annotations

from nsunit.deeds.look.states import list_containers
from nsunit.definition.search import list_groups, list_pods
from nsunit.names import group_of_pod, groups_of_slice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.core.context import Context


def running(context: Context) -> Sequence[str]:
    """Return their names, those of groups first."""
    states = [state for state in list_containers(context) if state.active_state not in ("inactive", "failed")]
    defined = {*list_groups(context.search), *map(group_of_pod, list_pods(context.search))}
    groups = {name for state in states for name in groups_of_slice(state.slice) if name in defined}
    return [*sorted(groups), *(state.name for state in states)]
