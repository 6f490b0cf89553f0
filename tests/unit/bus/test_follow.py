"""Following units, on a bus that answers as systemd does."""

import asyncio

import pytest
from dbus_next.constants import MessageType
from dbus_next.message import Message
from dbus_next.signature import Variant

from nsunit.bus.follow import Follower
from nsunit.bus.marshal import unit_path
from nsunit.errors import BusError

WEB, DB = r"nsunit-my\x2dapp.service", "nsunit-db.slice"


class FakeBus:
    def __init__(self, *units):
        self.units = list(units)
        self.calls = []
        self.lost = asyncio.Event()
        self.handler = None
        self.state = "active"
        self.away = []  # calls that systemd does not answer, because it executes itself anew

    def add_message_handler(self, handler):
        self.handler = handler

    async def wait_for_disconnect(self):
        await self.lost.wait()

    async def call(self, message):
        self.calls.append((message.member, *message.body))
        if message.member == "Subscribe" and self.calls.count(("Subscribe",)) > 1:
            error = "org.freedesktop.systemd1.AlreadySubscribed"
            return Message(message_type=MessageType.ERROR, error_name=error, reply_serial=1)
        if message.member in self.away:
            self.away.remove(message.member)
            self.returns()
            error = "org.freedesktop.DBus.Error.NoReply"
            text = "Message recipient disconnected from message bus without replying"
            fields = {"error_name": error, "signature": "s", "body": [text], "reply_serial": 1}
            return Message(message_type=MessageType.ERROR, **fields)
        signature, body = getattr(self, message.member, lambda *_: ("", []))(*message.body)
        return Message(message_type=MessageType.METHOD_RETURN, reply_serial=1, signature=signature, body=body)

    def GetNameOwner(self, _name):
        return "s", [":1.1"]

    def ListUnitsByPatterns(self, _states, patterns):
        assert "nsunit-*" not in patterns or "nsunit.slice" in patterns
        found = [unit for unit in self.units if "nsunit-*" in patterns or unit in patterns]
        rows = [[unit, "", "loaded", self.state, "running", "", unit_path(unit), 0, "", "/"] for unit in found]
        return "a(ssssssouso)", [rows]

    def GetAll(self, interface):
        return "a{sv}", [{"Result": Variant("s", "exit-code")}]

    def returns(self):
        fields = {"sender": "org.freedesktop.DBus"}
        self.signal("NameOwnerChanged", "sss", "org.freedesktop.systemd1", "", ":1.9", **fields)

    def signal(self, member, signature, *body, path="/org/freedesktop/systemd1", sender=":1.1"):
        fields = {"sender": sender, "path": path, "interface": "org.freedesktop.systemd1.Manager"}
        self.handler(
            Message(message_type=MessageType.SIGNAL, member=member, signature=signature, body=list(body), **fields)
        )

    def changed(self, unit, state, **fields):
        values = {"ActiveState": Variant("s", state)}
        self.signal("PropertiesChanged", "sa{sv}as", "x.Unit", values, [], path=unit_path(unit), **fields)


def run(script, *units, away=(), kind=FakeBus):
    """What a follower tells while *script* plays on the bus."""
    told = []

    async def inner():
        bus = kind(*units)
        bus.away = list(away)
        follower = Follower(bus, lambda unit, values: told.append((unit, values)))
        begun = asyncio.Event()

        async def ready():
            told.append("ready")
            begun.set()

        task = asyncio.ensure_future(follower.run(ready))
        await asyncio.wait({task, asyncio.ensure_future(begun.wait())}, return_when=asyncio.FIRST_COMPLETED)
        script(bus)
        for _ in range(50):
            await asyncio.sleep(0)
        if task.done():
            await task
        task.cancel()
        return bus

    bus = asyncio.run(inner())
    return told, bus


ACTIVE = {"LoadState": "loaded", "ActiveState": "active", "SubState": "running"}


def test_what_is_there_comes_first():
    told, bus = run(lambda bus: None, WEB, DB)
    assert told == [(WEB, ACTIVE), (DB, ACTIVE), "ready"]
    assert ("ListUnitsByPatterns", [], ["nsunit.slice", "nsunit-*"]) in bus.calls
    assert "GetAll" not in [call[0] for call in bus.calls]


