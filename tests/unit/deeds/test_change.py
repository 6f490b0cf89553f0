"""set, apply and drop-ins on a systemd that is a table of properties."""

from __future__ import annotations

import os
import shutil
from collections import Counter

import pytest

from nsunit.bus.protocol import INVALID_ARGS
from nsunit.core.context import Context
from nsunit.deeds.change import apply, check_live, check_unit_keys, plan, plan_all, set_keys
from nsunit.deeds.persist import drop_in, remove_drop_ins
from nsunit.definition.load import Host
from nsunit.definition.search import SearchPath
from nsunit.errors import BusError, DefinitionError, NotFoundError, NsunitError
from nsunit.storage.paths import Paths

CONTAINER = "[Container]\nRootfs=/srv\nExec=/bin/sh\n"
LIMITS = CONTAINER + "[Slice]\nMemoryMax=100M\nIPAddressDeny=10.0.0.0/8\n[Service]\nTasksMax=60\n"
SLICE, SERVICE = "nsunit-web.slice", "nsunit-web.service"
MIB = 1 << 20


class FakeSystemd:
    """Keeps properties of units; `refuse` is a unit whose changes fail."""

    def __init__(self):
        self.units = {
            SLICE: {"MemoryMax": 100 * MIB, "IPAddressDeny": [(2, [10, 0, 0, 0], 8)], "CPUWeight": (1 << 64) - 1},
            SERVICE: {"ActiveState": "active", "MainPID": 7, "TasksMax": 60, "ControlGroup": "/x", "Slice": SLICE},
        }
        self.calls = []
        self.refuse = None

    def get(self, unit, *names):
        return {name: value for name, value in self.units.get(unit, {}).items() if name in names}

    def properties(self, unit):
        return dict(self.units.get(unit, {}))

    def list_units(self, patterns):
        return []

    def set_properties(self, unit, runtime, properties):
        self.calls.append((unit, [item.name for item in properties]))
        if unit == self.refuse:
            raise BusError(INVALID_ARGS, "no")
        assert runtime
        for item in properties:
            old = self.units[unit].get(item.name, [])
            adds = item.signature.startswith("a") and item.value
            self.units[unit][item.name] = [*old, *item.value] if adds else item.value

    def features(self):
        return "+BPF_FRAMEWORK"

    def reload(self):
        self.calls.append("reload")


@pytest.fixture
def context(tmp_path):
    search = SearchPath((str(tmp_path / "etc"),), str(tmp_path / "units"))
    found = Context(search, Paths(str(tmp_path / "run"), str(tmp_path / "var")))
    found._bus = FakeSystemd()
    found._host = Host(257, "host", "abc", "def", "6.12", "x86-64")
    os.makedirs(tmp_path / "etc")
    os.makedirs(tmp_path / "units")
    os.makedirs(found.paths.runtime_of("web"), 0o700)
    os.chmod(found.paths.runtime, 0o700)
    define(found, LIMITS)
    with open(found.paths.runtime_of("web") + "/definition", "w") as file:
        file.write(LIMITS)
    return found


def define(context, text):
    with open(context.search.directories[0] + "/web.nsunit", "w") as file:
        file.write(text)


def lines(context, unit):
    with open(f"{context.search.units}/{unit}.d/50-nsunit.conf") as file:
        return [line for line in file.read().splitlines() if line and line[0] != "#"]


def test_set(context):
    changes = set_keys(context, "web", [("", "MemoryMax", "150M"), ("Service", "TasksMax", "70")])
    assert [str(change) for change in changes] == [
        "[Service] TasksMax: '60' -> '70'",
        "[Slice] MemoryMax: '100M' -> '150M'",
    ]
    assert context.bus.calls == [(SLICE, ["MemoryMax"]), (SERVICE, ["TasksMax"])]
    assert context.bus.units[SLICE]["MemoryMax"] == 150 * MIB
    found = plan(context, "web")
    assert [(change.key, change.old, change.new) for change in found.changes] == [
        ("TasksMax", "70", "60"),
        ("MemoryMax", "150M", "100M"),
    ]


def test_set_again_what_is_set_is_sent_again(context):
    context.bus.units[SLICE]["MemoryMax"] = 5
    assert [(item.key, item.old, item.how) for item in plan(context, "web").changes] == [("MemoryMax", "5", "live")]
    assert set_keys(context, "web", [("", "MemoryMax", "100M")]) == ()
    assert context.bus.units[SLICE]["MemoryMax"] == 100 * MIB


