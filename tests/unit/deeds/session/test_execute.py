"""The resource limits of commands that are executed in a container."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

import pytest

from nsunit.core.context import Context
from nsunit.core.running import Running
from nsunit.deeds.session.execute import limit, resource_limits
from nsunit.storage.paths import Paths

NO_LIMIT = (1 << 64) - 1


class FakeSystemd:
    def get(self, unit, *names):
        known = {"LimitNOFILE": 900, "LimitNOFILESoft": 700, "LimitCORE": NO_LIMIT, "LimitCORESoft": 0}
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
    define(context, "[Container]\nExec=/bin/sh\n\n[Service]\nLimitNOFILE=700:900\nLimitCORE=0:infinity\n")
    running = Running("web", "nsunit-web.service", "/x", "0", 1)
    assert resource_limits(context, running) == {"LimitCORE": (0, -1), "LimitNOFILE": (700, 900)}
    assert resource_limits(context, running.replace(unit="nsunit-web-run-1.scope")) == {}
    define(context, "[Container]\nExec=/bin/sh\n[Unit]\nStartLimitBurst=3\n")
    assert resource_limits(context, running) == {}


def test_a_process_gets_them(monkeypatch):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        limit(process.pid, {"LimitNOFILE": (70, 90), "LimitCORE": (0, 0), "LimitLOCKS": (1, 1)})
        assert resource.prlimit(process.pid, resource.RLIMIT_NOFILE) == (70, 90)
        assert resource.prlimit(process.pid, resource.RLIMIT_CORE) == (0, 0)
        # Without privileges none can be raised; they are more than being root, in a container of the host's or above
        # fs.nr_open.
        real = resource.prlimit

        def prlimit(pid, which, *pair):
            if pair and (pair[0][1] == -1 or pair[0][1] > real(pid, which)[1]):
                raise PermissionError(1, "Operation not permitted")
            return real(pid, which, *pair)

        monkeypatch.setattr(resource, "prlimit", prlimit)
        limit(process.pid, {"LimitNOFILE": (100, -1)})
        assert resource.prlimit(process.pid, resource.RLIMIT_NOFILE) == (90, 90)
        process.stdin.write(b"\n")
