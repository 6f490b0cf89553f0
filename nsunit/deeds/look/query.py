"""What there is to know about one container: for `status` and `inspect`."""

from __future__ import annotations

import os

from nsunit.core import listeners as listening
from nsunit.core.running import Running, find_running, host_namespace, just_ended, thread_of, unit_of
from nsunit.core.stored import changed_by_set, defined, differences_from_running, is_known, known, namespace_of_journal
from nsunit.deeds.look.notices import managed_kills
from nsunit.deeds.look.root import ids_of, links_of, moved_links, root_of, steps
from nsunit.deeds.look.sources import files_of
from nsunit.deeds.look.states import ContainerState, failure_that_counts, health_of, is_frozen, number, state_of
from nsunit.definition.load import load_any
from nsunit.definition.search import find, find_group
from nsunit.definition.signals import signal_name
from nsunit.errors import DefinitionError, NotFoundError
from nsunit.features import hooks, kinds_of
from nsunit.names import (
    check_any_name,
    is_group,
    is_pod,
    listener_patterns,
)
from nsunit.plan.change import texts_by_key
from nsunit.record import Record, plain
from nsunit.setup import CGROUP_ROOT, namespaces
from nsunit.setup.main import read_plan
from nsunit.storage import files
from nsunit.storage.files import read_kernel_file
from nsunit.storage.processes import UnitProcess, unit_processes
from nsunit.units import TIMES_OF_RUN, UP, time_was_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from nsunit.core.context import Context
    from nsunit.deeds.look.root import Ids, Root
    from nsunit.definition.model import Definition
    from nsunit.setup.operation import Operation
    from nsunit.storage.health import Health

CLD_EXITED = 1  # of waitid(2): else ExecMainStatus is a signal's number

_KILLED = (2, 3)  # CLD_KILLED, CLD_DUMPED

# All properties of a unit would take systemd several times as long as those that are shown.
_OF_ITSELF = (
    *("LoadState", "ActiveState", "SubState", "ActiveEnterTimestamp", "StateChangeTimestamp", "InactiveExitTimestamp"),
    *("Description", "InvocationID", "FreezerState", "ControlGroup", "Slice", "MainPID", "ExecMainCode"),
    *("ExecMainStatus", "Result", "StatusText", "TasksMax", "MemoryMax", "CPUQuotaPerSecUSec", "OOMKills"),
    *("ManagedOOMKills", *TIMES_OF_RUN),
)
_OF_SLICE = (
    *("MemoryCurrent", "TasksCurrent", "CPUUsageNSec", "FreezerState", "ControlGroup", "TasksMax", "MemoryMax"),
    *("CPUQuotaPerSecUSec", "IOReadBytes", "IOWriteBytes", "ManagedOOMKills"),
)


class Status(Record):
    """What `nsunit status` shows of one container beyond what `nsunit list` does; sizes in bytes, None for unknown."""

    state: ContainerState
    description: str
    sources: tuple[str, ...]
    result: str
    exit_status: int | None  # None where it did not end by itself
    main_command: str
    root: Root | None  # None where it does not run, or has another container's
    ids: Ids | None
    namespaces: dict[str, int]  # kind and inode; those of the host are left out
    frozen: bool
    tasks_limit: int | None
    memory_limit: int | None
    memory_peak: int | None
    cpu_quota: int | None  # µs of CPU time in a second
    io_read: int | None
    io_write: int | None
    oom_kills: int
    managed_oom_kills: int  # by systemd-oomd
    control_group: str
    processes: tuple[UnitProcess, ...]
    notes: tuple[str, ...]
    networks: tuple[str, ...] = ()  # by their names, and links of the host as Network= has them
    addresses: tuple[str, ...] = ()
    ports: tuple[Any, ...] = ()  # of the host, and where they lead: features.network.values.Port
    invocation: str = ""  # of its unit, the last one that is known; empty where systemd was not asked
    timer: str = ""  # what starts it at times
    next_elapse_usec: int | None = None  # when it will, µs since 1970
    last_trigger_usec: int | None = None  # and when it did last
    log_namespace: str = ""  # the journal that the payload writes to, empty for the usual one
    health: Health | None = None
    image: str = ""  # its name in full, empty where the root is none, or it was never started
    image_id: str = ""  # that of the image it has, which 'update' may have chosen
    signal: str = ""  # the name of the one that has killed it


