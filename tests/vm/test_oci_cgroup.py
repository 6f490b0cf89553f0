"""Processes of nsunit-oci begin in their cgroup: to be moved there takes a grace period of the kernel's each time."""

import json
import os
import subprocess
import uuid
from pathlib import Path

import pytest
from bundles import CGROUPS, RUNTIME, bundle, rootfs, subreaper, users

__all__ = ["bundle", "rootfs", "subreaper"]  # fixtures

ONCE = pytest.mark.once("it is between the runtime and the kernel, and strace is of one release")
INTO = "CLONE_INTO_CGROUP"


@pytest.fixture
def seeing(bundle):
    """A bundle whose payload sees the path of its cgroup, and prints it."""
    linux = bundle.config["linux"]
    linux["namespaces"] = [item for item in linux["namespaces"] if item["type"] != "cgroup"]
    bundle.config["process"]["args"] = ["cat", "/proc/self/cgroup"]
    bundle.save()
    return bundle


def traced(bundle, *words, inject=(), group=""):
    """Calls of `nsunit-oci WORDS` that make a process in a cgroup, and that move one; the payload is in *group*."""
    trace = bundle.path / "trace"
    options = ("-f", "-y", "-o", str(trace), "-e", "trace=clone3,write", *inject)
    assert bundle.call(*options, RUNTIME, *words, runtime="strace").stdout.endswith(f"{group or '/' + bundle.id}\n")
    calls = trace.read_text().splitlines()
    assert any("write(" in call for call in calls)
    return [call for call in calls if INTO in call], [call for call in calls if "cgroup.procs" in call]


@ONCE
@pytest.mark.parametrize("change", [lambda _config: None, users], ids=["one process", "one in between"])
def test_no_process_is_moved_into_the_cgroup(seeing, change):
    change(seeing.config)
    seeing.save()
    assert list(map(len, traced(seeing, "run", "--keep", seeing.id))) == [1, 0]
    seeing.call("delete", seeing.id)
    seeing.config["process"]["args"] = ["sleep", "1000"]
    seeing.save()
    seeing.call("run", "--detach", seeing.id)
    assert list(map(len, traced(seeing, "exec", seeing.id, "cat", "/proc/self/cgroup"))) == [1, 0]


@ONCE
def test_a_session_in_a_scope_begins_in_it(seeing):
    seeing.config["process"]["args"] = ["sleep", "1000"]
    seeing.config["linux"]["cgroupsPath"] = f"system.slice:p:{seeing.id}"
    seeing.save()
    seeing.call("--systemd-cgroup", "run", "--detach", seeing.id)
    words = ("exec", seeing.id, "cat", "/proc/self/cgroup")
    assert list(map(len, traced(seeing, *words, group=f"/system.slice/p-{seeing.id}.scope"))) == [1, 0]


@ONCE
@pytest.mark.parametrize("error", ["ENOSYS", "EACCES"])
def test_what_cannot_begin_there_is_moved(seeing, error):
    """As below a filter that knows no clone3(2), and in a user's cgroup where the kernel refuses it."""
    inject = ("-e", f"inject=clone3:error={error}")
    born, moved = traced(seeing, "run", seeing.id, inject=inject)
    assert len(born) == 1 and error in born[0] and len(moved) == 1


@pytest.mark.machine("controllers")
def test_a_container_at_its_limit_of_processes_can_be_looked_into(bundle):
    """No process begins in its cgroup any more, but one that is moved there is no subject to the limit."""
    bundle.config["linux"]["resources"] = {"pids": {"limit": 1}}
    bundle.save()
    bundle.call("run", "--detach", "--pid-file", "pid", bundle.id)
    (group,) = CGROUPS.rglob(bundle.id)
    assert [(group / f"pids.{name}").read_text() for name in ("max", "current")] == ["1\n", "1\n"]
    assert bundle.call("exec", bundle.id, "cat", "/work/kept").stdout == "kept\n"
    assert "max 1" in (group / "pids.events").read_text()  # that it could not begin there
    bundle.call("kill", bundle.id, "KILL")
    os.waitpid(int((bundle.path / "pid").read_text()), 0)  # a group whose dead are not buried keeps its controllers


