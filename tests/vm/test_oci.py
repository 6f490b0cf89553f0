"""nsunit-oci by itself: the life cycle of a container, its terminal, and the interpreter that sets it up."""

import fcntl
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
from pathlib import Path

import pytest
from bundles import ROOT, RUNTIME, bundle, line_of, received, rootfs, subreaper
from waiting import wait_until

__all__ = ["bundle", "rootfs", "subreaper"]  # fixtures


def test_a_container_lives_from_create_to_delete(bundle):
    pid = bundle.create()
    state = bundle.state()
    assert state["status"] == "created" and state["pid"] == pid and state["bundle"] == str(bundle.path)
    assert (bundle.path / "pid").read_bytes() == str(pid).encode()
    assert Path(f"/proc/{pid}/status").read_text().split("PPid:")[1].split()[0] == str(os.getpid())
    bundle.call("start", bundle.id)
    assert bundle.state()["status"] == "running"
    assert Path(f"/proc/{pid}/cmdline").read_bytes() == b"sleep\x001000\x00"
    refused = bundle.call("delete", bundle.id, check=False)
    assert refused.returncode == 1 and "is not stopped: running" in refused.stderr
    assert "already running" in bundle.call("start", bundle.id, check=False).stderr
    bundle.call("kill", bundle.id, "SIGKILL")
    assert os.waitpid(pid, 0) == (pid, signal.SIGKILL)
    assert bundle.state()["status"] == "stopped"
    assert bundle.call("kill", bundle.id, "9", check=False).stderr == "container not running\n"
    assert "has stopped" in bundle.call("start", bundle.id, check=False).stderr
    bundle.call("delete", bundle.id)
    assert bundle.call("state", bundle.id, check=False).stderr == "container does not exist\n"
    assert bundle.call("delete", bundle.id, check=False).returncode == 1


def traced_start(bundle, *options):
    """What the command does for `start`, and what is said of it, after a mark."""
    done = bundle.call("-x", f"/usr/bin/{RUNTIME}", *options, "start", bundle.id, runtime="sh", check=False)
    return done.returncode, "+ exec /" in done.stderr, done.stderr.splitlines()[-1]


def test_a_plain_start_needs_no_python(bundle):
    """Engines wait for it; what is not as plain, and what is wrong, is Python's all the same."""
    pid = bundle.create()
    docker = ("--root", str(ROOT), "--log", str(bundle.path / "log"), "--log-format", "json", "--systemd-cgroup")
    assert traced_start(bundle, *docker) == (0, False, "+ exit 0")
    assert Path(f"/proc/{pid}/cmdline").read_bytes() == b"sleep\x001000\x00"
    assert bundle.state()["status"] == "running"
    assert traced_start(bundle) == (1, True, "cannot start an already running container")
    bundle.call("delete", "--force", bundle.id)
    assert os.waitpid(pid, 0)[1] == signal.SIGKILL
    # One that was killed when it had said that it starts the container has not started it.
    for claim in ("", "4194303\n", f"{os.getpid()}\n"):
        pid = bundle.create()
        (ROOT / bundle.id / "started").write_text(claim)
        assert bundle.state()["status"] == "created"
        is_at_it = str(os.getpid()) in claim
        assert traced_start(bundle)[:2] == (is_at_it, True)
        assert bundle.state()["status"] == ("created" if is_at_it else "running")
        bundle.call("delete", "--force", bundle.id)
        os.waitpid(pid, 0)
    assert traced_start(bundle, *docker) == (1, True, "container does not exist")
    assert json.loads((bundle.path / "log").read_text())["msg"] == "container does not exist"
    pid = bundle.create()
    assert traced_start(bundle, "--root", f"{ROOT}/../nsunit-oci")[:2] == (0, False)
    bundle.call("delete", "--force", bundle.id)
    os.waitpid(pid, 0)
    pid = bundle.create()
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert traced_start(bundle) == (1, True, "cannot start a container that has stopped")


def test_what_a_plain_start_is_told_is_told_by_it(bundle, rootfs):
    (rootfs / "bin/broken").write_text("#!/nowhere/interpreter\n")
    (rootfs / "bin/broken").chmod(0o755)
    bundle.config["process"]["args"] = ["/bin/broken"]
    bundle.save()
    for options in ((), ("--debug",)):
        pid = bundle.create()
        status, _, said = traced_start(bundle, *options)
        assert status == 1
        assert said == 'unable to start container process: exec: "/bin/broken": No such file or directory'
        assert os.waitpid(pid, 0)[1] == 127 << 8
        assert bundle.state()["status"] == "stopped"
        bundle.call("delete", bundle.id)


