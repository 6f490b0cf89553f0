"""The verb `stats` with --prometheus: its text format, for instance for the node exporter's textfile collector."""

from __future__ import annotations

import sys

from nsunit.cli import fail
from nsunit.cli.look.stats import sampler_of
from nsunit.errors import UsageError
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nsunit.cli.verbs import Invocation
    from nsunit.errors import NsunitError
    from nsunit.plan.usage import Usage


class Metric(Record):
    """One family of samples: where its value stands in `Usage`, and what one of it is in the metric's unit."""

    name: str
    type: str
    help: str
    field: str
    scale: float = 1


_MICROSECOND = 1e-6


def _pressure(resource: str, degree: str, what: str) -> Metric:
    name = f"pressure_{resource}_{'waiting' if degree == 'some' else 'stalled'}_seconds_total"
    return Metric(name, "counter", what, f"pressure.{resource}.{degree}_total_usec", _MICROSECOND)


METRICS = (
    Metric("cpu_seconds_total", "counter", "CPU time used", "cpu.usage_usec", _MICROSECOND),
    Metric("cpu_user_seconds_total", "counter", "CPU time used by programs", "cpu.user_usec", _MICROSECOND),
    Metric("cpu_system_seconds_total", "counter", "CPU time used by the kernel", "cpu.system_usec", _MICROSECOND),
    Metric("cpu_throttled_seconds_total", "counter", "Time held back by CPUQuota=", "cpu.throttled_usec", _MICROSECOND),
    Metric("memory_bytes", "gauge", "Memory in use", "memory.current"),
    Metric("memory_peak_bytes", "gauge", "Most memory ever in use", "memory.peak"),
    Metric("memory_high_bytes", "gauge", "MemoryHigh=", "memory.high"),
    Metric("memory_max_bytes", "gauge", "MemoryMax=", "memory.max"),
    Metric("memory_high_events_total", "counter", "Times throttled at MemoryHigh=", "memory.high_events"),
    Metric("memory_max_events_total", "counter", "Times MemoryMax= was reached", "memory.max_events"),
    Metric("oom_kills_total", "counter", "Processes killed for lack of memory", "memory.oom_kills"),
    Metric("managed_oom_kills_total", "counter", "Times systemd-oomd killed in it", "managed_oom_kills"),
    Metric("frozen_seconds_total", "counter", "Time in which it was paused", "frozen_usec", _MICROSECOND),
    Metric("swap_bytes", "gauge", "Swap in use", "swap.current"),
    Metric("tasks", "gauge", "Processes and threads", "tasks.current"),
    Metric("tasks_max", "gauge", "TasksMax=", "tasks.max"),
    Metric("io_read_bytes_total", "counter", "Read from block devices", "io.read_bytes"),
    Metric("io_written_bytes_total", "counter", "Written to block devices", "io.write_bytes"),
    Metric("io_reads_total", "counter", "Reads from block devices", "io.read_operations"),
    Metric("io_writes_total", "counter", "Writes to block devices", "io.write_operations"),
    Metric("network_received_bytes_total", "counter", "Received in a network of its own", "network.receive_bytes"),
    Metric("network_sent_bytes_total", "counter", "Sent in a network of its own", "network.transmit_bytes"),
    _pressure("cpu", "some", "Time in which something waited for a CPU"),
    _pressure("memory", "some", "Time in which something waited for memory"),
    _pressure("memory", "full", "Time in which everything waited for memory"),
    _pressure("io", "some", "Time in which something waited for a disk"),
    _pressure("io", "full", "Time in which everything waited for a disk"),
)
_KINDS = {
    "container": "of a container",
    "session": "of an exec session",
    "group": "of a group of containers",
    "pod": "of a pod",
    "total": "of all containers",
}


def print_exposition(invocation: Invocation) -> int:
    """The verb `stats` with --prometheus."""
    if invocation.flag("json"):
        raise UsageError("--json and --prometheus exclude each other", hint="give one of them")
    if invocation.flag("watch"):
        raise UsageError("--watch and --prometheus exclude each other", hint="Prometheus asks again and again itself")
    absent: list[NsunitError] = []
    sys.stdout.write(exposition(sampler_of(invocation).sample(invocation.operands, absent).usages))
    sys.stdout.flush()
    return fail(absent)


def exposition(usages: Iterable[Usage]) -> str:
    """The text: a family for each metric and kind, without those that nothing is known of."""
    everything = list(usages)
    lines = []
    for kind, whose in _KINDS.items():
        members = [item for item in everything if item.kind == kind]
        for metric in METRICS:
            samples = [(item, _value(item, metric)) for item in members]
            known = [(item, value) for item, value in samples if value is not None]
            if known:
                name = f"nsunit_{kind}_{metric.name}"
                lines += [f"# HELP {name} {metric.help}, {whose}", f"# TYPE {name} {metric.type}"]
                lines += [f"{name}{_labels(item)} {value:.15g}" for item, value in known]
    return "".join(line + "\n" for line in lines)


def _value(item: Usage, metric: Metric) -> float | None:
    value: object = item
    for name in metric.field.split("."):
        value = getattr(value, name)
        if value is None:
            return None
    assert isinstance(value, (int, float)), f"{metric.field} is not a number"
    return value * metric.scale if metric.scale != 1 else value


def _labels(item: Usage) -> str:
    if item.kind == "total":
        return ""
    pairs: Sequence[tuple[str, str]] = [(item.kind, item.name)]
    if item.kind == "session":
        pairs = [("container", item.container), ("session", item.name)]
    if item.groups and item.kind != "session":
        pairs = [*pairs, ("parent", item.groups[-1])]
    # Names of containers need no escape, those of units may have a backslash.
    return "{" + ",".join(f'{key}="{_escaped(value)}"' for key, value in pairs) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
