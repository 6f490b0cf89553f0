"""Unit files of pods that nobody has enabled."""

from __future__ import annotations

from nsunit.core.findings import Leftover
from nsunit.features.groups.files import enabled_members
from nsunit.features.pods.files import is_wanted
from nsunit.names import is_pod
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from nsunit.core.findings import Owners


def left(owners: Owners) -> Iterator[Leftover]:
    """Those of pods that do not run, are not started for their own sake, nor have an enabled container."""
    context = owners.context
    for name in files.list_directory(context.paths.states):
        if not is_pod(name) or not owners.is_idle(name) or not context.paths.is_enabled(name):
            continue
        if not is_wanted(context, name) and not enabled_members(context, name):
            yield Leftover("enable", context.paths.boot_of(name), "no container in it is enabled", name)
