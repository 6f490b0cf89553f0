import errno
import importlib.util
import os
import posix
import pwd
import sys
import time
import types

import pytest

from nsunit.bus import marshal, systemd
from nsunit.bus.protocol import DISCONNECTED, NO_SUCH_UNIT, TIMEOUT, Job, UnitStatus
from nsunit.errors import BusError
from nsunit.units import Property, Unit

_spec = importlib.util.spec_from_file_location("fake_bus", os.path.join(os.path.dirname(__file__), "fake_bus.py"))
fake = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(fake)

JOB = "/org/freedesktop/systemd1/job/7"


def client(*buses, direct=True):
    queue = list(buses)
    return systemd.Systemd(open_bus=lambda _user: (queue.pop(0), direct))


def strings(arguments):
    return [value.decode() for kind, value in arguments if kind == ord("s")]


def test_start_transient_sends_unit_and_auxiliary_units():
    bus = fake.FakeBus({"StartTransientUnit": JOB.encode()}, [fake.job_removed(JOB, "a.service", "done")])
    unit = Unit("a.service", (Property("Slice", "s", "a.slice"),))
    manager = client(bus)
    job = manager.start_transient(unit, (Unit("a.slice", (Property("TasksMax", "t", 9),)),))
    assert job == Job(JOB, "a.service", "start")
    method, path, arguments = bus.calls[0]
    assert (method, path) == ("StartTransientUnit", "/org/freedesktop/systemd1")
    assert strings(arguments) == ["a.service", "fail", "Slice", "a.slice", "a.slice", "TasksMax"]
    assert (ord("a"), b"(sa(sv))") in arguments
    openings = sum(1 for kind, _value in arguments if kind in map(ord, "arv"))
    assert openings == arguments.count((-1, None))
    assert manager.wait(job, 5) == "done"
    assert manager.wait(job, 5) == "done"  # asking again is fine


def test_start_transient_refuses_a_value_that_does_not_fit():
    manager = client(fake.FakeBus({}))
    with pytest.raises(BusError, match="^cannot make unit 'a.service': property 'TasksMax': 'x' does not fit"):
        manager.start_transient(Unit("a.service", (Property("TasksMax", "t", "x"),)))


def test_set_properties_refuses_a_value_that_does_not_fit():
    with pytest.raises(BusError, match="^cannot change unit 'a.service': property 'TasksMax': -1 does not fit"):
        client(fake.FakeBus({})).set_properties("a.service", True, (Property("TasksMax", "t", -1),))


def test_a_method_refuses_a_name_with_a_nul():
    with pytest.raises(BusError, match="^cannot ask systemd for StartUnit: 'a.*b' has a NUL byte in it$"):
        client(fake.FakeBus({})).start("a\0b")


def test_on_the_system_bus_a_match_is_installed_once_and_before_the_call():
    bus = fake.FakeBus({"StartUnit": JOB.encode()}, sender=b":1.1")
    manager = client(bus, direct=False)
    manager.start("a.service")
    manager.start("b.service")
    assert bus.methods() == ["AddMatch", "StartUnit", "StartUnit"]


def test_results_of_other_jobs_are_kept():
    paths = iter([b"/j/1", b"/j/2", b"/j/3"])
    bus = fake.FakeBus({"StopUnit": lambda _a: next(paths)})
    manager = client(bus)
    first, second, third = (manager.stop(unit) for unit in ("a", "b", "c"))
    bus.signals = [
        fake.job_removed("/j/99", "other.service", "done"),
        fake.job_removed("/j/3", "c", "failed"),
        fake.job_removed("/j/1", "a", "done"),
    ]
    bus.wake()
    assert manager.wait_any([first, second, third], 5) == (first, "done")
    assert manager.wait(third, 5) == "failed"
    bus.signals = [fake.job_removed("/j/2", "b", "timeout")]
    assert manager.wait_any([second], 5) == (second, "timeout")


