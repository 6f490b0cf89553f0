"""Signals, freezing, and memory taken back."""

from __future__ import annotations

from nsunit.core.running import find_running
from nsunit.errors import NsunitError
from nsunit.setup import attributes
from nsunit.storage.files import read_kernel_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context


def kill(context: Context, name: str, *, signal: int, whom: str = "all") -> None:
    """Send *signal* to the payload ("main") or to all processes ("all") of the running container *name*."""
    running = find_running(context, name, ending=True)
    context.bus.kill(running.unit, whom if running.unit.endswith(".service") else "all", signal)


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
