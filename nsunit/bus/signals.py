"""A connection that hears systemd's signals: the only file that imports dbus-next."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

from dbus_next.aio.message_bus import MessageBus
from dbus_next.constants import BusType, MessageType
from dbus_next.message import Message

from nsunit.bus.protocol import DISCONNECTED, NO_REPLY, NO_SUCH_UNIT, TIMEOUT, UNREACHABLE, bus_error
from nsunit.errors import BusError
from nsunit.names import base_directory
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

SYSTEMD = "org.freedesktop.systemd1"
MANAGER = "org.freedesktop.systemd1.Manager"
MANAGER_PATH = "/org/freedesktop/systemd1"
PROPERTIES = "org.freedesktop.DBus.Properties"
_DBUS = "org.freedesktop.DBus"
_NOBODY = (f"{_DBUS}.Error.NameHasNoOwner", f"{_DBUS}.Error.ServiceUnknown")
_CALL_SECONDS = 25.0  # sd-bus's deadline; dbus-next itself has none
_ARRIVAL_SECONDS = 30.0  # in which systemd comes to a bus


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run *work* in a loop of its own, as asyncio.run does, and have SIGTERM, SIGHUP and failed callbacks end it.

    An exception in a callback would only be logged, one that a signal's handler raises there as well.  So it is raised
    here, and the handlers are called, once the loop is left.
    """
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    own = [number for number, handler in handlers.items() if callable(handler)]
    caught: list[int] = []
    failures: list[BaseException] = []

    async def inner() -> Any:
        loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)

        def end(number: int) -> None:
            caught.append(number)
            task.cancel()

        def fail(_loop: object, context: dict[str, Any]) -> None:
            failures.append(context.get("exception") or RuntimeError(context["message"]))
            task.cancel()

        for number in own:
            loop.add_signal_handler(number, end, number)
        loop.set_exception_handler(fail)
        return await task

    try:
        return asyncio.run(inner())
    except asyncio.CancelledError:
        if failures:
            raise failures[0] from None
        raise
    finally:
        for number in own:
            signal.signal(number, handlers[number])
        if caught:
            signal.raise_signal(caught[0])


def has_left(error: BusError) -> bool:
    """Tell whether systemd was not on the bus when it was called: it executes itself anew, and will be back."""
    if error.name == NO_REPLY:
        return "disconnected" in error.message  # the message bus's words; else it was too busy
    return error.name in _NOBODY or error.name.startswith(f"{_DBUS}.Error.Spawn.")


class Signal(Record):
    """One signal of systemd's: the object it is about, its name, and its arguments."""

    path: str
    member: str
    body: tuple[Any, ...]


async def connect(user: bool = False) -> Any:
    """Connect to the system's bus, or the user's.

    Raises:
        BusError: it cannot be reached.
    """
    try:
        if user:
            return await MessageBus(bus_address=_user_bus()).connect()
        return await MessageBus(bus_type=BusType.SYSTEM).connect()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise bus_error(UNREACHABLE, f"cannot reach the message bus: {reason}") from None


def _user_bus() -> str:
    # Without a login the address is not in the environment, but the socket is where it always is.
    runtime = base_directory(os.environ, "XDG_RUNTIME_DIR", f"/run/user/{os.geteuid()}")
    return os.environ.get("DBUS_SESSION_BUS_ADDRESS") or f"unix:path={runtime}/bus"