def test_what_has_ended_is_known_without_waiting():
    paths = iter([b"/j/1", b"/j/2"])
    bus = fake.FakeBus({"StartUnit": lambda _a: next(paths)})
    manager = client(bus)
    first, second = manager.start("a"), manager.start("b")
    assert manager.ended([first, second]) == []
    bus.signals = [fake.job_removed("/j/2", "b", "done")]
    bus.wake()
    assert manager.ended([first, second]) == [second]
    assert manager.wait_any([second], 0) == (second, "done")


def test_who_waits_sees_what_else_there_is():
    """It looks at once, and goes on waiting; a loss of the connection is told by that alone."""
    bus = fake.FakeBus({"StopUnit": JOB.encode()})
    manager = client(bus)
    job, seen = manager.stop("a.service"), []
    reader, writer = os.pipe()

    def look():
        seen.append(os.read(reader, 1))
        if len(seen) == 2:
            os.close(writer)
        if len(seen) == 3:  # the end of the file, which is no event that one has asked for
            bus.signals = [fake.job_removed(JOB, "a.service", "done")]
            bus.wake()

    os.write(writer, b"12")
    beside = types.SimpleNamespace(fileno=lambda: reader, look=look)
    assert manager.wait_any([job], 5, beside) == (job, "done")
    assert seen[:3] == [b"1", b"2", b""]
    os.close(reader)


def test_wait_any_of_nothing():
    with pytest.raises(ValueError, match="no job"):
        client(fake.FakeBus({})).wait_any([], 1)


def test_a_signal_of_somebody_else_is_not_believed():
    forged = fake.job_removed(JOB, "a.service", "failed", sender=b":1.666")
    true = fake.job_removed(JOB, "a.service", "done")
    bus = fake.FakeBus({"StartUnit": JOB.encode(), "Get": b"257"}, [forged, true], sender=b":1.1")
    manager = client(bus, direct=False)
    assert manager.wait(manager.start("a.service"), 5) == "done"


def test_systemd_under_a_new_unique_name_is_believed():
    bus = fake.FakeBus({"StartUnit": JOB.encode(), "Get": b"257"}, sender=b":1.1")
    manager = client(bus, direct=False)
    job = manager.start("a.service")
    bus.sender = b":1.77"
    bus.signals = [fake.job_removed(JOB, "a.service", "done", sender=b":1.77")]
    assert manager.wait(job, 5) == "done"


def state(job, load, active):
    values = {"Job": job, "LoadState": load, "ActiveState": active}

    def answer(arguments):
        return values[strings(arguments)[1]]

    return answer


def test_a_job_that_is_still_queued_at_the_deadline_times_out():
    bus = fake.FakeBus({"StartUnit": JOB.encode(), "Get": state((7, JOB.encode()), b"loaded", b"activating")})
    manager = client(bus)
    job = manager.start("a.service")
    began = time.monotonic()
    with pytest.raises(BusError, match="^the start of 'a.service' was not finished after 0.05 s$") as caught:
        manager.wait(job, 0.05)
    assert caught.value.name == TIMEOUT
    assert 0.04 < time.monotonic() - began < 1


def test_a_lost_signal_is_found_out_at_the_deadline():
    bus = fake.FakeBus({"StartUnit": JOB.encode(), "Get": state((0, b"/"), b"loaded", b"active")})
    manager = client(bus)
    assert manager.wait(manager.start("a.service"), 0.01) == "done"


def test_a_lost_connection_is_opened_again_and_the_job_looked_up():
    first = fake.FakeBus({"StopUnit": JOB.encode()})
    second = fake.FakeBus({"Get": state((0, b"/"), b"loaded", b"inactive")})
    manager = client(first, second)
    job = manager.stop("a.service")
    first.hang_up()
    assert manager.wait(job, 5) == "done"
    assert first.closed == 1


