import os
import subprocess
import time

import pytest

from nsunit.core.running import Running
from nsunit.deeds.look import processes
from nsunit.errors import NotFoundError


@pytest.fixture
def container(tmp_path, monkeypatch):
    """A container whose only process is this one."""
    service = tmp_path / "nsunit.slice/nsunit-web.slice/nsunit-web.service/payload"
    service.mkdir(parents=True)
    (service / "cgroup.procs").write_text(f"{os.getpid()}\n")
    running = Running("web", "nsunit-web.service", "/nsunit.slice/nsunit-web.slice/nsunit-web.service", "", os.getpid())
    monkeypatch.setattr(processes, "CGROUP_ROOT", str(tmp_path))
    monkeypatch.setattr(processes, "find_running", lambda context, name: running)
    return service


def test_this_process(container):
    (process,) = processes.list_processes(None, "web")
    assert (process.pid, process.inside_pid) == (os.getpid(), os.getpid())
    assert (process.uid, process.inside_uid) == (os.getuid(), os.getuid())
    assert (process.unit, process.cgroup, process.state) == ("nsunit-web.service", "payload", "R")
    assert process.memory > 1 << 20
    assert process.cpu_usec > 0
    assert process.cpu_percent > 0
    assert 0 < time.time() - process.started_usec / 1e6 < 7200
    assert "python" in process.command or "pytest" in process.command


def test_a_zombie_and_one_that_is_gone(container):
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    scope = container.parents[1] / "nsunit-web-exec-1.scope"
    scope.mkdir()
    (scope / "cgroup.procs").write_text(f"{child.pid}\n4194304\n")
    own, zombie = sorted(processes.list_processes(None, "web"), key=lambda item: item.pid == child.pid)
    assert own.pid == os.getpid()
    assert (zombie.unit, zombie.cgroup, zombie.state) == ("nsunit-web-exec-1.scope", "", "Z")
    assert (zombie.command, zombie.memory) == ("[true]", 0)
    child.wait()


def test_ended_meanwhile(container, monkeypatch):
    monkeypatch.setattr(processes, "read_kernel_file", lambda path: None)
    with pytest.raises(NotFoundError) as caught:
        processes.list_processes(None, "web")
    assert caught.value.message == "web: it has just ended"
