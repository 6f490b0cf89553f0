"""`nsunit cgroup` does what libcgroup's tools did, with cgroups that systemd keeps."""

import json
import os
import pwd
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.machine("controllers")
ANYWHERE = pytest.mark.anywhere("files of the kernel's")

USER = "groupie"
TOP = Path("/sys/fs/cgroup/nsunit.slice")
TRANSIENT = Path("/run/systemd/transient")
EATER = "held = bytearray(80 << 20); print(sum(held[::4096]))"


def directory(path):
    """The cgroup of a group."""
    name, _, below = path.partition("/")
    return TOP / f"nsunit-cgroup-{name}.service" / below


def limit(path, file):
    return (directory(path) / file).read_text().strip()


def owner(path, file=""):
    return (directory(path) / file).stat().st_uid


@pytest.fixture(scope="module")
def uid(run):
    """A user without privileges, who has nothing of systemd's running."""
    run("useradd", "--create-home", USER)
    yield pwd.getpwnam(USER).pw_uid
    run("userdel", "--remove", USER, check=False)  # it has no mail spool, says userdel


@pytest.fixture
def user(uid, nsunit, run):
    """Run nsunit as that user."""
    words = ("setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups")

    def as_user(*arguments, program="nsunit", **options):
        return run(*words, program, *arguments, **options)

    return as_user


@pytest.fixture(scope="module")
def groups(uid, nsunit, run):
    """Make groups; nothing at all is left of them at the end."""
    yield lambda *arguments: nsunit("cgroup", "create", *arguments)
    tops = [line.partition(":")[2] for line in nsunit("cgroup", "list").stdout.splitlines() if "/" not in line]
    nsunit("cgroup", "delete", "-r", "--kill", *tops)
    assert nsunit("cgroup", "list").stdout == ""
    assert list(TOP.glob("nsunit-cgroup-*")) == []
    assert run("systemctl list-units --all --plain --no-legend 'nsunit-cgroup-*'").stdout == ""
    assert list(TRANSIENT.glob("nsunit-cgroup-*")) == []


def refused(done, line, status=1):
    """It failed with that line, and with nothing but a hint behind it."""
    assert (done.returncode, done.stderr.splitlines()[0]) == (status, f"nsunit: {line}")
    assert len(done.stderr.splitlines()) <= 2


def test_a_group_stays(groups, nsunit, run, user, uid):
    groups("-a", USER, "-t", f"{USER}:{USER}", "-g", "cpu,memory:kept/sub")
    nsunit("cgroup", "set", "-r", "memory.max=80M", "-r", "cpu.weight=42", "kept")
    nsunit("cgroup", "set", "-r", "memory.max=40M", "kept/sub")
    shown = run("systemctl show nsunit-cgroup-kept.service -p ActiveState -p SubState -p Delegate -p Slice").stdout
    assert set(shown.split()) == {"ActiveState=active", "SubState=exited", "Delegate=yes", "Slice=nsunit.slice"}
    inode = directory("kept").stat().st_ino
    for command in ("daemon-reload", "daemon-reexec"):
        run("systemctl", command)
        assert directory("kept").stat().st_ino == inode
        assert limit("kept", "cgroup.procs") == ""
        assert limit("kept", "memory.max") == str(80 << 20)
        assert limit("kept", "cpu.weight") == "42"
        assert limit("kept/sub", "memory.max") == str(40 << 20)
        assert set(limit("kept", "cgroup.subtree_control").split()) == {"cpu", "memory"}
        assert (owner("kept"), owner("kept/sub"), owner("kept/sub", "memory.max")) == (0, uid, uid)
    assert user("cgroup", "exec", "-g", "memory:kept/sub", "cat", "/proc/self/cgroup").stdout.endswith(
        "-kept.service/sub\n"
    )
    groups("-g", "memory:kept/sub")  # the same again changes nothing
    assert directory("kept").stat().st_ino == inode
    assert owner("kept/sub") == uid


@ANYWHERE
def test_modes(groups, uid):
    groups(
        "-a", USER, "-t", USER, "-d", "750", "-f", "640", "-s", "660", "-g", "memory:moded", "-g", "memory:moded/sub"
    )
    modes = {name: (directory("moded") / name).stat().st_mode & 0o777 for name in os.listdir(directory("moded"))}
    assert directory("moded").stat().st_mode & 0o777 == 0o750
    assert (modes["cgroup.procs"], modes["cgroup.subtree_control"], modes["memory.max"]) == (0o660, 0o640, 0o644)
    assert (owner("moded"), owner("moded", "cgroup.procs"), owner("moded", "memory.max")) == (uid, uid, 0)
    assert (directory("moded/sub") / "memory.max").stat().st_mode & 0o777 == 0o640
    assert (directory("moded/sub") / "memory.current").stat().st_mode & 0o777 == 0o440