def test_a_connection_that_was_lost_while_something_was_read_may_have_lost_a_signal():
    first = fake.FakeBus({"StartUnit": JOB.encode(), "GetAll": fake.Error(-errno.ECONNRESET)})
    second = fake.FakeBus({"Get": state((0, b"/"), b"loaded", b"active"), "GetAll": None})
    manager = client(first, second)
    job = manager.start("a.service")
    manager.properties("other.service")
    began = time.monotonic()
    assert manager.wait(job, 60) == "done"
    assert time.monotonic() - began < 30  # the whole time-out would be over


def test_a_lost_connection_does_not_end_a_job_that_is_still_there():
    first = fake.FakeBus({"StopUnit": JOB.encode()}, [fake.Error(-errno.ECONNRESET)])
    second = fake.FakeBus({"Get": state((7, JOB.encode()), b"loaded", b"deactivating")})
    second.signals = [fake.job_removed(JOB, "a.service", "canceled")]
    manager = client(first, second)
    assert manager.wait(manager.stop("a.service"), 5) == "canceled"


def test_on_a_new_connection_to_the_bus_old_jobs_are_subscribed_to():
    first = fake.FakeBus({"StopUnit": JOB.encode()}, [fake.Error(-errno.ECONNRESET)], sender=b":1.1")
    second = fake.FakeBus({"Get": state((7, JOB.encode()), b"loaded", b"deactivating")}, sender=b":1.1")
    second.signals = [fake.job_removed(JOB, "a.service", "done")]
    manager = client(first, second, direct=False)
    assert manager.wait(manager.stop("a.service"), 5) == "done"
    assert second.methods()[:2] == ["AddMatch", "Subscribe"]


def test_reading_survives_a_lost_connection():
    first = fake.FakeBus({"Get": fake.Error(-errno.ENOTCONN)})
    second = fake.FakeBus({"Get": b"257.13-1~deb13u1"})
    assert client(first, second).version() == 257


@pytest.mark.parametrize(
    ("method", "deed", "answer"),
    [
        ("StopUnit", lambda manager: manager.stop("a.service"), JOB.encode()),
        ("KillUnit", lambda manager: manager.kill("a.service", "all", 9), None),
        ("ResetFailedUnit", lambda manager: manager.reset_failed("a.service"), None),
        ("SetUnitProperties", lambda manager: manager.set_properties("a.service", True, []), None),
        ("Reload", lambda manager: manager.reload(), None),
    ],
)
def test_what_is_the_same_twice_survives_a_lost_connection(method, deed, answer):
    """systemd re-executes itself while it is asked."""
    first, second = fake.FakeBus({method: fake.Error(-errno.ECONNRESET)}), fake.FakeBus({method: answer})
    deed(client(first, second))
    assert method in second.methods()


def test_a_signal_is_not_repeated_on_a_lost_connection():
    """But for SIGKILL, it would be another one."""
    with pytest.raises(BusError, match="^the connection to systemd was lost$"):
        client(fake.FakeBus({"KillUnit": fake.Error(-errno.ECONNRESET)})).kill("a.service", "main", 10)


def test_starting_is_not_repeated_on_a_lost_connection():
    bus = fake.FakeBus({"StartUnit": fake.Error(-errno.ECONNRESET)})
    with pytest.raises(BusError, match="^the connection to systemd was lost$") as caught:
        client(bus).start("a.service")
    assert caught.value.name == DISCONNECTED
    assert "run the same command again" in caught.value.hint


