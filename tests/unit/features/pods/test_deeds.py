"""Pods on a systemd that is a table of properties."""

from __future__ import annotations

import os
import shutil

import pytest

from nsunit.bus.protocol import Job, UnitStatus
from nsunit.core import prepare
from nsunit.core.apart import check_apart
from nsunit.core.context import Context
from nsunit.core.jobs import remember_failure
from nsunit.core.running import find_running, slice_of
from nsunit.core.unit_files import unit_files
from nsunit.deeds.enable import disable, enable
from nsunit.deeds.look.query import inspect
from nsunit.deeds.look.states import list_containers, pod_states
from nsunit.deeds.look.tree import tree
from nsunit.deeds.remove import remove
from nsunit.deeds.render import render
from nsunit.deeds.restart import restart
from nsunit.deeds.session.run import run
from nsunit.deeds.start import start
from nsunit.deeds.stop import stop
from nsunit.definition.load import Host, load, load_properties
from nsunit.definition.search import SearchPath
from nsunit.errors import DefinitionError, JobFailedError, NotFoundError, NsunitError, UsageError
from nsunit.features.namespaces import pins
from nsunit.features.pods import deeds as pods
from nsunit.features.pods import files as pod_files
from nsunit.features.pods.plan import PodFacts
from nsunit.plan.facts import Facts
from nsunit.storage import ranges
from nsunit.storage.lock import Lock
from nsunit.storage.paths import Paths

MEMBER = "[Container]\nRootfs=/srv\nVolatile=yes\nExec=/bin/sh\nPod=shop\n"
SERVICE = "nsunit-shop.pod.service"


class FakeSystemd:
    """Units as tables of properties; `result` is that of each job."""

    def __init__(self):
        self.units = {}
        self.transient = ""
        self.unit_paths = tuple
        self.result = "done"
        self.calls = []
        self.directory = ""
        self.copied = ()

    def get(self, unit, *names):
        return {name: value for name, value in self.properties(unit).items() if name in names}

    def properties(self, unit):
        return {"LoadState": "loaded" if unit in self.units else "not-found", **self.units.get(unit, {})}

    def list_units(self, patterns):
        import fnmatch

        return [
            UnitStatus(name, "", "loaded", str(values.get("ActiveState", "")), "", "")
            for name, values in self.units.items()
            if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
        ]

    def start_transient(self, unit, auxiliary=()):
        for item in (unit, *auxiliary):
            self.units[item.name] = {entry.name: entry.value for entry in item.properties}
            self.units[item.name] |= {
                "ActiveState": "active" if self.result == "done" else "failed",
                "FragmentPath": self.transient + item.name,
            }
        self.calls.append(("start", unit.name))
        return Job("/job", unit.name, "start")

    def start(self, unit):
        self.units[unit] = {"ActiveState": "active", "FragmentPath": f"{self.directory}/{unit}", "Slice": ""}
        if unit == SERVICE:
            shutil.copytree(*self.copied, dirs_exist_ok=True)
        self.calls.append(("start", unit))
        return Job("/job", unit, "start")

    def reload(self):
        self.calls.append(("reload", ""))

    def wait_any(self, jobs, timeout):
        return next(iter(jobs)), self.result

    def stop(self, unit):
        self.calls.append(("stop", unit))
        if self.result == "done":
            self.units.pop(unit, None)
        return Job("/stop", unit, "stop")

    def reset_failed(self, unit):
        self.calls.append(("reset", unit))

    def wait(self, job, timeout):
        return self.result


@pytest.fixture
def context(tmp_path, monkeypatch):
    for directory in ("etc", "units", "run", "var"):
        os.mkdir(tmp_path / directory, 0o700)
    search = SearchPath((str(tmp_path / "etc"),), str(tmp_path / "units"))
    found = Context(search, Paths(str(tmp_path / "run"), str(tmp_path / "var")))
    found._bus = FakeSystemd()
    found._bus.transient = found.transient
    found._bus.directory = search.units
    found._bus.copied = found.paths.boot_of("shop.pod"), found.paths.runtime_of("shop.pod")
    (tmp_path / "filter").write_bytes(b"filter")
    monkeypatch.setattr(prepare, "filter_file_for", lambda capabilities, directory: str(tmp_path / "filter"))
    monkeypatch.setattr(prepare, "check_sources", lambda definition: None)
    found._host = Host(257, "host", "abc", "def", "6.12", "x86-64")
    write(found, "shop.pod", "[Pod]\nShare=net ipc\n[Slice]\nMemoryMax=64M\n")
    write(found, "web", MEMBER)
    return found


