"""The containers that the name of a group or a pod stands for."""

from __future__ import annotations

from nsunit.features.groups.deeds import members
from nsunit.names import limited

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context


def running(context: Context, name: str) -> list[str]:
    """Return the containers in group or pod *name* that run."""
    return members(context, limited(name), running=True)


def defined(context: Context, name: str) -> list[str]:
    """Return the containers that are defined to be in group or pod *name*."""
    return members(context, limited(name), running=False)
