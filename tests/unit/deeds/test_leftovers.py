"""What no container owns, on a systemd that is a table of units and directories of the test's own."""

from __future__ import annotations

import fcntl
import os
import types

import pytest

from nsunit.bus.protocol import TIMEOUT, UnitStatus
from nsunit.core import findings
from nsunit.core.findings import Leftover
from nsunit.deeds.host import left_files
from nsunit.deeds.host import leftovers as module
from nsunit.deeds.host.leftovers import leftovers, take_away
from nsunit.definition.search import SearchPath
from nsunit.dropins.files import DROP_IN
from nsunit.errors import BusError, NsunitError
from nsunit.features.identities.setup import UserMaps
from nsunit.features.namespaces.setup import Join
from nsunit.setup.namespaces import UserNamespace
from nsunit.setup.operation import dump
from nsunit.storage import lock, mounted
from nsunit.storage.paths import Paths

GONE = 4_194_305  # more than any process id


class FakeSystemd:
    def __init__(self):
        self.units = {}
        self.stopped = []

    def list_units(self, patterns):
        return [UnitStatus(name, "", "loaded", *state) for name, state in self.units.items()]

    def stop(self, unit):
        self.stopped.append(unit)
        del self.units[unit]

    def wait(self, job, timeout):
        return "done"

    def run(self, *names):
        for name in names:
            self.units[name] = ("active", "running", "/")


@pytest.fixture
def context(tmp_path, monkeypatch):
    for directory in ("run/containers", "run/network", "run/locks", "var/containers", "defined", "units"):
        (tmp_path / directory).mkdir(parents=True)
    (tmp_path / "cgroup/nsunit.slice").mkdir(parents=True)
    (tmp_path / "defined/web.nsunit").touch()
    monkeypatch.setattr(module, "CGROUP_ROOT", str(tmp_path / "cgroup"))
    monkeypatch.setattr(module, "_AGAIN_SECONDS", 0)
    monkeypatch.setattr(module, "hooks", lambda used, hook: [])
    return types.SimpleNamespace(
        bus=FakeSystemd(),
        paths=Paths(str(tmp_path / "run"), str(tmp_path / "var")),
        search=SearchPath((str(tmp_path / "defined"),), str(tmp_path / "units")),
        cgroup="",
        features=(),
        remove_tree=module.files.remove_tree,
        top=tmp_path,
    )


def group(context, path, populated=0):
    directory = context.top / "cgroup/nsunit.slice" / path
    directory.mkdir(parents=True)
    (directory / "cgroup.events").write_text(f"populated {populated}\n")


def found(context):
    top = f"{context.top}/"
    return [(item.kind, item.what.replace(top, "")) for item in leftovers(context)]


def test_nothing(context):
    assert leftovers(context) == []
    context.bus.run("nsunit-web.slice", "nsunit-web.service", "nsunit-sd-notify@web.socket")
    group(context, "nsunit-web.slice/nsunit-web.service", 1)
    for directory in ("run/containers/web", "run/network/web", "var/containers/web", "var/containers/kept/overlay"):
        (context.top / directory).mkdir(parents=True)
    (context.top / "var/containers/web/ids").touch()
    assert leftovers(context) == []


def test_units(context):
    context.bus.run(
        *("nsunit-shop.slice", "nsunit-shop-web.slice", "nsunit-web.service", "nsunit-empty.slice"),
        *(
            "nsunit-full.slice",
            "nsunit-a.slice",
            "nsunit-a-exec-12.scope",
        ),
        *("nsunit-pod.slice", "nsunit-pod.pod.service"),
    )
    group(context, "nsunit-full.slice", 1)
    context.bus.units["nsunit-going.slice"] = ("active", "active", "/org/job/1")
    assert found(context) == [("unit", "nsunit-empty.slice")]
    done = []
    assert take_away(context, leftovers(context), done.append) == []
    assert context.bus.stopped == ["nsunit-empty.slice"]
    assert leftovers(context) == []


def test_cgroups_without_units(context):
    group(context, "nsunit-shop.slice/nsunit-shop-web.slice/nsunit-web.service")
    group(context, "nsunit-cgroup-old.service")
    group(context, "other.service")
    for path in (context.top / "cgroup").rglob("cgroup.events"):
        (path.parent / "cgroup.kill").touch()
    context.bus.run("nsunit-shop.slice", "nsunit-shop-web.slice", "nsunit-web.service")
    top = "cgroup/nsunit.slice/"
    assert found(context) == [("cgroup", f"{top}nsunit-cgroup-old.service")]
    context.bus.units.clear()
    shop = f"{top}nsunit-shop.slice"
    groups = [f"{top}nsunit-cgroup-old.service", shop, f"{shop}/nsunit-shop-web.slice"]
    groups.append(f"{groups[-1]}/nsunit-web.service")
    assert found(context) == [("cgroup", path) for path in groups]
    for path in (context.top / "cgroup").rglob("cgroup.*"):
        path.unlink()  # the kernel's files go with their directory
    (context.top / top / "nsunit-cgroup-old.service/cgroup.kill").touch()
    failures = take_away(context, leftovers(context)[:1], print)
    assert [failure.message for failure in failures] == [
        f"cgroup '{context.top}/{top}nsunit-cgroup-old.service': Directory not empty"
    ]


