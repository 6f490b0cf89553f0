"""Limits in a hierarchy: what holds for a container is the tightest of what its cgroup and those above it have.

Pure: the manager reads what systemd was asked for and what the kernel has, this says what follows.
"""

from __future__ import annotations

from nsunit.formats.cgroupfs import cpu_list, cpu_max, nested_keyed, number
from nsunit.plan.ceilings import FILES
from nsunit.record import Record
from nsunit.units import INFINITY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    # What a knob is set to: a number, None for no limit, CPUs or nodes, or a number for each device.
    Value = int | tuple[int, ...] | None

HOST = "host"
_PAGE = 4096  # the kernel rounds sizes down to pages
_IO_MAX = 4  # io.max has this many numbers for each device


class Knob(Record):
    """One limit: the directive `key`, the property `dbus_name`, and the controller that has it.

    `kind`: "limit" (the tightest counts), "protection" (nothing is protected that is not in each ancestor), "set"
    (CPUs, nodes), "weight" (among its neighbours), "device" (a limit for each block device, `field` of io.max).
    `measure`: "bytes", "tasks", "cpu" (µs in a second), "rate" (a second), "list", "weight".
    """

    key: str
    dbus_name: str
    controller: str
    kind: str
    measure: str
    field: str = ""

    @property
    def file(self) -> str:
        """The kernel's file in a cgroup."""
        return FILES.get(self.dbus_name) or f"{self.controller}.{self.kind}"


KNOBS = (
    Knob("CPUQuota", "CPUQuotaPerSecUSec", "cpu", "limit", "cpu"),
    Knob("CPUWeight", "CPUWeight", "cpu", "weight", "weight"),
    Knob("AllowedCPUs", "AllowedCPUs", "cpuset", "set", "list"),
    Knob("AllowedMemoryNodes", "AllowedMemoryNodes", "cpuset", "set", "list"),
    Knob("MemoryMin", "MemoryMin", "memory", "protection", "bytes"),
    Knob("MemoryLow", "MemoryLow", "memory", "protection", "bytes"),
    Knob("MemoryHigh", "MemoryHigh", "memory", "limit", "bytes"),
    Knob("MemoryMax", "MemoryMax", "memory", "limit", "bytes"),
    Knob("MemorySwapMax", "MemorySwapMax", "memory", "limit", "bytes"),
    Knob("MemoryZSwapMax", "MemoryZSwapMax", "memory", "limit", "bytes"),
    Knob("TasksMax", "TasksMax", "pids", "limit", "tasks"),
    Knob("IOWeight", "IOWeight", "io", "weight", "weight"),
    Knob("IOReadBandwidthMax", "IOReadBandwidthMax", "io", "device", "bytes", "rbps"),
    Knob("IOWriteBandwidthMax", "IOWriteBandwidthMax", "io", "device", "bytes", "wbps"),
    Knob("IOReadIOPSMax", "IOReadIOPSMax", "io", "device", "rate", "riops"),
    Knob("IOWriteIOPSMax", "IOWriteIOPSMax", "io", "device", "rate", "wiops"),
)


class Level(Record):
    """One cgroup on the way to the container, by its unit; `asked` is systemd's properties, as D-Bus has them.

    `own` tells those of the container from their ancestors'.  `files` is what the kernel has, None for a file that is
    not there; `exists` tells whether the cgroup is.  `enabled` are the controllers that it hands on to what is below.
    """

    unit: str
    own: bool
    asked: Mapping[str, object]
    files: Mapping[str, str | None]
    enabled: tuple[str, ...]
    exists: bool = True


class Step(Record):
    """What one level says of a knob: asked of systemd, and the kernel's value; `unit` is "host" for the machine's."""

    unit: str
    asked: int | tuple[int, ...] | None
    kernel: int | tuple[int, ...] | None
    text: str | None


class Explanation(Record):
    """All about one knob of a container, `device` (major:minor) for those that have one for each.

    `asked` is the tightest that the container's own units ask for, `effective` what holds, `tightest` the unit that
    makes it so ("host" for the machine itself), `kernel` the content of the file in the container's own cgroup that
    asks for it, else in its service's.
    """

    key: str
    device: str
    file: str
    measure: str
    asked: int | tuple[int, ...] | None
    effective: int | tuple[int, ...] | None
    tightest: str | None
    kernel: str | None
    steps: tuple[Step, ...]
    notes: tuple[str, ...]


