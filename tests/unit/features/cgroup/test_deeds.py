import os
import shutil
import types

import pytest

from nsunit.bus.protocol import ACCESS_DENIED
from nsunit.errors import BusError, NotFoundError, NsunitError
from nsunit.features.cgroup import deeds as cgroups
from nsunit.features.cgroup import knob_deeds as cgroup_knobs
from nsunit.features.cgroup import processes
from nsunit.features.cgroup.plan import Access, Group

WEB = Group("web")
SUB = Group("web", ("sub",))


class FakeBus:
    """systemd, as far as groups need it: it makes and removes the cgroup of a unit."""

    def __init__(self, root):
        self.root = root
        self.calls = []
        self.units = {}
        self.results = []
        self.refuse = None

    def get(self, unit, *names):
        return dict(self.units.get(unit, {}))

    def start_transient(self, unit):
        values = {item.name: item.value for item in unit.properties}
        given = {"DelegateControllers": list(values["DelegateControllers"]), "User": values.get("User", "")}
        self.units[unit.name] = {"ActiveState": "active", **given}
        return unit.name

    def wait(self, job, timeout):
        result = self.results.pop(0) if self.results else "done"
        if result == "done" and f"stop {job}" in self.calls:
            shutil.rmtree(self.root / "nsunit.slice" / job, ignore_errors=True)  # a start may have failed
        return result

    def stop(self, unit):
        self.calls.append(f"stop {unit}")
        return unit

    def thaw(self, unit):
        self.calls.append(f"thaw {unit}")

    def freeze(self, unit):
        self.calls.append(f"freeze {unit}")

    def attach(self, unit, subgroup, pids):
        self.calls.append(f"attach {unit} {subgroup}")
        if self.refuse:
            raise self.refuse
        make(self.root / "nsunit.slice" / unit, "cpu memory pids")

    def set_properties(self, unit, runtime, properties):
        if self.refuse:
            raise self.refuse
        self.calls.append({item.name: item.value for item in properties})


