"""resume: its processes go on."""

from __future__ import annotations

from nsunit.oci.cgroup import fs
from nsunit.oci.errors import OciError
from nsunit.oci.state import PAUSED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.oci.context import Context
    from nsunit.oci.options import Given


def run(context: Context, given: Given) -> tuple[int, str]:
    """See the module."""
    container = context.store.load(given.operands[0])
    if context.store.status(container) != PAUSED:
        raise OciError("container not paused")
    fs.freeze(container.place.path, frozen=False)
    return 0, ""
