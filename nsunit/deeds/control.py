"""Signals, reloading, freezing, and memory taken back."""

from __future__ import annotations

from nsunit.core.jobs import GRACE_SECONDS, unfinished
from nsunit.core.running import find_running
from nsunit.errors import NsunitError
from nsunit.setup import attributes
from nsunit.storage.files import read_kernel_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context


def kill(context: Context, name: str, *, signal: int, whom: str = "all") -> None:
    """Send *signal* to the payload ("main") or to all processes ("all") of the running container *name*."""
    running = find_running(context, name)
    context.bus.kill(running.unit, whom if running.unit.endswith(".service") else "all", signal)


def reload(context: Context, name: str) -> None:
    """Have the running container *name* read its settings again, as its unit says; returns when it has.

    Raises:
        NotFoundError: it does not run.
        NsunitError: its unit has neither ExecReload= nor ReloadSignal=, or they did not succeed.
    """
    unit = find_running(context, name).unit
    state = context.bus.get(unit, "CanReload", "TimeoutStartUSec")
    if not state.get("CanReload"):
        raise NsunitError(
            f"{name}: it runs without ExecReload= and ReloadSignal=",
            hint=f"add ExecReload=/bin/kill -HUP $MAINPID to [Service], or 'nsunit kill -s HUP {name}' for once",
        )
    limit = state.get("TimeoutStartUSec")
    seconds = min(limit / 1_000_000, 86400.0) if isinstance(limit, int) else 0.0
    job = context.bus.reload_unit(unit)
    result = context.bus.wait(job, seconds + GRACE_SECONDS)
    if result != "done":
        raise unfinished(name, "the reload", unit, result)


def pause(context: Context, name: str) -> None:
    """Freeze the container *name* with its exec sessions; returns when nothing of it runs any more."""
    context.bus.freeze(find_running(context, name).slice)


def resume(context: Context, name: str) -> None:
    """Undo `pause`; harmless on a container that is not frozen."""
    context.bus.thaw(find_running(context, name).slice)


def reclaim(context: Context, name: str, amount: int) -> tuple[int, int, bool]:
    """Have the kernel take *amount* bytes of memory from the running container *name* (memory.reclaim).

    Returns what it used before and after, and whether the kernel found as much as it was asked for.

    Raises:
        NotFoundError: it does not run.
        NsunitError: it has no memory controller.
    """
    directory = attributes.ROOT + find_running(context, name).control_group
    before = _used(directory)
    found = True
    try:
        attributes.write_file(f"{directory}/memory.reclaim", str(amount))
    except BlockingIOError:
        found = False
    except FileNotFoundError as error:
        raise NsunitError(
            f"{name}: its control group has no memory controller", hint="see [Service] Delegate="
        ) from error
    return before, _used(directory), found


def _used(directory: str) -> int:
    return int(read_kernel_file(f"{directory}/memory.current") or 0)