class _Kept:
    """The definition that *name* has: `defined` now, or its `problems`, and which it `runs_with` or will at boot."""

    def __init__(self, context: Context, name: str) -> None:
        self.name = name
        self.defined: Definition | None = None
        self.runs_with: Definition | None = None
        self.problems: tuple[str, ...] = ()
        try:
            self.defined = defined(context, name)
        except DefinitionError as error:
            self.problems = tuple(map(str, error.problems))
        except NotFoundError:
            pass  # made by `run`, or its file was removed while it runs
        try:
            self.runs_with = known(context, name, self.defined)
        except DefinitionError:  # right once: its user has gone since, or systemd is older
            self.runs_with = None

    @property
    def description(self) -> str:
        """What its service is called where systemd has none of it."""
        texts = self.defined.texts_of("Unit") if self.defined else ()
        said = next((text for key, text in texts if key == "Description"), "")
        kind = "Pod" if is_pod(self.name) else "Group" if is_group(self.name) else "Container"
        return said or f"{kind} {self.name}"

    @property
    def features(self) -> tuple[str, ...]:
        """The features of what it runs with."""
        return self.runs_with.container.features if self.runs_with else ()

    @property
    def log_namespace(self) -> str:
        """The journal that it writes to."""
        definition = self.runs_with or self.defined
        return namespace_of_journal(definition) if definition else ""


def status(context: Context, name: str) -> Status:
    """All about the container, group or pod *name*.

    Raises:
        NotFoundError: it is neither loaded nor defined.
    """
    unit = unit_of(context, check_any_name(name))
    properties = context.bus.get(unit, *_OF_ITSELF)
    listeners = listening.by_container(context.bus.list_units(listener_patterns(name))).get(name, listening.NONE)
    state = state_of(context, name, unit, properties, listeners)
    if properties.get("LoadState") == "not-found" and not (state.definition or is_known(context, name)):
        (find_group if is_group(name) else find)(name, context.search)  # raises, and names what is near
    operations = _plan(context, name)
    kept = _Kept(context, name)
    used = kept.features
    active = state.active_state in UP
    running = find_running(context, name) if active and not (is_pod(name) or is_group(name)) else None
    limits = context.bus.get(state.slice, *_OF_SLICE)
    processes = tuple(unit_processes(CGROUP_ROOT, str(limits.get("ControlGroup", "")))) if active else ()
    code = properties.get("ExecMainStatus") if properties.get("ExecMainCode") == CLD_EXITED else None
    ended_by = properties.get("ExecMainStatus") if properties.get("ExecMainCode") in _KILLED else None
    shown = _shown_by_features(context, name, used)
    return Status(
        state=_with_timer(state, shown),
        description=(not is_group(name) and str(properties.get("Description", ""))) or kept.description,
        sources=files_of(context, name) if state.definition else (),
        result=str(properties.get("Result", "")),
        exit_status=code if isinstance(code, int) else None,
        main_command=next((item.command for item in processes if running and item.pid == running.pid), ""),
        root=root_of(operations, links_of(context.paths.runtime_of(name))),
        ids=ids_of(context, name, running.pid if running else None, operations),
        namespaces=private_namespaces(running) if running else _pinned(context, name) if active else {},
        frozen=is_frozen(properties, limits),
        tasks_limit=_tightest(limits, properties, "TasksMax"),
        memory_limit=_tightest(limits, properties, "MemoryMax"),
        memory_peak=_cgroup_number(limits, "memory.peak"),
        cpu_quota=_tightest(limits, properties, "CPUQuotaPerSecUSec"),
        io_read=number(limits, "IOReadBytes"),
        io_write=number(limits, "IOWriteBytes"),
        oom_kills=_kernel_kills(limits, properties),
        managed_oom_kills=_managed_kills(limits, properties),
        control_group=str(limits.get("ControlGroup", "")),
        processes=processes,
        signal=signal_name(ended_by) if isinstance(ended_by, int) else "",
        notes=(
            *((state.note,) if state.note else ()),
            *_notes_of_boot(context, state),
            *(_notes_of_features(context, name, used, operations, processes) if running else ()),
            *_notes(properties, limits),
            *(_notes_of_output(kept) if properties.get("Result") == "exit-code" and not active else ()),
            *(
                _notes_of_changes(context, kept)
                if running and state.definition
                else _notes_of_mistakes(kept, state.note)
            ),
        ),
        invocation=_invocation(context, name, unit, properties),
        log_namespace=kept.log_namespace,
        health=health_of(context, name, properties),
        **shown,
    )


