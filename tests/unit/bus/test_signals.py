"""The loop that signals of the operating system and failures in callbacks end."""

import asyncio
import os
import signal

import pytest
from dbus_next.constants import MessageType
from dbus_next.message import Message

from nsunit.bus.protocol import bus_error
from nsunit.bus.signals import Signals, has_left, run


class Over(BaseException):
    """What a signal's handler raises."""


@pytest.fixture
def handler():
    def end(number, _frame):
        raise Over(number)

    old = signal.signal(signal.SIGTERM, end)
    yield end
    signal.signal(signal.SIGTERM, old)


def ending(callback):
    """A coroutine that would go on for ever, with a *callback* that the loop calls."""

    async def work():
        asyncio.get_running_loop().call_soon(callback)
        await asyncio.Event().wait()

    return work()


def test_a_result():
    assert run(asyncio.sleep(0, "done")) == "done"


def test_a_signal_in_a_callback_ends_it(handler):
    with pytest.raises(Over) as caught:
        run(ending(lambda: os.kill(os.getpid(), signal.SIGTERM)))
    assert caught.value.args == (signal.SIGTERM,)
    assert signal.getsignal(signal.SIGTERM) is handler


def test_a_failed_callback_ends_it():
    with pytest.raises(ZeroDivisionError):
        run(ending(lambda: 1 / 0))


def test_a_signal_that_cannot_be_understood_ends_it():
    class Bus:
        def add_message_handler(self, handler):
            self.handler = handler

        async def call(self, _message):
            return Message(message_type=MessageType.METHOD_RETURN, reply_serial=1, signature="s", body=[":1.1"])

    async def work():
        bus = Bus()
        await Signals(bus, lambda signal_: 1 / 0, lambda: None).listen([])
        fields = {"sender": ":1.1", "path": "/x", "interface": "x.Y"}
        bus.handler(Message(message_type=MessageType.SIGNAL, member="Z", **fields))
        await asyncio.Event().wait()

    with pytest.raises(ZeroDivisionError):
        run(work())


@pytest.mark.parametrize(
    ("name", "message", "left"),
    [
        ("NoReply", "Message recipient disconnected from message bus without replying", True),
        ("NoReply", "Did not receive a reply", False),
        ("NameHasNoOwner", "x", True),
        ("ServiceUnknown", "x", True),
        ("Spawn.ChildExited", "x", True),
        ("AccessDenied", "x", False),
    ],
)
def test_systemd_has_left(name, message, left):
    assert has_left(bus_error(f"org.freedesktop.DBus.Error.{name}", message)) is left
