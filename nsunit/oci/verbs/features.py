"""features: what the runtime has, as runtime-spec's features document."""

from __future__ import annotations

import json

from nsunit.oci.criu.worker import is_there
from nsunit.oci.spec.features import document

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.oci.context import Context
    from nsunit.oci.options import Given


def run(context: Context, given: Given) -> tuple[int, str]:
    """See the module."""
    return 0, json.dumps(document(criu=is_there()), indent=4) + "\n"