@pytest.mark.parametrize(
    ("number", "given", "name", "message"),
    [
        (-2, b"org.freedesktop.systemd1.NoSuchUnit", NO_SUCH_UNIT, "Unit x is odd"),
        (-13, b"org.freedesktop.DBus.Error.AccessDenied", "org.freedesktop.DBus.Error.AccessDenied", "Unit x is odd"),
        (-17, b"org.freedesktop.systemd1.UnitExists", "org.freedesktop.systemd1.UnitExists", "Unit x is odd"),
        (-110, None, TIMEOUT, "systemd did not answer in time"),
        (-5, b"org.freedesktop.DBus.Error.NoReply", TIMEOUT, "systemd did not answer in time"),
        (-13, None, "org.freedesktop.DBus.Error.AccessDenied", "Unit x is odd"),
        (-2, None, "org.freedesktop.DBus.Error.FileNotFound", "Unit x is odd"),
        (-22, "", "System.Error.EINVAL", "Unit x is odd"),
    ],
)
def test_errors_keep_their_names(number, given, name, message):
    error = fake.Error(number, given, b"Unit x is odd.")
    with pytest.raises(BusError) as caught:
        client(fake.FakeBus({"StopUnit": error})).stop("x")
    assert (caught.value.name, caught.value.message) == (name, message)


def test_systemd_that_leaves_the_bus_is_a_lost_connection():
    said = b"Message recipient disconnected from message bus without replying"
    error = fake.Error(-5, b"org.freedesktop.DBus.Error.NoReply", said)
    with pytest.raises(BusError) as caught:
        client(fake.FakeBus({"StartUnit": error})).start("x")
    assert caught.value.name == DISCONNECTED


def test_other_exceptions_are_not_swallowed():
    with pytest.raises(ZeroDivisionError):
        client(fake.FakeBus({"StopUnit": ZeroDivisionError()})).stop("x")


def test_get_asks_the_interface_the_property_belongs_to_and_leaves_out_unknown_ones():
    def answer(arguments):
        interface, name = strings(arguments)
        if name == "DelegateSubgroup":
            return fake.Error(-1, b"org.freedesktop.DBus.Error.UnknownProperty", b"Unknown property")
        return f"{interface.rpartition('.')[2]}/{name}".encode()

    bus = fake.FakeBus({"Get": answer})
    found = client(bus).get("a.slice", "ActiveState", "ControlGroup", "DelegateSubgroup")
    assert found == {"ActiveState": "Unit/ActiveState", "ControlGroup": "Slice/ControlGroup"}
    assert bus.calls[0][1] == marshal.unit_path("a.slice")


def test_get_of_a_unit_that_is_not_there_asks_once():
    bus = fake.FakeBus({"Get": b"not-found"})
    assert client(bus).get("a.service", "ActiveState", "LoadState", "Job") == {"LoadState": "not-found"}
    assert len(bus.calls) == 1


def test_get_passes_on_other_errors():
    bus = fake.FakeBus({"Get": fake.Error(-13, b"org.freedesktop.DBus.Error.AccessDenied", b"No")})
    with pytest.raises(BusError, match="No"):
        client(bus).get("a.slice", "ActiveState")


def test_properties():
    bus = fake.FakeBus({"GetAll": {b"Id": b"a.service", b"MainPID": 5, b"ExecStart": [(b"/x", [b"x"])]}})
    assert client(bus).properties("a.service") == {"Id": "a.service", "MainPID": 5, "ExecStart": [("/x", ["x"])]}


@pytest.mark.parametrize("answer", [b"/u", fake.Error(-2, b"org.freedesktop.systemd1.NoSuchUnit", b"Not loaded.")])
def test_whether_a_unit_is_loaded_is_one_question(answer):
    bus = fake.FakeBus({"GetUnit": answer})
    assert client(bus).is_loaded("a.service") is (answer == b"/u")
    assert [(method, strings(arguments)) for method, _path, arguments in bus.calls] == [("GetUnit", ["a.service"])]


def test_whether_a_unit_is_loaded_may_stay_unknown():
    bus = fake.FakeBus({"GetUnit": fake.Error(-13, b"org.freedesktop.DBus.Error.AccessDenied", b"No")})
    with pytest.raises(BusError, match="No"):
        client(bus).is_loaded("a.service")


