"""state: what there is to say of a container, as JSON."""

from __future__ import annotations

from nsunit.jsontext import dumps
from nsunit.oci.state import STOPPED, Container

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.oci.context import Context
    from nsunit.oci.options import Given
    from nsunit.oci.state import Store


def run(context: Context, given: Given) -> tuple[int, str]:
    """See the module."""
    store, identity = context.store, given.operands[0]
    if given.has("regex"):
        identity = _one_of(store, store.matching(identity))
    return 0, dumps(describe(store, store.load(identity))) + "\n"


def _one_of(store: Store, names: list[str]) -> str:
    """The first that has not ended, or the first."""
    return next((name for name in names if store.status(store.load(name)) != STOPPED), names[0])


def describe(store: Store, container: Container) -> dict[str, object]:
    """The fields of runc's answer."""
    status = store.status(container)
    return {
        "ociVersion": container.version,
        "id": container.id,
        "pid": 0 if status == STOPPED else container.pid,
        "status": status,
        "bundle": container.bundle,
        "rootfs": container.rootfs,
        "created": container.created,
        "annotations": container.annotations,
        "owner": "",
    }
