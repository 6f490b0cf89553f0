import asyncio

import pytest
from dbus_next.constants import MessageType
from dbus_next.message import Message
from dbus_next.signature import Variant

from nsunit.bus import signals, watch
from nsunit.bus.marshal import unit_path
from nsunit.errors import BusError

UNIT = "nsunit-web.service"


class FakeBus:
    """Answers the watcher's calls; `script` is what happens after GetUnit was answered: a list of signals."""

    def __init__(self, state, script=(), loaded=True):
        self.state = dict(state)
        self.script = list(script)
        self.loaded = loaded
        self.handler = None
        self.calls = []
        self.lost = asyncio.Event()

    def add_message_handler(self, handler):
        self.handler = handler

    async def wait_for_disconnect(self):
        await self.lost.wait()

    async def call(self, message):
        self.calls.append(message.member)
        body = getattr(self, message.member)(message)
        if body is LookupError:
            error = "org.freedesktop.systemd1.NoSuchUnit"
            return Message(message_type=MessageType.ERROR, error_name=error, reply_serial=1)
        if body is NameError:
            error = "org.freedesktop.DBus.Error.NameHasNoOwner"
            return Message(message_type=MessageType.ERROR, error_name=error, reply_serial=1)
        signature = "a{sv}" if isinstance(body, dict) else "s" if body else ""
        reply_body = [body] if body else []
        return Message(message_type=MessageType.METHOD_RETURN, reply_serial=1, signature=signature, body=reply_body)

    def AddMatch(self, _message):
        return ""

    def Subscribe(self, _message):
        asyncio.get_running_loop().call_soon(self.play)
        return ""

    def GetNameOwner(self, _message):
        return ":1.1"

    def GetUnit(self, _message):
        return unit_path(UNIT) if self.loaded else LookupError

    def GetAll(self, message):
        names = ("ActiveState",) if message.body[0].endswith(".Unit") else ("Result", "ExecMainCode", "ExecMainStatus")
        return {name: self.state[name] for name in names if name in self.state}

    def play(self):
        for step in self.script:
            asyncio.get_running_loop().call_later(0.01, step, self)


def changed(sender=":1.1", **values):
    def send(bus):
        variants = {name: Variant("s" if isinstance(value, str) else "i", value) for name, value in values.items()}
        bus.handler(
            Message(
                message_type=MessageType.SIGNAL,
                sender=sender,
                path=unit_path(UNIT),
                interface="org.freedesktop.DBus.Properties",
                member="PropertiesChanged",
                signature="sa{sv}as",
                body=["org.freedesktop.systemd1.Service", variants, []],
            )
        )

    return send


def removed(loaded):
    def send(bus):
        bus.loaded = loaded
        bus.handler(
            Message(
                message_type=MessageType.SIGNAL,
                sender=":1.1",
                path="/org/freedesktop/systemd1",
                interface="org.freedesktop.systemd1.Manager",
                member="UnitRemoved",
                signature="so",
                body=[UNIT, unit_path(UNIT)],
            )
        )

    return send


ACTIVE = {"ActiveState": Variant("s", "active"), "Result": Variant("s", "success")}


def run(state, script=(), loaded=True, timeout=5.0):
    async def inner():
        bus = FakeBus(state, script, loaded)
        return await asyncio.wait_for(watch._Watcher(bus, (UNIT,)).run(), timeout)

    return asyncio.run(inner())


def test_already_over():
    state = {
        "ActiveState": Variant("s", "failed"),
        "Result": Variant("s", "exit-code"),
        "ExecMainCode": Variant("i", 1),
        "ExecMainStatus": Variant("i", 3),
    }
    assert run(state) == [watch.Ended(UNIT, "failed", "exit-code", 1, 3)]


def test_not_loaded():
    assert run({}, loaded=False) == [watch.Ended(UNIT, "gone")]


def test_ends_while_waited_for():
    script = [changed(Result="oom-kill", ExecMainCode=2, ExecMainStatus=9), changed(ActiveState="failed")]
    assert run(ACTIVE, script) == [watch.Ended(UNIT, "failed", "oom-kill", 2, 9)]