def explain(knob: Knob, levels: Sequence[Level], host: Value = None, device: str = "") -> Explanation:
    """Say what *knob* comes to in *levels*, the outermost first; *host* is what the machine itself allows."""
    steps = tuple(_step(knob, level, device) for level in levels)
    own = [step for step, level in zip(steps, levels, strict=True) if level.own]
    asking = [step for step in own if step.asked is not None]
    asked = min((step.asked for step in asking), key=_size, default=None)
    effective, tightest = _effective(knob, steps, levels, host)
    shown = next((step for step in asking if step.asked == asked), own[-1])
    missing = _missing(knob, levels, steps)
    if missing and all(step.text is None for step in own):
        # The kernel knows nothing of it here, so nothing can be said of what limits it.
        return Explanation(knob.key, device, knob.file, knob.measure, asked, None, None, None, steps, tuple(missing))
    notes = (
        *missing,
        *(_lacking(knob, steps, levels, host) if knob.kind == "set" else _moot(knob, asked, tightest, own)),
        *_foreign(knob, steps),
    )
    return Explanation(knob.key, device, knob.file, knob.measure, asked, effective, tightest, shown.text, steps, notes)


def devices_of(levels: Sequence[Level], knob: Knob) -> list[str]:
    """The devices, major:minor, that any of *levels* has a limit for."""
    found: set[str] = set()
    for level in levels:
        asked = level.asked.get(knob.dbus_name)
        found.update(device for device, _ in asked if device) if isinstance(asked, (list, tuple)) else None
        lines = nested_keyed(level.files.get(knob.file) or "")
        found.update(device for device, values in lines.items() if values.get(knob.field, "max") != "max")
    return sorted(found)


def is_said(explanation: Explanation) -> bool:
    """Tell whether anybody has set it, or there is something to say of it."""
    return bool(explanation.notes) or any(step.asked is not None for step in explanation.steps)


def _step(knob: Knob, level: Level, device: str) -> Step:
    text = level.files.get(knob.file)
    return Step(level.unit, _asked(knob, level.asked.get(knob.dbus_name), device), _kernel(knob, text, device), text)


def _asked(knob: Knob, value: object, device: str) -> Value:
    if knob.kind == "device":
        pairs = value if isinstance(value, (list, tuple)) else ()
        limits = [limit for name, limit in pairs if name == device and limit != INFINITY]
        return min(limits, default=None)
    if knob.kind == "set":
        return _mask(value) or None
    if not isinstance(value, int) or value == INFINITY:
        return None
    return None if knob.kind == "protection" and value == 0 else value


def _mask(value: object) -> tuple[int, ...]:
    data = bytes(value) if isinstance(value, (list, tuple, bytes)) else b""
    return tuple(index * 8 + bit for index, byte in enumerate(data) for bit in range(8) if byte >> bit & 1)


def _kernel(knob: Knob, text: str | None, device: str) -> Value:
    if text is None or not text.strip():
        return None
    if knob.kind == "device":
        return number(nested_keyed(text).get(device, {}).get(knob.field, "max"))
    if knob.kind == "set":
        return cpu_list(text)
    if knob.measure == "cpu":
        quota, period = cpu_max(text)
        return None if quota is None else quota * 1_000_000 // period
    value = number(text.split("\n", 1)[0].split()[-1])  # io.weight says `default 100`, and then of devices
    return None if knob.kind == "protection" and value == 0 else value


def _effective(knob: Knob, steps: Sequence[Step], levels: Sequence[Level], host: Value) -> tuple[Value, str | None]:
    """What holds at the innermost level, and who makes it so."""
    if knob.kind == "weight":
        last = next((step for step in reversed(steps) if step.kernel is not None and step.asked is not None), None)
        return (last.kernel, last.unit) if last else (None, None)
    if knob.kind == "set":
        return _common(steps, host)
    found = [(host, HOST)] if isinstance(host, int) else []
    for step, level in zip(steps, levels, strict=True):
        value = step.kernel if level.exists else step.asked
        if isinstance(value, int):
            found.append((value, step.unit))
        elif knob.kind == "protection" and not (level.own and _asks_further_in(step, steps)):
            found.append((0, step.unit))
    # Of equal ones the innermost, which is the container's own if it asks for as much.
    value, unit = min(reversed(found), default=(None, None), key=lambda pair: pair[0])
    if knob.kind == "protection" and value == 0 and not any(step.asked for step in steps):
        return None, None
    return value, unit