def _with_timer(state: ContainerState, shown: dict[str, Any]) -> ContainerState:
    """*state* as `list` has it, see timed.with_timers: what waits for its time is not just dead."""
    if "next_elapse_usec" not in shown:
        return state
    sub = "waiting" if state.active_state == "inactive" else state.sub_state
    return state.replace(sub_state=sub, next_elapse_usec=shown["next_elapse_usec"])


def _notes_of_boot(context: Context, state: ContainerState) -> list[str]:
    """What `systemctl disable` has left of a container that was enabled; a pod's file is for its containers as well."""
    if state.enabled or is_pod(state.name) or not context.paths.is_enabled(state.name):
        return []
    return ["it has unit files, but no link of [Install] by which it is started at boot"]


def _pinned(context: Context, name: str) -> dict[str, int]:
    """Kind and inode of each namespace that pod *name* keeps."""
    place = f"{context.paths.namespaces}/{name}"
    return {kind: os.stat(f"{place}/{kind}").st_ino for kind in files.list_directory(place) if kind[0] != "."}


def _shown_by_features(context: Context, name: str, used: tuple[str, ...]) -> dict[str, Any]:
    """Fields of Status that features know."""
    found: dict[str, Any] = {}
    for show in hooks(used, "deeds.shown"):
        found |= show(context, name)
    return found


def _notes_of_features(
    context: Context, name: str, used: tuple[str, ...], operations: list[Operation], processes: Sequence[UnitProcess]
) -> list[str]:
    return [line for notes in hooks(used, "deeds.notes") for line in notes(context, name, operations, processes)]


def _notes(properties: dict[str, object], limits: dict[str, object]) -> list[str]:
    notes = ["it was stopped, as its time was up (RuntimeMaxSec=)"] if time_was_up(properties) else []
    if managed := _managed_kills(limits, properties):
        times = "once" if managed == 1 else f"{managed} times"
        notes.append(f"systemd-oomd killed in it {times}; 'journalctl -u systemd-oomd' says why")
    elif properties.get("Result") == "oom-kill":
        notes.append("the kernel killed it for lack of memory; raise MemoryMax= of the container or its slices")
    elif kills := _oom_kills(limits):
        notes.append(f"the kernel killed {kills} of its processes for lack of memory")
    partition = (_cgroup_file(limits, "cpuset.cpus.partition") or "").strip()
    if "invalid" in partition:
        notes.append(f"its CPUs are not its own, CPUSetPartition= has no effect: the kernel says '{partition}'")
    if text := str(properties.get("StatusText", "")):
        notes.append(text)
    return notes


def _notes_of_output(kept: _Kept) -> list[str]:
    """Where a program that has failed has told why, if that is not the journal."""
    definition = kept.runs_with or kept.defined
    texts = dict(definition.texts_of("Service")) if definition else {}
    key = next((key for key in ("StandardError", "StandardOutput") if texts.get(key, "inherit") != "inherit"), "")
    path = texts[key].partition(":")[2] if key else ""
    if not path.startswith("/"):
        return []
    by_name = "a program that opens /dev/stdout or /dev/stderr by name needs Output=pipe in [Container]"
    return [f"what it has said of that is in '{path}' ({key}=)" + ("" if "output" in kept.features else f"; {by_name}")]


def _notes_of_changes(context: Context, kept: _Kept) -> list[str]:
    """How what runs differs from what would be started now."""
    name = kept.name
    notes = [
        f"'{path}' has led to '{before}' when it was started, and leads to '{now}' now"
        for path, (before, now) in moved_links(context.paths.runtime_of(name)).items()
    ]
    if changes := _set_since(context, kept):
        notes.append(f"'nsunit set' has changed it since it was started, until it stops: {', '.join(changes)}")
    if changes := _differences(context, kept):
        notes.append(f"it runs with another definition than it has now ('nsunit plan {name}' says what changes how):")
        notes += changes
    return notes