def test_list_units():
    row = (b"a.service", b"A", b"loaded", b"active", b"running", b"", b"/u", 0, b"", b"/")
    bus = fake.FakeBus({"ListUnitsByPatterns": [row]})
    manager = client(bus)
    assert manager.list_units(["a*"]) == [UnitStatus("a.service", "A", "loaded", "active", "running", "")]


def test_the_other_methods():
    bus = fake.FakeBus({})
    manager = client(bus)
    manager.kill("a", "main", 9)
    manager.reset_failed("a")
    manager.freeze("a")
    manager.thaw("a")
    manager.attach("a", "/jobs", [5])
    manager.reload()
    manager.set_properties("a", True, (Property("TasksMax", "t", 5),))
    assert bus.methods() == [
        "KillUnit",
        "ResetFailedUnit",
        "FreezeUnit",
        "ThawUnit",
        "AttachProcessesToUnit",
        "Reload",
        "SetUnitProperties",
    ]
    assert bus.calls[0][2] == [(ord("s"), b"a"), (ord("s"), b"main"), (ord("i"), 9)]
    manager.close()
    manager.close()
    assert bus.closed == 1


class FakeLibrary:
    """pystemd.dbuslib with connections that fail as told."""

    def __init__(self, private, system):
        self.opened = []
        self.DBusAddress = self.make("private", private)
        self.DBus = self.make("system", system)

    def make(self, name, failure):
        library = self

        class Connection:
            def __init__(self, *arguments):
                self.arguments = arguments

            def open(self):
                library.opened.append(name)
                if failure:
                    raise failure

            def close(self):
                pass

        return Connection


NO_FILE = fake.Error(-errno.ENOENT, None, "Could not open a bus to DBus")


def test_a_reload_takes_as_long_as_systemctl_lets_it(monkeypatch):
    """Generators alone may take longer than any other call may; nothing else is answered meanwhile."""
    answers = [late := fake.Error(-errno.ETIMEDOUT), late, b"257.13"]
    bus = fake.FakeBus({"Reload": fake.Error(-errno.ETIMEDOUT), "Get": lambda _: answers.pop(0)})
    client(bus).reload()
    assert (bus.methods(), answers) == (["Reload", "Get", "Get", "Get"], [])
    monkeypatch.setattr(systemd, "_RELOAD_SECONDS", 0.0)
    bus = fake.FakeBus({"Reload": fake.Error(-errno.ETIMEDOUT), "Get": fake.Error(-errno.ETIMEDOUT)})
    with pytest.raises(BusError, match="^systemd did not answer in time$"):
        client(bus).reload()
    with pytest.raises(BusError, match="^too often$"):
        client(fake.FakeBus({"Reload": fake.Error(-errno.EBUSY, "a.LimitsExceeded", "too often")})).reload()


def open_with(monkeypatch, uid, private=None, system=None, user=False):
    found = FakeLibrary(private, system)
    monkeypatch.setattr(marshal, "load_dbuslib", lambda: found)
    monkeypatch.setattr(posix, "geteuid", lambda: uid)
    try:
        return found.opened, marshal.open_bus(user)[1]
    except BusError as error:
        return found.opened, error


def test_root_uses_the_private_socket(monkeypatch):
    assert open_with(monkeypatch, 0) == (["private"], True)


def test_root_falls_back_to_the_system_bus(monkeypatch):
    assert open_with(monkeypatch, 0, private=NO_FILE) == (["private", "system"], False)


def test_others_use_the_system_bus(monkeypatch):
    assert open_with(monkeypatch, 1000) == (["system"], False)


def test_no_systemd_at_all(monkeypatch):
    _opened, error = open_with(monkeypatch, 0, private=NO_FILE, system=NO_FILE)
    assert error.message == "cannot reach systemd over the system bus: there is no socket"
    assert "systemd as PID 1" in error.hint


