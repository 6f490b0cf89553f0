import errno
import os
import types

import pytest
from definitions import definition

from nsunit.bus.protocol import NO_SUCH_UNIT, TRANSACTION_IS_DESTRUCTIVE, UNIT_EXISTS, Job
from nsunit.core import prepare
from nsunit.core.prepare import Prepared
from nsunit.deeds import start
from nsunit.deeds.look import why
from nsunit.deeds.start import Starter
from nsunit.definition.model import Container, Definition
from nsunit.definition.search import SYSTEM_SEARCH_PATH
from nsunit.errors import BusError, NsunitError
from nsunit.plan.facts import Facts
from nsunit.plan.units import units
from nsunit.storage.paths import Paths
from nsunit.units import Property


@pytest.fixture
def slice_(tmp_path, monkeypatch):
    """The slice above all containers."""
    monkeypatch.setattr(prepare, "CGROUP_ROOT", str(tmp_path))
    monkeypatch.setattr(why, "CGROUP_ROOT", str(tmp_path))
    directory = tmp_path / "nsunit.slice"
    directory.mkdir()
    for file, content in (("cgroup.subtree_control", "memory"), ("memory.max", "max"), ("memory.low", "0")):
        (directory / file).write_text(f"{content}\n")
    return directory


@pytest.fixture
def warned(monkeypatch):
    """What a start warns of, and whether it looked closer."""
    said, looked = [], []
    closer = why.moot_limits
    monkeypatch.setattr(why, "moot_limits", lambda *words, **options: looked.append(1) or closer(*words, **options))
    bus = types.SimpleNamespace(properties=lambda unit: {})

    def warn_of(*properties):
        definition = Definition("web", Container(("/bin/true",)), (), (("Slice", properties),), ())
        start.warn_of_moot_limits(types.SimpleNamespace(bus=bus, warn=said.append, cgroup=""), definition)
        found = (list(said), bool(looked))
        said.clear(), looked.clear()
        return found

    return warn_of


LIMIT = Property("MemoryMax", "t", 1 << 20)


def test_a_moot_limit_is_warned_of(slice_, warned):
    assert warned(LIMIT) == ([], False)
    (slice_ / "memory.max").write_text("4096\n")
    assert warned(LIMIT) == (["warning: web: MemoryMax= has no effect: nsunit.slice has a tighter limit"], True)
    assert warned(Property("CPUWeight", "t", 50)) == ([], False)
    assert warned() == ([], False)


def test_a_protection_that_is_none(slice_, warned):
    note = "warning: web: MemoryLow= protects less than it says: nsunit.slice does not protect as much"
    assert warned(Property("MemoryLow", "t", 1 << 20)) == ([note], True)
    (slice_ / "memory.low").write_text(f"{1 << 20}\n")
    assert warned(Property("MemoryLow", "t", 1 << 20)) == ([], False)


def test_before_there_is_a_slice(slice_, warned):
    for file in slice_.iterdir():
        file.unlink()
    slice_.rmdir()
    assert warned(LIMIT) == ([], True)


def test_the_host_is_no_slice(slice_, warned):
    (slice_ / "memory.max").write_text(f"{1 << 50}\n")
    assert warned(Property("MemoryMax", "t", 1 << 51)) == (
        ["warning: web: MemoryMax= has no effect: nsunit.slice has a tighter limit"],
        True,
    )
    assert warned(Property("MemoryMax", "t", 1 << 49)) == ([], False)


def test_what_cannot_be_taken_back_does_not_keep_the_rest(tmp_path):
    """As after an interrupt: one of them has ended meanwhile, and systemd has forgotten it; of another it says no."""
    stopped, forgotten, taken_back = [], [], []

    def stop(unit):
        stopped.append(unit)
        if unit != "nsunit-c.service":
            raise BusError(NO_SUCH_UNIT if unit == "nsunit-a.service" else "org.freedesktop.DBus.Error.Failed", "no")
        return Job("/9", unit, "stop")

    bus = types.SimpleNamespace(
        get=lambda unit, *names: {}, reset_failed=forgotten.append, stop=stop, wait=lambda job, timeout: "done"
    )
    starter = Starter(types.SimpleNamespace(bus=bus, batch=None, cgroup="", paths=Paths(str(tmp_path))))
    for name in "abc":
        found = definition(name=name)
        undo = (lambda name=name: taken_back.append(name),)
        prepared = Prepared(found, units(found, Facts(257, "", "", "/run/x")), undo)
        starter.waiting[Job(f"/{name}", f"nsunit-{name}.service", "start")] = prepared
    with pytest.raises(BusError, match="no"):
        starter.abandon()
    assert sorted(set(stopped)) == [f"nsunit-{name}.service" for name in "abc"]
    assert sorted(taken_back) == ["a", "c"]