def inspect(context: Context, name: str) -> dict[str, object]:
    """Everything about container *name* as plain JSON values: state, definition, unit properties, set-up plan.

    Of a group, `shop.slice`, its members instead of what runs.
    """
    for of_kind in hooks(kinds_of(name), "deeds.inspect"):
        described: dict[str, object] = of_kind(context, name)
        return described
    found = status(context, name)
    document = plain(found)
    assert isinstance(document, dict)
    document["definition"] = _assignments(context, name)
    document["setup"] = steps(_plan(context, name))
    document["properties"] = {
        unit: plain(context.bus.properties(unit)) for unit in (found.state.unit, found.state.slice)
    }
    return document


def private_namespaces(running: Running) -> dict[str, int]:
    """Kind and inode of each namespace the payload does not share with the host's process 1."""
    found, process = {}, thread_of(running.pid)
    for kind in namespaces.KINDS:
        try:
            inode = os.stat(f"{process}/ns/{kind}").st_ino
        except (FileNotFoundError, ProcessLookupError):
            raise just_ended(running.name) from None
        if inode != host_namespace(kind):
            found[kind] = inode
    return found


def _invocation(context: Context, name: str, unit: str, properties: dict[str, object]) -> str:
    if properties.get("ActiveState") not in UP and (failure := failure_that_counts(context, name, unit)):
        return failure.invocation
    value = properties.get("InvocationID")
    return bytes(value).hex() if isinstance(value, (list, tuple, bytes)) else ""


def _tightest(limits: dict[str, object], properties: dict[str, object], key: str) -> int | None:
    found = [value for value in (number(limits, key), number(properties, key)) if value is not None]
    return min(found, default=None)


def _cgroup_file(properties: dict[str, object], name: str) -> str | None:
    group = properties.get("ControlGroup")
    if not isinstance(group, str) or not group:
        return None
    return read_kernel_file(f"{CGROUP_ROOT}{group}/{name}")


def _cgroup_number(properties: dict[str, object], name: str) -> int | None:
    content = _cgroup_file(properties, name)
    return int(content) if content and content.strip().isdigit() else None


def _oom_kills(properties: dict[str, object]) -> int:
    content = _cgroup_file(properties, "memory.events") or ""
    return next((int(line.split()[1]) for line in content.splitlines() if line.startswith("oom_kill ")), 0)


def _kernel_kills(limits: dict[str, object], properties: dict[str, object]) -> int:
    """How often the kernel has killed in it: as its cgroup says; once that has gone, the Result= tells of one."""
    known = max(_oom_kills(limits), number(properties, "OOMKills") or 0)
    return max(known, 1) if properties.get("Result") == "oom-kill" else known


def _managed_kills(limits: dict[str, object], properties: dict[str, object]) -> int:
    """How often systemd-oomd has killed in it: as its cgroups say, and once they have gone the unit (systemd 259)."""
    group = limits.get("ControlGroup")
    counted = managed_kills(f"{CGROUP_ROOT}{group}") if group else 0
    return max(counted, number(properties, "ManagedOOMKills") or 0)


def _plan(context: Context, name: str) -> list[Operation]:
    try:
        return read_plan(context.paths.runtime_of(name))
    except FileNotFoundError:
        return []


def _notes_of_mistakes(kept: _Kept, said: str) -> tuple[str, ...]:
    if not kept.problems or kept.problems[0] in said:  # it is what the start was refused for
        return ()
    more = f" and {len(kept.problems) - 1} more, see 'nsunit verify {kept.name}'" if len(kept.problems) > 1 else ""
    return (f"its definition has a mistake: {kept.problems[0]}{more}",)


def _differences(context: Context, kept: _Kept) -> tuple[str, ...]:
    if kept.defined is None or kept.defined is kept.runs_with:
        return kept.problems
    return differences_from_running(context, kept.defined)


def _set_since(context: Context, kept: _Kept) -> tuple[str, ...]:
    if kept.defined is None or kept.runs_with is None:  # `_differences` tells
        return ()
    now = texts_by_key(kept.defined.assignments)
    return tuple(
        f"[{item.section}] {item.key}={item.new}"
        for item in changed_by_set(context, kept.runs_with)
        if "; ".join(now.get((item.section, item.key), [])) == item.old
    )


def _assignments(context: Context, name: str) -> list[dict[str, str]]:
    try:
        definition = load_any(name, context.search, context.host)
    except NotFoundError:
        return []  # made by `run`, or its file was removed while it runs
    return [{"section": item.section, "key": item.key, "value": item.text} for item in definition.assignments]
