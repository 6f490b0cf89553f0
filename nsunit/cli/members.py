"""The containers that the name of a group or a pod stands for."""

from __future__ import annotations

from nsunit.definition.search import find, main_file
from nsunit.features.groups.deeds import failed_members, members
from nsunit.names import group_of_pod, is_pod, service_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context


def running(context: Context, name: str) -> list[str]:
    """Return the containers in group or pod *name* that run."""
    return members(context, _group(context, name), running=True)


def running_or_failed(context: Context, name: str) -> list[str]:
    """Return the containers in group or pod *name* that run, then those that have failed."""
    return [*running(context, name), *failed_members(context, _group(context, name))]


def defined(context: Context, name: str) -> list[str]:
    """Return the containers that are defined to be in group or pod *name*."""
    return members(context, _group(context, name), running=False)


def _group(context: Context, name: str) -> str:
    """The group that *name* means; a group of a pod's name is none where there is no such pod.

    Raises:
        NotFoundError: there is none.
    """
    if not is_pod(name):
        return name
    loaded = main_file(name, context.search) or context.bus.get(service_name(name), "LoadState").get("LoadState")
    if loaded == "not-found":
        find(name, context.search)  # raises
    return group_of_pod(name)