def test_all_lines_of_what_it_is_told_are_told(bundle, rootfs):
    (rootfs / "bin/in\ntwo").write_text("neither a script nor a program")
    (rootfs / "bin/in\ntwo").chmod(0o755)
    bundle.config["process"]["args"] = ["/bin/in\ntwo"]
    bundle.save()
    pid = bundle.create()
    failed = bundle.call("start", bundle.id, check=False)
    told = 'unable to start container process: exec: "/bin/in\ntwo": Exec format error\n'
    assert (failed.returncode, failed.stderr) == (1, told)
    os.waitpid(pid, 0)


def test_a_hook_after_the_start_is_run(bundle):
    seen = bundle.path / "seen"
    bundle.config["hooks"] = {"poststart": [{"path": "/bin/touch", "args": ["touch", str(seen)]}]}
    bundle.save()
    bundle.create()
    assert traced_start(bundle)[:2] == (0, True)
    assert seen.exists()


def test_the_status_of_the_payload_is_the_callers_to_wait_for(bundle):
    bundle.config["process"]["args"] = ["sh", "-c", "exit 7"]
    bundle.save()
    pid = bundle.create()
    bundle.call("start", bundle.id)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7


@pytest.mark.parametrize("options", [(), ("--systemd-cgroup",), ("--cgroup-manager", "disabled")], ids=" ".join)
def test_each_manager_of_cgroups(bundle, options):
    bundle.config["linux"]["cgroupsPath"] = f"machine.slice:p:{bundle.id}" if "--systemd-cgroup" in options else ""
    bundle.save()
    bundle.call(*options, "run", "--detach", "--pid-file", "pid", bundle.id)
    pid = int((bundle.path / "pid").read_text())
    group = Path(f"/proc/{pid}/cgroup").read_text().splitlines()[-1]
    scope = f"p-{bundle.id}.scope"
    if options == ("--systemd-cgroup",):
        assert group == f"0::/machine.slice/{scope}"
        show = ["systemctl", "show", "-P", "Slice", "-P", "Delegate", scope]
        shown = subprocess.run(show, capture_output=True, text=True, check=True).stdout
        assert shown.split() == ["machine.slice", "yes"]
    elif not options:
        assert group.endswith(f"/{bundle.id}")
    else:
        assert group == Path("/proc/self/cgroup").read_text().splitlines()[-1]
    processes = json.loads(bundle.call("ps", "--format", "json", bundle.id).stdout)
    assert processes == [pid]
    assert bundle.call("exec", bundle.id, "sh", "-c", "exit 3", check=False).returncode == 3
    if "disabled" not in options:
        bundle.call("pause", bundle.id)
        assert bundle.state()["status"] == "paused"
        assert "paused" in bundle.call("exec", bundle.id, "true", check=False).stderr
        bundle.call("resume", bundle.id)
    assert bundle.state()["status"] == "running"
    # As the second shim process of containerd does it: without the options, from elsewhere, after the bundle is gone.
    (bundle.path / "config.json").unlink()
    bundle.call("delete", "--force", bundle.id, cwd="/")
    bundle.call("delete", "--force", bundle.id, cwd="/")
    if options == ("--systemd-cgroup",):
        assert subprocess.run(["systemctl", "status", scope], capture_output=True, check=False).returncode == 4


def test_a_signal_that_nobody_names_is_term(bundle):
    """As buildah has it, where it could not read the state; others have names and numbers."""
    bundle.config["process"]["args"] = [
        *("sh", "-c", "trap 'exit 7' TERM; trap 'exit 8' USR1; while :; do sleep 1000 & wait $!; done")
    ]
    bundle.save()
    for words, status in (((), 7), (("usr1",), 8), (("10",), 8), (("SIGTERM",), 7)):
        pid = bundle.create()
        bundle.call("start", bundle.id)
        wait_until(lambda: len(json.loads(bundle.call("ps", "--format", "json", bundle.id).stdout)) == 2, "its loop")
        bundle.call("kill", bundle.id, *words)
        assert os.waitpid(pid, 0)[1] == status << 8
        bundle.call("delete", bundle.id)


