"""Limits, filters and documents of nsunit-oci, beside runc and crun on the same bundles."""

import fcntl
import json
import os
import socket
import struct
import subprocess
import uuid
from pathlib import Path

import pytest
from waiting import wait_until

pytestmark = pytest.mark.once("the other runtimes are those of one release, and what they answer is the kernel's")

PROFILE = Path("/usr/share/containers/seccomp.json")
RUNTIMES = ("nsunit-oci", "runc", "crun")
# Each call with arguments that nothing comes of, in a process of its own: what it answers, or what ended it.
CALLS = """
import ctypes, json, os, signal, sys
libc = ctypes.CDLL(None, use_errno=True)
answers = {}
for number in json.loads(sys.argv[1]):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(os.open("/dev/null", os.O_RDWR), 0)
        signal.alarm(2)
        ctypes.set_errno(0)
        result = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(-1)] * 6)
        os.write(writer, str(ctypes.get_errno() if result == -1 else 0).encode())
        os._exit(0)
    os.close(writer)
    said = os.read(reader, 16).decode()
    os.close(reader)
    status = os.waitpid(child, 0)[1]
    answers[number] = said or f"ended {os.waitstatus_to_exitcode(status)}"
print(json.dumps(answers))
"""
# fork, vfork, clone3 come back twice; pause and rt_sigsuspend wait; what is asked for a time waits for it.
WAITING = {34, 56, 57, 58, 130, 435}


@pytest.fixture(scope="module", autouse=True)
def root(workplace, run):
    """The host's own root in another place: runc makes none of / itself."""
    place = workplace / "root"
    place.mkdir()
    run("mount", "--bind", "/", str(place))
    yield place
    run("umount", str(place))


def bundle(path, args, **linux):
    """A bundle with the host's own root, read-only, in *path*, as `runc spec` makes it otherwise."""
    path.mkdir()
    subprocess.run(["runc", "spec", "--bundle", str(path)], check=True)
    config = json.loads((path / "config.json").read_text())
    (root,) = Path("/var/tmp").glob("test-*/root")
    config["root"] = {"path": str(root), "readonly": True}
    config["process"] |= {"terminal": False, "args": args, "rlimits": []}
    config["linux"] |= linux
    (path / "config.json").write_text(json.dumps(config))
    return path


def rendered():
    """podman's profile as it makes it for a container without capabilities: what asks for some is left out."""
    profile = json.loads(PROFILE.read_text())
    rules = []
    for rule in profile["syscalls"]:
        includes, excludes = rule.get("includes") or {}, rule.get("excludes") or {}
        if includes.get("caps") or (includes.get("arches") and "amd64" not in includes["arches"]):
            continue
        if "amd64" in (excludes.get("arches") or ()):
            continue
        kept = {key: rule[key] for key in ("names", "action", "errnoRet", "args") if rule.get(key) is not None}
        if "errnoRet" in kept and kept["action"] != "SCMP_ACT_ERRNO":
            del kept["errnoRet"]
        rules.append(kept)
    return {
        "defaultAction": profile["defaultAction"],
        "defaultErrnoRet": profile.get("defaultErrnoRet", 1),
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        "syscalls": rules,
    }


def test_a_profile_answers_each_call_as_with_the_others(run, tmp_path):
    numbers = [number for number in (*range(470), 600, 0x4000_0000 + 39) if number not in WAITING]
    args = ["python3", "-c", CALLS, json.dumps(numbers)]
    where = bundle(tmp_path / "b", args, seccomp=rendered())
    answers = {}
    for runtime in RUNTIMES:
        done = run(runtime, "run", "--bundle", str(where), f"s{uuid.uuid4().hex[:8]}")
        answers[runtime] = json.loads(done.stdout)
    assert len(answers["runc"]) == len(numbers)
    for other in RUNTIMES[1:]:
        different = {
            number: (mine, answers[other][number])
            for number, mine in answers["nsunit-oci"].items()
            if mine != answers[other][number]
        }
        assert different == {}, f"nsunit-oci and {other}"
    assert set(answers["runc"].values()) > {"1", "38"}


def test_newer_calls_are_answered_as_by_runc(run, tmp_path):
    """Docker's profiles have EPERM for what they do not name."""
    profile = {**rendered(), "defaultErrnoRet": 1}
    args = ["python3", "-c", CALLS, "[600, 1000, 169, 175]"]
    where = bundle(tmp_path / "b", args, seccomp=profile)
    said = [run(name, "run", "--bundle", str(where), f"s{uuid.uuid4().hex[:8]}").stdout for name in RUNTIMES[:2]]
    assert said[0] == said[1]
    assert json.loads(said[0]) == {"600": "38", "1000": "38", "169": "1", "175": "1"}