def started(monkeypatch, asked, **texts):
    """The locks that a start of *asked* takes, in their order, and what it submits; *texts* are definitions."""
    found = {name: definition(text, name=name) for name, text in texts.items()}
    locked, submitted, said = [], [], {}

    def finish(starter):
        said.update(starter.outcomes)
        starter.outcomes.update(dict.fromkeys({*asked} - said.keys()))

    monkeypatch.setattr(start, "load", lambda name, *_: found[name])
    monkeypatch.setattr(start, "is_defined", lambda name, _search: name in found)
    monkeypatch.setattr(Starter, "lock", lambda _self, name: locked.append(name))
    monkeypatch.setattr(Starter, "submit", lambda self, item: submitted.append(item.name))
    monkeypatch.setattr(Starter, "finish", finish)
    context = types.SimpleNamespace(
        mark=lambda _: None, batch=None, search=None, host=None, moving=types.SimpleNamespace(end=lambda: None)
    )
    start.start(context, asked)
    assert said == {}
    return locked, submitted


def test_locks_are_taken_in_the_order_of_names(monkeypatch):
    """Also of one that comes after another, which it needs: `stop` of both takes them in that order, too."""
    assert started(monkeypatch, ["b", "a"], a="Network=container:b", b="") == (["a", "b"], ["b", "a"])


def test_locks_of_what_is_required_are_taken_in_the_same_order(monkeypatch):
    """Two starts would wait for each other: `start m z` for b with the lock of m, and `start b m` for m with that of b.

    The way to what is required may be long, or a circle.
    """
    texts = {name: f"[Unit]\nRequires=nsunit-{other}.service" for name, other in ("zb", "ba", "az")}
    assert started(monkeypatch, ["m", "z"], m="", **texts)[0] == ["a", "b", "m", "z"]
    texts["a"] = ""
    assert started(monkeypatch, ["z", "m"], m="", **texts) == (["a", "b", "m", "z"], ["a", "m", "b", "z"])


@pytest.mark.parametrize("failures", [1, 4])
def test_a_slice_that_a_session_makes_or_leaves_meanwhile(monkeypatch, failures):
    """It is tried again; what never goes is told."""
    tries = []

    def queue(_self, _definition, _transient):
        tries.append(1)
        if len(tries) <= failures:
            raise BusError(UNIT_EXISTS, "Unit nsunit-web.slice was already loaded")

    monkeypatch.setattr(start, "settle", lambda *_: None)
    monkeypatch.setattr(start, "warn_of_moot_limits", lambda *_: None)
    monkeypatch.setattr(Starter, "_queue", queue)
    starter = Starter(types.SimpleNamespace(mark=lambda _: None))
    if failures == 1:
        starter.submit(definition())
    else:
        with pytest.raises(BusError, match="already loaded"):
            starter.submit(definition())
    assert len(tries) == min(failures + 1, 4)


