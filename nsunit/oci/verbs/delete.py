"""delete: a container is no more."""

from __future__ import annotations

from nsunit.jsontext import loads
from nsunit.oci.errors import OciError
from nsunit.oci.removal import destroy
from nsunit.oci.state import CREATED, STOPPED, read
from nsunit.setup import system as os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.oci.context import Context
    from nsunit.oci.options import Given
    from nsunit.oci.spec.fields import Json
    from nsunit.oci.state import Store


def run(context: Context, given: Given) -> tuple[int, str]:
    """See the module."""
    named, force = given.operands[0], given.has("force")
    for identity in context.store.matching(named) if given.has("regex") else [named]:
        _delete(context, identity, force=force)
    return 0, ""


def _delete(context: Context, identity: str, *, force: bool) -> None:
    store = context.store
    path = store.path(identity)
    if not os.isdir(path):
        if force:
            return
        raise OciError("container does not exist")
    store.check_owner(identity)
    try:
        lock = store.lock(identity)
        container = store.load(identity)
    except OciError:
        if not force:
            raise
        store.remove(identity)  # its maker was killed before it had made anything
        return
    status = store.status(container)
    if not force and status not in (STOPPED, CREATED):
        raise OciError(f"cannot delete container {identity} that is not stopped: {status}")
    config = _config(store, identity)
    destroy(store, container, config, hooks=True, warn=context.warn)
    os.close(lock)


def _config(store: Store, identity: str) -> Json | None:
    """Its config.json, if that has hooks."""
    try:
        content = read(store.path(identity, "config.json"))
        config: Json | None = loads(content) if b'"hooks"' in content else None
    except (FileNotFoundError, ValueError):
        return None
    return config