def test_definitions_under_way(context):
    """Of a killed edit what it was to be is kept; nobody is told of a command that goes on."""
    defined = context.top / "defined"
    for name in (".edit-kept/web.nsunit.d", ".edit-same", ".edit-on", ".create-x", ".import-x", "web.nsunit.d"):
        (defined / name).mkdir(parents=True)
    (defined / "web.nsunit").write_text("old")
    for name, text in (("kept/db.nsunit", "new"), ("kept/.db.nsunit.swp", "x"), ("same/web.nsunit", "old")):
        (defined / f".edit-{name}").write_text(text)
    (defined / ".edit-kept/web.nsunit.d/a.conf").write_text("new, too")
    for name in (f".web.nsunit.{GONE}", f".web.nsunit.{os.getpid()}", f"web.nsunit.d/.a.conf.{GONE}", f".x.{GONE}"):
        (defined / name).touch()
    held = lock.hold(str(defined / ".edit-on"))
    assert sorted(found(context)) == [
        *(("directory", f"defined/.{name}-x") for name in ("create", "import")),
        *(("draft", f"defined/.edit-{name}") for name in ("kept", "same")),
        *(("file", f"defined/{name}.{GONE}") for name in (".web.nsunit", "web.nsunit.d/.a.conf")),
    ]
    assert take_away(context, leftovers(context), print) == []
    os.close(held)
    assert found(context) == [("draft", "defined/.edit-on")]
    assert sorted(os.listdir(defined)) == [
        *(".edit-on", f".web.nsunit.{os.getpid()}", f".x.{GONE}", "a.conf.rejected"),
        *("db.nsunit.rejected", "web.nsunit", "web.nsunit.d"),
    ]
    assert (defined / "db.nsunit.rejected").read_text() == "new"
    assert os.listdir(defined / "web.nsunit.d") == []


def test_files(context):
    for directory in ("run/containers/old", "run/network/old", "var/containers/old", "var/containers/web"):
        (context.top / directory).mkdir()
        (context.top / directory / "ids").write_text("1 1\n")
    for name in ("unstarted-old", "unstarted-", f"plan.{GONE}.new", f"plan.{os.getpid()}.new"):
        (context.top / "run" / name).touch()
    (context.top / f"var/containers/web/ids.{GONE}.new").touch()
    for name in ("old", ".names"):
        (context.top / "run/locks" / name).touch()
    expected = [
        ("directory", "run/containers/old"),
        ("directory", "run/network/old"),
        ("file", "run/unstarted-old"),
        ("lock", "run/locks/old"),
        ("file", f"run/plan.{GONE}.new"),
        ("file", f"var/containers/web/ids.{GONE}.new"),
        ("id range", "var/containers/old"),
    ]
    assert found(context) == expected
    done = []
    assert take_away(context, leftovers(context), done.append) == []
    assert len(done) == len(expected)
    assert leftovers(context) == []
    assert sorted(os.listdir(context.top / "run")) == [
        "containers", "locks", "network", f"plan.{os.getpid()}.new", "unstarted-",
    ]  # fmt: skip
    assert os.listdir(context.top / "var/containers/web") == ["ids"]


@pytest.mark.parametrize("owner", ["lock", "socket", "loaded", "enabled", "ended"])
def test_what_has_an_owner(context, monkeypatch, owner):
    (context.top / "run/containers/old").mkdir()
    assert found(context) == [("directory", "run/containers/old")]
    if owner == "lock":
        file = open(context.top / "run/locks/old", "w")  # noqa: SIM115
        fcntl.flock(file, fcntl.LOCK_EX)
        context.lock = file
    elif owner == "socket":
        context.bus.run("nsunit-old-port-80.socket")
    elif owner == "loaded":
        context.bus.units["nsunit-old.service"] = ("failed", "failed", "/")
    elif owner == "enabled":
        (context.top / "var/containers/old/boot").mkdir(parents=True)
        (context.top / "units/nsunit-old.service").touch()
    else:
        looks = iter([module._look(context), []])
        monkeypatch.setattr(module, "_look", lambda _context: next(looks))
    assert leftovers(context) == []


