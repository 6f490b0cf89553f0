"""Find a container's payload, and be sure that it is the one."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C half of signal: the Python half imports enum
import os
import sys

from nsunit import setup
from nsunit.errors import DefinitionError, NotFoundError, NsunitError
from nsunit.names import (
    escape,
    group_of_pod,
    group_slice,
    is_group,
    is_pod,
    is_slice_of,
    service_name,
    slice_name,
)
from nsunit.record import Record
from nsunit.setup import CGROUP_ROOT
from nsunit.storage.files import read_kernel_file
from nsunit.units import DOWN, PAYLOAD_SUBGROUP, UP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from nsunit.core.context import Context

SIGKILL = 9
_RT_SIGTIMEDWAIT = {"x86_64": "128", "aarch64": "137"}
_LOOKS = 3
_STATE = ("ActiveState", "InvocationID", "ControlGroup", "MainPID")


class Running(Record):
    """A container that runs: its unit, that unit's cgroup and invocation, and the payload's PID on the host."""

    name: str
    unit: str
    control_group: str
    invocation: str
    pid: int

    @property
    def slice(self) -> str:
        """The slice it is in, which carries its limits."""
        return os.path.basename(os.path.dirname(self.control_group))


def find_running(context: Context, name: str, *, ending: bool = False, instead: str = "") -> Running:
    """The running container *name*; with *ending*, also one that was told to end and has not.

    *instead* is what the caller hints at where it does not run, other than to start it.

    Raises:
        NotFoundError: it does not run, is not up yet, or is not defined.
    """
    unit = service_name(name)
    state = context.bus.get(unit, *_STATE)
    if state.get("ActiveState") in DOWN:
        unit = _foreground_scope(context, name) or unit
        state = context.bus.get(unit, *_STATE)
    active = state.get("ActiveState")
    if is_pod(name):
        hint = f"name one of its containers; 'nsunit list --tree' shows them below '{name}'"
        raise NotFoundError(f"{name}: a pod has no process of its own", hint=hint)
    main_pid = state.get("MainPID")  # a scope has none
    # A payload that tells itself when it is ready can be looked at before: a system that does not come up, say.
    early = ("activating", "deactivating") if ending else ("activating",)
    is_up = active in UP or (active in early and isinstance(main_pid, int) and _is_first(main_pid))
    if active == "activating" and not is_up:
        raise NotFoundError(f"{name}: it is still starting", hint=f"see how far it is with 'nsunit status {name}'")
    if not is_up:
        from nsunit.definition.search import find  # only for an error

        find(name, context.search)  # one that is not defined is not to be started
        raise NotFoundError(f"{name}: it is not running", hint=instead or f"start it with 'nsunit start {name}'")
    control_group = str(state.get("ControlGroup", ""))
    check_own(name, unit, "loaded", os.path.basename(os.path.dirname(control_group)))
    pid = main_pid if isinstance(main_pid, int) and main_pid > 0 else first_process(control_group)
    if not pid:
        raise just_ended(name)
    return Running(name, unit, control_group, _hexadecimal(state.get("InvocationID")), pid)


def check_own(name: str, unit: str, load_state: object, slice_: str) -> None:
    """See that *unit*, which systemd has loaded in *slice_*, is that of container *name*, and not only called so.

    Raises:
        NotFoundError: somebody else has made it.
    """
    if load_state == "loaded" and slice_ and not is_pod(name) and not is_slice_of(slice_, name):
        raise NotFoundError(
            f"{name}: '{unit}' is there and was not made by nsunit", hint=f"see 'systemctl status {unit}'"
        )


def not_own(context: Context, name: str, unit: str, path: str) -> NsunitError:
    """The error that *name* cannot have its *unit*, as somebody else's file for it is at *path*: another, or a mask."""
    if os.path.realpath(path) == os.devnull:
        how = f"{'--user ' if context.user else ''}unmask {'--runtime ' if path.startswith('/run/') else ''}{unit}"
        return NsunitError(f"{name}: '{unit}' is masked ('{path}')", hint=f"'systemctl {how}' lets it start")
    return NsunitError(
        f"{name}: '{unit}' is there already and was not made by nsunit ('{path}')",
        hint="remove that unit file, or give the container another name",
    )


def unit_of(context: Context, name: str) -> str:
    """The unit that runs container *name*: the scope of a foreground `run` where there is one, else the service.

    Of a group, `shop.slice`, that is its slice.
    """
    if is_group(name):
        return group_slice(name)
    return _foreground_scope(context, name) or service_name(name)


def unit_and_state(context: Context, name: str, *properties: str) -> tuple[str, dict[str, object]]:
    """`unit_of` container *name*, with *properties* of it, of which ActiveState is one.

    For the scope systemd goes through all of its units, so it is asked for only where the service does not run.
    """
    unit = service_name(name)
    state = context.bus.get(unit, *properties)
    if state.get("ActiveState") in DOWN and (scope := _foreground_scope(context, name)):
        return scope, context.bus.get(scope, *properties)
    return unit, state