@ANYWHERE
def test_exec(groups, nsunit, run):
    groups("-g", "cpu,memory:ran", "-g", "memory:ran/sub")
    script = "cat; cat /proc/self/cgroup; echo $VARIABLE; exit 7"
    words = ("cgroup", "exec", "-g", "memory:ran/sub", "--sticky", "sh", "-c", script)
    done = nsunit(*words, check=False, input="in\n", env={**os.environ, "VARIABLE": "kept"})
    assert done.stdout == "in\n0::/nsunit.slice/nsunit-cgroup-ran.service/sub\nkept\n"
    assert done.returncode == 7
    # What Python ignores, the command must not ignore as well.
    assert run("nsunit cgroup exec -g memory:ran/sub grep SigIgn /proc/self/status").stdout.split()[1] == "0" * 16
    done = nsunit("cgroup", "exec", "-g", ":ran/sub", "no-such-command", check=False)
    refused(done, "cannot execute 'no-such-command': No such file or directory", 127)
    done = nsunit("cgroup", "exec", "-g", ":ran", "true", check=False)
    refused(done, "'ran' has subgroups with controllers, so it can have no processes", 125)


@ANYWHERE
def test_limits_bite(groups, nsunit):
    groups("-g", "memory:small", "-g", "memory,pids:large/small")
    nsunit("cgroup", "set", "-r", "memory.limit_in_bytes=30M", "-r", "memory.swap.max=0", "small")
    nsunit("cgroup", "set", "-r", "memory.max=30M", "-r", "memory.swap.max=0", "-r", "pids.max=1", "large/small")
    for path in ("small", "large/small"):
        done = nsunit("cgroup", "exec", "-g", f"memory:{path}", "python3", "-c", EATER, check=False)
        assert done.returncode == -9
        assert "oom_kill 1" in limit(path, "memory.events").splitlines()
    done = nsunit("cgroup", "exec", "-g", "pids:large/small", "sh", "-c", "/bin/true; :", check=False)
    assert "fork" in done.stderr
    assert done.returncode == 2


@ANYWHERE
@pytest.mark.machine("cpuset")
def test_get_and_set(groups, nsunit, scratch_disk):
    groups("-g", "*:values", "-g", "*:values/sub")
    number = os.stat(scratch_disk).st_rdev
    device = f"{os.major(number)}:{os.minor(number)}"
    for path in ("values", "values/sub"):
        given = {
            "cpu.shares": "2048",
            "cpu.cfs_quota_us": "15000",
            "cpu.cfs_period_us": "50000",
            "cpuset.cpus": "0",
            "memory.soft_limit_in_bytes": "1048576",
            "memory.high": "max",
            "pids.max": "77",
            "io.weight": "250",
            "blkio.throttle.read_bps_device": f"{device} 1048576",
            "io.max": f"{scratch_disk} wiops=99",
            "freezer.state": "FROZEN",
        }
        nsunit("cgroup", "set", *(word for item in given.items() for word in ("-r", "=".join(item))), path)
        files = {name: limit(path, name) for name in ("cpu.weight", "cpu.max", "cpuset.cpus", "memory.low", "io.max")}
        assert files["cpu.weight"] == "200"
        assert files["cpu.max"] == "15000 50000"
        assert files["cpuset.cpus"] == "0"
        assert files["memory.low"] == "1048576"
        assert files["io.max"] == f"{device} rbps=1048576 wbps=max riops=max wiops=99"
        assert limit(path, "cgroup.freeze") == "1" or path == "values"  # FreezeUnit() of a unit without processes
        nsunit("cgroup", "set", "-r", "freezer.state=THAWED", "-r", "memory.low=0", path)
        assert (limit(path, "cgroup.freeze"), limit(path, "memory.low")) == ("0", "0")
        names = ("cpu.shares", "cpu.cfs_quota_us", "pids.max", "blkio.throttle.read_bps_device")
        words = [word for name in names for word in ("-r", name)]
        lines = [f"{name}: {given[name]}" for name in names]
        assert nsunit("cgroup", "get", *words, path).stdout == "\n".join([f"{path}:", *lines, "", ""])
    assert nsunit("cgroup", "get", "-nv", "-r", "pids.max", "values", "values/sub").stdout == "77\n77\n"
    found = json.loads(nsunit("cgroup", "get", "--json", "-g", "cpu:values").stdout)["values"]
    assert found["cpu.max"] == "15000 50000"
    assert {name.partition(".")[0] for name in found} == {"cpu"}
    assert "memory.current" in nsunit("cgroup", "get", "-a", "values").stdout


@ANYWHERE
def test_a_copy(groups, nsunit, scratch_disk):
    """All settings of a group, and what the other one has more of them than it goes."""
    for path in ("model", "model/sub", "copy", "copy/sub"):
        groups("-b", "-g", f"*:{path}")
    for source, target in (("model", "copy"), ("model/sub", "copy/sub")):
        values = ("cpu.max=15000 50000", "cpu.weight=33", "memory.high=1M", "pids.max=77", "cgroup.max.depth=3")
        nsunit("cgroup", "set", *(word for value in values for word in ("-r", value)), source)
        nsunit("cgroup", "set", "-r", f"io.max={scratch_disk} wiops=99", "-r", "memory.low=1M", target)
        nsunit("cgroup", "set", "-b", "--copy-from", source, target)
        for file in ("cpu.max", "cpu.weight", "memory.high", "memory.low", "pids.max", "cgroup.max.depth", "io.max"):
            assert limit(target, file) == limit(source, file), file
    refused(nsunit("cgroup", "set", "--copy-from", "no-such", "copy", check=False), "there is no group 'no-such'", 3)
    words = ("--copy-from", "model", "-r", "pids.max=1", "copy")
    refused(nsunit("cgroup", "set", *words, check=False), "cgroup set: -r and --copy-from exclude each other", 2)
    assert nsunit("cgroup", "get", "-m").stdout == "Unified Mode (Cgroup v2 Mounted).\n"


@ANYWHERE
def test_all_or_nothing(groups, nsunit):
    groups("-g", "cpu,memory:whole", "-g", "cpu,memory:whole/sub")
    for path, line in (
        ("whole", "whole: cpu.weight: '20000' is not a weight"),
        ("whole/sub", "the kernel refuses '20000' for cpu.weight of 'whole/sub': Numerical result out of range"),
    ):
        before = limit(path, "memory.max"), limit(path, "cpu.max")
        words = ("-r", "memory.max=50M", "-r", "cpu.cfs_quota_us=7000", "-r", "cpu.weight=20000", path)
        refused(nsunit("cgroup", "set", *words, check=False), line)
        assert (limit(path, "memory.max"), limit(path, "cpu.max")) == before


@ANYWHERE
def test_classify(groups, nsunit):
    groups("-g", "memory:moved", "-g", "memory:moved/sub")
    sleepers = [subprocess.Popen(["sleep", "1000"]) for _ in range(3)]
    try:
        pids = [str(sleeper.pid) for sleeper in sleepers]
        nsunit("cgroup", "classify", "-g", "memory:moved/sub", *pids[:2])
        assert limit("moved/sub", "cgroup.procs").split() == pids[:2]
        done = nsunit("cgroup", "classify", "-g", "memory:moved/sub", "4194304", pids[2], check=False)
        refused(done, "there is no process 4194304", 3)
        assert limit("moved/sub", "cgroup.procs").split() == pids
        found = json.loads(nsunit("cgroup", "list", "--json", "-g", "memory:moved/sub").stdout)
        assert [(state["path"], state["processes"]) for state in found] == [("moved/sub", 3)]
        done = nsunit("cgroup", "delete", "-g", "memory:moved/sub", check=False)
        refused(done, "'moved/sub' has 3 processes")
        refused(nsunit("cgroup", "delete", ":moved", check=False), "'moved' has subgroups")
        nsunit("cgroup", "delete", "-r", "--kill", "memory:moved")
        assert {sleeper.wait(60) for sleeper in sleepers} == {-9}
        assert not directory("moved").exists()
    finally:
        for sleeper in sleepers:
            sleeper.kill()


@ANYWHERE
def test_a_group_without_subgroups_can_have_processes_again(groups, nsunit):
    groups("-g", "memory:again", "-g", "memory:again/one/two")
    done = nsunit("cgroup", "exec", "-g", ":again/one", "true", check=False)
    refused(done, "'again/one' has subgroups with controllers, so it can have no processes", 125)
    nsunit("cgroup", "delete", "-r", "-g", "memory:again/one")
    assert limit("again", "cgroup.subtree_control") == ""
    script = "nsunit cgroup create -g memory:again/no || exit 5"
    done = nsunit("cgroup", "exec", "-g", "memory:again", "sh", "-c", script, check=False)
    refused(done, "'again' has processes, so it can have no subgroups with controllers", 5)
    assert not directory("again/no").exists()


