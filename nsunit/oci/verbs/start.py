"""start: the container that waits executes its program."""

from __future__ import annotations

import errno

from nsunit.oci.errors import OciError
from nsunit.oci.state import CREATED, FAILED, REPLY, RUNNING, START, STOPPED, read
from nsunit.setup import system as os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.oci.context import Context
    from nsunit.oci.options import Given
    from nsunit.oci.state import Container, Store


def run(context: Context, given: Given) -> tuple[int, str]:
    """See the module."""
    start(context, given.operands[0])
    return 0, ""


def start(context: Context, identity: str) -> None:
    """Let the process of container *identity* go on, and wait until it has executed its program.

    Raises:
        OciError: it does not wait, or its program, or a hook before it, cannot be executed.
    """
    store = context.store
    lock = store.lock(identity)
    try:
        _start(store, identity)
    finally:
        os.close(lock)  # `run` takes it anew, to remove what could not be started


def _start(store: Store, identity: str) -> None:
    container = store.load(identity)
    status = store.status(container)
    if text := _told(store, identity):
        raise OciError(f"unable to start container process: {text}")
    if status == STOPPED:
        raise OciError("cannot start a container that has stopped")
    if status != CREATED:
        raise OciError(f"cannot start an already {RUNNING if status != 'creating' else status} container")
    text = _go(store, container)
    if text:
        raise OciError(f"unable to start container process: {text}")
    _hooks(store, container)


def _go(store: Store, container: Container) -> str:
    reply = os.open(store.path(container.id, REPLY), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        go = os.open(store.path(container.id, START), os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        raise OciError("cannot start a container that has stopped") from None
    if not store.claim_start(container.id):
        raise OciError("cannot start an already running container")
    os.write(go, b".")
    os.close(go)
    os.set_blocking(reply, True)
    text = b""
    while chunk := os.read(reply, 4096):
        text += chunk
    os.close(reply)
    return text.decode("utf-8", "replace").removeprefix(".")


def _told(store: Store, identity: str) -> str:
    """What the command was told when it started the container itself; once."""
    path = store.path(identity, FAILED)
    try:
        text = read(path)
    except FileNotFoundError:
        return ""
    os.unlink(path)
    return text.decode("utf-8", "replace")


def _hooks(store: Store, container: Container) -> None:
    # It is not parsed where it has not the word.
    if b'"hooks"' not in read(store.path(container.id, "config.json")):
        return
    config = store.config(container.id)
    if config.get("hooks"):
        from nsunit.oci.outside import after_start  # few containers have hooks

        after_start(container, config)