OPENED = """
import json, os, sys
top = "/proc/%d/fd" % json.load(sys.stdin)["pid"]
with open(sys.argv[1], "w") as file:
    json.dump([os.readlink(f"{top}/{name}") for name in os.listdir(top)], file)
"""


@pytest.mark.anywhere("descriptors of the runtime's children")
def test_what_speaks_with_systemd_is_the_runtimes_alone(bundle):
    """The container's process has its end of one socket pair, as long as it is set up."""
    opened = bundle.path / "opened"
    hook = {"path": "/usr/bin/python3", "args": ["python3", "-c", OPENED, str(opened)]}
    bundle.config["hooks"] = {"createRuntime": [hook]}
    bundle.config["linux"]["cgroupsPath"] = f"system.slice:p:{bundle.id}"
    bundle.save()
    bundle.call("--systemd-cgroup", "create", bundle.id)
    links = json.loads(opened.read_text())
    assert len([link for link in links if link.startswith("socket:")]) == 1, links


@pytest.mark.parametrize("words", [(), ("--systemd-cgroup",)], ids=["a directory", "a scope"])
def test_groups_that_no_path_reaches_go_with_the_container(bundle, words):
    """Who may write to the group nests in it as deep as it likes."""
    bundle.config["linux"]["cgroupsPath"] = f"system.slice:p:{bundle.id}" if words else f"/{bundle.id}"
    bundle.config["process"]["args"] = ["sleep", "1000"]
    bundle.save()
    bundle.call(*words, "run", "--detach", bundle.id)
    (group,) = CGROUPS.rglob(f"p-{bundle.id}.scope" if words else bundle.id)
    fd = os.open(group, os.O_DIRECTORY)
    for _ in range(20):
        os.mkdir("n" * 250, dir_fd=fd)
        child = os.open("n" * 250, os.O_DIRECTORY, dir_fd=fd)
        os.close(fd)
        fd = child
    os.close(fd)
    assert len(bundle.call("ps", "--format", "json", bundle.id).stdout.split(",")) == 1
    bundle.call("delete", "--force", bundle.id)
    assert not group.exists()


PROGRAM = """
import os, sys
sys.path.append("/usr/lib/python3/dist-packages")
from nsunit.setup import libc
told = []
os.register_at_fork(
    before=lambda: told.append("before"),
    after_in_parent=lambda: told.append("parent"),
    after_in_child=lambda: told.append("child"),
)
own = os.getpid()
pid = libc.fork_into(os.open(sys.argv[1], os.O_PATH))
if not pid:
    second = os.fork()
    if not second:
        os._exit(7)
    status = os.waitstatus_to_exitcode(os.waitpid(second, 0)[1])
    print(told[:2], os.getppid() == own, open("/proc/self/cgroup").read().splitlines()[-1], status, flush=True)
    os._exit(8)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), told, open("/proc/self/cgroup").read().splitlines()[-1])
"""


@pytest.mark.anywhere("the interpreter, and the kernel's clone3(2)")
def test_both_sides_of_such_a_fork_go_on_as_after_any():
    group = CGROUPS / f"t-{uuid.uuid4().hex[:8]}"
    group.mkdir()
    try:
        done = subprocess.run(["python3", "-c", PROGRAM, group], capture_output=True, text=True, check=False)
    finally:
        group.rmdir()
    own = Path("/proc/self/cgroup").read_text().splitlines()[-1]
    assert (done.stderr, *done.stdout.splitlines()) == (
        "",
        f"['before', 'child'] True 0::/{group.name} 7",
        f"8 ['before', 'parent'] {own}",
    )
