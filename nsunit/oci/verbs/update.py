"""update: new limits for a container that runs, from options, a file, or the standard input."""

from __future__ import annotations

import sys

from nsunit.jsontext import dumps, loads
from nsunit.oci.cgroup import placing
from nsunit.oci.errors import OciError
from nsunit.oci.spec.fields import parse_object
from nsunit.oci.spec.limits.update import OPTIONS, changing, merged, of_file, of_options
from nsunit.oci.state import STOPPED, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.oci.context import Context
    from nsunit.oci.options import Given
    from nsunit.oci.spec.fields import Json

LIMITS = "limits.json"  # what was changed since create, beside config.json


def run(context: Context, given: Given) -> tuple[int, str]:
    """See the module; what the container has then is written down, for the next change."""
    (identity,) = given.operands
    new = of_file(_content(given.one("resources"))) if given.has("resources") else {}
    new = merged(new, of_options({name: given.one(name) for name in OPTIONS if name in given.values}))
    store = context.store
    store.lock(identity)  # the end of the process unlocks it
    container = store.load(identity)
    if store.status(container) == STOPPED:
        raise OciError("cannot update a stopped container")
    try:
        before: Json = loads(read(store.path(identity, LIMITS)))
    except FileNotFoundError:
        before = (store.config(identity).get("linux") or {}).get("resources") or {}
    placing.change(container.place, changing(before, new), context.warn)
    store.write(identity, LIMITS, dumps(merged(before, new)).encode())
    return 0, ""


def _content(path: str) -> Json:
    if path == "-":
        return parse_object(sys.stdin.buffer.read() if sys.stdin else b"", "the standard input")
    return parse_object(read(path), path)
