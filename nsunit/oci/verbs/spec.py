"""spec: a config.json to begin with."""

from __future__ import annotations

import json
import os

from nsunit.oci.errors import OciError
from nsunit.oci.spec.example import config

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.oci.context import Context
    from nsunit.oci.options import Given


def run(context: Context, given: Given) -> tuple[int, str]:
    """See the module.

    Raises:
        OciError: there is one.
    """
    rootless = (os.geteuid(), os.getegid()) if given.has("rootless") else None
    path = f"{given.one('bundle') or '.'}/config.json"
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except FileExistsError:
        raise OciError(f"file {path} exists; remove it first") from None
    with open(fd, "w") as file:
        file.write(json.dumps(config(rootless), indent="\t") + "\n")
    return 0, ""