def is_running(context: Context, name: str) -> bool:
    """Whether container *name* runs, or is about to start or end."""
    state = context.bus.get(unit_of(context, name), "ActiveState").get("ActiveState")
    return state not in DOWN


def slice_of(context: Context, name: str) -> str:
    """The slice that carries the limits of container, group or pod *name*: as it runs, or else as it is defined."""
    if is_group(name):
        return group_slice(name)
    if is_pod(name):
        return group_slice(group_of_pod(name))
    sessions = (unit.name for unit in context.bus.list_units([f"nsunit-{escape(name)}-exec-*.scope"]))
    for unit in (unit_of(context, name), *sessions):
        slice_ = str(context.bus.get(unit, "Slice").get("Slice", ""))
        if is_slice_of(slice_, name):
            return slice_
    return slice_as_defined(context, name)


def slice_as_defined(context: Context, name: str) -> str:
    """The slice that container *name* would have if it were started now; without a usable definition no group's."""
    from nsunit.definition.load import load  # of one that does not run

    try:
        return slice_name(name, load(name, context.search, context.host).container.slice)
    except (NotFoundError, DefinitionError):
        return slice_name(name)


def _foreground_scope(context: Context, name: str) -> str | None:
    # A backslash of a unit's name stands for itself here: systemd matches with FNM_NOESCAPE.
    scopes = context.bus.list_units([f"nsunit-{escape(name)}-run-*.scope"])
    return next((scope.name for scope in scopes if scope.active_state == "active"), None)


def open_pidfd(context: Context, running: Running) -> int:
    """A pidfd of the payload that certainly belongs to *running*, whatever happened since it was looked up.

    The number may have been given to another process meanwhile.  So the descriptor is opened first, and only then are
    the process's cgroup and the unit's invocation compared with what they should be.

    Raises:
        NotFoundError: the container has ended, or was restarted.
    """
    try:
        pidfd = os.pidfd_open(running.pid)
    except ProcessLookupError:
        raise just_ended(running.name) from None
    try:
        invocation = _invocation(context, running.unit)
        is_its_own = f"{cgroup_of(running.pid)}/".startswith(f"{running.control_group}/")
    except BaseException:
        os.close(pidfd)
        raise
    if invocation == running.invocation and is_its_own:
        return pidfd
    os.close(pidfd)
    if invocation in (None, running.invocation):
        raise just_ended(running.name)
    raise NotFoundError(f"{running.name}: it was restarted meanwhile", hint="run the command again")


def is_same(context: Context, running: Running) -> bool:
    """Whether the unit of *running* is up, and has not been started anew."""
    return _invocation(context, running.unit) == running.invocation


def _invocation(context: Context, unit: str) -> str | None:
    """The InvocationID of *unit*, None unless it is up."""
    state = context.bus.get(unit, "ActiveState", "InvocationID")
    if state.get("ActiveState") not in (*UP, "activating"):
        return None
    return _hexadecimal(state.get("InvocationID", ())) or None  # it may end, and be unloaded, between the two answers


def check_alive(running: Running, pidfd: int) -> None:
    """Make sure that the process behind *pidfd* lives, so that its number has meant it all the time until now.

    Raises:
        NotFoundError: it has ended.
    """
    try:
        _signal.pidfd_send_signal(pidfd, 0)
    except ProcessLookupError:
        raise just_ended(running.name) from None


def just_ended(name: str, pid: int = 0) -> NotFoundError:
    """The answer to whoever wanted something of container *name* while that, with its payload *pid*, ended."""
    if pid and thread_of(pid) != f"/proc/{pid}":
        text = f"{name}: the first thread of its program has ended, and the kernel lets nobody in any more"
        return NotFoundError(text, hint=f"it goes on; as root 'nsunit enter {name}' joins another thread of it")
    return NotFoundError(f"{name}: it has just ended", hint=f"start it again with 'nsunit start {name}'")


def thread_of(pid: int) -> str:
    """The directory in /proc of process *pid*, or where its first thread has ended alone, that of another one.

    By pthread_exit(3) it does, and then it has no namespaces any more, though the program goes on.
    """
    others = []
    if (status_field(pid, "State") or "").startswith("Z") and status_field(pid, "Threads") not in ("1", None):
        try:
            others = [int(thread) for thread in os.listdir(f"/proc/{pid}/task") if int(thread) != pid]
        except (FileNotFoundError, ProcessLookupError):
            pass  # all of it has ended since
    return f"/proc/{pid}/task/{min(others)}" if others else f"/proc/{pid}"


