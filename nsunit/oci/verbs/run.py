"""run: create and start, and wait for the end unless --detach says otherwise."""

from __future__ import annotations

import os

from nsunit.oci.errors import OciError
from nsunit.oci.foreground import Foreground
from nsunit.oci.removal import destroy
from nsunit.oci.verbs.create import create
from nsunit.oci.verbs.start import start
from nsunit.setup import linux

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.oci.context import Context
    from nsunit.oci.options import Given


def run(context: Context, given: Given) -> tuple[int, str]:
    """See the module."""
    identity = given.operands[0]
    if given.has("detach"):
        create(context, given, identity)
        _start(context, identity)
        return 0, ""
    linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)
    relays: list[Foreground] = []

    def relay(box: object, terminal: bool) -> None:
        relays.append(Foreground(box, terminal=terminal))  # type: ignore[arg-type]

    container = create(context, given, identity, relay)
    relays[0].pass_on(container.pid)
    _start(context, identity)
    status = relays[0].wait(container.pid)
    if not given.has("keep"):
        remove(context, identity)
    return status, ""


def _start(context: Context, identity: str) -> None:
    try:
        start(context, identity)
    except OciError:
        remove(context, identity)
        raise


def remove(context: Context, identity: str) -> None:
    """Remove a container whose process has ended."""
    if not os.path.isdir(context.store.path(identity)):
        return  # somebody has deleted it meanwhile
    lock = context.store.lock(identity)
    container = context.store.load(identity)
    destroy(context.store, container, context.store.config(identity), hooks=True, warn=context.warn)
    os.close(lock)
