"""Signals, freezing, and waiting for the end."""

from __future__ import annotations

from nsunit.manager.running import find_running
from nsunit.names import service_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.bus.watch import Ended
    from nsunit.manager.context import Context


def kill(context: Context, name: str, *, signal: int, whom: str = "all") -> None:
    """Send *signal* to the payload ("main") or to all processes ("all") of the running container *name*."""
    running = find_running(context, name)
    context.bus.kill(running.unit, whom if running.unit.endswith(".service") else "all", signal)


def pause(context: Context, name: str) -> None:
    """Freeze the container *name* with its exec sessions; returns when nothing of it runs any more."""
    context.bus.freeze(find_running(context, name).slice)


def resume(context: Context, name: str) -> None:
    """Undo `pause`; harmless on a container that is not frozen."""
    context.bus.thaw(find_running(context, name).slice)


def wait(context: Context, names: Sequence[str], *, timeout: float | None = None) -> list[Ended]:
    """Wait until the containers *names* have ended, or *timeout* seconds; tells how each did."""
    from nsunit.bus.watch import wait_inactive

    return wait_inactive(*(service_name(name) for name in names), timeout=timeout, user=context.user)
