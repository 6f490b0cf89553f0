"""Read what containers use, in one pass over the cgroups below nsunit.slice.

systemd is not asked: a call for each container would make a thousand of them slow.
"""

from __future__ import annotations

import os
import time

from nsunit.core.running import host_namespace, status_field, thread_of
from nsunit.deeds.look.notices import managed_kills
from nsunit.errors import NotFoundError, NsunitError
from nsunit.formats.cgroupfs import Traffic, flat_keyed, net_dev
from nsunit.names import ROOT_SLICE, group_of_pod, is_pod
from nsunit.plan import usage
from nsunit.record import Record
from nsunit.setup import CGROUP_ROOT
from nsunit.storage.files import list_directory, read_kernel_file
from nsunit.storage.processes import groups_in, processes_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nsunit.plan.usage import Place, Usage


_WHAT_RUNS = "'nsunit stats' without a name shows what runs"


class Sample(Record):
    """All that is used at one moment.

    `time_usec` is since the epoch; `interval_usec` is what `percent` of the CPUs refers to, 0 for the first sample.
    """

    time_usec: int
    interval_usec: int
    usages: tuple[Usage, ...]


def empty() -> Sample:
    """The sample of nothing, now."""
    return Sample(time.time_ns() // 1000, 0, ())


class Sampler:
    """Takes samples one after the other; CPU percentages are those since the one before."""

    def __init__(self, root: str = CGROUP_ROOT, above: str = "", namespaces: str = "") -> None:
        self._root = root
        self._namespaces = namespaces  # the directory in which pods keep theirs: Paths.namespaces
        self._above = above  # the cgroup nsunit.slice is in: Context.cgroup
        self._before: dict[str, tuple[float, int]] = {}  # by cgroup: when, and its CPU time then
        self._networks: dict[str, int] = {}  # by cgroup of a container: the inode of its network namespace

    def prime(self) -> None:
        """Note the CPU times only, for the percentages of the next sample."""
        self._before = {}
        for _place, group in self._walk():
            content = read_kernel_file(f"{self._root}{group}/cpu.stat")
            if content is not None:
                self._before[group] = (time.monotonic(), flat_keyed(content).get("usage_usec", 0))

    def sample(self, names: Sequence[str] = (), absent: list[NsunitError] | None = None) -> Sample:
        """Read everything, or only what belongs to the containers and groups (`shop.slice`) *names*.

        Errors about those that do not run go to *absent* where it is given.

        Raises:
            NotFoundError: one of *names* does not run.
        """
        now = time.monotonic()
        before, self._before = self._before, {}
        self._networks = {}
        pods = {group_of_pod(name): name for name in list_directory(self._namespaces) if is_pod(name)}
        names = [pods.get(name, name) for name in names]
        walked = ((place.of_pods(pods), group) for place, group in self._walk())
        found = [self._usage(place, group, before) for place, group in walked if _is_wanted(place, names)]
        usages = [item for item in found if item is not None]
        known = {item.name for item in usages}
        for name in names:
            if name not in known:
                error = NotFoundError(f"{name}: it is not running", hint=_WHAT_RUNS)
                if absent is None:
                    raise error
                absent.append(error)
        interval = now - min((moment for moment, _ in before.values()), default=now)
        return Sample(time.time_ns() // 1000, int(interval * 1_000_000), tuple(_with_sums(usages, self._networks)))

    def _walk(self) -> Iterator[tuple[Place, str]]:
        if not os.path.exists(f"{self._root}/cgroup.controllers"):
            raise NsunitError(
                f"{self._root} is not a cgroup version 2 file system", hint="see what 'nsunit doctor' says"
            )
        yield from self._below((ROOT_SLICE,))

    def _below(self, path: tuple[str, ...]) -> Iterator[tuple[Place, str]]:
        group = f"{self._above}/{'/'.join(path)}"
        children = self._children(group)
        if children is None:
            return
        place = usage.place_of(path, children)
        if place is not None:
            yield place, group
        for child in children:
            if child.endswith(".slice"):
                yield from self._below((*path, child))
            elif session := usage.place_of((*path, child), ()):
                yield session, f"{group}/{child}"

    def _children(self, group: str) -> list[str] | None:
        try:
            with os.scandir(f"{self._root}{group}") as entries:
                return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
        except FileNotFoundError:
            return None

    def _usage(self, place: Place, group: str, before: dict[str, tuple[float, int]]) -> Usage | None:
        directory = f"{self._root}{group}"
        contents = ((name, read_kernel_file(f"{directory}/{name}")) for name in usage.FILES)
        files = {name: content for name, content in contents if content is not None}
        if "cpu.stat" not in files:  # every cgroup has it: this one has just been removed
            return None
        now, used = time.monotonic(), flat_keyed(files["cpu.stat"]).get("usage_usec", 0)
        self._before[group] = (now, used)
        percent = None
        if group in before:
            then, used_then = before[group]
            percent = usage.percent_of(used_then, used, now - then)
        network = self._network(directory) if place.kind == usage.CONTAINER else None
        if network:
            self._networks[group] = network[0]
        found = usage.usage_of(place, group, files, network[1] if network else None, percent)
        if place.kind in (usage.CONTAINER, usage.SESSION):
            return found.replace(managed_oom_kills=managed_kills(directory))
        return found

    def _network(self, directory: str) -> tuple[int, Traffic] | None:
        """The container's network namespace and what that carries; None if it is the host's, or not ours to look at."""
        pid = first_process(directory)
        try:
            process = f"/proc/{pid}" if os.path.exists(f"/proc/{pid}/ns/net") else thread_of(pid)
            inode = os.stat(f"{process}/ns/net").st_ino if pid else 0
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return None
        if inode in (0, host_namespace("net")):
            return None
        content = read_kernel_file(f"{process}/net/dev")
        return (inode, net_dev(content)) if content else None


def is_paused(item: Usage) -> bool:
    """Whether nothing of the container *item* runs, since its slice is frozen."""
    events = read_kernel_file(f"{CGROUP_ROOT}{item.control_group}/cgroup.events") or ""
    return item.kind == usage.CONTAINER and "frozen 1" in events


def _is_wanted(place: Place, names: Sequence[str]) -> bool:
    return not names or any(name in (place.name, place.container, *place.groups) for name in names)


def _with_sums(usages: list[Usage], networks: dict[str, int]) -> Iterator[Usage]:
    """Give groups the sums of their containers' traffic and of what systemd-oomd killed, which no cgroup counts.

    A network that several have, as in a pod, counts once: *networks* has its inode by the container's cgroup.
    """
    for item in usages:
        if item.kind in (usage.GROUP, usage.POD, usage.TOTAL):
            inside = f"{item.control_group}/"
            parts = [other for other in usages if other.control_group.startswith(inside)]
            yield item.replace(
                network=usage.add_traffic(
                    {
                        networks[path]: other.network for other in parts if (path := other.control_group) in networks
                    }.values()
                ),
                managed_oom_kills=sum(other.managed_oom_kills for other in parts if other.kind == usage.CONTAINER),
            )
        else:
            yield item


def first_process(directory: str) -> int:
    """The process of the container's cgroup *directory* that is process 1 inside, else the oldest; 0 if there is none.

    `exec` sessions are not looked at, nor a container inside the container.
    """
    oldest = 0
    for names, path in groups_in(directory):
        for pid in () if names and "-exec-" in names[0] else processes_of(path):
            oldest = min(oldest or pid, pid)
            if ((status_field(pid, "NSpid") or "").split() or [""])[1:] == ["1"]:
                return pid
    return oldest