def write(context, name, text):
    with open(f"{context.search.directories[0]}/{name}.nsunit", "w") as file:
        file.write(text)


def test_a_start_makes_the_service_and_the_slice_with_limits(context):
    assert pods.start(context, "shop.pod").state == "started"
    service = context.bus.units[SERVICE]
    assert (service["Type"], service["Slice"]) == ("oneshot", "nsunit-shop.slice")
    assert context.bus.units["nsunit-shop.slice"]["MemoryMax"] == 64 << 20
    start_, count = ranges.remembered(context.paths.state_of("shop.pod"))
    with open(context.paths.runtime_of("shop.pod") + "/plan") as plan:
        assert plan.readline() == f"user-namespace\0{start_}\0{count}\n"
    assert pods.start(context, "shop.pod").state == "running"
    write(context, "shop.pod", "[Pod]\nShare=net\n")
    differs = start(context, ["shop.pod"])[0]
    assert (differs.state, differs.differences[0]) == ("differs", "[Pod] Share: 'net ipc' -> 'net'")
    assert stop(context, ["shop.pod"])[0].state == "stopped"
    assert not os.path.exists(context.paths.runtime_of("shop.pod"))
    assert remove(context, ["shop.pod"])[0].state == "removed"
    assert stop(context, ["shop.pod"])[0].state == "inactive"


def test_a_start_that_fails_leaves_nothing(context):
    context.bus.result = "failed"
    with pytest.raises(JobFailedError):
        pods.start(context, "shop.pod")
    assert os.listdir(context.paths.runtimes) == os.listdir(context.paths.states) == []
    assert not os.listdir(context.paths.locks)


def test_what_is_wrong_is_said(context):
    with pytest.raises(NotFoundError, match="^pod 'other.pod' is not defined$"):
        pods.start(context, "other.pod")
    assert isinstance(stop(context, ["other.pod"])[0].error, NotFoundError)
    assert isinstance(restart(context, ["other.pod"])[0].error, NotFoundError)
    assert isinstance(remove(context, ["other.pod"])[0].error, NotFoundError)
    pods.start(context, "shop.pod")
    context.bus.result = "timeout"
    with pytest.raises(NsunitError, match="^shop.pod: the stop ended as 'timeout'$") as caught:
        pods.stop(context, "shop.pod")
    assert caught.value.hint == f"see 'systemctl status {SERVICE}'"
    os.unlink(context.paths.runtime_of("shop.pod") + "/definition")
    message = "^shop.pod: it is there, but nsunit has no record of having started it$"
    with pytest.raises(NsunitError, match=message) as caught:
        pods.start(context, "shop.pod")
    assert caught.value.hint == f"stop it with 'systemctl stop {SERVICE}'"


def test_a_container_starts_its_pod_and_takes_it_back_if_nobody_is_in_it(context):
    undo = []
    web = load("web", context.search, context.host)
    pods.require(context, web, undo)
    assert context.bus.units[SERVICE]["ActiveState"] == "active"
    pods.require(context, web, more := [])
    assert (len(undo), more) == (1, [])
    undo[0]()
    assert SERVICE not in context.bus.units
    assert ("stop", SERVICE) in context.bus.calls


def test_what_a_container_may_not_say_is_refused_without_a_file_too(context):
    given = [("Container", key, value, "--property") for key, value in (("Rootfs", "/srv"), ("Exec", "/bin/sh"))]
    given += [("Container", "Pod", "shop", "--property"), ("Container", "IPCNamespace", "host", "--property")]
    definition = load_properties("run-1", given, context.host)
    with pytest.raises(DefinitionError) as caught:
        pods.require(context, definition, [])
    message = "--property: [Container] IPCNamespace: its IPC is that of its pod 'shop.pod'"
    assert [str(item) for item in caught.value.problems] == [message]
    assert SERVICE not in context.bus.units