def test_changes():
    def script(bus):
        bus.changed(WEB, "failed")
        bus.changed("nsunit-new.service", "active")  # not known yet: its UnitNew is still to come
        bus.signal("UnitNew", "so", "nsunit-new.service", unit_path("nsunit-new.service"))
        bus.signal("UnitNew", "so", "other.service", unit_path("other.service"))
        bus.changed("nsunit-new.service", "activating")
        bus.changed("other.service", "active")
        bus.changed(WEB, "inactive", sender=":1.666")

    told, _ = run(script, WEB)
    assert told[2:] == [(WEB, {"ActiveState": "failed"}), ("nsunit-new.service", {"ActiveState": "activating"})]


def test_removed():
    def script(bus):
        bus.units.remove(WEB)
        bus.signal("UnitRemoved", "so", WEB, unit_path(WEB))

    told, bus = run(script, WEB, DB)
    assert told[3:] == [(WEB, {"LoadState": "not-found"})]
    assert bus.calls[-1] == ("ListUnitsByPatterns", [], [WEB])


def test_one_that_is_made_anew_while_systemd_lists_is_kept():
    def script(bus):
        def listing(states, patterns):
            answer = FakeBus.ListUnitsByPatterns(bus, states, patterns)
            bus.signal("UnitNew", "so", WEB, unit_path(WEB))
            bus.changed(WEB, "activating")
            return answer

        bus.units.remove(WEB)
        bus.ListUnitsByPatterns = listing
        bus.signal("UnitRemoved", "so", WEB, unit_path(WEB))

    told, _ = run(script, WEB)
    assert told[2:] == [(WEB, {"ActiveState": "activating"})]


def test_what_comes_while_systemd_lists_is_newer_than_the_list():
    def script(bus):
        def answering(interface):
            bus.changed(WEB, "activating", sender=":1.9")
            return FakeBus.GetAll(bus, interface)

        bus.state = "failed"
        bus.GetAll = answering
        bus.returns()

    told, _ = run(script, WEB)
    assert told[2:] == [(WEB, {"ActiveState": "activating"})] * 2


def test_what_comes_while_systemd_lists_for_the_first_time_is_kept():
    class Early(FakeBus):
        def ListUnitsByPatterns(self, states, patterns):
            answer = super().ListUnitsByPatterns(states, patterns)
            self.changed(WEB, "deactivating")
            return answer

    told, _ = run(lambda bus: None, WEB, kind=Early)
    assert told == [(WEB, ACTIVE), (WEB, {"ActiveState": "deactivating"}), "ready"]


def test_a_reload_removes_nothing():
    told, _ = run(lambda bus: bus.signal("UnitRemoved", "so", WEB, unit_path(WEB)), WEB)
    assert told == [(WEB, ACTIVE), "ready"]


def test_systemd_comes_back():
    def script(bus):
        bus.units = [DB]
        bus.returns()
        bus.changed(DB, "inactive", sender=":1.9")

    told, bus = run(script, WEB)
    assert (WEB, {"LoadState": "not-found"}) in told
    assert (DB, ACTIVE) in told
    assert bus.calls.count(("Subscribe",)) == 2


def test_systemd_leaves_without_an_answer():
    def script(bus):
        bus.away = ["ListUnitsByPatterns", "ListUnitsByPatterns"]
        bus.state = "failed"
        bus.signal("UnitRemoved", "so", WEB, unit_path(WEB))

    told, bus = run(script, WEB)
    assert told[2:] == [(WEB, {**ACTIVE, "ActiveState": "failed", "Result": "exit-code"})]
    assert bus.away == []


def test_systemd_leaves_at_the_beginning():
    told, _ = run(lambda bus: None, WEB, away=["ListUnitsByPatterns"])
    assert told == [(WEB, ACTIVE), "ready"]


def test_any_other_error_ends_it():
    def script(bus):
        bus.ListUnitsByPatterns = lambda *_: ("s", [])
        bus.returns()

    with pytest.raises(TypeError):
        run(script, WEB)


def test_a_lost_connection():
    with pytest.raises(BusError, match="^the connection to the message bus was lost$"):
        run(lambda bus: bus.lost.set(), WEB)