def test_no_path_no_home_and_an_ignored_sigpipe(bundle):
    bundle.config["process"]["args"] = ["env"]
    bundle.config["process"]["env"] = ["A=b"]
    bundle.save()
    ignoring = ["/bin/sh", "-c", f"trap '' PIPE; exec /usr/bin/{RUNTIME} run {bundle.id}"]
    done = subprocess.run(ignoring, cwd=bundle.path, env={}, capture_output=True, text=True, check=True)
    assert done.stdout == "A=b\nHOME=/root\n"
    bundle.config["process"]["args"] = ["grep", "SigIgn", "/proc/self/status"]
    bundle.save()
    done = subprocess.run(ignoring, cwd=bundle.path, env={}, capture_output=True, text=True, check=True)
    assert done.stdout == "SigIgn:\t0000000000000000\n"


def test_only_what_is_asked_for_stays_open(bundle):
    bundle.config["process"]["args"] = ["sh", "-c", "ls /proc/self/fd"]
    bundle.save()
    more = "3</dev/null 4</dev/null 5</dev/null"
    closed = bundle.call("-c", f"exec {RUNTIME} run {bundle.id} {more}", runtime="/bin/sh")
    assert closed.stdout.split() == ["0", "1", "2", "3"]  # the last is that of ls itself
    kept = bundle.call("-c", f"exec {RUNTIME} run --preserve-fds 1 {bundle.id} {more}", runtime="/bin/sh")
    assert kept.stdout.split() == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("verb", ["create", "exec"])
def test_descriptors_that_are_handed_on_have_to_be_open(bundle, verb):
    """One of the runtime's own would be there: its lock, for as long as the container waits for its start."""
    if verb == "exec":
        bundle.call("run", "--detach", bundle.id)
    command = f"exec {RUNTIME} --log log {verb} --preserve-fds 2 {bundle.id} {'true' if verb == 'exec' else ''} 3<.."
    refused = bundle.call("-c", command + " 4<&-", runtime="/bin/sh", check=False)
    said = "descriptor 4 is to be handed to the container (--preserve-fds, LISTEN_FDS), and is not open\n"
    assert (refused.returncode, refused.stderr) == (1, said)
    assert (ROOT / bundle.id).exists() == (verb == "exec")


# Its words: the name of a key that only a new session has, and a command of this session.
WITH_A_KEY = """import ctypes, os, sys
add_key, keyctl = {"x86_64": (248, 250), "aarch64": (217, 219)}[os.uname().machine]
call = ctypes.CDLL(None).syscall
call(keyctl, 1, None, 0, 0, 0)  # KEYCTL_JOIN_SESSION_KEYRING
key = call(add_key, b"user", sys.argv[1].encode(), b"secret", 6, -3)
call(keyctl, 5, key, 0x3F000000, 0, 0)  # KEYCTL_SETPERM: for who possesses it
os.execvp(sys.argv[2], sys.argv[2:])
"""


@pytest.mark.parametrize(("option", "count"), [((), "0"), (("--no-new-keyring",), "1")])
def test_the_callers_keys_are_not_the_containers(bundle, option, count):
    """Neither those of `run` nor those of `exec`, unless the container was to have them."""
    bundle.config["linux"]["maskedPaths"].remove("/proc/keys")
    look = ["grep", "-c", bundle.id, "/proc/keys"]
    bundle.config["process"]["args"] = ["sh", "-c", " ".join(look) + "; exec sleep 1000"]
    bundle.save()
    for words in (["run", "--detach", *option, bundle.id], ["exec", bundle.id, *look]):
        seen = bundle.call("-c", WITH_A_KEY, bundle.id, RUNTIME, *words, runtime="python3", check=False)
        wait_until(lambda: (bundle.path / "out").read_text() == f"{count}\n", seen.stderr)


def test_the_callers_oom_score_does_not_leak(bundle):
    bundle.config["process"]["oomScoreAdj"] = 0
    bundle.save()
    lowered = f"echo 300 > /proc/self/oom_score_adj; exec {RUNTIME} run --detach {bundle.id}"
    bundle.call("-c", lowered, runtime="/bin/sh")
    assert Path(f"/proc/{bundle.state()['pid']}/oom_score_adj").read_text() == "0\n"
    command = f"echo 300 > /proc/self/oom_score_adj; exec {RUNTIME} exec {bundle.id} cat /proc/self/oom_score_adj"
    assert bundle.call("-c", command, runtime="/bin/sh").stdout == "0\n"