def test_no_systemd_of_the_user(monkeypatch):
    """As with sudo -u, or su that leaves root's $XDG_RUNTIME_DIR."""
    there = {"/run/user/1000"}
    monkeypatch.setattr(posix, "access", lambda path, _mode: path in there)
    monkeypatch.setattr(posix, "environ", {b"XDG_RUNTIME_DIR": b"/run/user/0"})
    _opened, error = open_with(monkeypatch, 1000, private=NO_FILE, system=NO_FILE, user=True)
    socket = "/run/user/0/systemd/private"
    assert error.message == f"cannot reach the systemd of user 1000: nobody listens at '{socket}'"
    assert error.hint == "$XDG_RUNTIME_DIR is not this user's, which is '/run/user/1000'"
    there.clear()
    _opened, error = open_with(monkeypatch, 1000, private=NO_FILE, system=NO_FILE, user=True)
    assert error.hint.startswith("the user's systemd runs while they are logged in")
    assert "'loginctl enable-linger 1000'" in error.hint
    monkeypatch.setattr(posix, "environ", {})
    _opened, error = open_with(monkeypatch, 1000, private=NO_FILE, system=NO_FILE, user=True)
    assert error.message.endswith("'/run/user/1000/systemd/private'")
    monkeypatch.setattr(posix, "environ", {b"XDG_RUNTIME_DIR": b"own/place"})
    _opened, error = open_with(monkeypatch, 1000, private=NO_FILE, system=NO_FILE, user=True)
    assert error.message.endswith("'/run/user/1000/systemd/private'")
    assert "enable-linger" in error.hint


def test_who_has_no_account_is_told(monkeypatch):
    """The message bus closes the connection, without a word."""
    uid = next(uid for uid in range(54321, 60000) if not has_account(uid))
    monkeypatch.setattr(posix, "geteuid", lambda: uid)
    bus = fake.FakeBus({"GetUnit": fake.Error(-errno.ECONNRESET), "ListUnitsByPatterns": fake.Error(-errno.ECONNRESET)})
    with pytest.raises(BusError, match=f"^there is no user {uid} on this host$") as caught:
        client(bus).list_units(["nsunit-*"])
    assert caught.value.hint == "'getent passwd' lists those that are; the message bus serves no other"


def has_account(uid):
    return any(entry.pw_uid == uid for entry in pwd.getpwall())


def test_without_pystemd(monkeypatch):
    class Nothing:
        @staticmethod
        def find_spec(_name, _path):
            return None

    monkeypatch.setattr(sys, "meta_path", [Nothing])
    monkeypatch.setattr(marshal, "_library", None)
    with pytest.raises(BusError, match="^the Python package 'pystemd' is not installed$") as caught:
        marshal.load_dbuslib()
    assert "python3-pystemd" in caught.value.hint


@pytest.mark.parametrize("beside", [True, False])
def test_loading_leaves_no_stand_in_behind(monkeypatch, tmp_path, beside):
    """A package whose __init__ must not run, and whose dbuslib imports what pystemd's does."""
    package = tmp_path / "pystemd"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('must not run')\n")
    (package / "dbuslib.py").write_text(
        "from pprint import pformat\nfrom pystemd.dbusexc import DBusError\nfrom pystemd.utils import x2char_star\n"
    )
    import pprint

    for name in [name for name in sys.modules if name.split(".")[0] == "pystemd"]:
        monkeypatch.delitem(sys.modules, name)
    if beside:  # where nsunit is, and no directory of the path is read for it
        monkeypatch.setattr(marshal, "TOP", str(tmp_path))
        monkeypatch.setattr(sys, "path", ["/usr/none"])
    else:
        monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(marshal, "_library", None)
    found = marshal.load_dbuslib()
    assert found.x2char_star("a") == b"a"
    assert found.x2char_star(None) is None
    assert found.DBusError is marshal.SdBusError
    assert marshal.load_dbuslib() is found
    assert not {"pystemd", "pystemd.utils", "pystemd.dbusexc"} & set(sys.modules)
    assert sys.modules["pprint"] is pprint
    del sys.modules["pystemd.dbuslib"]
