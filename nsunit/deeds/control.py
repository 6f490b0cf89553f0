"""Signals, reloading, freezing, and memory taken back."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C half of signal: the Python half imports enum
import os

from nsunit.core.jobs import GRACE_SECONDS, unfinished
from nsunit.core.running import SIGKILL, cgroup_of, find_running, whom_to_kill
from nsunit.errors import BusError, NsunitError
from nsunit.setup import CGROUP_ROOT, attributes
from nsunit.storage.files import read_kernel_file
from nsunit.storage.processes import unit_processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context


def kill(context: Context, name: str, *, signal: int, whom: str = "all") -> None:
    """Send *signal* to the payload ("main") or to all processes ("all") of the running container *name*."""
    running = find_running(context, name, ending=True)
    if running.unit.endswith(".scope"):
        whom = "all"  # systemd knows no main process of it
    elif signal == SIGKILL and whom == "all":
        whom = whom_to_kill(running.pid)
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
    """Undo `pause`, and `systemctl freeze` of its service; harmless on a container that is not frozen.

    Raises:
        NotFoundError: it does not run.
        NsunitError: a slice around it is frozen, which is not the container's own matter.
    """
    running = find_running(context, name)
    above = os.path.dirname(os.path.dirname(running.control_group))
    if frozen := _frozen_slice(above):
        raise NsunitError(
            f"{name}: it stays paused, as '{frozen}' around it is frozen", hint=f"systemctl thaw '{frozen}'"
        )
    context.bus.thaw(running.slice)
    if context.bus.get(running.unit, "FreezerState").get("FreezerState") == "frozen":  # by itself
        context.bus.thaw(running.unit)


def _frozen_slice(control_group: str) -> str:
    """The slice at *control_group*, or the innermost one above it, that is frozen; empty if there is none."""
    while control_group not in ("", "/"):
        if (read_kernel_file(f"{CGROUP_ROOT}{control_group}/cgroup.freeze") or "").startswith("1"):
            return os.path.basename(control_group)
        control_group = os.path.dirname(control_group)
    return ""


def reclaim(context: Context, name: str, amount: int) -> tuple[int, int, bool]:
    """Have the kernel take *amount* bytes of memory from the running container *name* (memory.reclaim).

    Returns what it used before and after, and whether the kernel found as much as it was asked for.

    Raises:
        NotFoundError: it does not run.
        NsunitError: it has no memory controller.
    """
    directory = CGROUP_ROOT + find_running(context, name).control_group
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