RECEIVE, ANSWER = 0xC0502100, 0xC0182101  # SECCOMP_IOCTL_NOTIF_RECV, SECCOMP_IOCTL_NOTIF_SEND


@pytest.mark.parametrize("no_new_privileges", [True, False])
def test_a_listener_answers_for_the_kernel(run, tmp_path, no_new_privileges):
    path = tmp_path / "agent"
    asking = {"names": ["getpgrp"], "action": "SCMP_ACT_NOTIFY"}
    profile = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [asking],
        "listenerPath": str(path),
        "listenerMetadata": "m",
    }
    where = bundle(tmp_path / "b", ["python3", "-c", "import os; print(os.getpgrp())"], seccomp=profile)
    config = json.loads((where / "config.json").read_text())
    config["process"]["noNewPrivileges"] = no_new_privileges
    (where / "config.json").write_text(json.dumps(config))
    refused = run("nsunit-oci", "run", "--bundle", str(where), "listen1", check=False)
    assert refused.returncode == 1
    assert f"linux.seccomp.listenerPath: '{path}': No such file or directory" in refused.stderr
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        words = ["nsunit-oci", "run", "--bundle", str(where), "listen1"]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as process:
            connection = server.accept()[0]
            said, (listener,), *_ = socket.recv_fds(connection, 65536, 1)
            notice = bytearray(80)
            fcntl.ioctl(listener, RECEIVE, notice)
            fcntl.ioctl(listener, ANSWER, struct.pack("=QqiI", struct.unpack_from("=Q", notice)[0], 4711, 0, 0))
            assert process.stdout.read() == "4711\n"
    os.close(listener)
    told = json.loads(said)
    assert (told["fds"], told["metadata"], told["state"]["id"]) == (["seccompFd"], "m", "listen1")
    assert told["pid"] == told["state"]["pid"]