def test_one_that_starts_meanwhile_keeps_what_it_has(context):
    (context.top / "run/containers/old").mkdir()
    items = leftovers(context)
    context.bus.run("nsunit-old.service")
    assert take_away(context, items, print) == []
    assert (context.top / "run/containers/old").exists()


def test_what_cannot_be_taken_away(context, monkeypatch):
    items = [Leftover("file", "/nonexistent/file", "why", ""), Leftover("lock", "x", "", "a")]

    class Locked:
        def __init__(self, *_arguments):
            raise NsunitError("it is locked")

    monkeypatch.setattr(module, "Lock", Locked)
    assert [str(failure) for failure in take_away(context, items, print)] == [
        "file '/nonexistent/file': No such file or directory",
        "it is locked",
    ]


def test_of_features(context, monkeypatch):
    taken = []
    hooks = {
        "doctor.left": [lambda _owners: [Leftover("network", "the link 'x'", "no container has it")]],
        "doctor.take_away": [lambda *of: taken.append(of)],
    }
    monkeypatch.setattr(module, "hooks", lambda used, hook: hooks[hook])
    items = leftovers(context)
    assert [(item.kind, item.what) for item in items] == [("network", "the link 'x'")]
    assert take_away(context, leftovers(context), print) == []
    assert taken == [(context, items[0])]


MADE = (
    "# Container old: the service that runs its program.\n"
    "# Made by nsunit from /etc/nsunit/old.nsunit; change it there.\n"
)


def test_what_was_half_enabled(context):
    """Two of each, one of which is as it should be, or not nsunit's."""
    units, states = context.top / "units", context.top / "var/containers"
    for name in ("whole", "killed", "bare"):
        (states / name / "boot").mkdir(parents=True)
    (states / "killed/boot/unfinished").touch()
    for name in ("whole", "killed"):
        (units / f"nsunit-{name}.service").write_text(MADE.replace("old", name))
    (units / "nsunit-old.service").write_text(MADE)
    (units / "nsunit-others.service").write_text("[Service]\n")
    (units / "nsunit-fifo.service").mkdir()
    (wants := units / "multi-user.target.wants").mkdir()
    for name in ("whole", "gone"):
        (wants / f"nsunit-{name}.service").symlink_to(units / f"nsunit-{name}.service")
    (wants / "other.service").symlink_to("/nonexistent")
    assert found(context) == [
        ("enable", "var/containers/bare/boot"),
        ("enable", "var/containers/killed/boot"),
        ("unit file", "units/nsunit-old.service"),
        ("link", "units/multi-user.target.wants/nsunit-gone.service"),
    ]
    context.bus.run("nsunit-killed.service", "nsunit-old.service", "nsunit-bare.service")
    assert found(context) == [("link", "units/multi-user.target.wants/nsunit-gone.service")]


def test_files_of_other_places(context, monkeypatch):
    monkeypatch.setattr(left_files, "mounts", lambda: {"/mnt": [7]})
    drop_ins = "units/nsunit-x.service.d"
    for directory in (drop_ins, "run/notify", "run/groups", "run/mounts/a", "run/mounts/b", "var/containers/x/boot"):
        (context.top / directory).mkdir(parents=True)
    (context.top / "run/mounts/a/places").write_bytes(b"7 ro /mnt\0")
    (context.top / "run/mounts/b/places").write_bytes(b"8 ro /mnt\0")
    (context.top / "units/nsunit-x.service").touch()
    names = (
        *("run/notify/old", "run/notify/x", "run/failed-old", "run/failed-web", f"run/groups/a.slice.{GONE}.new"),
        *(f"var/containers/x/boot/plan.{GONE}.new", f"units/.nsunit-a.service.{GONE}", f"units/.other.{GONE}"),
        *(f"{drop_ins}/.{DROP_IN}.{GONE}", f"{drop_ins}/.override.conf.{GONE}", f"{drop_ins}/{DROP_IN}"),
    )
    for name in names:
        (context.top / name).touch()
    context.bus.run("nsunit-sd-notify@x.socket")
    assert found(context) == [
        ("file", f"run/groups/a.slice.{GONE}.new"),
        ("file", f"var/containers/x/boot/plan.{GONE}.new"),
        ("file", f"units/.nsunit-a.service.{GONE}"),
        ("file", f"{drop_ins}/.{DROP_IN}.{GONE}"),
        ("file", "run/notify/old"),
        ("file", "run/failed-old"),
        ("place of a mount", "run/mounts/b"),
    ]
    context.bus.run("nsunit-b.service")  # it may run, and is mounted nowhere all the same
    assert take_away(context, leftovers(context), lambda _item: None) == []
    assert leftovers(context) == []
    assert os.listdir(context.top / "run/mounts") == ["a"]