def deaf_to(state: Mapping[str, object]) -> int:
    """The stop signal of a unit with these properties, if its main process has no handler for it; else 0.

    Where ExecStop= has a way of its own to ask it, it is none.
    """
    pid, number = state.get("MainPID"), state.get("KillSignal")
    if not isinstance(pid, int) or pid <= 0 or not isinstance(number, int) or state.get("ExecStop"):
        return 0
    return 0 if catches(pid, number) else number


def is_frozen(running: Running) -> bool:
    """Whether nothing of *running* runs, because it or a slice above it is frozen; False if it has just ended."""
    return "frozen 1\n" in (read_kernel_file(f"{CGROUP_ROOT}{running.control_group}/cgroup.events") or "")


def cgroup_of(pid: int) -> str:
    """The version 2 cgroup of process *pid*, empty if it is gone."""
    try:
        return setup.cgroup_of(str(pid))
    except (FileNotFoundError, ProcessLookupError):
        return ""


def status_field(pid: int, field: str) -> str | None:
    """A field of /proc/PID/status, proc_pid_status(5); None if the process is gone."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            for line in file:
                if line.startswith(field + ":"):
                    return line.partition(":")[2].strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    raise NsunitError(f"this kernel's /proc/PID/status has no field {field}")


def host_namespace(kind: str) -> int:
    """The inode of the host's namespace of *kind*; a user may not look at process 1, but lives in the same ones."""
    try:
        return os.stat(f"/proc/1/ns/{kind}").st_ino
    except PermissionError:
        return os.stat(f"/proc/self/ns/{kind}").st_ino


def catches(pid: int, number: int) -> bool:
    """Whether signal *number* means something to process *pid*, the process 1 of a container, or it is gone.

    The kernel drops a signal that such a process has no handler for (pid_namespaces(7)).  One that blocks the signal
    waits for it in another way: signalfd(2), sigwait(3).  SIGKILL from outside needs no handler.
    """
    if number == SIGKILL:
        return True
    # One may begin or end to wait between two looks; so few of them that all miss it.
    return any(_has_in_mask(pid, number) or _waits_for(pid, number) for _ in range(_LOOKS))


def _has_in_mask(pid: int, number: int) -> bool:
    masks = [status_field(pid, field) for field in ("SigCgt", "SigBlk")]
    return any(mask is None or int(mask, 16) >> (number - 1) & 1 for mask in masks)


def _waits_for(pid: int, number: int) -> bool:
    """Whether it is in rt_sigtimedwait(2) for the signal, which SigBlk lacks for as long: see findings/sigwait-mask."""
    try:
        with open(f"/proc/{pid}/syscall", encoding="utf-8") as file:
            call, _, rest = file.read().partition(" ")
        if call != _RT_SIGTIMEDWAIT.get(os.uname().machine):
            return False
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
            memory.seek(int(rest.partition(" ")[0], 16))
            return bool(int.from_bytes(memory.read(8), sys.byteorder) >> (number - 1) & 1)
    except (FileNotFoundError, ProcessLookupError):
        return True
    except OSError:
        return False  # it has gone on since, or nobody may look


def whom_to_kill(pid: int) -> str:
    """Whom of a unit SIGKILL is to be sent, whose main process is *pid*, so that the whole container ends by it.

    All ends with a process 1.  What else is in the unit is nsunit's, and carries what the program has said last.
    """
    return "main" if _is_first(pid) else "all"


def first_process(control_group: str) -> int:
    """The payload in the cgroup *control_group*; 0 if nothing runs there."""
    # The payload is process 1 of its own PID namespace, the only one with exactly that number in the innermost one.
    # Where it shares one it is the oldest that leads a session; a process that only sets it up leads none.
    leaders = []
    payload = f"{CGROUP_ROOT}{control_group}/{PAYLOAD_SUBGROUP}"
    # A systemd inside has moved itself.
    for path in (payload, f"{payload}/init.scope", f"{CGROUP_ROOT}{control_group}"):
        pids = [int(pid) for pid in (read_kernel_file(f"{path}/cgroup.procs") or "").split()]
        for pid in pids:
            if _is_first(pid):
                return pid
        leaders += [(start, pid) for pid in pids if (start := _start_of_session(pid))]
    return min(leaders, default=(0, 0))[1]


def _start_of_session(pid: int) -> int:
    """When process *pid* started, in clock ticks since boot, if it leads a session; else 0."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="surrogateescape") as file:
            fields = file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(fields[19]) if int(fields[3]) == pid else 0


def _is_first(pid: int) -> bool:
    """Whether process *pid* is process 1 of a PID namespace other than the host's."""
    numbers = (status_field(pid, "NSpid") or "").split() if pid > 0 else []
    return len(numbers) > 1 and numbers[-1] == "1"


def _hexadecimal(value: object) -> str:
    return bytes(value).hex() if isinstance(value, (list, tuple, bytes)) else str(value)