def detached(*words):
    """Run a command that leaves a process with its standard streams."""
    subprocess.run(words, check=True, timeout=60, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


@pytest.fixture
def sleeper(run, tmp_path):
    """A container that sleeps in a scope of its own; its name."""
    name = f"s{uuid.uuid4().hex[:8]}"
    where = bundle(tmp_path / "b", ["sleep", "1000"], resources={"cpu": {"shares": 1024}, "pids": {"limit": 20}})
    detached("nsunit-oci", "--systemd-cgroup", "run", "--detach", "--bundle", str(where), name)
    yield name
    run("nsunit-oci", "delete", "--force", name)


def shown(run, name, *properties):
    lines = run("systemctl", "show", f"--property={','.join(properties)}", f"nsunit-oci-{name}.scope").stdout.split()
    return dict(line.split("=", 1) for line in lines)


def test_limits_change_by_options_and_by_a_file(sleeper, run, tmp_path):
    assert shown(run, sleeper, "CPUWeight", "TasksMax") == {"CPUWeight": "100", "TasksMax": "20"}
    options = ("--memory", "64m", "--memory-swap", "128m", "--cpu-share", "512", "--pids-limit", "-1")
    run("nsunit-oci", "update", *options, sleeper)
    names = ("CPUWeight", "TasksMax", "MemoryMax", "MemorySwapMax")
    assert shown(run, sleeper, *names) == {
        "CPUWeight": "59",
        "TasksMax": "infinity",
        "MemoryMax": "67108864",
        "MemorySwapMax": "67108864",
    }
    # What is said of memory alone is understood by what was said before.
    run("nsunit-oci", "update", "--resources", "-", sleeper, input='{"memory": {"limit": 100000000}}')
    assert shown(run, sleeper, *names[2:]) == {"MemoryMax": "100000000", "MemorySwapMax": "34217728"}
    (tmp_path / "r.json").write_text('{"cpu": {"quota": 50000, "period": 100000}}')
    run("nsunit-oci", "update", f"--resources={tmp_path}/r.json", sleeper)
    assert shown(run, sleeper, "CPUQuotaPerSecUSec") == {"CPUQuotaPerSecUSec": "500ms"}
    run("systemctl", "daemon-reload")
    assert shown(run, sleeper, "CPUQuotaPerSecUSec", "CPUWeight") == {"CPUQuotaPerSecUSec": "500ms", "CPUWeight": "59"}


REFUSED = [
    (("--memory", "lots"), "", "--memory: 'lots' is no number\n"),
    (("--resources", "-"), "{", "the standard input is no JSON: "),
    (("--resources", "-"), '{"pids": {"limit": "5"}}', "pids.limit: expected a whole number, not the string '5'\n"),
    (("--resources", "/nonesuch"), "", "/nonesuch: No such file or directory\n"),
    (("--cpuset-cpus", "9-1"), "", "linux.resources.cpu.cpus: '9-1' ends before it begins\n"),
]


@pytest.mark.parametrize(("options", "text", "message"), REFUSED)
def test_limits_that_cannot_be_had_are_refused(sleeper, run, options, text, message):
    done = run("nsunit-oci", "update", *options, sleeper, input=text, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(message)
    assert shown(run, sleeper, "TasksMax") == {"TasksMax": "20"}


@pytest.mark.machine("huge pages")
def test_huge_pages_are_limited_by_the_kernel(sleeper, run):
    """systemd has no property for them: the file is written, and the controllers are handed down for it."""
    cgroup = Path("/sys/fs/cgroup") / shown(run, sleeper, "ControlGroup")["ControlGroup"][1:]
    run(
        "nsunit-oci",
        "update",
        "--resources",
        "-",
        sleeper,
        input='{"hugepageLimits": [{"pageSize": "2MB", "limit": 0}]}',
    )
    assert (cgroup / "hugetlb.2MB.max").read_text() == "0\n"


def test_numbers_have_the_fields_that_runc_gives(sleeper, run):
    told = json.loads(run("nsunit-oci", "events", "--stats", sleeper).stdout)
    assert (told["type"], told["id"]) == ("stats", sleeper)
    other = f"r{uuid.uuid4().hex[:8]}"
    assert told["data"]["cpu"]["usage"]["total"] > 0
    where = Path(json.loads(run("nsunit-oci", "state", sleeper).stdout)["bundle"])
    config = json.loads((where / "config.json").read_text())
    config["linux"]["resources"] = {}
    (where / "config.json").write_text(json.dumps(config))
    detached("runc", "run", "--detach", "--bundle", str(where), other)
    theirs = json.loads(run("runc", "events", "--stats", other).stdout)
    run("runc", "delete", "--force", other)
    assert set(told["data"]) == set(theirs["data"])
    for group in ("cpu", "memory"):
        assert set(theirs["data"][group]) - {"psi"} <= set(told["data"][group])


def test_events_end_with_the_container(sleeper, run):
    with subprocess.Popen(["nsunit-oci", "events", "--interval", "100ms", sleeper], stdout=subprocess.PIPE) as process:
        assert json.loads(process.stdout.readline())["type"] == "stats"
        run("nsunit-oci", "kill", sleeper, "KILL")
        wait_until(lambda: process.poll() is not None, "its end")
    assert process.returncode == 0
    assert run("nsunit-oci", "events", "--stats", sleeper, check=False).stderr == (
        f"container with id {sleeper} is not running\n"
    )


def test_the_spec_to_begin_with_runs(run, tmp_path):
    run("nsunit-oci", "spec", "--bundle", str(tmp_path))
    path = tmp_path / "config.json"
    config = json.loads(path.read_text())
    (tmp_path / "theirs").mkdir()
    run("runc", "spec", "--bundle", f"{tmp_path}/theirs")
    theirs = json.loads((tmp_path / "theirs/config.json").read_text())
    assert config["root"] == theirs["root"]
    assert [item["destination"] for item in config["mounts"]] == [item["destination"] for item in theirs["mounts"]]
    assert config["linux"]["namespaces"] == theirs["linux"]["namespaces"]
    config["process"] |= {"terminal": False, "args": ["/bin/busybox", "hostname"], "rlimits": []}
    config["root"]["path"] = "/srv/roots/busybox"
    path.write_text(json.dumps(config))
    assert run("nsunit-oci", "run", "--bundle", str(tmp_path), "spec1").stdout == "nsunit\n"
    again = run("nsunit-oci", "spec", "--bundle", str(tmp_path), check=False)
    assert (again.returncode, again.stderr) == (1, f"file {path} exists; remove it first\n")


def test_features_are_a_document(run):
    mine, theirs = (json.loads(run(name, "features").stdout) for name in RUNTIMES[:2])
    assert mine["ociVersionMin"] == "1.0.0"
    assert set(theirs["hooks"]) == set(mine["hooks"])
    for name in ("namespaces", "capabilities"):
        assert set(theirs["linux"][name]) <= set(mine["linux"][name])
    for name in ("actions", "operators", "archs"):
        assert set(theirs["linux"]["seccomp"][name]) <= set(mine["linux"]["seccomp"][name])
    assert set(theirs["mountOptions"]) - set(mine["mountOptions"]) <= {"acl", "noacl"}
