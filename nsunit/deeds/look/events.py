"""What happens to containers, as it happens: systemd's signals, and the kernel's notices on their cgroups."""

from __future__ import annotations

import asyncio
import os
import resource
from typing import Any

from nsunit.bus.follow import follow
from nsunit.core.running import CGROUP_ROOT
from nsunit.deeds.look.notices import Notices, managed_kills, subtree_kills
from nsunit.formats.cgroupfs import flat_keyed
from nsunit.names import ROOT_SLICE, container_of_check, container_of_unit, slice_path
from nsunit.plan.events import (
    FROZEN,
    HEALTH,
    MANAGED_OOM_KILL,
    MEMORY_HIGH,
    OOM_KILL,
    THAWED,
    Event,
    Tracker,
    name_of_slice,
)
from nsunit.storage.files import read_kernel_file
from nsunit.units import UP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from nsunit.core.context import Context

_CALM_SECONDS = 1.0  # a cgroup above memory.high is noticed up to a hundred times a second; told once


def follow_events(
    context: Context, tell: Callable[[Event], None], ready: Callable[[list[str]], None], pipe: int | None = None
) -> None:
    """Call *tell* for each event, for ever; *ready* once nothing is missed any more, with the containers that run.

    *pipe* is the descriptor of the pipe that *tell* writes to, if it does.

    Raises:
        BusError: systemd cannot be reached, or the connection was lost.
        BrokenPipeError: nobody reads *pipe* any more.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:  # two files for each container
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    _Events(context, tell, ready, pipe).run()


class _Events:
    def __init__(
        self, context: Context, tell: Callable[[Event], None], ready: Callable[[list[str]], None], pipe: int | None
    ) -> None:
        self._user = context.user
        self._root = CGROUP_ROOT + context.cgroup
        self._tell = tell
        self._ready = ready
        self._pipe = pipe
        self._tracker = Tracker()
        self._following = False
        self._notices = Notices()
        self._slices: dict[str, _Slice] = {}  # by the slice's name
        self._units: dict[str, str] = {}  # of containers that run
        self._frozen: dict[str, bool] = {}
        self._health: dict[str, str] = {}  # by container
        self._managed: dict[str, int] = {}  # kills by systemd-oomd, by container

    def run(self) -> None:
        try:
            follow(self._changed, self._begin, self._user)
        finally:
            self._notices.close()

    async def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(self._notices.fileno(), self._notices.deliver)
        if self._pipe is not None:
            loop.add_reader(self._pipe, _hung_up)  # of a pipe's end for writing, poll(2) tells just that
        for name, unit in self._units.items():
            self._watch_unit(name, unit)
        self._following = True
        self._ready(self._tracker.running())

    def _changed(self, unit: str, values: dict[str, Any]) -> None:
        if unit.endswith(".slice"):
            self._slice_changed(unit, values)
            return
        if checked := container_of_check(unit):
            self._checked(checked, str(values.get("StatusText", "")))
            return
        name = container_of_unit(unit)
        if name and values.get("Result") == "oom-kill" and (slice_ := self._slice_of(name)):
            slice_.look()  # before the cgroup is gone
            if (count := managed_kills(f"{slice_.directory}/{unit}")) > self._managed.get(name, 0):
                self._tell_of_memory(Event(MANAGED_OOM_KILL, name, unit=unit, count=count - self._managed.get(name, 0)))
                self._managed[name] = count
        for event in self._tracker.changed(unit, values, first=not self._following):
            self._tell(event)
        if name and values.get("ActiveState") in UP:
            self._units[name] = unit
            if self._following:
                self._watch_unit(name, unit)
        elif name and (values.get("ActiveState") in ("inactive", "failed") or "not-found" in values.values()):
            for known in (self._units, self._frozen, self._managed, self._health):
                known.pop(name, None)

    def _checked(self, name: str, health: str) -> None:
        """Take in what the program of checks says of container *name* when that has changed."""
        if not health or self._health.get(name) == health:
            return
        self._health[name] = health
        if self._following:
            self._tell(Event(HEALTH, name, health=health))

    def _slice_changed(self, unit: str, values: dict[str, Any]) -> None:
        name = name_of_slice(unit)
        directory = self._root + slice_path(unit)
        if name is None:
            return
        if values.get("LoadState") == "not-found" or values.get("ActiveState") == "inactive":
            self._notices.forget(directory)
            self._slices.pop(unit, None)
        elif values.get("ActiveState") == "active":
            slice_ = _Slice(name, unit, directory, self._tell_of_memory)
            content = self._notices.watch(f"{directory}/memory.events", slice_.changed)
            if content is None:  # it is watched already, or has no memory controller
                self._slices.setdefault(unit, slice_)
            else:
                self._slices[unit] = slice_
                slice_.begin(content, fresh=self._following)

    def _slice_of(self, name: str) -> _Slice | None:
        """The slice of container *name*; a group somewhere else may have its name, too."""
        found = [slice_ for slice_ in self._slices.values() if slice_.name == name]
        return next((slice_ for slice_ in found if not slice_.find_kind()), None)

    def _tell_of_memory(self, event: Event) -> None:
        if event.event in (OOM_KILL, MANAGED_OOM_KILL) and event.container:
            self._tracker.note_kill(event.container)
        self._tell(event)

    def _watch_unit(self, name: str, unit: str) -> None:
        """Be told when the container is frozen: its service is, with the slice or by itself."""
        slice_ = self._slice_of(name)
        if slice_ is None:
            return
        changed = self._freezing(name, unit)
        content = self._notices.watch(f"{slice_.directory}/{unit}/cgroup.events", changed)
        if content is not None:
            self._frozen[name] = False
            changed(content)

    def _freezing(self, name: str, unit: str) -> Callable[[str], None]:
        def changed(content: str) -> None:
            frozen = flat_keyed(content).get("frozen") == 1
            if frozen != self._frozen.get(name, False):
                self._frozen[name] = frozen
                if self._following:
                    self._tell(Event(FROZEN if frozen else THAWED, name, unit=unit))

        return changed


def _hung_up() -> None:
    raise BrokenPipeError(32, "Broken pipe")


class _Slice:
    """The memory counters of one slice, a container's or a group's."""

    def __init__(self, name: str, unit: str, directory: str, tell: Callable[[Event], None]) -> None:
        self.name = name
        self.directory = directory
        self._group = unit.removeprefix("nsunit-")  # if it is one
        self._tell = tell
        self._is_group = unit == ROOT_SLICE
        self._counters: dict[str, int] = {}
        self._kills: dict[str, int] = {}  # by the cgroup's path below the slice
        self._kills_told = 0
        self._high_told = 0
        self._is_calm = False

    def begin(self, content: str, *, fresh: bool) -> None:
        """Take the first *content* of memory.events; what a *fresh* slice has counted already is news."""
        if fresh:
            self.changed(content)
            return
        self._counters = flat_keyed(content)
        self._kills = subtree_kills(self.directory)
        self._kills_told = self._counters.get("oom_kill", 0)
        self._high_told = self._high()

    def look(self) -> None:
        """See at once what has changed."""
        content = read_kernel_file(f"{self.directory}/memory.events")
        if content:
            self.changed(content)

    def changed(self, content: str) -> None:
        """Take in memory.events as it is now."""
        self._counters = flat_keyed(content)
        if self._counters.get("oom_kill", 0) > self._kills_told:
            self._tell_kills(self._counters["oom_kill"])
        self._tell_high()

    def find_kind(self) -> bool:
        """Tell whether it is a group's: a container's slice holds units; one that is nearly gone holds nothing."""
        children = directories(self.directory)
        if children:
            self._is_group = all(child.endswith(".slice") for child in children)
        return self._is_group

    def _tell_kills(self, total: int) -> None:
        """Say in which cgroups they were, those that were made below a delegated one as well."""
        if self.find_kind():
            self._kills_told = total
            return
        before, self._kills = self._kills, subtree_kills(self.directory)
        for path, now in self._kills.items():
            count = now - before.get(path, 0)
            if count > 0:
                unit, _, cgroup = path.partition("/")
                self._tell(Event(OOM_KILL, self.name, unit=unit or None, cgroup=cgroup, count=count, total=now))
                self._kills_told += count
        # The kernel counts from the inside out, so the rest was in a cgroup that is gone already.
        if total > self._kills_told:
            self._tell(Event(OOM_KILL, self.name, cgroup="", count=total - self._kills_told))
            self._kills_told = total

    def _high(self) -> int:
        if not self.find_kind():
            return self._counters.get("high", 0)
        # A container's own crossings are told of already.
        return flat_keyed(read_kernel_file(f"{self.directory}/memory.events.local") or "").get("high", 0)

    def _tell_high(self) -> None:
        if self._is_calm:
            return
        total = self._high()
        count, self._high_told = total - self._high_told, total
        if count > 0:
            event = Event(MEMORY_HIGH, count=count, total=total)
            self._tell(event.replace(group=self._group) if self._is_group else event.replace(container=self.name))
            self._is_calm = True
            asyncio.get_running_loop().call_later(_CALM_SECONDS, self._calm_over)

    def _calm_over(self) -> None:
        self._is_calm = False
        self._tell_high()


def directories(path: str) -> list[str]:
    """The names of the directories in *path*, none if it is gone."""
    try:
        with os.scandir(path) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []
