"""Pods on a systemd that is a table of properties."""

from __future__ import annotations

import os

import pytest

from nsunit.bus.protocol import Job, UnitStatus
from nsunit.definition.load import Host, load, load_properties
from nsunit.definition.search import SearchPath
from nsunit.errors import DefinitionError, JobFailedError, NotFoundError, NsunitError, UsageError
from nsunit.manager import pins
from nsunit.manager.context import Context
from nsunit.manager.enable import enable
from nsunit.manager.pod import start_for, start_pod, stop_pod, with_pod
from nsunit.manager.query import inspect, pod_states
from nsunit.manager.render import render, unit_files
from nsunit.manager.run import run
from nsunit.manager.running import find_running, slice_of
from nsunit.manager.start import start
from nsunit.manager.stop import remove, restart, stop
from nsunit.manager.tree import tree
from nsunit.plan.facts import Facts
from nsunit.storage import ranges
from nsunit.storage.paths import Paths

MEMBER = "[Container]\nRootfs=/srv\nVolatile=yes\nExec=/bin/sh\nPod=shop\n"
SERVICE = "nsunit-shop.pod.service"


class FakeSystemd:
    """Units as tables of properties; `result` is that of each job."""

    def __init__(self):
        self.units = {}
        self.transient = ""
        self.result = "done"
        self.calls = []

    def get(self, unit, *names):
        return {name: value for name, value in self.properties(unit).items() if name in names}

    def properties(self, unit):
        return {"LoadState": "loaded" if unit in self.units else "not-found", **self.units.get(unit, {})}

    def processes(self, unit):
        return []

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
    found._host = Host(257, "host", "abc", "def", "6.12", "x86-64")
    write(found, "shop.pod", "[Pod]\nShare=net ipc\n[Slice]\nMemoryMax=64M\n")
    write(found, "web", MEMBER)
    return found


def write(context, name, text):
    with open(f"{context.search.directories[0]}/{name}.nsunit", "w") as file:
        file.write(text)


def test_a_start_makes_the_service_and_the_slice_with_limits(context):
    assert start_pod(context, "shop.pod").state == "started"
    service = context.bus.units[SERVICE]
    assert (service["Type"], service["Slice"]) == ("oneshot", "nsunit-shop.slice")
    assert context.bus.units["nsunit-shop.slice"]["MemoryMax"] == 64 << 20
    start_, count = ranges.remembered(context.paths.state_of("shop.pod"))
    with open(context.paths.runtime_of("shop.pod") + "/plan") as plan:
        assert plan.readline() == f"user-namespace\0{start_}\0{count}\n"
    assert start_pod(context, "shop.pod").state == "running"
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
        start_pod(context, "shop.pod")
    assert os.listdir(context.paths.runtimes) == os.listdir(context.paths.states) == []
    assert not os.listdir(context.paths.locks)


def test_what_is_wrong_is_said(context):
    with pytest.raises(NotFoundError, match="^pod 'other.pod' is not defined$"):
        start_pod(context, "other.pod")
    assert isinstance(stop(context, ["other.pod"])[0].error, NotFoundError)
    assert isinstance(restart(context, ["other.pod"])[0].error, NotFoundError)
    assert isinstance(remove(context, ["other.pod"])[0].error, NotFoundError)
    start_pod(context, "shop.pod")
    context.bus.result = "timeout"
    with pytest.raises(NsunitError, match="^shop.pod: the stop ended as 'timeout'$") as caught:
        stop_pod(context, "shop.pod")
    assert caught.value.hint == f"see 'systemctl status {SERVICE}'"
    os.unlink(context.paths.runtime_of("shop.pod") + "/definition")
    message = "^shop.pod: it is there, but nsunit has no record of having started it$"
    with pytest.raises(NsunitError, match=message) as caught:
        start_pod(context, "shop.pod")
    assert caught.value.hint == f"stop it with 'systemctl stop {SERVICE}'"


