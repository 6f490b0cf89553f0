"""create: a container that waits for its start."""

from __future__ import annotations

from nsunit.oci.creation import create

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.oci.context import Context
    from nsunit.oci.options import Given


def run(context: Context, given: Given) -> tuple[int, str]:
    """See the module."""
    create(context, given, given.operands[0])
    return 0, ""
