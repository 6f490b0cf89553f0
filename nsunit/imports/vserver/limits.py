"""Limits of a vserver: rlimits of all of it, ulimits of each process, the scheduler, and control groups."""

from __future__ import annotations

from nsunit.imports import cgroups
from nsunit.imports.model import NotCarried
from nsunit.imports.vserver.files import at, first_of, lines_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.imports.podman.target import Target

    Files = dict[str, str]

_PAGE = 4096
_ULIMITS = "as core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio sigpending stack".split()
_IN_PAGES = ("as", "rss", "memlock", "anon", "shmem")
# What VServer counted of all processes together has these keys; of others each process has its own.
_INSTEAD = {
    "as": ("what is asked for is not limited", "use [Slice] MemoryMax="),
    "anon": ("memory of all kinds is limited together", "use [Slice] MemoryMax="),
    "shmem": ("memory of all kinds is limited together", "use ShmSize="),
    "locks": ("the kernel has no such limit", "leave it out"),
    "nsock": ("the kernel has no such limit", "leave it out"),
    "dentry": ("the kernel's memory is in the limit of memory", "use [Slice] MemoryMax="),
    "semary": ("the kernel limits those of a namespace", "use Sysctl=kernel.sem="),
    "nsems": ("the kernel limits those of a namespace", "use Sysctl=kernel.sem="),
}


def _by_resource(folder: str, files: Files) -> dict[str, dict[str, str]]:
    """What is said of each resource: soft, hard, min, by the files RESOURCE, RESOURCE.hard and the like."""
    found: dict[str, dict[str, str]] = {}
    for key, text in files.items():
        if not key.startswith(f"{folder}/"):
            continue
        resource, _, which = key.partition("/")[2].partition(".")
        value = first_of(text)
        said = found.setdefault(resource, {})
        for name in (which,) if which else ("soft", "hard"):
            said.setdefault(name, "infinity" if value in ("inf", "infinity", "-1") else value)
    return found


def rlimits(target: Target, root: str, files: Files) -> None:
    """`rlimits/RESOURCE`: of memory in pages, and of all processes together."""
    for resource, said in _by_resource("rlimits", files).items():
        name = f"rlimits/{resource}"
        target.origin = at(root, name)
        try:
            _rlimit(target, resource, said)
        except NotCarried as lost:
            target.remark(lost.reason, lost.instead)


def _rlimit(target: Target, resource: str, said: dict[str, str]) -> None:
    if resource in _INSTEAD:
        raise NotCarried(*_INSTEAD[resource])
    known = {key: _amount(value, _PAGE if resource in _IN_PAGES else 1) for key, value in said.items()}
    soft, hard = known.get("soft"), known.get("hard")
    least = known.get("min")
    if resource == "rss":
        for key, value in (("MemoryLow", least), ("MemoryHigh", soft if soft != hard else None), ("MemoryMax", hard)):
            if value not in (None, "infinity"):
                target.say(key, str(value), "Slice")
        return
    if least is not None:
        target.remark("only memory can be kept for one", "leave RESOURCE.min out")
    if resource == "nproc":
        if hard or soft:
            target.say("TasksMax", hard or soft or "", "Slice")
        return
    _process_limit(target, {"openfd": "nofile"}.get(resource, resource), soft, hard)
    if resource in ("nofile", "openfd", "memlock", "msgqueue", "sigpending"):
        target.remark("it counts that of all processes, and the limit here that of each", "lower it, if it is too much")


def ulimits(target: Target, root: str, files: Files) -> None:
    """`ulimits/RESOURCE`, of each process."""
    for resource, said in _by_resource("ulimits", files).items():
        name = f"ulimits/{resource}"
        target.origin = at(root, name)
        try:
            known = {key: _amount(value, 1) for key, value in said.items()}
            _process_limit(target, resource, known.get("soft"), known.get("hard"))
        except NotCarried as lost:
            target.remark(lost.reason, lost.instead)


def _process_limit(target: Target, resource: str, soft: str | None, hard: str | None) -> None:
    if resource not in _ULIMITS:
        raise NotCarried(f"'{resource}' is no limit of a process", "see [Service] LimitNOFILE= and the like")
    first, last = soft or hard, hard or soft
    if first and last:
        target.say(f"Limit{resource.upper()}", last if first == last else f"{first}:{last}", "Service")


def _amount(text: str, unit: int) -> str:
    if text == "infinity":
        return text
    if not text.isdecimal():
        raise NotCarried(f"'{text}' is no limit", "write a number, or inf")
    return str(int(text) * unit)


def schedule(target: Target, root: str, files: Files) -> None:
    """`sched/fill-rate` of `sched/interval`, or the same in `schedule`, a file with a line for each."""
    said = {key[len("sched/") :]: (first_of(text), key) for key, text in files.items() if key.startswith("sched/")}
    for name, line in zip(("fill-rate", "interval", "tokens", "tokens-min", "tokens-max"), _old(files), strict=False):
        said.setdefault(name, (line, "schedule"))
    rate, key = said.pop("fill-rate", ("", ""))
    span, _ = said.pop("interval", ("", ""))
    if rate:
        target.origin = at(root, key)
        if rate.isdecimal() and span.isdecimal() and int(rate) and int(span):
            target.say("CPUQuota", cgroups.percent(int(rate) / int(span)), "Slice")
        else:
            target.remark(f"'{rate}' of '{span}' is no share of time", "use [Slice] CPUQuota=")
    for _, key in said.values():
        target.origin = at(root, key)
        target.remark("time that is not used is not saved up in tokens", "use [Container] CPUBurstSec=")


def _old(files: Files) -> list[str]:
    """The values of `schedule`, each of which may be `KEY=VALUE`."""
    return [line.rpartition("=")[2].strip() for line in lines_of(files.get("schedule", ""))]


_CPUSET = {
    "cpus": "cpuset.cpus",
    "mems": "cpuset.mems",
    "cpu_exclusive": "cpuset.cpu_exclusive",
    "cpus_exclusive": "cpuset.cpu_exclusive",
    "mems_exclusive": "cpuset.mem_exclusive",
    "mem_exclusive": "cpuset.mem_exclusive",
}


def groups(target: Target, root: str, files: Files) -> None:
    """`cpuset/NAME` and `cgroup/FILE`, a file of the control group each."""
    group = {key.partition("/")[2]: text.strip() for key, text in files.items() if key.startswith("cgroup/")}
    for key, text in files.items():
        folder, _, name = key.partition("/")
        target.origin = at(root, key)
        try:
            if folder == "cpuset":
                if name not in _CPUSET:
                    raise NotCarried("the control group is the container's own", "use Slice= to have one in common")
                cgroups.say(target, cgroups.lines(_CPUSET[name], text, {}))
            elif folder == "cgroup":
                if name in ("name", "mnt", "subsys", "per-guest", "nocreate"):
                    raise NotCarried("the control group is the container's own", "use Slice= to have one in common")
                cgroups.say(target, cgroups.lines(name, text, group))
        except NotCarried as lost:
            target.remark(lost.reason, lost.instead)