@pytest.mark.parametrize("refuse", [SLICE, SERVICE])
@pytest.mark.parametrize("persist", [False, True])
def test_a_refused_step_takes_all_of_it_back(context, refuse, persist):
    context.bus.refuse = refuse
    before = {unit: dict(values) for unit, values in context.bus.units.items()}
    words = [("", "MemoryMax", "150M"), ("", "IPAddressDeny", "any"), ("Service", "TasksMax", "70")]
    with pytest.raises(BusError, match="no"):
        set_keys(context, "web", words, persist=persist)
    after = context.bus.units
    after[SLICE]["IPAddressDeny"] = [
        (family, list(raw), length) for family, raw, length in after[SLICE]["IPAddressDeny"]
    ]
    assert after == before
    assert plan(context, "web").changes == ()
    assert os.listdir(context.search.units) == []


@pytest.mark.parametrize(
    ("section", "key", "kind", "message"),
    [
        ("", "Restart", NsunitError, r"web: \[Service\] Restart= cannot change while the container runs"),
        ("Unit", "Requires", NsunitError, r"web: \[Unit\] Requires= cannot change while the container runs"),
        ("", "MemoryMaxx", DefinitionError, "'MemoryMaxx' is not a key"),
        ("", "MemoryMax", DefinitionError, "'x' is not a size"),
        ("Service", "MemoryLimit", DefinitionError, "MemoryLimit: "),
        ("Nothing", "MemoryMax", DefinitionError, "'MemoryMax' is not a key"),
    ],
)
def test_what_set_refuses(context, section, key, kind, message):
    with pytest.raises(kind, match=message):
        set_keys(context, "web", [("", "CPUWeight", "20"), (section, key, "x")])
    assert context.bus.calls == []


def test_set_of_a_stopped_container(context):
    context.bus.units[SERVICE]["ActiveState"] = "inactive"
    with pytest.raises(NotFoundError, match="web: it is not running"):
        set_keys(context, "web", [("", "CPUWeight", "20")])
    os.unlink(context.search.directories[0] + "/web.nsunit")
    with pytest.raises(NotFoundError, match="container 'web' is not defined"):
        set_keys(context, "web", [("", "CPUWeight", "20")])


def test_set_without_a_record(context):
    os.unlink(context.paths.runtime_of("web") + "/definition")
    with pytest.raises(NsunitError, match="nsunit has no record of having started it"):
        set_keys(context, "web", [("", "CPUWeight", "20")])


def test_set_of_one_that_is_enabled_and_has_lost_its_record(context):
    """The definition is there for the next boot: nothing is changed that cannot be noted."""
    runtime = context.paths.runtime_of("web")
    boot = context.paths.boot_of("web")
    os.makedirs(boot)
    os.rename(f"{runtime}/definition", f"{boot}/definition")
    shutil.rmtree(runtime)
    with pytest.raises(NsunitError, match="^web: it runs, but nsunit has no record of having started it$") as caught:
        set_keys(context, "web", [("", "CPUWeight", "20")])
    assert caught.value.hint == "stop it with 'systemctl stop nsunit-web.service'"
    define(context, LIMITS.replace("100M", "150M"))
    (outcome,) = apply(context, ["web"])
    assert "nsunit has no record" in str(outcome.error)
    assert context.bus.calls == []


def test_apply(context):
    define(context, LIMITS.replace("100M", "150M").replace("/bin/sh", "/bin/ls"))
    (outcome,) = apply(context, ["web"])
    assert (outcome.state, outcome.differences) == ("differs", ("[Container] Exec: '/bin/sh' -> '/bin/ls'",))
    assert context.bus.units[SLICE]["MemoryMax"] == 150 * MIB
    define(context, LIMITS.replace("100M", "150M"))
    assert apply(context, ["web"])[0].state == "running"
    define(context, CONTAINER)
    assert apply(context, ["web"])[0].state == "changed"
    limits = {"MemoryMax": (1 << 64) - 1, "IPAddressDeny": (), "CPUWeight": (1 << 64) - 1, "TasksMax": 1024}
    assert context.bus.units[SLICE] == limits
    assert context.bus.units[SERVICE]["TasksMax"] == (1 << 64) - 1
    context.bus.units[SERVICE]["ActiveState"] = "inactive"
    assert apply(context, ["web"])[0].state == "inactive"
    assert isinstance(apply(context, ["other"])[0].error, NotFoundError)


