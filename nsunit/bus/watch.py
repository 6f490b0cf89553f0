"""Waiting for units to end, by systemd's signals: the only file that imports dbus-next.

Nothing is polled.  A transient unit may be unloaded as soon as it is inactive, so what the last PropertiesChanged
signal said is kept and is the answer then.
"""

from __future__ import annotations

import asyncio
from typing import Any

from dbus_next.aio.message_bus import MessageBus
from dbus_next.constants import BusType, MessageType
from dbus_next.message import Message
from dbus_next.signature import Variant

from nsunit.bus.marshal import unit_path
from nsunit.bus.protocol import DISCONNECTED, NO_SUCH_UNIT, TIMEOUT, UNREACHABLE, bus_error
from nsunit.record import Record

_SYSTEMD = "org.freedesktop.systemd1"
_MANAGER = "org.freedesktop.systemd1.Manager"
_MANAGER_PATH = "/org/freedesktop/systemd1"
_PROPERTIES = "org.freedesktop.DBus.Properties"
_DBUS = "org.freedesktop.DBus"
_CALL_SECONDS = 25.0  # sd-bus's deadline; dbus-next itself has none


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


class _Watched:
    """What is known of one unit while it is waited for."""

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self.path = unit_path(unit)
        self.values: dict[str, Any] = {}
        self.ended: Ended | None = None

    def update(self, changed: dict[str, Any]) -> None:
        """Take in properties, from a signal or from GetAll."""
        self.values.update(changed)
        state = self.values.get("ActiveState")
        if self.ended is None and state in ("inactive", "failed"):
            self.end(str(state))

    def end(self, state: str) -> None:
        """Note that the unit is over, with the last values seen."""
        self.ended = Ended(
            self.unit,
            state,
            str(self.values.get("Result", "")),
            int(self.values.get("ExecMainCode", 0)),
            int(self.values.get("ExecMainStatus", 0)),
        )

    @property
    def type_interface(self) -> str:
        """The D-Bus interface of the unit's type."""
        return f"{_SYSTEMD}.{self.unit.rpartition('.')[2].capitalize()}"


def wait_inactive(*units: str, timeout: float | None = None, user: bool = False) -> list[Ended]:
    """Wait until each of *units* is inactive, failed or unloaded; up to *timeout* seconds, or for ever.

    Raises:
        BusError: the bus cannot be reached, the connection was lost, or the time is over.
    """
    return asyncio.run(_wait(units, timeout, user))


async def _wait(units: tuple[str, ...], timeout: float | None, user: bool) -> list[Ended]:
    try:
        bus: Any = await MessageBus(bus_type=BusType.SESSION if user else BusType.SYSTEM).connect()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise bus_error(UNREACHABLE, f"cannot reach the message bus: {reason}") from None
    watcher = _Watcher(bus, units)
    try:
        return await asyncio.wait_for(watcher.run(), timeout)
    except TimeoutError:
        running = ", ".join(f"'{watched.unit}'" for watched in watcher.watched if watched.ended is None)
        raise bus_error(TIMEOUT, f"still running after {timeout:g} s: {running}") from None
    finally:
        bus.disconnect()