def test_what_others_need_to_know(context):
    web = load("web", context.search, context.host)

    def known():
        return pods.facts(context, web, Facts(257, "", "", "")).extra("pods")

    assert known() == PodFacts(("user", "net", "ipc"), f"{context.paths.namespaces}/shop.pod", "")
    pods.start(context, "shop.pod")
    write(context, "shop.pod", "[Pod]\nShare=uts\nPrivateUsers=no\n")
    assert known().kinds == ("user", "net", "ipc")
    pods.stop(context, "shop.pod")
    assert known().kinds == ("uts",)
    write(context, "shop.pod", "[Pod]\nNetwork=bridge\n")
    assert known().network == context.paths.network_of("shop.pod")
    assert slice_of(context, "shop.pod") == "nsunit-shop.slice"


def test_it_is_listed_and_shown(context):
    (defined,) = pod_states(context, everything=True)
    assert (pod_states(context), defined.active_state, defined.slice) == ([], "inactive", "nsunit-shop.slice")
    pods.start(context, "shop.pod")
    (state,) = pod_states(context)
    assert (state.name, state.active_state, state.unit) == ("shop.pod", "active", SERVICE)
    (node,) = tree(context, []).children
    assert (node.name, node.kind, node.memory_limit) == ("shop.pod", "pod", 64 << 20)
    shown = inspect(context, "shop.pod")
    assert {"section": "Pod", "key": "Share", "value": "net ipc"} in shown["definition"]
    assert shown["setup"][1]["does"] == "make the namespaces net, ipc"
    assert [unit["name"] for unit in render(context, "shop.pod")["units"]] == [SERVICE, "nsunit-shop.slice"]
    files = unit_files(context, "shop.pod")
    assert files.keys() == {SERVICE, "nsunit-shop.slice"}
    assert "RemainAfterExit=yes" in files[SERVICE]


def test_one_that_was_refused_is_in_the_tree_once(context):
    remember_failure(context, "shop.pod", NsunitError("[Pod] Share: 'pid' cannot be shared by a pod"))
    states = list_containers(context)
    assert [(state.name, state.sub_state) for state in states] == [("shop.pod", "refused")]
    assert [(node.name, node.kind, node.active_state) for node in tree(context, states).children] == [
        ("shop.pod", "pod", "failed")
    ]


def text(context, unit):
    with open(f"{context.search.units}/{unit}") as file:
        return file.read()


def tree_of_units(context):
    return sorted(name for _, _, names in os.walk(context.search.units) for name in names)


def states(outcomes):
    return [str(item.error) if item.error else item.state for item in outcomes]


POD_UNITS = [SERVICE, "nsunit-shop.slice"]
WEB_UNITS = ["nsunit-shop-web.slice", "nsunit-web.service"]