def test_what_has_ended_is_told_before_all_are_queued(monkeypatch, tmp_path):
    """Of many it takes seconds to queue them all.  What is to stop when nobody needs it has to wait for who may."""
    monkeypatch.setattr(start, "explain_failure", lambda _bus, name, *_: NsunitError(f"{name}: no such file"))
    monkeypatch.setattr(start, "remember_failure", lambda *_: None)
    monkeypatch.setattr(Starter, "_was_too_quick", lambda *_: False)
    monkeypatch.setattr(Starter, "clear", lambda *_: None)
    results = {"up": "done", "bad": "failed", "db": "done"}
    told = []

    def submit(starter, item):
        prepared = Prepared(item, units(item, Facts(257, "", "", "/run/x")), ())
        starter.waiting[Job(f"/{item.name}", f"nsunit-{item.name}.service", "start")] = prepared
        if item.name == "web":
            told.append({name: outcome.state for name, outcome in starter.outcomes.items()})

    bus = types.SimpleNamespace(
        ended=lambda jobs: [job for job in jobs if job.path.strip("/") in results],
        wait_any=lambda jobs, timeout: (job := next(iter(jobs)), results.get(job.path.strip("/"), "done")),
        get=lambda unit, *names: dict.fromkeys(names, ["nsunit-web.service"] if "RequiredBy" in names else "active"),
    )
    found = {name: definition("", name=name) for name in ("up", "bad", "web")}
    found["db"] = definition("[Unit]\nStopWhenUnneeded=yes", name="db")
    monkeypatch.setattr(start, "load", lambda name, *_: found[name])
    monkeypatch.setattr(Starter, "lock", lambda *_: None)
    monkeypatch.setattr(Starter, "submit", submit)
    moving = types.SimpleNamespace(end=lambda: None)
    context = types.SimpleNamespace(mark=lambda _: None, batch=None, search=None, host=None, moving=moving, bus=bus)
    context.paths = Paths(str(tmp_path))
    outcomes = start.start(context, ["up", "bad", "web", "db"])
    assert told == [{"bad": "failed", "up": "started"}]
    assert [outcome.state for outcome in outcomes] == ["started", "failed", "started", "started"]


FOR_ANOTHER = "web: it requires 'db', which did not start"


@pytest.fixture
def beside_one_that_fails(monkeypatch):
    """A starter that has queued `db`, whose job fails, and what comes of `web`, which requires it."""
    bus = types.SimpleNamespace(wait_any=lambda jobs, timeout: (next(iter(jobs)), "failed"))
    starter = Starter(types.SimpleNamespace(mark=lambda _: None, batch=None, bus=bus))
    monkeypatch.setattr(start, "settle", lambda *_: None)
    monkeypatch.setattr(start, "warn_of_moot_limits", lambda *_: None)
    monkeypatch.setattr(start, "remember_failure", lambda *_: None)
    monkeypatch.setattr(start, "explain_failure", lambda _bus, name, *_: NsunitError(f"{name}: no such file"))
    monkeypatch.setattr(Starter, "_was_too_quick", lambda *_: False)
    monkeypatch.setattr(Starter, "clear", lambda *_: None)
    for name in ("db", "web"):
        found = definition("[Unit]\nRequires=nsunit-db.service" if name == "web" else "", name=name)
        prepared = Prepared(found, units(found, Facts(257, "", "", "/run/x")), ())
        starter.waiting[Job(f"/{name}", f"nsunit-{name}.service", "start")] = prepared
    return starter


def test_what_has_just_failed_is_told_where_its_slice_is_being_stopped(monkeypatch, beside_one_that_fails):
    """systemd says no to what requires it then, for a reason that nobody can do anything about."""
    starter = beside_one_that_fails
    web = starter.waiting.popitem()[1].definition

    def queue(self, _definition, _transient):
        why = "Unit nsunit-db.service not found." if self.outcomes else "nsunit-db.slice has 'stop' job queued"
        raise BusError(NO_SUCH_UNIT if self.outcomes else TRANSACTION_IS_DESTRUCTIVE, why)

    monkeypatch.setattr(Starter, "_queue", queue)
    with pytest.raises(NsunitError, match=FOR_ANOTHER):
        starter.submit(web)
    assert str(starter.outcomes["db"].error) == "db: no such file"
    with pytest.raises(BusError, match="stop"):
        starter.outcomes.clear()
        starter.submit(web)


@pytest.mark.parametrize("result", ["dependency", "canceled"])
def test_what_was_not_started_for_another(beside_one_that_fails, result):
    """It may have been systemd's word or that of who took back what was left of the other."""
    starter = beside_one_that_fails
    starter.context.bus.wait_any = lambda jobs, _timeout: (
        next(iter(jobs)),
        "failed" if "db" in next(iter(jobs)).unit else result,
    )
    for _ in range(2):
        starter._finish_one(starter.waiting)
    assert str(starter.outcomes["web"].error) == FOR_ANOTHER