def _asks_further_in(step: Step, steps: Sequence[Step]) -> bool:
    """Tell whether *step* is below the one that asks: what is protected as a whole protects what is in it."""
    asking = [index for index, other in enumerate(steps) if other.asked is not None]
    return bool(asking) and steps.index(step) > asking[-1]


def _common(steps: Sequence[Step], host: Value) -> tuple[Value, str | None]:
    """The CPUs or nodes that all levels have, and the innermost level that took some away."""
    if not any(isinstance(value, tuple) and value for step in steps for value in (step.kernel, step.asked)):
        return None, None
    common = host if isinstance(host, tuple) and host else None
    tightest = HOST if common else None
    for step in steps:
        own = step.kernel if isinstance(step.kernel, tuple) and step.kernel else None
        if own is None and isinstance(step.asked, tuple):
            own = step.asked
        if own is None:
            continue
        rest = own if common is None else tuple(cpu for cpu in common if cpu in own)
        # The kernel falls back to the parent's if nothing would be left.  Of equal ones the innermost counts.
        if rest and (rest != common or own == common):
            common, tightest = rest, step.unit
    return common, tightest


def _missing(knob: Knob, levels: Sequence[Level], steps: Sequence[Step]) -> list[str]:
    """The first place in the chain that does not hand the controller on, if a level asks for it in vain."""
    for index, (level, step) in enumerate(zip(levels, steps, strict=True)):
        if step.asked is None or not level.exists or level.files.get(knob.file) is not None:
            continue
        for above in levels[:index]:
            if above.exists and knob.controller not in above.enabled:
                return [
                    f"{level.unit}: {knob.key}= has no effect: the controller {knob.controller} "
                    f"is not enabled below {above.unit}"
                ]
        return [f"{level.unit}: {knob.key}= has no effect: this kernel has no {knob.file}"]
    return []


def _moot(knob: Knob, asked: Value, tightest: str | None, own: Sequence[Step]) -> list[str]:
    if asked is None or tightest is None or tightest in {step.unit for step in own} or knob.kind == "weight":
        return []
    if knob.kind == "protection":
        return [f"{knob.key}= protects less than it says: {tightest} does not protect as much"]
    return [f"{knob.key}= has no effect: {tightest} has a tighter limit"]


def _lacking(knob: Knob, steps: Sequence[Step], levels: Sequence[Level], host: Value) -> list[str]:
    """The innermost ancestor that does not have all CPUs or nodes that the container's units ask for."""
    asked: set[int] = set()
    above = [(HOST, host)]
    for step, level in zip(steps, levels, strict=True):
        if not level.own:
            above.append((step.unit, step.kernel if level.exists else step.asked))
        elif isinstance(step.asked, tuple):
            asked.update(step.asked)
    for unit, value in reversed(above):
        if isinstance(value, tuple) and value and not asked <= set(value):
            return [f"{knob.key}= cannot have all that it asks for: {unit} has less"]
    return []


def _foreign(knob: Knob, steps: Sequence[Step]) -> list[str]:
    """Values in the kernel that systemd has not put there."""
    return [
        f"{step.unit}: {knob.file} is not what systemd was asked for; 'systemctl daemon-reload' may bring it back"
        for step in steps
        if step.asked is not None and step.text is not None and not _is_same(knob, step.asked, step.kernel)
    ]


def _is_same(knob: Knob, asked: Value, kernel: Value) -> bool:
    if isinstance(asked, int) and isinstance(kernel, int):
        if knob.measure == "bytes" and knob.kind != "device":
            return asked // _PAGE == kernel // _PAGE
        if knob.measure == "cpu":  # a quota is at least 1 ms, and whole µs in its period
            return abs(asked - kernel) <= max(asked // 50, 10_000)
        if knob.kind == "weight" and asked == 0:
            return True  # idle
    return asked == kernel


def _size(value: Value) -> int:
    if isinstance(value, tuple):
        return len(value)
    return INFINITY if value is None else value