def test_nsunit_lists_what_engines_have(bundle, nsunit):
    """Under the runtime's own root and below containerd's, with what the engine calls it."""
    bundle.config["annotations"] = {"io.kubernetes.cri.container-name": f"web-{bundle.id}"}
    bundle.save()
    namespace = Path("/run/containerd/runc") / bundle.id
    pid = bundle.create("--bundle", str(bundle.path))
    below = ["--root", str(namespace), "--systemd-cgroup"]
    bundle.call(*below, "run", "--detach", f"{bundle.id}-2")
    try:
        found = json.loads(nsunit("list", "--oci", "--json", f"{bundle.id}*").stdout)
        common = {"bundle": str(bundle.path), "engine_name": f"web-{bundle.id}"}
        unit = f"nsunit-oci-{bundle.id}-2.scope"
        first = {"name": bundle.id, "state": "created", "pid": pid, "unit": None, "root": str(ROOT)}
        second = {"name": f"{bundle.id}-2", "state": "running", "unit": unit, "root": str(namespace)}
        assert found[0] == first | common
        assert found[1] == second | common | {"pid": found[1]["pid"]}
        assert len(found) == 2
        os.kill(found[1]["pid"], signal.SIGKILL)
        wait_until(lambda: f"{bundle.id}-2" not in nsunit("list", "--oci", "--names", f"web-{bundle.id}").stdout)
        assert "stopped" in nsunit("list", "--oci", "--all", f"{bundle.id}-2").stdout
    finally:
        bundle.call(*below, "delete", "--force", f"{bundle.id}-2")
        shutil.rmtree(namespace)


def test_a_regular_expression_names_many(bundle):
    ids = [f"{bundle.id}-{number}" for number in range(3)]
    pids = [int(bundle.call("create", "--pid-file", "pid", name) and (bundle.path / "pid").read_text()) for name in ids]
    bundle.call("kill", "--regex", f"{bundle.id}-[01]$", "KILL")
    for pid in pids[:2]:
        assert os.waitpid(pid, 0) == (pid, signal.SIGKILL)
    states = [json.loads(bundle.call("state", name).stdout)["status"] for name in ids]
    assert states == ["stopped", "stopped", "created"]
    bundle.call("delete", "--force", "--regex", f"^{bundle.id}-.$")
    os.waitpid(pids[2], 0)
    assert not list(ROOT.glob(f"{bundle.id}*"))
    nothing = bundle.call("kill", "--regex", "^no-such-", check=False)
    assert nothing.returncode == 1 and nothing.stderr == "--regex: no container's id matches '^no-such-'\n"
    assert bundle.call("delete", "--regex", "(", check=False).stderr.startswith("--regex: '(': ")


def test_sockets_of_systemd_come_before_what_is_preserved(bundle):
    script = "echo $LISTEN_FDS $LISTEN_PID; for n in 3 4 5 6; do readlink /proc/self/fd/$n; done; :"
    bundle.config["process"]["args"] = ["sh", "-c", script]
    bundle.save()
    opened = f"exec 3>a 4>b 5>c 6>d; LISTEN_PID=$$ LISTEN_FDS=2 exec {RUNTIME} run --preserve-fds 1 {bundle.id}"
    kept = bundle.call("-c", opened, runtime="/bin/sh")
    assert kept.stdout.split() == ["2", "1", *(str(bundle.path / name) for name in "abc")]
    for_another = bundle.call("run", bundle.id, env={"LISTEN_PID": "1", "LISTEN_FDS": "2", "PATH": "/usr/bin:/bin"})
    assert for_another.stdout.strip() == ""


SCRIPT = """#!/proc/self/exe
import os
try:
    os.chmod("/proc/self/exe", 0o755)
except OSError as error:
    print(error.strerror)
"""