def test_a_container_starts_its_pod_and_takes_it_back_if_nobody_is_in_it(context):
    undo = []
    web = load("web", context.search, context.host)
    start_for(context, web, undo)
    assert context.bus.units[SERVICE]["ActiveState"] == "active"
    start_for(context, web, more := [])
    assert (len(undo), more) == (1, [])
    undo[0]()
    assert SERVICE not in context.bus.units
    assert ("stop", SERVICE) in context.bus.calls


def test_what_a_container_may_not_say_is_refused_without_a_file_too(context):
    given = [("Container", key, value, "--property") for key, value in (("Rootfs", "/srv"), ("Exec", "/bin/sh"))]
    given += [("Container", "Pod", "shop", "--property"), ("Container", "IPCNamespace", "host", "--property")]
    definition = load_properties("run-1", given, context.host)
    with pytest.raises(DefinitionError) as caught:
        start_for(context, definition, [])
    message = "--property: [Container] IPCNamespace: its IPC is that of its pod 'shop.pod'"
    assert [str(item) for item in caught.value.problems] == [message]
    assert SERVICE not in context.bus.units


def test_what_others_need_to_know(context):
    known = with_pod(context, Facts(257, "", "", ""), "shop")
    assert known.pod_kinds == ("user", "net", "ipc")
    assert (known.pod_pins, known.pod_network) == (f"{context.paths.namespaces}/shop.pod", "")
    start_pod(context, "shop.pod")
    write(context, "shop.pod", "[Pod]\nShare=uts\nPrivateUsers=no\n")
    assert with_pod(context, Facts(257, "", "", ""), "shop").pod_kinds == ("user", "net", "ipc")
    stop_pod(context, "shop.pod")
    assert with_pod(context, Facts(257, "", "", ""), "shop").pod_kinds == ("uts",)
    write(context, "shop.pod", "[Pod]\nNetwork=bridge\n")
    assert with_pod(context, Facts(257, "", "", ""), "shop").pod_network == context.paths.network_of("shop.pod")
    assert slice_of(context, "shop.pod") == "nsunit-shop.slice"


def test_it_is_listed_and_shown(context):
    (defined,) = pod_states(context, everything=True)
    assert (pod_states(context), defined.active_state, defined.slice) == ([], "inactive", "nsunit-shop.slice")
    start_pod(context, "shop.pod")
    (state,) = pod_states(context)
    assert (state.name, state.active_state, state.unit) == ("shop.pod", "active", SERVICE)
    (node,) = tree(context, []).children
    assert (node.name, node.kind, node.memory_limit) == ("shop.pod", "pod", 64 << 20)
    shown = inspect(context, "shop.pod")
    assert {"section": "Pod", "key": "Share", "value": "net ipc"} in shown["definition"]
    assert shown["setup"][1] == "make the namespaces net, ipc"
    assert [unit["name"] for unit in render(context, "shop.pod")["units"]] == [SERVICE, "nsunit-shop.slice"]
    files = unit_files(context, "shop.pod")
    assert files.keys() == {SERVICE, "nsunit-shop.slice"}
    assert "RemainAfterExit=yes" in files[SERVICE]


def test_what_a_pod_is_not_for(context):
    start_pod(context, "shop.pod")
    with pytest.raises(NotFoundError, match="^shop.pod: a pod has no process of its own$") as caught:
        find_running(context, "shop.pod")
    assert caught.value.hint == "name one of its containers; 'nsunit list --tree' shows them below 'shop.pod'"
    with pytest.raises(UsageError, match="^'shop.pod' is the name of a pod$"):
        run(context, [], [], name="shop.pod")
    for deed in (lambda: pins.pin(context, "web", "net", "shop.pod"), lambda: pins.unpin(context, "shop.pod")):
        with pytest.raises(NsunitError, match="^the pin 'shop.pod' is that of a pod$"):
            deed()
    (refused,) = enable(context, ["web"])
    assert str(refused.error) == "web: what is in a pod cannot be enabled"
    write(context, "shop", MEMBER.replace("Pod=shop\n", ""))
    with pytest.raises(NsunitError, match="^shop: its slice would be that of the group 'shop.slice'$"):
        from nsunit.manager.group import check_apart

        check_apart(context, load("shop", context.search, context.host))
