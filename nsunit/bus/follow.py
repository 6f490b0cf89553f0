"""Following all units of nsunit, by systemd's signals."""

from __future__ import annotations

import asyncio
from typing import Any

from nsunit.bus.marshal import unit_path
from nsunit.bus.signals import MANAGER, MANAGER_PATH, PROPERTIES, SYSTEMD, Signal, Signals, connect, has_left, run
from nsunit.errors import BusError
from nsunit.names import ROOT_SLICE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    OnChange = Callable[[str, dict[str, Any]], None]

_PREFIX = "nsunit-"
_RULES = (
    f"interface='{PROPERTIES}',member='PropertiesChanged',path_namespace='{MANAGER_PATH}/unit'",
    f"interface='{MANAGER}',member='UnitNew',path='{MANAGER_PATH}'",
    f"interface='{MANAGER}',member='UnitRemoved',path='{MANAGER_PATH}'",
)


def follow(on_change: OnChange, ready: Callable[[], Awaitable[None]], user: bool = False) -> None:
    """Follow all units of nsunit for ever, in an event loop; see `Follower`.

    Raises:
        BusError: the bus cannot be reached, or the connection was lost.
    """
    run(_follow(on_change, ready, user))


async def _follow(on_change: OnChange, ready: Callable[[], Awaitable[None]], user: bool) -> None:
    bus = await connect(user)
    try:
        follower = Follower(bus, on_change)
        await follower.run(ready)
    finally:
        bus.disconnect()


class Follower:
    """Tells of nsunit.slice and the units that match `nsunit-*` whatever systemd says of them.

    `on_change` gets a unit's name and the properties that have changed; the first time, and after systemd has executed
    itself anew, its state, and with it how it ended if it does not run.  A unit that was unloaded changes its
    LoadState to "not-found".
    """

    def __init__(self, bus: Any, on_change: OnChange) -> None:
        self._on_change = on_change
        self._signals = Signals(bus, self._on_signal, self._on_return)
        self._names: dict[str, str] = {}  # by object path
        self._removed: set[str] = set()
        self._made: set[str] = set()  # since the last list was asked for, which may not have them
        self._heard: set[str] = set()  # object paths that a signal was about since then
        self._early: dict[str, list[dict[str, Any]]] | None = None  # of those that only the awaited list will name
        self._returned = False
        self._work_to_do = asyncio.Event()

    async def run(self, ready: Callable[[], Awaitable[None]]) -> None:
        """Tell of what is there, await *ready*, and follow from then on, for ever.

        Raises:
            BusError: the connection was lost.
        """
        await self._signals.run(self._work(ready))

    async def _work(self, ready: Callable[[], Awaitable[None]]) -> None:
        await self._signals.listen(_RULES)
        await self._until_back(self._look)
        await ready()
        while True:
            await self._work_to_do.wait()
            self._work_to_do.clear()
            await self._until_back(self._catch_up)

    async def _until_back(self, step: Callable[[], Awaitable[None]]) -> None:
        """Take *step*, and if systemd has left meanwhile, catch up once it is back."""
        while True:
            try:
                await step()
                return
            except BusError as error:
                if not has_left(error):
                    raise
            while not self._returned:
                await self._work_to_do.wait()
                self._work_to_do.clear()
            step = self._catch_up

    async def _catch_up(self) -> None:
        if self._returned:
            self._returned = False
            self._removed.clear()
            await self._subscribe_again()
            await self._look()
        elif self._removed:
            removed, self._removed = self._removed, set()
            # A backslash of a name stands for itself in a pattern: systemd matches with FNM_NOESCAPE.
            there = await self._list(list(removed))
            self._forget(removed - {row[0] for row in there})

    async def _subscribe_again(self) -> None:
        try:
            await self._signals.manager("Subscribe")
        except BusError as error:
            if not error.name.endswith(".AlreadySubscribed"):
                raise

    async def _list(self, patterns: list[str]) -> list[list[Any]]:
        self._made.clear()
        self._heard.clear()
        rows: list[list[Any]] = await self._signals.manager("ListUnitsByPatterns", "asas", [], patterns)
        return rows

    async def _look(self) -> None:
        """Take in the state of all units; signals that come meanwhile are newer than the list."""
        early = self._early = {}
        rows = await self._list([ROOT_SLICE, _PREFIX + "*"])
        self._forget(set(self._names.values()) - {row[0] for row in rows})
        for row in rows:
            self._names[row[6]] = row[0]
        self._early = None
        for name, _description, load_state, active_state, sub_state, _following, path, *_job in rows:
            state = {"LoadState": load_state, "ActiveState": active_state, "SubState": sub_state}
            if active_state != "active":  # asking for all of them takes a while where there are a thousand
                try:
                    for interface in (f"{SYSTEMD}.{name.rpartition('.')[2].capitalize()}", f"{SYSTEMD}.Unit"):
                        state = {**await self._signals.properties(path, interface), **state}
                except LookupError:
                    continue
            for values in (*(() if path in self._heard else (state,)), *early.get(path, ())):
                self._on_change(name, values)

    def _forget(self, names: set[str]) -> None:
        for name in sorted(names - self._made):
            self._names.pop(unit_path(name), None)
            self._on_change(name, {"LoadState": "not-found"})

    def _on_signal(self, signal: Signal) -> None:
        if signal.member == "PropertiesChanged":
            if signal.path in self._names:
                self._heard.add(signal.path)
                self._on_change(self._names[signal.path], signal.body[1])
            elif self._early is not None:
                self._early.setdefault(signal.path, []).append(signal.body[1])
        elif signal.body[0].startswith(_PREFIX) or signal.body[0] == ROOT_SLICE:
            if signal.member == "UnitNew":
                self._names[signal.body[1]] = signal.body[0]
                self._heard.add(signal.body[1])
                self._made.add(signal.body[0])
            else:  # also sent for every unit when systemd reloads: ask whether it is gone
                self._removed.add(signal.body[0])
                self._work_to_do.set()

    def _on_return(self) -> None:
        self._returned = True
        self._work_to_do.set()
