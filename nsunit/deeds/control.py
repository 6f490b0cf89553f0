"""Signals, freezing, and memory taken back."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C half of signal: the Python half imports enum
import os

from nsunit.core.running import CGROUP_ROOT, cgroup_of, find_running
from nsunit.errors import BusError, NsunitError
from nsunit.setup import attributes
from nsunit.storage.files import read_kernel_file
from nsunit.storage.processes import unit_processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context


def kill(context: Context, name: str, *, signal: int, whom: str = "all") -> None:
    """Send *signal* to the payload ("main") or to all processes ("all") of the running container *name*."""
    running = find_running(context, name, ending=True)
    whom = whom if running.unit.endswith(".service") else "all"
    try:
        context.bus.kill(running.unit, whom, signal)
    except BusError:
        if whom != "all" or not _signal_all(running.control_group, signal):
            raise


def _signal_all(control_group: str, number: int) -> int:
    """Send signal *number* to all in *control_group*, where systemd gives up at names that are too long for it.

    Returns how many got it.
    """
    count = 0
    for process in unit_processes(CGROUP_ROOT, control_group):
        try:
            pidfd = os.pidfd_open(process.pid)
        except ProcessLookupError:
            continue
        try:
            if f"{cgroup_of(process.pid)}/".startswith(f"{control_group}/"):  # it is still the same one
                _signal.pidfd_send_signal(pidfd, number)
                count += 1
        except ProcessLookupError:
            continue
        finally:
            os.close(pidfd)
    return count


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
