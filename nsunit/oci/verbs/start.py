"""start: the container that waits executes its program."""

from __future__ import annotations

from nsunit.oci.starting import start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.oci.context import Context
    from nsunit.oci.options import Given


def run(context: Context, given: Given) -> tuple[int, str]:
    """See the module."""
    start(context, given.operands[0])
    return 0, ""