class _Watcher:
    def __init__(self, bus: Any, units: tuple[str, ...]) -> None:
        self.bus = bus
        self.watched = [_Watched(unit) for unit in units]
        self.owner = ""
        self.signal = asyncio.Event()
        self.recheck: set[str] = set()

    async def run(self) -> list[Ended]:
        lost = asyncio.ensure_future(self.bus.wait_for_disconnect())
        work = asyncio.ensure_future(self._work())
        try:
            await asyncio.wait({lost, work}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise bus_error(DISCONNECTED, "the connection to the message bus was lost")
            return work.result()
        finally:
            lost.cancel()
            work.cancel()

    async def _work(self) -> list[Ended]:
        self.bus.add_message_handler(self._on_message)
        for rule in self._match_rules():
            await self._call(_DBUS, "/org/freedesktop/DBus", _DBUS, "AddMatch", "s", rule)
        self.owner = await self._call(_DBUS, "/org/freedesktop/DBus", _DBUS, "GetNameOwner", "s", _SYSTEMD)
        await self._call(_SYSTEMD, _MANAGER_PATH, _MANAGER, "Subscribe")
        self.recheck = {watched.unit for watched in self.watched}
        while True:
            for watched in self.watched:
                if watched.unit in self.recheck and watched.ended is None:
                    self.recheck.discard(watched.unit)
                    await self._look(watched)
            if all(watched.ended for watched in self.watched):
                return [watched.ended for watched in self.watched if watched.ended]
            await self.signal.wait()
            self.signal.clear()

    def _match_rules(self) -> list[str]:
        from_systemd = f"type='signal',sender='{_SYSTEMD}'"
        rules = [
            f"{from_systemd},interface='{_PROPERTIES}',member='PropertiesChanged',path='{watched.path}'"
            for watched in self.watched
        ]
        rules.append(f"{from_systemd},interface='{_MANAGER}',member='UnitRemoved',path='{_MANAGER_PATH}'")
        rules.append(f"type='signal',sender='{_DBUS}',member='NameOwnerChanged',arg0='{_SYSTEMD}'")
        return rules

    async def _look(self, watched: _Watched) -> None:
        """Ask for the unit's state.  GetUnit does not load a unit that is not there, unlike asking its object."""
        before = dict(watched.values)
        try:
            path = await self._call(_SYSTEMD, _MANAGER_PATH, _MANAGER, "GetUnit", "s", watched.unit)
            of_type = await self._call(_SYSTEMD, path, _PROPERTIES, "GetAll", "s", watched.type_interface)
            of_unit = await self._call(_SYSTEMD, path, _PROPERTIES, "GetAll", "s", _SYSTEMD + ".Unit")
        except LookupError:
            if watched.ended is None:
                watched.end("inactive" if watched.values else "gone")
            return
        # A signal that came while the answers were on their way is at least as new as they are.
        meanwhile = {name: value for name, value in watched.values.items() if before.get(name) != value}
        watched.update({**_plain(of_type), **_plain(of_unit), **meanwhile})

    def _on_message(self, message: Message) -> None:
        if message.message_type is not MessageType.SIGNAL:
            return
        if message.member == "NameOwnerChanged" and message.sender == _DBUS:
            if message.body[2]:  # systemd has re-executed itself and is back under a new unique name
                self.owner = message.body[2]
                self._recheck_all()
        elif message.sender != self.owner and self.owner:  # anybody may send us a signal: believe systemd only
            return
        elif message.member == "PropertiesChanged":
            for watched in self.watched:
                if watched.path == message.path:
                    watched.update(_plain(message.body[1]))
        elif message.member == "UnitRemoved":  # also sent for every unit when systemd reloads: ask whether it is gone
            self.recheck.update(watched.unit for watched in self.watched if watched.unit == message.body[0])
        self.signal.set()

    def _recheck_all(self) -> None:
        self.recheck.update(watched.unit for watched in self.watched)

    async def _call(
        self, destination: str, path: str, interface: str, member: str, signature: str = "", *body: object
    ) -> Any:
        """Call a method and return its (single) result.

        Raises:
            LookupError: the unit is not loaded.
            BusError: any other error.
        """
        message = Message(destination, path, interface, member, signature=signature, body=list(body))
        try:
            reply = await asyncio.wait_for(self.bus.call(message), _CALL_SECONDS)
        except TimeoutError:
            raise bus_error(TIMEOUT, f"no answer to {member} in {_CALL_SECONDS:g} s") from None
        if reply.message_type is MessageType.ERROR:
            if reply.error_name in (NO_SUCH_UNIT, _DBUS + ".Error.UnknownObject"):
                raise LookupError(reply.error_name)
            raise bus_error(reply.error_name, str(reply.body[0]) if reply.body else member)
        return reply.body[0] if reply.body else None


def _plain(values: dict[str, Variant]) -> dict[str, Any]:
    return {name: variant.value for name, variant in values.items()}