def test_persist_and_remove(context):
    set_keys(context, "web", [("", "MemoryMax", "150M"), ("", "IPAddressDeny", "any")], persist=True)
    assert lines(context, SLICE) == [
        "[Slice]",
        "MemoryMax=150M",
        "IPAddressDeny=",
        "IPAddressDeny=10.0.0.0/8",
        "IPAddressDeny=any",
    ]
    assert context.bus.calls[-1] == "reload"
    assert plan(context, "web").changes == ()
    with pytest.raises(NsunitError, match="MemoryMax is set for good in '.*50-nsunit.conf', which would count again"):
        set_keys(context, "web", [("", "MemoryMax", "160M")])
    set_keys(context, "web", [("", "MemoryMax", "")], persist=True)
    assert lines(context, SLICE)[1:2] == ["MemoryMax="]
    assert context.bus.units[SLICE]["MemoryMax"] == (1 << 64) - 1
    assert remove_drop_ins(context, "web") == (f"{context.search.units}/{SLICE}.d/50-nsunit.conf",)
    assert os.listdir(context.search.units) == []
    assert context.bus.units[SLICE]["MemoryMax"] == 100 * MIB
    assert plan(context, "web").changes == ()
    with pytest.raises(NotFoundError, match="web: it has no drop-ins"):
        remove_drop_ins(context, "web")


@pytest.mark.parametrize("loaded", [False, True])
def test_what_a_drop_in_of_others_says_later_is_refused(context, tmp_path, loaded):
    """Such as that of `systemctl edit`; it would count, and what is set would not."""
    directory = tmp_path / ("run" if loaded else "units") / f"{SLICE}.d"
    directory.mkdir()
    (directory / "override.conf").write_text("[Slice]\nMemoryMax=200M\n")
    (directory / "10-first.conf").write_text("[Slice]\nCPUWeight=20\n")
    (directory / "zz.conf").symlink_to("/dev/null")
    context.bus.units[SLICE]["DropInPaths"] = [str(path) for path in directory.iterdir()] if loaded else []
    said = f"web: \\[Slice\\] MemoryMax= is said in '{directory}/override.conf' as well, which counts more"
    for persist in (True, False):
        with pytest.raises(NsunitError, match=said) as caught:
            set_keys(context, "web", [("", "MemoryMax", "150M")], persist=persist)
        assert caught.value.hint == f"change it there: systemctl edit {SLICE}"
        assert context.bus.units[SLICE]["MemoryMax"] == 100 * MIB
    context.bus.units[SERVICE]["ActiveState"] = "inactive"
    with pytest.raises(NsunitError, match=said):
        drop_in(context, "web", [("", "MemoryMax", "150M")])
    drop_in(context, "web", [("", "CPUWeight", "30")])
    assert lines(context, SLICE) == ["[Slice]", "CPUWeight=30"]


def test_a_mistake_is_told_of_the_verb_that_was_typed(context):
    """That is dropin, whether the container runs or not."""
    for state in ("active", "inactive"):
        context.bus.units[SERVICE]["ActiveState"] = state
        with pytest.raises(DefinitionError, match=r"^dropin: \[Slice\] MemoryMax: '1X' is not a size"):
            drop_in(context, "web", [("", "MemoryMax", "1X")])


def test_what_does_not_run_is_set_for_good_by_a_drop_in(context):
    context.bus.units[SERVICE]["ActiveState"] = "inactive"
    for persist, hint in ((True, "'nsunit dropin web KEY=VALUE' sets it for the next start"), (False, "start it with")):
        with pytest.raises(NotFoundError, match="web: it is not running") as caught:
            set_keys(context, "web", [("", "MemoryMax", "150M")], persist=persist)
        assert caught.value.hint.startswith(hint)


def test_dropin_keeps_what_was_set(context):
    with pytest.raises(NsunitError, match="web: it runs as its definition says, there are no changes to keep"):
        drop_in(context, "web", [])
    set_keys(context, "web", [("Service", "TasksMax", "70")])
    assert drop_in(context, "web", []) == (f"{context.search.units}/{SERVICE}.d/50-nsunit.conf",)
    assert lines(context, SERVICE) == ["[Service]", "TasksMax=70"]
    assert plan(context, "web").changes == ()


def test_dropin_of_a_stopped_container(context):
    context.bus.units[SERVICE]["ActiveState"] = "inactive"
    with pytest.raises(NotFoundError, match="web: it is not running, so there are no changes to keep"):
        drop_in(context, "web", [])
    assert drop_in(context, "web", [("", "MemoryMax", "50%"), ("", "AllowedCPUs", "1")])
    assert lines(context, SLICE) == ["[Slice]", "MemoryMax=50%", "AllowedCPUs=", "AllowedCPUs=1"]
    assert context.bus.calls == ["reload"]
    with pytest.raises(NsunitError, match="cannot change while"):
        drop_in(context, "web", [("Service", "Restart", "no")])