def test_an_enabled_pod(context):
    assert states(enable(context, ["shop.pod", "shop.pod"])) == ["enabled"]
    assert tree_of_units(context) == sorted([*POD_UNITS, SERVICE])  # and the link
    boot = context.paths.boot_of("shop.pod")
    service = text(context, SERVICE)
    assert service == unit_files(context, "shop.pod")[SERVICE]
    assert f"ExecStartPre=/bin/cp -rT {boot} {context.paths.runtime_of('shop.pod')}\n" in service
    assert f"RequiresMountsFor={boot}\n" in service
    assert "[Install]\nWantedBy=multi-user.target\n" in service
    assert sorted(os.listdir(boot)) == ["definition", "plan"]
    assert states(enable(context, ["shop.pod"])) == ["unchanged"]
    assert states(remove(context, ["shop.pod"])) == ["shop.pod: it is enabled"]
    assert pod_states(context, everything=True)[0].enabled
    write(context, "shop.pod", "[Pod]\nShare=uts\n[Slice]\nMemoryMax=32M\n")
    assert pods.start(context, "shop.pod").state == "started"
    assert context.bus.units[SERVICE]["FragmentPath"] == f"{context.search.units}/{SERVICE}"
    assert "MemoryMax=32M\n" in text(context, "nsunit-shop.slice")
    with open(boot + "/plan") as plan:
        assert "namespaces\0uts" in plan.read()
    (refused,) = disable(context, ["shop.pod"])
    assert str(refused.error) == "shop.pod: it runs from the unit files that would be removed"
    assert refused.error.hint == (
        "stop it first, or do both with 'nsunit disable --now shop.pod'; 'systemctl disable nsunit-shop.pod.service'"
        " lets it run, and keeps it from starting at the next boot"
    )
    pods.stop(context, "shop.pod")
    assert states(disable(context, ["shop.pod"])) == ["disabled"]
    assert (tree_of_units(context), os.path.exists(boot)) == ([], False)
    assert states(disable(context, ["shop.pod"])) == ["unchanged"]
    assert states(disable(context, ["other.pod"])) == ["pod 'other.pod' is not defined"]


def test_an_enabled_container_brings_the_unit_of_its_pod(context):
    write(context, "db", MEMBER)
    assert states(enable(context, ["web", "db"])) == ["enabled", "enabled"]
    assert {*POD_UNITS, *WEB_UNITS} <= set(tree_of_units(context))
    for key in ("After", "BindsTo"):
        assert f"{key}={SERVICE}\n" in text(context, "nsunit-web.service")
    assert not os.path.exists(f"{context.search.units}/multi-user.target.wants/{SERVICE}")
    assert not pod_states(context, everything=True)[0].enabled
    assert unit_files(context, "web").keys() == {*POD_UNITS, *WEB_UNITS}
    assert states(enable(context, ["shop.pod"])) == ["enabled"]
    assert states(disable(context, ["db"])) == ["disabled"]
    assert states(disable(context, ["web"])) == ["disabled"]
    assert tree_of_units(context) == sorted([*POD_UNITS, SERVICE])
    enable(context, ["web"])
    assert states(disable(context, ["shop.pod"])) == ["disabled"]
    assert {*POD_UNITS, *WEB_UNITS} <= set(tree_of_units(context))
    assert states(disable(context, ["web"])) == ["disabled"]
    assert tree_of_units(context) == []


def test_a_pod_that_runs_in_other_networks_is_restarted_before_it_is_enabled(context, monkeypatch):
    """See network.deeds.check_enable()."""
    asked = []
    monkeypatch.setattr(pod_files, "check_enable", lambda running, now: asked.append((running.name, now.name)))
    enable(context, ["shop.pod"])
    assert asked == []
    start(context, ["shop.pod"])
    enable(context, ["shop.pod"])
    assert asked == [("shop.pod", "shop.pod")]


def test_the_start_of_an_enabled_container_starts_its_pod_from_its_file(context):
    enable(context, ["web"])
    write(context, "shop.pod", "[Pod]\nShare=ipc\n")
    assert states(start(context, ["web"])) == ["started"]
    assert [unit for call, unit in context.bus.calls if call == "start"] == [SERVICE, "nsunit-web.service"]
    with open(context.paths.boot_of("web") + "/plan") as plan:
        content = plan.read()
    pins_ = f"{context.paths.namespaces}/shop.pod"
    assert f"{pins_}/ipc" in content and f"{pins_}/net" not in content
    write(context, "shop.pod", "[Pod]\nShare=net\n")
    (refused,) = enable(context, ["web"])
    assert str(refused.error) == "shop.pod: it runs and shares something else than it is defined to share now"
    assert refused.error.hint == "restart it first: nsunit restart shop.pod"
    # What runs from the unit file keeps it until it is stopped.
    context.bus.units["nsunit-web.service"]["ActiveState"] = "inactive"
    assert states(disable(context, ["web"])) == ["disabled"]
    assert tree_of_units(context) == sorted(POD_UNITS)
    assert pods.stop(context, "shop.pod").state == "stopped"
    assert tree_of_units(context) == []


