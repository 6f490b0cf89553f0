"""What commands that are executed in a container get of what systemd gave the payload."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from types import SimpleNamespace

import pytest

from nsunit.core.context import Context
from nsunit.core.running import Running
from nsunit.deeds.session import inherited
from nsunit.deeds.session.execute import KINDS, WANTED, _plan_of, of_payload
from nsunit.deeds.session.inherited import PROPERTIES, Inherited
from nsunit.errors import NotFoundError
from nsunit.features import FEATURES, operation_of
from nsunit.plan.scope import OF_PROCESSES
from nsunit.setup import main, spawn
from nsunit.setup.operation import Operation, dump, read
from nsunit.setup.process import of_session
from nsunit.setup.spawn import SetupError
from nsunit.storage.paths import Paths

NO_LIMIT = (1 << 64) - 1


class FakeSystemd:
    def get(self, unit, *names):
        known = {"LimitNOFILE": 900, "LimitNOFILESoft": 700, "LimitCORE": NO_LIMIT, "LimitCORESoft": 0, "Nice": 7}
        return {name: known[name] for name in names}


@pytest.fixture
def context(tmp_path):
    found = Context(paths=Paths(str(tmp_path)))
    found._bus = FakeSystemd()
    os.makedirs(found.paths.runtime_of("web"))
    return found


def define(context, text):
    with open(context.paths.runtime_of("web") + "/definition", "w") as file:
        file.write(text)


def test_what_the_definition_sets_is_asked_for(context):
    define(context, "[Container]\nExec=/bin/sh\n\n[Service]\nLimitNOFILE=700:900\nLimitCORE=0:infinity\nNice=5\n")
    running = Running("web", "nsunit-web.service", "/x", "0", 1)
    found = of_payload(context, running)
    assert (found.keys, found.values["Nice"]) == (("Nice",), 7)  # systemd knows best
    assert found.limits == {"LimitCORE": (0, -1), "LimitNOFILE": (700, 900)}
    assert of_payload(context, running.replace(unit="nsunit-web-run-1.scope")) is None
    define(context, "[Container]\nExec=/bin/sh\n[Unit]\nStartLimitBurst=3\n")
    assert of_payload(context, running) is None


def test_all_that_processes_hand_down_can_be_given():
    assert set(PROPERTIES) == OF_PROCESSES


def test_a_process_gets_limits(monkeypatch):
    def limit(pid, limits):
        Inherited((), {}, limits).limit(pid)

    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        limit(process.pid, {"LimitNOFILE": (70, 90), "LimitCORE": (0, 0), "LimitLOCKS": (1, 1)})
        assert resource.prlimit(process.pid, resource.RLIMIT_NOFILE) == (70, 90)
        assert resource.prlimit(process.pid, resource.RLIMIT_CORE) == (0, 0)
        # Without privileges none can be raised.
        real = resource.prlimit

        def refusing(pid, which, *values):
            if pid == 1 or (values and values[0][1] in (-1, 100)):
                raise PermissionError(1, "Operation not permitted")
            return real(pid, which, *values)

        monkeypatch.setattr(inherited.resource, "prlimit", refusing)
        limit(process.pid, {"LimitNOFILE": (100, -1)})
        assert resource.prlimit(process.pid, resource.RLIMIT_NOFILE) == (90, 90)
        process.stdin.write(b"\n")


def test_the_nearest_limit_is_that_of_systemd_and_not_of_the_caller(monkeypatch):
    """fs.nr_open is, which systemd raises; a caller in a session of its own has half a million."""
    limits = {1: (1024, 1 << 30), 77: (1024, 524288)}

    def prlimit(pid, which, wanted=None):
        if wanted and not 0 <= wanted[1] <= 1 << 30:
            raise ValueError("not allowed to raise maximum limit")
        limits[pid] = wanted or limits[pid]
        return limits[pid]

    monkeypatch.setattr(inherited.resource, "prlimit", prlimit)
    Inherited((), {}, {"LimitNOFILE": (2_000_000_000, 2_000_000_000)}).limit(77)
    assert limits == {1: (1024, 1 << 30), 77: (1 << 30, 1 << 30)}


def test_what_cannot_be_given_is_named(monkeypatch):
    def refuse(*_words):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(inherited.os, "setpriority", refuse)
    with pytest.raises(SetupError, match="^Failed to give the command Nice= of the container: Permission denied$"):
        Inherited(("Nice",), {"Nice": -5}, {}).give()


def test_a_score_that_systemd_may_not_give_either_keeps_nobody_out(monkeypatch):
    """In a container systemd starts a service without its OOMScoreAdjust=, see systemd.exec(5)."""
    written = []

    def refuse(path, text):
        written.append((path, text))
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(inherited, "write_file", refuse)
    Inherited(("OOMScoreAdjust",), {"OOMScoreAdjust": -1000}, {}).give()
    assert written == [("/proc/self/oom_score_adj", "-1000")]


def test_the_cpus_of_nodes_are_meant(monkeypatch):
    given = []
    monkeypatch.setattr(inherited.os, "sched_setaffinity", lambda pid, cpus: given.append((pid, cpus)))
    monkeypatch.setattr(inherited, "read_kernel_file", {"/sys/devices/system/node/node1/cpulist": "4-5,7\n"}.get)
    values = {"CPUAffinity": b"", "CPUAffinityFromNUMA": True, "NUMAMask": b"\x02"}
    Inherited(("CPUAffinity",), values, {}).give()
    Inherited(("CPUAffinity",), {"CPUAffinity": [5], "CPUAffinityFromNUMA": False, "NUMAMask": []}, {}).give()
    assert given == [(0, {4, 5, 7}), (0, {0, 2})]


def test_a_container_that_has_lost_its_plan(tmp_path):
    with pytest.raises(NotFoundError, match="^web: it runs, but nsunit has no record") as caught:
        _plan_of(SimpleNamespace(paths=SimpleNamespace(runtime_of=lambda name: str(tmp_path / name))), "web")
    assert caught.value.hint == "stop it with 'systemctl stop nsunit-web.service'"


def test_what_a_session_needs_of_a_plan_is_read(tmp_path):
    """The other steps were for the payload, once for all."""
    rare = [operation_of(keyword) for feature in FEATURES for keyword in feature.operations.split()]
    kinds = [kind for kind in (*main.KINDS, *rare) if kind]
    for kind in kinds:
        joins = kind.clone_flags is not Operation.clone_flags or hasattr(kind, "keeps_groups")
        assert (kind.keyword in WANTED) == (joins or issubclass(kind, KINDS)), kind
    made = [kind(*(("pid", "net") if slot == kind.rest else "0" for slot in kind.__slots__)) for kind in kinds]
    (tmp_path / "plan").write_bytes(dump(made))
    whole, needed = main.read_plan(str(tmp_path)), read(str(tmp_path), KINDS, operation_of, WANTED)
    assert len(needed) == len(WANTED) < len(whole)
    assert of_session(needed, ("true",)) == of_session(whole, ("true",))
    assert spawn.namespace_flags(needed) == spawn.namespace_flags(whole) != 0
