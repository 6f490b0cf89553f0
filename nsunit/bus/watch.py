"""Waiting for units to end, by systemd's signals.

Nothing is polled.  A transient unit may be unloaded as soon as it is inactive, so what the last PropertiesChanged
signal said is kept and is the answer then.
"""

from __future__ import annotations

import asyncio
from typing import Any

from nsunit.bus.marshal import unit_path
from nsunit.bus.protocol import TIMEOUT
from nsunit.bus.signals import MANAGER, MANAGER_PATH, PROPERTIES, SYSTEMD, Signal, Signals, connect, has_left, run
from nsunit.errors import BusError
from nsunit.record import Record
from nsunit.units import time_was_up

_GOES_ON = "it goes on; 'nsunit stop' ends it, 'nsunit status' says what it does"


class Ended(Record):
    """How a unit ended.

    `active_state` is "inactive" or "failed", or "gone" where the unit was not loaded at all when the wait began.
    `exec_main_code` is waitid(2)'s si_code (1 exited, 2 killed, 3 dumped; 0 unknown), `exec_main_status` the exit
    status or signal number, `result` the service's Result ("success", "exit-code", "oom-kill", …).
    """

    unit: str
    active_state: str
    result: str = ""
    exec_main_code: int = 0
    exec_main_status: int = 0
    time_was_up: bool = False  # it has run as long as RuntimeMaxSec= lets it


class _Watched:
    """What is known of one unit while it is waited for."""

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self.path = unit_path(unit)
        self.values: dict[str, Any] = {}
        self.is_known = False  # whether all its properties are: of an end one signal tells the state, another the rest
        self.ended: Ended | None = None

    def update(self, changed: dict[str, Any]) -> None:
        """Take in properties, from a signal or from GetAll."""
        self.values.update(changed)
        state = self.values.get("ActiveState")
        if self.is_known and self.ended is None and state in ("inactive", "failed"):
            self.end(str(state))

    def end(self, state: str) -> None:
        """Note that the unit is over, with the last values seen."""
        self.ended = Ended(
            self.unit,
            state,
            str(self.values.get("Result", "")),
            int(self.values.get("ExecMainCode", 0)),
            int(self.values.get("ExecMainStatus", 0)),
            time_was_up(self.values),
        )

    @property
    def type_interface(self) -> str:
        """The D-Bus interface of the unit's type."""
        return f"{SYSTEMD}.{self.unit.rpartition('.')[2].capitalize()}"


def wait_inactive(*units: str, timeout: float | None = None, user: bool = False) -> list[Ended]:
    """Wait until each of *units* is inactive, failed or unloaded; up to *timeout* seconds, or for ever.

    Raises:
        BusError: the bus cannot be reached, the connection was lost, or the time is over.
    """
    ended: list[Ended] = run(_wait(units, timeout, user))
    return ended


async def _wait(units: tuple[str, ...], timeout: float | None, user: bool) -> list[Ended]:
    bus = await connect(user)
    watcher = _Watcher(bus, units)
    try:
        return await asyncio.wait_for(watcher.run(), timeout)
    except TimeoutError:
        running = ", ".join(f"'{watched.unit}'" for watched in watcher.watched if watched.ended is None)
        raise BusError(TIMEOUT, f"still running after {timeout:g} s: {running}", hint=_GOES_ON) from None
    finally:
        bus.disconnect()


class _Watcher:
    def __init__(self, bus: Any, units: tuple[str, ...]) -> None:
        self.signals = Signals(bus, self._on_signal, self._recheck_all)
        self.watched = [_Watched(unit) for unit in units]
        self.signal = asyncio.Event()
        self.recheck: set[str] = set()

    async def run(self) -> list[Ended]:
        ended: list[Ended] = await self.signals.run(self._work())
        return ended

    async def _work(self) -> list[Ended]:
        rules = [
            f"interface='{PROPERTIES}',member='PropertiesChanged',path='{watched.path}'" for watched in self.watched
        ]
        await self.signals.listen([*rules, f"interface='{MANAGER}',member='UnitRemoved',path='{MANAGER_PATH}'"])
        self.recheck = {watched.unit for watched in self.watched}
        while True:
            try:
                for watched in self.watched:
                    if watched.unit in self.recheck and watched.ended is None:
                        self.recheck.discard(watched.unit)
                        await self._look(watched)
            except BusError as error:
                if not has_left(error):  # else all of them are looked at again once it is back
                    raise
            if all(watched.ended for watched in self.watched):
                return [watched.ended for watched in self.watched if watched.ended]
            await self.signal.wait()
            self.signal.clear()

    async def _look(self, watched: _Watched) -> None:
        """Ask for the unit's state.  GetUnit does not load a unit that is not there, unlike asking its object."""
        before = dict(watched.values)
        try:
            path = await self.signals.manager("GetUnit", "s", watched.unit)
            # The state first: what is asked for later tells of no earlier end.
            of_unit = await self.signals.properties(path, SYSTEMD + ".Unit")
            of_type = await self.signals.properties(path, watched.type_interface)
        except LookupError:
            if watched.ended is None:
                state = watched.values.get("ActiveState")
                ended = state if state in ("inactive", "failed") else "inactive"
                # The signal with the rest may have come before anybody listened.
                watched.end(str(ended) if "Result" in watched.values else "gone")
            return
        watched.is_known = True
        # A signal that came while the answers were on their way is at least as new as they are.
        meanwhile = {name: value for name, value in watched.values.items() if before.get(name) != value}
        watched.update({**of_type, **of_unit, **meanwhile})

    def _on_signal(self, signal: Signal) -> None:
        if signal.member == "PropertiesChanged":
            for watched in self.watched:
                if watched.path == signal.path:
                    watched.update(signal.body[1])
        elif signal.member == "UnitRemoved":  # also sent for every unit when systemd reloads: ask whether it is gone
            self.recheck.update(watched.unit for watched in self.watched if watched.unit == signal.body[0])
        self.signal.set()

    def _recheck_all(self) -> None:
        self.recheck.update(watched.unit for watched in self.watched)
        self.signal.set()