def plan_of(context, name):
    with open(f"{context.paths.boot_of(name)}/plan") as plan:
        return plan.read()


def joined(context, name):
    pins_ = f"{context.paths.namespaces}/shop.pod/"
    return {line.rpartition(pins_)[2] for line in plan_of(context, name).splitlines() if pins_ in line}


def test_enabled_containers_follow_their_pod(context):
    write(context, "db", MEMBER)
    enable(context, ["web", "db"])
    assert joined(context, "db") == {"user", "net", "ipc"}
    write(context, "shop.pod", "[Pod]\nShare=uts\n")
    assert states(enable(context, ["web"])) == ["enabled"]
    assert joined(context, "web") == joined(context, "db") == {"user", "uts"}
    write(context, "shop.pod", "[Pod]\nShare=ipc\n")
    write(context, "db", MEMBER + "Environment=A=b\n")
    pods.start(context, "shop.pod")
    assert joined(context, "web") == joined(context, "db") == {"user", "ipc"}
    assert "A=b" not in plan_of(context, "db")  # that is for its own start


def test_an_enabled_container_that_cannot_follow_its_pod_is_told_of(context):
    told = []
    context.warn = told.append
    write(context, "db", MEMBER + "Hostname=db\n")
    enable(context, ["web", "db"])
    with Lock(context.paths.locks, "web"):  # somebody is at work on it
        write(context, "shop.pod", "[Pod]\nShare=uts\n")
        pods.start(context, "shop.pod")
    assert joined(context, "web") == joined(context, "db") == {"user", "net", "ipc"}
    text = "Hostname: its host name is that of its pod 'shop.pod': it will not start at boot before that is mended"
    assert told == [f"warning: db: {text}"]
    assert not os.path.exists(f"{context.paths.locks}/db")


def test_a_container_that_leaves_its_pod_takes_the_unit_away(context):
    enable(context, ["web"])
    write(context, "web", MEMBER.replace("Pod=shop\n", ""))
    assert states(enable(context, ["web"])) == ["enabled"]
    assert tree_of_units(context) == ["nsunit-web.service", "nsunit-web.service", "nsunit-web.slice"]


def test_a_user_has_no_pods(context):
    context.user = True
    for (refused,) in (start(context, ["shop.pod"]), enable(context, ["shop.pod"])):
        message = "shop.pod: a pod takes root: only root can mount what its containers share, so that it outlives them"
        assert str(refused.error) == message
        assert refused.error.hint == "use Slice= for common limits, or have root run it as a pod of the system"


def test_what_others_have_made_is_left_alone(context):
    with open(f"{context.search.units}/{SERVICE}", "w"):
        pass
    path = f"{context.search.units}/{SERVICE}"
    for name in ("web", "shop.pod"):
        (refused,) = enable(context, [name])
        assert str(refused.error) == f"shop.pod: '{SERVICE}' is there already and was not made by nsunit ('{path}')"
    assert tree_of_units(context) == [SERVICE]
    assert not os.path.exists(context.paths.state_of("web"))


def test_what_a_pod_is_not_for(context):
    pods.start(context, "shop.pod")
    with pytest.raises(NotFoundError, match="^shop.pod: a pod has no process of its own$") as caught:
        find_running(context, "shop.pod")
    assert caught.value.hint == "name one of its containers; 'nsunit list --tree' shows them below 'shop.pod'"
    with pytest.raises(UsageError, match="^'shop.pod' is the name of a pod$"):
        run(context, [], [], name="shop.pod")
    for deed in (lambda: pins.pin(context, "web", "net", "shop.pod"), lambda: pins.unpin(context, "shop.pod")):
        with pytest.raises(NsunitError, match="^the pin 'shop.pod' is that of a pod$"):
            deed()
    write(context, "shop", MEMBER.replace("Pod=shop\n", ""))
    with pytest.raises(NsunitError, match="^shop: its slice would be that of the group 'shop.slice'$"):
        check_apart(context, load("shop", context.search, context.host))
