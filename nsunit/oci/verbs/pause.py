"""pause: all processes of a container stand still."""

from __future__ import annotations

from nsunit.oci.cgroup import fs, manager
from nsunit.oci.errors import OciError
from nsunit.oci.state import CREATED, RUNNING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.oci.context import Context
    from nsunit.oci.options import Given


def run(context: Context, given: Given) -> tuple[int, str]:
    """See the module."""
    container = context.store.load(given.operands[0])
    if context.store.status(container) not in (RUNNING, CREATED):
        raise OciError("container not running or created")
    if not manager.is_own(container.place):
        raise OciError("a container without a cgroup of its own cannot be paused")
    fs.freeze(container.place.path, frozen=True)
    return 0, ""