class Signals:
    """Signals and calls over *bus*.

    `on_signal` gets every signal the rules ask for; `on_return` is called when systemd has re-executed itself and is
    back, so that what was missed can be asked for.
    """

    def __init__(self, bus: Any, on_signal: Callable[[Signal], None], on_return: Callable[[], None]) -> None:
        self._bus = bus
        self._on_signal = on_signal
        self._on_return = on_return
        self._owner = ""
        self._has_come = asyncio.Event()

    async def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Do *work* until it is done.

        Raises:
            BusError: the connection was lost meanwhile.
        """
        lost = asyncio.ensure_future(self._bus.wait_for_disconnect())
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait({lost, task}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise bus_error(DISCONNECTED, "the connection to the message bus was lost")
            return task.result()
        finally:
            lost.cancel()
            task.cancel()

    async def listen(self, rules: Iterable[str]) -> None:
        """Have systemd send its signals; each of *rules* is the end of a match rule, such as `member='UnitNew'`.

        systemd may not be on the bus yet: that of a user is started by the first one who connects to it, and systemd
        comes to it a moment later; and it leaves every bus while it executes itself anew.

        Raises:
            BusError: it did not come, or refused.
        """
        self._bus.add_message_handler(self._on_message)
        for rule in rules:
            await self._match(f"type='signal',sender='{SYSTEMD}',{rule}")
        await self._match(f"type='signal',sender='{_DBUS}',member='NameOwnerChanged',arg0='{SYSTEMD}'")
        while not await self._has_subscribed():
            try:
                await asyncio.wait_for(self._has_come.wait(), _ARRIVAL_SECONDS)
            except TimeoutError:
                raise bus_error(UNREACHABLE, f"systemd is not on the bus, not after {_ARRIVAL_SECONDS:g} s") from None

    async def _has_subscribed(self) -> bool:
        self._has_come.clear()
        try:
            self._owner = await self.call(_DBUS, "/org/freedesktop/DBus", _DBUS, "GetNameOwner", "s", SYSTEMD)
            await self.manager("Subscribe")
        except BusError as error:
            if not has_left(error):
                raise
            return False
        return True

    async def _match(self, rule: str) -> None:
        await self.call(_DBUS, "/org/freedesktop/DBus", _DBUS, "AddMatch", "s", rule)

    def _on_message(self, message: Message) -> None:
        try:
            self._take(message)
        except Exception as error:  # dbus-next would go on
            failure = {"message": "a signal was not understood", "exception": error}
            asyncio.get_running_loop().call_exception_handler(failure)

    def _take(self, message: Message) -> None:
        if message.message_type is not MessageType.SIGNAL:
            return
        if message.member == "NameOwnerChanged" and message.sender == _DBUS:
            if message.body[2]:  # systemd has re-executed itself and is back under a new unique name
                self._owner = message.body[2]
                self._has_come.set()
                self._on_return()
        elif message.sender == self._owner or not self._owner:  # anybody may send us a signal: believe systemd only
            self._on_signal(Signal(message.path, message.member, tuple(plain(item) for item in message.body)))

    async def manager(self, member: str, signature: str = "", *body: object) -> Any:
        """Call a method of systemd's manager; see `call`."""
        return await self.call(SYSTEMD, MANAGER_PATH, MANAGER, member, signature, *body)

    async def properties(self, path: str, interface: str) -> dict[str, Any]:
        """All properties of an object of systemd's of one interface; see `call`."""
        return dict(await self.call(SYSTEMD, path, PROPERTIES, "GetAll", "s", interface))

    async def call(
        self, destination: str, path: str, interface: str, member: str, signature: str = "", *body: object
    ) -> Any:
        """Call a method and return its (single) result.

        Raises:
            LookupError: the unit is not loaded.
            BusError: any other error.
        """
        message = Message(destination, path, interface, member, signature=signature, body=list(body))
        try:
            reply = await asyncio.wait_for(self._bus.call(message), _CALL_SECONDS)
        except TimeoutError:
            raise bus_error(TIMEOUT, f"no answer to {member} in {_CALL_SECONDS:g} s") from None
        if reply.message_type is MessageType.ERROR:
            if reply.error_name in (NO_SUCH_UNIT, _DBUS + ".Error.UnknownObject"):
                raise LookupError(reply.error_name)
            raise bus_error(reply.error_name, str(reply.body[0]) if reply.body else member)
        return plain(reply.body[0]) if reply.body else None


def plain(value: Any) -> Any:
    """Take a dictionary's values out of their variants."""
    if isinstance(value, dict):
        return {name: getattr(item, "value", item) for name, item in value.items()}
    return value