def make(directory, controllers, **files):
    if not directory.is_dir():
        directory.mkdir(parents=True)
    texts = {
        "cgroup.controllers": controllers,
        "cgroup.subtree_control": "",
        "cgroup.procs": "",
        "memory.max": "max",
        "cpu.weight": "100",
        "cpu.max": "max 100000",
        "cpu.max.burst": "0",
        "cgroup.freeze": "0",
    }
    for name, text in {**texts, **files}.items():
        (directory / name).write_text(text + "\n")


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A machine with a cgroup file system of plain files, and root in front of it."""
    monkeypatch.setattr(cgroups, "CGROUP_ROOT", str(tmp_path / "cgroup"))
    monkeypatch.setattr(cgroups, "DELEGATE_LIST", str(tmp_path / "delegate"))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    (tmp_path / "delegate").write_text("cgroup.procs\ncgroup.subtree_control\nmemory.reclaim\n")
    make(tmp_path / "cgroup", "cpuset cpu io memory hugetlb pids")
    bus = FakeBus(tmp_path / "cgroup")
    return types.SimpleNamespace(bus=bus, paths=types.SimpleNamespace(locks=str(tmp_path / "locks")))


@pytest.fixture
def web(host):
    cgroups.create(host, ["cpu", "memory"], WEB, Access())
    host.bus.calls.clear()
    return host


def text(group, file):
    with open(f"{cgroups.directory_of(group)}/{file}") as opened:
        return opened.read().strip()


def failure(deed, *arguments, **options):
    with pytest.raises(NsunitError) as caught:
        deed(*arguments, **options)
    return caught.value.message


def test_create(host):
    cgroups.create(host, ["memory", "cpu"], WEB, Access(tasks=(1000, 1000)) if os.getuid() == 0 else Access())
    assert host.bus.calls == ["attach nsunit-cgroup-web.service /"]
    found = cgroups.groups(host)
    assert [(state.path, state.controllers, state.processes) for state in found] == [("web", ("cpu", "memory"), 0)]


def test_create_again_and_below(web):
    cgroups.create(web, ["cpu"], WEB, Access(directory_mode=0o750, file_mode=0o640, tasks_mode=0o660))
    directory = cgroups.directory_of(WEB)
    modes = {name: os.stat(f"{directory}/{name}").st_mode & 0o777 for name in ("", "cgroup.procs", "memory.max")}
    assert modes == {"": 0o750, "cgroup.procs": 0o660, "memory.max": 0o644}
    cgroups.create(web, ["memory"], SUB, Access())
    assert os.path.isdir(cgroups.directory_of(SUB))
    assert text(WEB, "cgroup.subtree_control") == "+memory"
    assert web.bus.calls == []


def test_create_with_a_controller_it_lacks(web):
    assert failure(cgroups.create, web, ["pids"], SUB, Access()) == "the group 'web' has no controller 'pids'"
    assert not os.path.exists(cgroups.directory_of(SUB))


def test_create_for_somebody_else(web):
    message = failure(cgroups.create, web, ["cpu"], WEB, Access(tasks=(7, 7)))
    assert message == "the group 'web' was made for tasks of user 0, not 7"


def test_create_without_root(host, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert failure(cgroups.create, host, ["cpu"], WEB, Access()) == "only root can make the group 'web'"


def test_create_fails_as_a_whole(host, monkeypatch):
    host.bus.results = ["failed"]
    message = failure(cgroups.create, host, ["cpu"], WEB, Access())
    assert message == "the start of nsunit-cgroup-web.service ended as 'failed'"
    host.bus.refuse = BusError("x", "no")
    assert failure(cgroups.create, host, ["cpu"], WEB, Access()) == "no"

    host.bus.units.clear()
    assert failure(cgroups.create, host, ["cpu"], WEB, Access()) == "no"
    assert host.bus.calls[-1] == "stop nsunit-cgroup-web.service"


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (16, "'web' has processes, so it can have no subgroups with controllers"),
        (13, "you may not make 'web/sub'"),
        (28, "cannot make 'web/sub': No space left on device"),
    ],
)
def test_create_below_what_refuses(web, monkeypatch, number, message):
    def refuse(path, content):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(cgroups, "write_file", refuse)
    assert failure(cgroups.create, web, ["cpu"], SUB, Access()) == message
    assert not os.path.exists(cgroups.directory_of(SUB))


def test_owners_are_root_s_to_change(web, monkeypatch):
    def refuse(path, *owner):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chown", refuse)
    message = failure(cgroups.create, web, ["cpu"], WEB, Access(admin=(7, 7)))
    assert message == "you may not change the owner or mode of 'web'"


def test_check_controllers(web):
    cgroups.check_controllers(web, WEB, ["*", "cpu", "cpuacct", "freezer"])
    assert failure(cgroups.check_controllers, web, WEB, ["io"]) == "the group 'web' has no controller 'io'"
    assert failure(cgroups.check_controllers, web, SUB, []) == "there is no group 'web/sub'"


def test_delete(web, monkeypatch):
    make(web.bus.root / SUB.cgroup[1:], "cpu")
    assert failure(cgroups.delete, web, WEB) == "'web' has subgroups"
    make(web.bus.root / SUB.cgroup[1:], "cpu", **{"cgroup.procs": "5\n6"})
    assert failure(cgroups.delete, web, SUB) == "'web/sub' has 2 processes"
    make(web.bus.root / SUB.cgroup[1:], "cpu", **{"cgroup.procs": "5"})
    assert failure(cgroups.delete, web, WEB, recursive=True) == "'web' has 1 process"
    make(web.bus.root / SUB.cgroup[1:], "cpu")
    web.bus.results = ["frozen", "done"]
    cgroups.delete(web, WEB, recursive=True)
    assert web.bus.calls == [f"{verb} nsunit-cgroup-web.service" for verb in ("stop", "thaw", "stop")]
    make(web.bus.root / WEB.cgroup[1:], "cpu")
    web.bus.results = ["failed"]
    assert failure(cgroups.delete, web, WEB, recursive=True).endswith("ended as 'failed'")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert failure(cgroups.delete, web, WEB) == "only root can remove 'web' itself"


def test_processes_that_do_not_end(web, monkeypatch):
    monkeypatch.setattr(cgroups, "_KILL_SECONDS", 0.01)
    files = {"cgroup.procs": "5", "cgroup.kill": "", "cgroup.events": "populated 1"}
    make(web.bus.root / SUB.cgroup[1:], "cpu", **files)
    message = failure(cgroups.delete, web, SUB, kill=True)
    assert message == "'web/sub' has processes that do not end"
    assert text(SUB, "cgroup.kill") == "1"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (BusError("System.Error.EBUSY", "busy"), "'web' has subgroups with controllers, so it can have no processes"),
        (BusError("other", "systemd says why"), "systemd says why"),
        (PermissionError(13, "x"), "the kernel does not let you move process {} into 'web'"),
        (OSError(3, "x"), "there is no process {}"),
        (OSError(22, "Invalid argument"), "process {} cannot be moved into 'web': Invalid argument"),
    ],
)
def test_attach_fails(web, monkeypatch, error, message):
    def refuse(path, content):
        raise error

    web.bus.refuse = error if isinstance(error, BusError) else BusError(ACCESS_DENIED, "denied")
    monkeypatch.setattr(processes, "write_file", refuse)
    failures = processes.classify(web, WEB, [os.getpid()])
    assert [item.message for item in failures] == [message.format(os.getpid())]


def test_classify(web):
    failures = processes.classify(web, WEB, [os.getpid(), 4194304])
    assert [str(item) for item in failures] == ["there is no process 4194304"]
    assert isinstance(failures[0], NotFoundError)
    assert web.bus.calls == ["attach nsunit-cgroup-web.service /"]
    with pytest.raises(NotFoundError):
        processes.classify(web, SUB, [1])


# get and set


def test_get(web):
    assert cgroup_knobs.get(WEB, ["memory.max", "cpu.shares"]) == [("memory.max", "max"), ("cpu.shares", "1024")]
    assert cgroup_knobs.names_of(web, WEB, ["cpu"]) == ["cpu.max", "cpu.max.burst", "cpu.weight"]
    assert "cgroup.procs" in cgroup_knobs.names_of(web, WEB, [])
    for name, message in (
        ("../x", "'../x' is not the name of a file of a group"),
        ("cpu.wait", "'web' has no file 'cpu.wait'"),
        ("io.max", "the group 'web' has no controller 'io', so it has no 'io.max'"),
        ("devices.list", "'devices.list' belongs to cgroup version 1"),
    ):
        assert failure(cgroup_knobs.get, WEB, [name]) == message


def test_set_of_a_unit(web):
    cgroup_knobs.set_values(web, WEB, [("memory.limit_in_bytes", "1M"), ("freezer.state", "FROZEN")])
    assert web.bus.calls == [{"MemoryMax": 1 << 20}, "freeze nsunit-cgroup-web.service"]
    assert text(WEB, "memory.max") == "max"


def test_set_below(web):
    make(web.bus.root / SUB.cgroup[1:], "cpu memory")
    cgroup_knobs.set_values(web, SUB, [("memory.limit_in_bytes", "512"), ("cpu.max.burst", "5")])
    assert (text(SUB, "memory.max"), text(SUB, "cpu.max.burst")) == ("512", "5")
    assert web.bus.calls == []


@pytest.mark.parametrize("group", [WEB, SUB])
def test_all_or_nothing(web, group):
    make(web.bus.root / SUB.cgroup[1:], "cpu memory")
    web.bus.units["nsunit-cgroup-web.service"]["MemoryMax"] = (1 << 64) - 1
    message = failure(cgroup_knobs.set_values, web, group, [("memory.max", "1M"), ("cpu.shares", "no")])
    assert message == f"{group.path}: cpu.shares: 'no' is not a number"
    assert web.bus.calls == ([] if group.below else [{"MemoryMax": 1 << 20}, {"MemoryMax": (1 << 64) - 1}])
    assert text(group, "memory.max") == "max"


@pytest.mark.parametrize(
    ("file", "has", "said", "name", "before"),
    [
        ("cpu.weight", "0", "200", "CPUWeight", 0),  # it is idle, which is no weight
        ("cpu.idle", "0", "1", "CPUWeight", 500),
        ("memory.max", "0", "50%", "MemoryMax", 0),
    ],
)
def test_the_way_back_is_what_systemd_has(web, file, has, said, name, before):
    make(web.bus.root / WEB.cgroup[1:], "cpu memory", **{file: has})
    web.bus.units["nsunit-cgroup-web.service"][name] = before
    failure(cgroup_knobs.set_values, web, WEB, [(file, said), ("memory.low", "much")])
    assert web.bus.calls[1:] == [{name: before}]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("cgroup.procs", "1", "'cgroup.procs' is not set"),
        ("cpu.max.burst", "1", "systemd has no property for 'cpu.max.burst', and the cgroup of 'web' is systemd's"),
        ("cgroup.freeze", "2", "web: cgroup.freeze: '2' is neither 0 nor 1"),
        ("cpu.rt_period_us", "2", "'cpu.rt_period_us' belongs to cgroup version 1"),
        ("io.max", "2", "the group 'web' has no controller 'io', so it has no 'io.max'"),
        ("memory.max", "much", "web: memory.max: 'much' is not a size"),
    ],
)
def test_what_cannot_be_set(web, name, value, message):
    assert failure(cgroup_knobs.set_values, web, WEB, [(name, value)]) == message
    assert web.bus.calls == []


def test_read_only(web):
    os.chmod(f"{cgroups.directory_of(WEB)}/cpu.weight", 0o444)
    assert failure(cgroup_knobs.set_values, web, WEB, [("cpu.shares", "5")]) == "'cpu.shares' can only be read"


def test_a_device_that_is_not_there(web):
    make(web.bus.root / SUB.cgroup[1:], "io", **{"io.max": ""})
    message = failure(cgroup_knobs.set_values, web, SUB, [("io.max", "/nonexistent rbps=1")])
    assert message == "web/sub: io.max: '/nonexistent' cannot be looked at: No such file or directory"


def test_limits_of_root(web):
    web.bus.refuse = BusError(ACCESS_DENIED, "denied")
    message = "the limits of 'web' itself are root's"
    assert failure(cgroup_knobs.set_values, web, WEB, [("memory.max", "5M")]) == message


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (13, "you may not set memory.max of 'web/sub'"),
        (22, "the kernel refuses '5X' for memory.max of 'web/sub': Invalid argument"),
    ],
)
def test_the_kernel_refuses(web, monkeypatch, number, message):
    def refuse(path, content):
        raise OSError(number, os.strerror(number))

    make(web.bus.root / SUB.cgroup[1:], "memory")
    monkeypatch.setattr(cgroup_knobs, "write_file", refuse)
    assert failure(cgroup_knobs.set_values, web, SUB, [("memory.max", "5X")]) == message


@pytest.mark.parametrize(
    ("group", "values", "calls"),
    [
        (WEB, [("memory.max", "1M")], [{"MemoryMax": 1 << 20}, {"MemoryMax": 5}]),
        (WEB, [("cgroup.freeze", "1")], ["freeze nsunit-cgroup-web.service", "thaw nsunit-cgroup-web.service"]),
        (SUB, [("memory.max", "512")], []),
    ],
)
def test_what_a_signal_comes_after_is_undone(web, monkeypatch, group, values, calls):
    """It came when the change was made, and before it was noted how that is undone."""
    make(web.bus.root / SUB.cgroup[1:], "cpu memory")
    web.bus.units["nsunit-cgroup-web.service"]["MemoryMax"] = 5
    for holder, name in ((web.bus, "set_properties"), (web.bus, "freeze"), (cgroup_knobs, "_write")):
        deed, times = getattr(holder, name), []

        def interrupted(*words, deed=deed, times=times):
            deed(*words)
            times.append(words)
            if len(times) == 1:
                raise KeyboardInterrupt

        monkeypatch.setattr(holder, name, interrupted)
    with pytest.raises(KeyboardInterrupt):
        cgroup_knobs.set_values(web, group, values)
    assert web.bus.calls == calls
    assert text(SUB, "memory.max") == "max"


def test_what_was_refused_is_not_undone(web, monkeypatch):
    """Its undoing would be refused as well, and be told in place of the first refusal."""
    make(web.bus.root / SUB.cgroup[1:], "cpu memory")
    said = []

    def refuse(_path, content):
        said.append(content)
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(cgroup_knobs, "write_file", refuse)
    message = failure(cgroup_knobs.set_values, web, SUB, [("memory.max", "512")])
    assert (message, said) == ("the kernel refuses '512' for memory.max of 'web/sub': Invalid argument", ["512"])


def test_a_group_whose_start_is_interrupted_goes(tmp_path, web, monkeypatch):
    wait = web.bus.wait

    def interrupted(job, timeout):
        if "stop" not in str(web.bus.calls):
            raise KeyboardInterrupt
        return wait(job, timeout)

    monkeypatch.setattr(web.bus, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cgroups.create(web, ("memory",), Group("other"), Access())
    assert web.bus.calls[-1] == "stop nsunit-cgroup-other.service"