def test_the_same_ids(context):
    """The one that does not run gets others; a range that a definition has chosen may be anybody's."""
    ranges = {"a": "1000 10 allocated", "b": "1005 10 allocated", "c": "2000 10 allocated", "d": "2000 10"}
    for name, text in ranges.items():
        (context.top / "var/containers" / name / "overlay").mkdir(parents=True)
        (context.top / "var/containers" / name / "ids").write_text(f"{text}\n")
    assert found(context) == [("file", "var/containers/b/ids")]
    context.bus.run("nsunit-b.service")
    assert found(context) == [("file", "var/containers/a/ids")]
    context.bus.run("nsunit-a.service")
    assert found(context) == []


def test_ids_that_nobody_can_read(context):
    """Who does not run takes others; who does has in its plan which they are, and so has who is enabled."""
    state, running = context.top / "var/containers", context.top / "run/containers"
    plans = {
        "free": None,
        "up": [UserNamespace("1000", "65536")],
        "host": [UserNamespace("0", "65536")],
        "boot/x": [UserMaps(("uid 0 5000 10", "gid 0 6000 20"))],
        "lost": None,
        "member": [Join("user", "path:/run/nsunit/ns/shop.pod/user")],
    }
    for place, plan in plans.items():
        name = place.removeprefix("boot/")
        directory = state / name / "boot" if name != place else running / name
        (state / name / "overlay").mkdir(parents=True)
        (state / name / "ids").write_text("1000 655\0")
        if plan:
            directory.mkdir(parents=True)
            (directory / "plan").write_bytes(dump(plan))
    (context.top / "units/nsunit-x.service").touch()
    context.bus.run(*(f"nsunit-{name}.service" for name in ("up", "host", "lost", "member")))
    assert found(context) == [
        ("file", "var/containers/free/ids"),
        *(("ids", f"var/containers/{name}/ids") for name in ("host", "member", "up", "x")),
    ]
    reasons = {item.container: item.why for item in leftovers(context) if item.kind == "ids"}
    none, own = "it does not hold an id range", "it does not hold the id range that is in use"
    assert reasons == {"host": none, "member": none, "up": own, "x": own}  # the range of a pod is the pod's
    assert take_away(context, leftovers(context), lambda _item: None) == []
    assert leftovers(context) == []
    texts = {path.parent.name: path.read_text() for path in state.glob("*/ids")}
    assert texts == {"up": "1000 65536 allocated\n", "x": "5000 10\n6000 20\n", "lost": "1000 655\0"}


def test_a_mount_whose_name_has_blanks(context, monkeypatch):
    point = f"{context.top}/var/containers/web/a b"
    line = "30 1 0:40 / " + point.replace(" ", r"\040") + " rw - tmpfs none rw\n"
    monkeypatch.setattr(mounted, "read_kernel_file", lambda _path: line)
    assert [(item.kind, item.what) for item in leftovers(context)] == [("mount", point)]


def test_units_whose_files_are_gone(context, monkeypatch):
    units = [
        UnitStatus("nsunit-a-port-80.socket", "", "not-found", "active", "listening", "/"),
        UnitStatus("nsunit-b-port-80.socket", "", "loaded", "active", "listening", "/"),
        UnitStatus("nsunit-c.timer", "", "not-found", "inactive", "dead", "/"),
    ]
    monkeypatch.setattr(context.bus, "list_units", lambda _patterns: units)
    assert found(context) == [("unit", "nsunit-a-port-80.socket")]


def test_locks_of_control_groups(context):
    for name in ("cgroup:shop", ".images", "x:y"):
        (context.top / "run/locks" / name).touch()
    assert found(context) == [("lock", "run/locks/cgroup:shop")]
    assert take_away(context, leftovers(context), lambda _item: None) == []
    assert found(context) == []


@pytest.mark.parametrize("name", ["System.Error.EINVAL", TIMEOUT])
def test_a_slice_that_systemd_cannot_list(context, monkeypatch, name):
    """All others are listed, each for itself; where there is no answer nothing is."""
    listed = context.bus.list_units
    monkeypatch.setattr(findings, "CGROUP_ROOT", str(context.top / "cgroup"))
    group(context, r"nsunit-\xff.slice")
    group(context, "nsunit-a.slice/nsunit-a-b.slice")
    context.bus.run("nsunit-a.slice", "nsunit-a-b.slice", r"nsunit-\xff.slice")

    def list_units(patterns):
        if patterns in (["nsunit-*"], [r"nsunit-\xff.slice"]):
            raise BusError(name, "Invalid argument")
        return [unit for unit in listed(patterns) if unit.name in patterns]

    monkeypatch.setattr(context.bus, "list_units", list_units)
    if name == TIMEOUT:
        with pytest.raises(BusError):
            leftovers(context)
        return
    assert {unit.name for unit in findings.Owners(context).active} == {"nsunit-a.slice", "nsunit-a-b.slice"}
