"""The containers of a group or pod that are enabled."""

from __future__ import annotations

from nsunit.cli import members
from nsunit.features.groups.files import enabled_members
from nsunit.names import is_pod

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context


def enabled(context: Context, name: str) -> list[str]:
    """Return the containers in group or pod *name* that are enabled, those of a group that are defined if none is."""
    found = enabled_members(context, name)
    return found if found or is_pod(name) else members.defined(context, name)