def test_a_file_that_cannot_be_written(context):
    with open(f"{context.search.units}/{SERVICE}.d", "w"):
        pass
    with pytest.raises(NsunitError, match="cannot write '.*': File exists"):
        set_keys(context, "web", [("", "MemoryMax", "150M"), ("Service", "TasksMax", "70")], persist=True)
    assert os.listdir(context.search.units) == [f"{SERVICE}.d"]
    assert context.bus.units[SLICE]["MemoryMax"] == 100 * MIB
    assert plan(context, "web").changes == ()


def test_a_wrong_drop_in_is_named(context):
    set_keys(context, "web", [("", "MemoryMax", "150M")], persist=True)
    path = f"{context.search.units}/{SLICE}.d/50-nsunit.conf"
    with open(path, "a") as file:
        file.write("MemoryMax=x\n")
    with pytest.raises(DefinitionError, match=r"50-nsunit.conf:7: \[Slice\] MemoryMax: 'x' is not a size"):
        plan(context, "web")


def test_filters_are_attached_by_a_reload(context):
    """systemd notes them on an active unit, and does no more."""
    context.bus.units[SLICE]["SocketBindDeny"] = []
    set_keys(context, "web", [("", "SocketBindDeny", "any")])
    change = (SLICE, ["SocketBindDeny", "SocketBindDeny"])
    assert context.bus.calls == [change, "reload", change]
    context.bus.calls.clear()
    set_keys(context, "web", [("", "MemoryMax", "150M")])
    assert context.bus.calls == ["reload", (SLICE, ["MemoryMax"])]


def test_a_limit_that_would_be_left_out_is_refused(context):
    with pytest.raises(DefinitionError, match="IOReadIOPSMax: '/nonexistent' does not exist"):
        set_keys(context, "web", [("", "IOReadIOPSMax", "/nonexistent 5")])
    context.bus.features = lambda: "-BPF_FRAMEWORK"
    with pytest.raises(DefinitionError, match="RestrictNetworkInterfaces= would be ignored"):
        set_keys(context, "web", [("", "RestrictNetworkInterfaces", "lo")])
    assert context.bus.calls == []


def test_what_is_live_and_what_a_drop_in_can_hold():
    check_live("web", [("Container", "HugeTLBMax"), ("Slice", "HugeTLBMax"), ("Slice", "MemoryMax")])
    with pytest.raises(NsunitError, match=r"\[Container\] Rootfs= cannot change while the container runs"):
        check_live("web", [("Container", "Rootfs")])
    check_unit_keys("web", [("Slice", "MemoryMax"), ("Service", "TasksMax"), ("Container", "Nonsense")])
    with pytest.raises(NsunitError, match=r"web: \[Container\] HugeTLBMax= cannot be in a drop-in of a unit") as caught:
        check_unit_keys("web", [("Container", "HugeTLBMax")])
    assert caught.value.hint == "change the definition with 'nsunit edit web', then run 'nsunit apply web'"


def test_what_plans_of_many_ask_systemd_for(context, monkeypatch):
    """The units are listed once, and each container is asked about the same few things."""
    asked = Counter()
    bus = context.bus

    def counted(kind, call):
        def ask(*arguments):
            asked[kind] += 1
            return call(*arguments)

        return ask

    names = [f"web{number}" for number in range(20)]
    for name in names:
        bus.units[f"nsunit-{name}.slice"] = dict(bus.units[SLICE])
        bus.units[f"nsunit-{name}.service"] = bus.units[SERVICE] | {"Slice": f"nsunit-{name}.slice"}
        os.makedirs(context.paths.runtime_of(name), 0o700)
        for place in (f"{context.paths.runtime_of(name)}/definition", f"{context.search.directories[0]}/{name}.nsunit"):
            with open(place, "w") as file:
                file.write(CONTAINER)
    for kind in ("get", "properties", "list_units"):
        monkeypatch.setattr(bus, kind, counted(kind, getattr(bus, kind)))
    found = plan_all(context, names)
    assert [(item.name, item.state, item.changes, error) for item, error in found] == [
        (name, "running", (), None) for name in names
    ]
    assert asked == {"list_units": 1, "get": 4 * len(names)}