@pytest.mark.parametrize(
    ("result", "asked", "has_directory", "skipped"),
    [
        (True, 5, True, False),
        (False, 5, True, True),
        (False, 0, True, True),  # unloaded since, and nothing has run
        (False, 0, False, False),  # it has run, and taken its directory along
    ],
)
def test_a_condition_that_is_not_met(tmp_path, result, asked, has_directory, skipped):
    state = {"ConditionResult": result, "ConditionTimestampMonotonic": asked}
    bus = types.SimpleNamespace(get=lambda unit, *names: {name: state[name] for name in names})
    if has_directory:
        os.makedirs(tmp_path / "containers/web")
    starter = Starter(types.SimpleNamespace(bus=bus, batch=None, paths=Paths(str(tmp_path), "")))
    found = definition("[Unit]", "ConditionPathExists=/srv")
    prepared = Prepared(found, units(found, Facts(257, "", "", "/run/x")), ())
    assert starter._was_skipped(prepared) is skipped


@pytest.mark.parametrize(
    ("result", "code", "notify", "quick"),
    [
        ("protocol", 1, "no", True),
        ("protocol", 2, "no", False),  # by SIGTERM, which is a good end for systemd
        ("exit-code", 1, "no", False),
        ("protocol", 1, "yes", False),  # it should have said that it is ready
    ],
)
def test_a_program_that_ends_at_once(tmp_path, result, code, notify, quick):
    state = {"Result": result, "ExecMainCode": code, "StatusText": "", "ExecMainStatus": 0}
    forgotten = []
    bus = types.SimpleNamespace(
        get=lambda unit, *names: {name: state.get(name) for name in names},
        reset_failed=forgotten.append,
        wait_any=lambda jobs, timeout: (next(iter(jobs)), "failed"),
    )
    found = definition("[Container]", f"Notify={notify}")
    prepared = Prepared(found, units(found, Facts(257, "", "", "/run/x")), ())
    paths = Paths(str(tmp_path))
    starter = Starter(types.SimpleNamespace(bus=bus, batch=None, cgroup="", search=SYSTEM_SEARCH_PATH, paths=paths))
    starter.waiting[Job("/1", "nsunit-web.service", "start")] = prepared
    starter.finish()
    assert starter.outcomes["web"].state == ("started" if quick else "failed")
    assert forgotten == ["nsunit-web.service"]


def test_one_that_cannot_be_taken_back_leaves_the_others_alone(tmp_path):
    """It used to end the command, which took back all that were still starting."""
    said = []
    bus = types.SimpleNamespace(
        get=lambda unit, *names: {"Result": "exit-code", "ExecMainStatus": 3, "ExecMainCode": 1, "StatusText": ""},
        reset_failed=lambda unit: None,
        wait_any=lambda jobs, timeout: (job := next(iter(jobs)), "failed" if job.path == "/a" else "done"),
    )
    context = types.SimpleNamespace(bus=bus, batch=None, cgroup="", search=SYSTEM_SEARCH_PATH, warn=said.append)
    context.paths = Paths(str(tmp_path))
    starter = Starter(context)

    def refuse():
        raise OSError(errno.EROFS, "Read-only file system", "/run/nsunit/x")

    for name in "ab":
        found = definition(name=name)
        prepared = Prepared(found, units(found, Facts(257, "", "", "/run/x")), (refuse,))
        starter.waiting[Job(f"/{name}", f"nsunit-{name}.service", "start")] = prepared
    starter.finish()
    assert {name: outcome.state for name, outcome in starter.outcomes.items()} == {"a": "failed", "b": "started"}
    assert starter.outcomes["a"].error.message == "a: it ended with status 3"
    assert said == ["a: /run/nsunit/x: Read-only file system; not all of it could be taken back"]


def test_one_that_systemd_does_not_tell_of_leaves_the_others_alone(tmp_path):
    def get(unit, *_names):
        raise BusError("org.freedesktop.DBus.Error.Failed", "no")

    bus = types.SimpleNamespace(
        get=get, wait_any=lambda jobs, timeout: (job := next(iter(jobs)), "failed" if job.path == "/a" else "done")
    )
    starter = Starter(types.SimpleNamespace(bus=bus, batch=None, cgroup="", search=SYSTEM_SEARCH_PATH))
    starter.context.paths = Paths(str(tmp_path))
    for name in "ab":
        found = definition(name=name)
        prepared = Prepared(found, units(found, Facts(257, "", "", "/run/x")), ())
        starter.waiting[Job(f"/{name}", f"nsunit-{name}.service", "start")] = prepared
    starter.finish()
    assert starter.outcomes["a"].error.message == "no"
    assert starter.outcomes["b"].state == "started"