class HalfHeard(FakeBus):
    """Its unit ended just before anybody listened: of the two signals that tell of it only the second one is heard."""

    def Subscribe(self, _message):
        changed(ActiveState="failed")(self)
        return ""


@pytest.mark.parametrize("loaded", [True, False])
def test_an_end_of_which_only_half_was_heard(loaded):
    values = {"ActiveState": "failed", "Result": "signal"}
    state = {name: Variant("s", value) for name, value in values.items()}
    bus = HalfHeard(state | {"ExecMainCode": Variant("i", 2), "ExecMainStatus": Variant("i", 9)}, loaded=loaded)
    expected = watch.Ended(UNIT, "failed", "signal", 2, 9) if loaded else watch.Ended(UNIT, "gone")
    assert asyncio.run(asyncio.wait_for(watch._Watcher(bus, (UNIT,)).run(), 5)) == [expected]


class NotYetThere(FakeBus):
    """A user's bus, which the first one who connects has started: systemd comes to it a moment later."""

    def GetNameOwner(self, _message):
        if self.calls.count("GetNameOwner") == 1:
            asyncio.get_running_loop().call_later(0.01, came, self)
            return NameError
        return ":1.1"


def came(bus):
    fields = {"sender": "org.freedesktop.DBus", "path": "/org/freedesktop/DBus", "interface": "org.freedesktop.DBus"}
    body = ["org.freedesktop.systemd1", "", ":1.1"]
    message = Message(message_type=MessageType.SIGNAL, member="NameOwnerChanged", signature="sss", body=body, **fields)
    bus.handler(message)


def test_systemd_comes_to_the_bus_later(monkeypatch):
    def wait(bus):
        return asyncio.run(asyncio.wait_for(watch._Watcher(bus, (UNIT,)).run(), 5))

    state = {"ActiveState": "failed", "Result": "signal"}
    bus = NotYetThere({name: Variant("s", value) for name, value in state.items()})
    assert wait(bus) == [watch.Ended(UNIT, "failed", "signal")]
    assert bus.calls.count("Subscribe") == 1
    monkeypatch.setattr(signals, "_ARRIVAL_SECONDS", 0.01)
    never = NotYetThere({})
    monkeypatch.setattr(never, "GetNameOwner", lambda _message: NameError, raising=False)
    with pytest.raises(BusError, match=r"systemd is not on the bus, not after 0\.01 s"):
        wait(never)


def test_unloaded_before_it_could_be_asked():
    script = [changed(ExecMainCode=1, ExecMainStatus=4), removed(loaded=False)]
    assert run(ACTIVE, script) == [watch.Ended(UNIT, "inactive", "success", 1, 4)]


def test_a_reload_does_not_end_the_wait():
    script = [removed(loaded=True), changed(ActiveState="inactive")]
    assert run(ACTIVE, script) == [watch.Ended(UNIT, "inactive", "success", 0, 0)]


def test_a_forged_signal_is_not_believed():
    with pytest.raises(TimeoutError):
        run(ACTIVE, [changed(sender=":1.666", ActiveState="inactive")], timeout=0.1)


def test_a_lost_connection():
    with pytest.raises(BusError, match="^the connection to the message bus was lost$"):
        run(ACTIVE, [lambda bus: bus.lost.set()])


def test_no_message_bus(monkeypatch, tmp_path):
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    with pytest.raises(BusError, match="^cannot reach the message bus: No such file or directory$"):
        watch.wait_inactive(UNIT)


def test_timeout(monkeypatch):
    class Connected(FakeBus):
        def __init__(self, bus_type):
            super().__init__(ACTIVE)
            self.disconnected = False

        async def connect(self):
            return self

        def disconnect(self):
            self.disconnected = True

    monkeypatch.setattr(signals, "MessageBus", Connected)
    with pytest.raises(BusError, match="^still running after 0.05 s: 'nsunit-web.service'$") as caught:
        watch.wait_inactive(UNIT, timeout=0.05)
    assert caught.value.hint == "it goes on; 'nsunit stop' ends it, 'nsunit status' says what it does"
