"""checkpoint and restore: refused, with what is missing for them; `features` says so, too."""

from __future__ import annotations

import os

from nsunit.oci.errors import OciError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.oci.context import Context
    from nsunit.oci.options import Given


def run(context: Context, given: Given) -> tuple[int, str]:
    """See the module.

    Raises:
        OciError: always.
    """
    context.store.path(given.operands[0])
    for place in os.environ.get("PATH", os.defpath).split(":"):
        if os.access(f"{place}/criu", os.X_OK):
            raise OciError("nsunit-oci has no checkpoint and restore; have runc(8) or crun(1) run this container")
    raise OciError(
        'exec: "criu": executable file not found in $PATH: there is no checkpoint and restore without criu(8)'
    )