@ANYWHERE
def test_a_user_has_what_he_was_given(groups, nsunit, user, uid):
    """He makes groups in it, limits them and brings his processes in, and does nothing else."""
    groups("-a", USER, "-t", USER, "-g", "memory,pids:his", "-g", "memory:other")
    nsunit("cgroup", "set", "-r", "memory.max=60M", "his")
    assert user("cgroup", "exec", "-g", "memory:his", "cat", "/proc/self/cgroup").stdout.endswith("-his.service\n")
    user("cgroup", "create", "-g", "memory,pids:his/jobs/small")
    user("cgroup", "set", "-r", "memory.limit_in_bytes=30M", "-r", "memory.swap.max=0", "his/jobs/small")
    assert (owner("his/jobs"), limit("his/jobs/small", "memory.max")) == (uid, str(30 << 20))
    done = user("cgroup", "exec", "-g", "memory:his/jobs/small", "python3", "-c", EATER, check=False)
    assert done.returncode == -9
    sleeper = subprocess.Popen(["sleep", "1000"], user=uid)
    other = subprocess.Popen(["sleep", "1000"])
    try:
        user("cgroup", "classify", "-g", ":his/jobs/small", str(sleeper.pid))
        assert limit("his/jobs/small", "cgroup.procs") == str(sleeper.pid)
        line = f"the kernel does not let you move process {other.pid} into 'his/jobs/small'"
        refused(user("cgroup", "classify", "-g", ":his/jobs/small", str(other.pid), check=False), line)
        user("cgroup", "delete", "-r", "--kill", "-g", ":his/jobs")
        assert sleeper.wait(60) == -9
    finally:
        sleeper.kill()
        other.kill()
    done = user("cgroup", "set", "-r", "memory.max=90M", "his", check=False)
    refused(done, "the limits of 'his' itself are root's")
    with pytest.raises(PermissionError):
        run_as(uid, lambda: (directory("his") / "memory.max").write_text("max"))
    refused(user("cgroup", "delete", "-g", ":his", check=False), "only root can remove 'his' itself")
    refused(user("cgroup", "create", "-g", "memory:mine", check=False), "only root can make the group 'mine'")


@ANYWHERE
def test_a_user_has_nothing_of_others(groups, user):
    groups("-g", "memory:rootly", "-g", "memory:rootly/sub")
    done = user("cgroup", "exec", "-g", "memory:rootly/sub", "true", check=False)
    assert done.stderr.startswith("nsunit: the kernel does not let you move process ")
    assert done.returncode == 125
    done = user("cgroup", "create", "-g", "memory:rootly/his", check=False)
    refused(done, "you may not make 'rootly/his'")
    done = user("cgroup", "create", "-a", USER, "-g", "memory:rootly/sub", check=False)
    refused(done, "you may not change the owner or mode of 'rootly/sub'")
    done = user("cgroup", "set", "-r", "memory.max=1", "rootly/sub", check=False)
    refused(done, "you may not set memory.max of 'rootly/sub'")
    refused(user("cgroup", "delete", ":rootly/sub", check=False), "you may not remove 'rootly/sub'")
    assert limit("rootly/sub", "memory.max") == "max"


def run_as(uid, deed):
    """Do something with another effective user id; root's privileges go away with it."""
    os.seteuid(uid)
    try:
        deed()
    finally:
        os.seteuid(0)


@ANYWHERE
@pytest.mark.machine("cpuset")
def test_list(groups, nsunit):
    groups("-g", "cpu:one", "-g", "cpu,io:two-2/sub")
    lines = nsunit("cgroup", "list").stdout.splitlines()
    assert {"cpu:one", "cpu,io:two-2", "cpu,io:two-2/sub"} <= set(lines)
    assert nsunit("cgroup", "list", "cpu:two-2/sub").stdout == "cpu,io:two-2/sub\n"
    assert nsunit("cgroup", "list", "--controllers").stdout.split() == ["cpu", "cpuset", "io", "memory", "pids"]
    assert "two-2" not in nsunit("list", "--all").stdout


@ANYWHERE
@pytest.mark.parametrize(
    ("words", "status", "line"),
    [
        (("create", "-g", "cpu:here/../../x"), 2, "'here/../../x' is outside of the groups of nsunit"),
        (("create", "-g", "io:here"), 1, "the group 'here' has no controller 'io'"),
        (("create", "-t", "root", "-g", "cpu:here"), 1, "the group 'here' was made for tasks of user 1, not 0"),
        (
            ("set", "-r", "cpu.max.burst=1", "here"),
            1,
            "systemd has no property for 'cpu.max.burst', and the cgroup of 'here' is systemd's",
        ),
    ],
    ids=lambda value: " ".join(value[1:]) if isinstance(value, tuple) else None,
)
def test_mistakes(groups, here, nsunit, words, status, line):
    refused(nsunit("cgroup", *words, check=False), line, status)
    assert not (TRANSIENT / "nsunit-cgroup-x.service").exists()


@pytest.fixture(scope="module")
def here(groups):
    """A group for mistakes."""
    groups("-t", "1", "-g", "cpu:here")