def test_a_payload_cannot_change_the_hosts_interpreter(bundle):
    """It runs it, by a script that names /proc/self/exe as its interpreter (CVE-2019-5736)."""
    script = bundle.path / "script"
    script.write_text(SCRIPT)
    script.chmod(0o755)
    root = bundle.path / "root"
    root.mkdir()
    subprocess.run(["mount", "--bind", "/", root], check=True)
    try:
        mount = {"destination": "/mnt", "type": "none", "source": str(bundle.path), "options": ["bind"]}
        bundle.config["root"] = {"path": str(root), "readonly": False}
        bundle.config["mounts"].append(mount)
        bundle.config["process"]["args"] = ["/mnt/script"]
        bundle.save()
        assert bundle.call("run", bundle.id).stdout == "Read-only file system\n"
        bundle.config["process"]["args"] = ["/bin/sleep", "1000"]
        bundle.save()
        pid = bundle.create()
        bundle.call("start", bundle.id)
        assert bundle.call("exec", bundle.id, "/mnt/script").stdout == "Read-only file system\n"
        bundle.call("delete", "--force", bundle.id)
        os.waitpid(pid, 0)
    finally:
        subprocess.run(["umount", root], check=True)


def test_the_mount_of_the_interpreter_is_not_in_a_container_that_has_run(bundle):
    bundle.config["mounts"].append({"destination": "/work", "type": "none", "source": "/run", "options": ["rbind"]})
    # What a call leaves that is killed before it has mounted it: the next one does.
    subprocess.run(["umount", "/run/nsunit-oci.python3"], check=False, capture_output=True)
    script = "grep -c nsunit-oci.python3 /proc/self/mountinfo; stat -c %s /work/nsunit-oci.python3"
    bundle.config["process"]["args"] = ["sh", "-c", script]
    bundle.save()
    assert "nsunit-oci.python3" in (bundle.call("create", bundle.id), Path("/proc/self/mountinfo").read_text())[1]
    bundle.call("delete", "--force", bundle.id)
    assert bundle.call("run", bundle.id).stdout == "0\n0\n"


def test_the_terminal_comes_over_the_socket(bundle):
    bundle.config["process"] |= {
        "terminal": True,
        "args": ["sh", "-c", "test -t 0 && readlink /proc/self/fd/0; read x"],
    }
    bundle.config["process"]["consoleSize"] = {"height": 12, "width": 34}
    bundle.save()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(bundle.path / "tty"))
        listening.listen()
        bundle.call("create", "--console-socket", "tty", bundle.id)
        master = received(listening)
        bundle.call("start", bundle.id)
        assert line_of(master) == "/dev/pts/0\r\n"
        assert struct.unpack("HHHH", fcntl.ioctl(master, 0x5413, b"\0" * 8))[:2] == (12, 34)
        options = ("--detach", "--tty", "--console-socket", "tty", "--pid-file", "pid")
        bundle.call("exec", *options, bundle.id, "readlink", "/proc/self/fd/1")
        other = received(listening)
        assert line_of(other) == "/dev/pts/1\r\n"
        os.waitpid(int((bundle.path / "pid").read_text()), 0)  # else the container's process 1 waits for that
        os.close(other)
        refused = bundle.call("exec", "--detach", "--console-socket", "tty", bundle.id, "true", check=False)
        assert "cannot use console socket" in refused.stderr
        os.close(master)


@pytest.mark.anywhere("terminals of the kernel")
def test_a_program_that_does_not_read_writes_all_the_same(bundle):
    """More comes in than a terminal holds, and more goes out: neither waits for the other."""
    line = "0123456789" * 20
    script = f"i=0; while [ $i -lt 1000 ]; do echo {line}; i=$((i + 1)); done; exit 5"
    bundle.config["process"] |= {"terminal": True, "args": ["sh", "-c", script]}
    bundle.save()
    (bundle.path / "in").write_text(f"{' ' * 200}\n" * 1000)
    with (bundle.path / "in").open("rb") as file:
        done = bundle.call("run", bundle.id, stdin=file, timeout=30, check=False)
    assert (done.returncode, done.stderr, done.stdout.count(line)) == (5, "", 1000)


def test_a_user_and_what_exec_is_told(bundle):
    bundle.call("run", "--detach", bundle.id)
    options = ["--user", "5:6", "--additional-gids", "7", "--env", "A=b", "--cwd", "/work", "--cap", "CAP_NET_RAW"]
    script = "id -u; id -G; echo $A; pwd; grep CapBnd /proc/self/status"
    lines = bundle.call("exec", *options, bundle.id, "sh", "-c", script).stdout.splitlines()
    assert lines[:4] == ["5", "6 7", "b", "/work"]
    assert int(lines[4].split()[1], 16) & 1 << 13
    for words, text in ((("nope",), "not found in $PATH"), (("/etc/passwd",), "permission denied")):
        failed = bundle.call("exec", bundle.id, *words, check=False)
        assert failed.returncode == 1 and text in failed.stderr
