"""nsunit-oci by itself: the life cycle, and what a payload sees, beside runc and crun on the same config.json."""

import fcntl
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import uuid
from pathlib import Path

import pytest
from waiting import wait_until

RUNTIME = "nsunit-oci"
ROOT = Path("/run/nsunit-oci")
CGROUPS = Path("/sys/fs/cgroup")
APPLETS = "sh cat ls sleep id true env ps hostname mount stat readlink sort grep touch mkdir nproc uname".split()
# What differs from process to process, or is said otherwise by each runtime without a difference in effect.
PROBE = r"""
echo "cwd $(/bin/readlink /proc/self/cwd)"
echo "umask $(umask)"
/bin/env | /bin/grep -v -e ^SHLVL= -e ^PWD= -e ^_= | /bin/sort | while read line; do echo "env $line"; done
for name in Uid Gid Groups CapInh CapPrm CapEff CapBnd CapAmb NoNewPrivs Seccomp SigIgn SigBlk; do
    /bin/grep "^$name:" /proc/self/status; done
/bin/cat /proc/self/limits
for kind in cgroup ipc mnt net pid time user uts; do echo "ns-$kind $(/bin/readlink /proc/self/ns/$kind)"; done
echo "oom $(/bin/cat /proc/self/oom_score_adj)"
echo "host $(/bin/hostname) $(/bin/cat /proc/sys/kernel/domainname)"
echo "uid-map $(/bin/cat /proc/self/uid_map)"
echo "fds $(/bin/ls /proc/self/fd | /bin/sort | while read fd; do echo -n "$fd "; done)"
for node in /dev/*; do case $node in /dev/console|/dev/mqueue) continue;; esac
    /bin/stat -c "node %n %F %a %u %g %t:%T %N" $node; done
echo "offsets $(/bin/cat /proc/self/timens_offsets 2>&1)"
/bin/cat /proc/self/mountinfo
"""


@pytest.fixture(scope="module")
def rootfs():
    """A root with busybox, where the root of a user namespace may go, too."""
    top = Path(f"/var/tmp/oci-{uuid.uuid4().hex[:8]}")
    top.mkdir(mode=0o755)
    for name in ("bin", "etc", "tmp", "proc", "sys", "dev", "work"):
        (top / name).mkdir(parents=True)
    (top / "bin/busybox").write_bytes(Path("/bin/busybox").read_bytes())
    (top / "bin/busybox").chmod(0o755)
    for name in APPLETS:
        (top / "bin" / name).symlink_to("busybox")
    (top / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\n")
    (top / "work/kept").write_text("kept\n")
    # A mount of its own: runc makes the one that the root is in private, and what is bound of it with it.
    (top / "source").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", top / "source"], check=True)
    subprocess.run(["mount", "--make-shared", top / "source"], check=True)
    (top / "source/file").write_text("root:x:0:0::/elsewhere:/bin/sh\n")
    (top / "source/below").mkdir()
    yield top
    subprocess.run(["umount", top / "source"], check=True)
    shutil.rmtree(top)


class Bundle:
    """A bundle of config.json as `runc spec` makes it, changed."""

    def __init__(self, path, rootfs):
        self.path = path
        self.id = f"t-{uuid.uuid4().hex[:8]}"
        path.mkdir(exist_ok=True)
        if not (path / "config.json").exists():
            subprocess.run(["runc", "spec", "--bundle", str(path)], check=True)
        self.config = json.loads((path / "config.json").read_text())
        self.config["root"] = {"path": str(rootfs), "readonly": True}
        self.config["process"] |= {"terminal": False, "args": ["sleep", "1000"]}
        self.save()

    def save(self):
        (self.path / "config.json").write_text(json.dumps(self.config))

    def call(self, *words, runtime=RUNTIME, check=True, **options):
        """Run the runtime; its standard streams are files, since the container keeps them."""
        out, err = self.path / "out", self.path / "err"
        with out.open("wb") as stdout, err.open("wb") as stderr:
            options = {"stdin": subprocess.DEVNULL, "cwd": self.path, "timeout": 60} | options
            done = subprocess.run([runtime, *words], stdout=stdout, stderr=stderr, check=False, **options)
        done.stdout, done.stderr = out.read_text(), err.read_text()
        if check and done.returncode:
            pytest.fail(f"{runtime} {words}: status {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def state(self):
        return json.loads(self.call("state", self.id).stdout)

    def create(self, *options):
        """Make it; returns its process, which is this process's to wait for."""
        self.call("create", "--pid-file", "pid", *options, self.id)
        return int((self.path / "pid").read_text())

    def see(self, runtime):
        """What the payload of a run sees."""
        done = self.call("run", f"{self.id}-{runtime}", runtime=runtime, check=False)
        return done.returncode, done.stdout, done.stderr


@pytest.fixture
def bundle(tmp_path, rootfs):
    made = Bundle(tmp_path / "bundle", rootfs)
    yield made
    made.call("delete", "--force", made.id)
    assert not (ROOT / made.id).exists()
    assert not list(CGROUPS.rglob(f"*{made.id}*"))


@pytest.fixture(autouse=True)
def subreaper():
    """As conmon and the shims of containerd are."""
    import ctypes

    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)


def gone(pid):
    return not Path(f"/proc/{pid}").exists()


# The life cycle


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


def test_the_callers_oom_score_does_not_leak(bundle):
    bundle.config["process"]["oomScoreAdj"] = 0
    bundle.save()
    lowered = f"echo 300 > /proc/self/oom_score_adj; exec {RUNTIME} run --detach {bundle.id}"
    bundle.call("-c", lowered, runtime="/bin/sh")
    assert Path(f"/proc/{bundle.state()['pid']}/oom_score_adj").read_text() == "0\n"
    command = f"echo 300 > /proc/self/oom_score_adj; exec {RUNTIME} exec {bundle.id} cat /proc/self/oom_score_adj"
    assert bundle.call("-c", command, runtime="/bin/sh").stdout == "0\n"


# What is refused, and that nothing is left of it


def broken(**changes):
    return lambda config: config.update(changes)


def in_linux(**changes):
    return lambda config: config["linux"].update(changes)


def in_process(**changes):
    return lambda config: config["process"].update(changes)


NAMESPACES = [{"type": kind} for kind in ("pid", "mount", "ipc", "uts", "network")]
REFUSED = {
    "version": (broken(ociVersion="2.0.0"), "unsupported version 2.0.0"),
    "rootfs": (broken(root={"path": "/nowhere"}), "/nowhere"),
    "namespace type": (in_linux(namespaces=[*NAMESPACES, {"type": "foo"}]), "foo"),
    "namespace twice": (in_linux(namespaces=[*NAMESPACES, {"type": "pid"}]), "duplicated ns pid"),
    "namespace path": (in_linux(namespaces=[*NAMESPACES[1:], {"type": "pid", "path": "/nowhere"}]), "/nowhere"),
    "no arguments": (in_process(args=[]), "args must not be empty"),
    "program": (in_process(args=["nope"]), 'exec: "nope": executable file not found in $PATH'),
    "program's path": (in_process(args=["/nope"]), "no such file or directory"),
    "no program": (in_process(args=["/etc/passwd"]), "permission denied"),
    "relative cwd": (in_process(cwd="x"), "Cwd must be an absolute path"),
    "mount's source": (
        lambda config: config["mounts"].append({"destination": "/x", "source": "/nowhere", "options": ["bind"]}),
        "/nowhere",
    ),
    "mount's kind": (
        lambda config: config["mounts"].append({"destination": "/work", "source": "x", "type": "nosuchfs"}),
        "nosuchfs",
    ),
    "mount over the root": (
        lambda config: config["mounts"].append({"destination": "/tmp/../.", "source": "x", "type": "tmpfs"}),
        "].destination: '/tmp/../.' is the root: root.path says what that is",
    ),
    "propagation": (in_linux(rootfsPropagation="both"), "linux.rootfsPropagation: 'both' is none of "),
    "sysctl": (in_linux(sysctl={"vm.swappiness": "1"}), "vm.swappiness"),
    "sysctl with a file over it": (
        lambda config: (
            config["linux"].update(sysctl={"kernel.domainname": "x"}),
            config["mounts"].append(
                {
                    "destination": "/proc/sys/kernel/domainname",
                    "source": "/proc/sys/kernel/core_pattern",
                    "options": ["bind"],
                }
            ),
        ),
        "set sysctl 'kernel.domainname' to 'x': something else is mounted over it",
    ),
    "intelRdt": (in_linux(intelRdt={"closID": "x"}), "intelRdt"),
    "maps": (in_linux(namespaces=[*NAMESPACES, {"type": "user"}]), "mappings"),
    "hook": (broken(hooks={"createRuntime": [{"path": "/bin/false"}]}), "error running createRuntime hook #0"),
    "hook's program": (broken(hooks={"prestart": [{"path": "/nowhere"}]}), "/nowhere"),
    "hook's time": (
        broken(hooks={"createContainer": [{"path": "/bin/sleep", "args": ["sleep", "100"], "timeout": 1}]}),
        "timeout of 1.0s",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused_and_leaves_nothing(bundle, case):
    change, words = REFUSED[case]
    change(bundle.config)
    bundle.save()
    log = bundle.path / "log.json"
    before = {path.name for path in Path("/proc").iterdir() if path.name.isdigit()}
    done = bundle.call("--log", str(log), "--log-format", "json", "create", bundle.id, check=False)
    assert done.returncode == 1 and words in done.stderr
    entry = json.loads(log.read_text().splitlines()[-1])
    assert entry["level"] == "error" and words in entry["msg"] and entry["time"]
    assert not (ROOT / bundle.id).exists() and not list(CGROUPS.rglob(bundle.id))
    for pid in {path.name for path in Path("/proc").iterdir() if path.name.isdigit()} - before:
        line = Path(f"/proc/{pid}/cmdline")
        wait_until(lambda line=line: not line.exists() or bundle.id.encode() not in line.read_bytes())


def test_an_id_that_is_taken_and_one_that_is_none(bundle):
    pid = bundle.create()
    again = bundle.call("create", bundle.id, check=False)
    assert again.returncode == 1 and again.stderr == "container with given ID already exists\n"
    assert bundle.state()["pid"] == pid
    for wrong in ("../x", "a/b", "a b", ".."):
        assert bundle.call("create", wrong, check=False).stderr == "invalid container ID format\n"
    assert "config.json not found" in bundle.call("create", "x", check=False, cwd="/").stderr


@pytest.mark.parametrize("text", ["{", '{"a": ,}', '{"a": "\t"}', "", "{} {}", "[]"])
def test_a_config_that_is_no_json_is_refused(bundle, text):
    (bundle.path / "config.json").write_text(text)
    done = bundle.call("create", bundle.id, check=False)
    assert done.returncode == 1 and done.stderr.startswith("config.json is no ") and done.stderr.count("\n") == 1
    assert not (ROOT / bundle.id).exists()


def test_the_log_is_there_though_nothing_is_wrong(bundle):
    log = bundle.path / "log"
    bundle.call("--log", str(log), "create", bundle.id)
    assert log.read_bytes() == b""
    bundle.call("--log", str(log), "start", "nope-nope", check=False)
    assert 'level=error msg="container does not exist"' in log.read_text()


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


@pytest.mark.parametrize("verb", ["checkpoint", "restore"])
def test_without_criu_there_is_no_checkpoint(bundle, verb):
    done = bundle.call(verb, "--image-path", "image", bundle.id, check=False)
    told = 'exec: "criu": executable file not found in $PATH: there is no checkpoint and restore without criu(8)\n'
    assert (done.returncode, done.stderr) == (1, told)
    features = json.loads(bundle.call("features").stdout)
    assert features["annotations"]["org.nsunit.checkpoint.enabled"] == "false"
    criu = bundle.path / "criu"
    criu.touch(0o755)
    done = bundle.call(verb, bundle.id, check=False, env={"PATH": f"{bundle.path}:/usr/bin:/bin"})
    assert "nsunit-oci has no checkpoint and restore" in done.stderr


# The host's interpreter


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
    script = "grep -c nsunit-oci.python3 /proc/self/mountinfo; stat -c %s /work/nsunit-oci.python3"
    bundle.config["process"]["args"] = ["sh", "-c", script]
    bundle.save()
    assert "nsunit-oci.python3" in (bundle.call("create", bundle.id), Path("/proc/self/mountinfo").read_text())[1]
    bundle.call("delete", "--force", bundle.id)
    assert bundle.call("run", bundle.id).stdout == "0\n0\n"


# Hooks


def test_hooks_run_in_their_order_and_places(bundle, rootfs):
    where = bundle.path / "hooks"
    script = 'read -r state; echo "$1 $(readlink /proc/self/ns/mnt) $state" >> ' + str(where)

    def hook(kind, shell="/bin/sh"):
        return [{"path": shell, "args": ["sh", "-c", script, "x", kind], "env": ["PATH=/bin:/usr/bin"]}]

    kinds = ("prestart", "createRuntime", "createContainer", "poststart", "poststop")
    bundle.config["hooks"] = {kind: hook(kind) for kind in kinds}
    inside = ["sh", "-c", 'read -r state; echo "$state" > /tmp/inside']
    bundle.config["hooks"]["startContainer"] = [{"path": "/bin/sh", "args": inside}]
    bundle.config["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"})
    bundle.save()
    pid = bundle.create()
    bundle.call("start", bundle.id)
    inner = json.loads(bundle.call("exec", bundle.id, "cat", "/tmp/inside").stdout)
    assert inner["id"] == bundle.id and inner["status"] == "created" and inner["pid"] == 1
    bundle.call("kill", bundle.id, "KILL")
    os.waitpid(pid, 0)
    bundle.call("delete", bundle.id)
    lines = [line.split(" ", 2) for line in where.read_text().splitlines()]
    assert [line[0] for line in lines] == list(kinds)
    states = {line[0]: json.loads(line[2]) for line in lines}
    assert [states[kind]["status"] for kind in kinds] == ["creating"] * 3 + ["running", "stopped"]
    assert {state["pid"] for kind, state in states.items() if kind in ("prestart", "createRuntime", "poststart")} == {
        pid
    }
    own = os.readlink("/proc/self/ns/mnt")
    assert [line[1] == own for line in lines] == [True, True, False, True, True]


def test_a_hook_that_fails_at_the_start_ends_the_container(bundle):
    bundle.config["hooks"] = {"startContainer": [{"path": "/bin/sh", "args": ["sh", "-c", "echo why >&2; exit 4"]}]}
    bundle.save()
    pid = bundle.create()
    done = bundle.call("start", bundle.id, check=False)
    assert done.returncode == 1 and "startContainer hook #0: exit status 4" in done.stderr and "why" in done.stderr
    os.waitpid(pid, 0)
    assert bundle.state()["status"] == "stopped"


def test_a_poststart_hook_that_fails_ends_the_container(bundle):
    bundle.config["hooks"] = {
        "poststart": [{"path": "/bin/sh", "args": ["sh", "-c", "cat >/dev/null; echo why >&2; exit 5"]}],
        "poststop": [{"path": "/bin/false"}],
    }
    bundle.save()
    pid = bundle.create()
    done = bundle.call("start", bundle.id, check=False)
    assert done.returncode == 1 and done.stderr.startswith("error running poststart hook #0: exit status 5")
    assert os.waitpid(pid, 0) == (pid, signal.SIGKILL)
    assert bundle.state()["status"] == "stopped"


def test_a_poststop_hook_that_fails_is_told_and_the_next_is_run(bundle):
    ran = bundle.path / "ran"
    touch = {"path": "/bin/touch", "args": ["touch", str(ran)]}
    bundle.config["hooks"] = {"poststop": [{"path": "/bin/false"}, {"path": "/nowhere"}, touch]}
    bundle.save()
    log = bundle.path / "log"
    pid = bundle.create()
    bundle.call("kill", bundle.id, "KILL")
    os.waitpid(pid, 0)
    bundle.call("--log", str(log), "delete", bundle.id)
    assert ran.exists() and not (ROOT / bundle.id).exists()
    first, second = log.read_text().splitlines()
    assert "level=warning" in first and "error running poststop hook #0: exit status 1" in first
    assert "error running poststop hook #1: fork/exec /nowhere: no such file or directory" in second


# The same config.json by each runtime


def mounts(lines):
    """Place, options and kind of each mount; what is hidden is said by each in its own way."""
    found = {}
    for line in lines:
        before, _, after = line.partition(" - ")
        _, _, _, _, place, options, *propagation = before.split()
        kind = after.split()[0]
        words = set(options.split(","))
        if kind == "tmpfs" and "ro" in words:
            words -= {"nosuid", "nodev", "noexec"}
        if kind == "devtmpfs":
            propagation = []  # nodes of the host: here they are private
        found[place] = (kind, *sorted(words), *sorted(word.split(":")[0] for word in propagation))
    return found


def comparable(text):
    lines = text.splitlines()
    info = [line for line in lines if " - " in line and line.split()[0].isdigit()]
    own = {kind: os.readlink(f"/proc/self/ns/{kind}") for kind in "cgroup ipc mnt net pid time user uts".split()}
    rest = []
    for line in lines:
        if line in info:
            continue
        if line.startswith("ns-"):
            kind, value = line.removeprefix("ns-").split()
            line = f"ns-{kind} {'of the host' if value == own[kind] else 'own'}"
        rest.append(" ".join(line.split()))
    return sorted(rest), mounts(info)


def differences(mine, others):
    """What one of two has and the other has not."""
    found = [f"only here: {line}" for line in mine[0] if line not in others[0]]
    found += [f"only there: {line}" for line in others[0] if line not in mine[0]]
    places = mine[1].keys() | others[1].keys()
    return found + [
        f"{place}: {mine[1].get(place)} and {others[1].get(place)}"
        for place in sorted(places)
        if mine[1].get(place) != others[1].get(place)
    ]


def mount(**entry):
    def change(config):
        source = config["root"]["path"] + "/source"
        config["mounts"].append({"type": "bind", "source": source, "destination": "/work"} | entry)

    return change


def file(config):
    mount(source=config["root"]["path"] + "/source/file", destination="/etc/passwd", options=["bind", "ro"])(config)


USERS = {"uidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}]}
USERS["gidMappings"] = USERS["uidMappings"]
ALL = sorted({"CAP_CHOWN", "CAP_KILL", "CAP_SYS_ADMIN", "CAP_NET_RAW", "CAP_SETPCAP"})


def users(config):
    config["linux"]["namespaces"].append({"type": "user"})
    config["linux"] |= USERS
    os.chmod(config["root"]["path"], 0o755)


@pytest.mark.parametrize(
    ("said", "root", "below"),
    [
        ("shared", "shared", "master"),  # what is mounted inside stays inside: not shared with the host
        ("rshared", "shared", "master shared"),
        ("slave", "", "master"),
        ("private", "", ""),
        ("unbindable", "unbindable", "unbindable"),
    ],
)
def test_the_root_has_the_propagation_that_is_said(bundle, rootfs, said, root, below):
    bundle.config["linux"]["rootfsPropagation"] = said
    bundle.config["process"]["args"] = ["cat", "/proc/self/mountinfo"]
    bundle.save()
    found = mounts(bundle.call("run", bundle.id).stdout.splitlines())
    kinds = {"shared", "master", "unbindable"}
    assert [" ".join(sorted(kinds & set(found[place]))) for place in ("/", "/source")] == [root, below]


CASES = {
    "as it is": lambda config: None,
    "writable root": lambda config: config["root"].update(readonly=False),
    "user": in_process(user={"uid": 5, "gid": 6, "additionalGids": [7, 8], "umask": 0o77}),
    "capabilities": in_process(
        capabilities=dict.fromkeys(("bounding", "effective", "permitted", "inheritable", "ambient"), ALL)
    ),
    "capabilities of a user": in_process(
        user={"uid": 5, "gid": 6},
        capabilities=dict.fromkeys(("bounding", "effective", "permitted", "inheritable", "ambient"), ALL),
    ),
    "no capabilities": in_process(capabilities={}),
    "privileges may grow": in_process(noNewPrivileges=False),
    "limits": in_process(
        rlimits=[{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}, {"type": "RLIMIT_CORE", "soft": 0, "hard": 0}]
    ),
    "environment": in_process(env=["PATH=/bin", "A=b c", "B=", "C=d=e"]),
    "cwd": in_process(cwd="/work"),
    "oom score": in_process(oomScoreAdj=321),
    "names": broken(hostname="elsewhere"),
    "user namespace": users,
    "host's network": lambda config: (
        config["linux"]["namespaces"].remove({"type": "network"}),
        config["mounts"].remove(next(entry for entry in config["mounts"] if entry["type"] == "sysfs")),
        config["mounts"].remove(next(entry for entry in config["mounts"] if entry["type"] == "cgroup")),
    ),
    "bind": mount(options=["bind"]),
    "recursive bind": mount(options=["rbind"]),
    "read-only bind": mount(options=["rbind", "ro", "nosuid"]),
    "slave": mount(options=["rbind", "rslave"]),
    "private": mount(options=["rbind", "rprivate"]),
    "file": file,
    "tmpfs": mount(type="tmpfs", source="tmpfs", options=["nosuid", "noexec", "size=64k", "mode=1700", "noatime"]),
    "tmpfs as it was": mount(type="tmpfs", source="tmpfs", options=["nosuid"]),
    "masks": in_linux(maskedPaths=["/proc/kcore", "/sys/firmware"], readonlyPaths=["/proc/sys", "/work", "/nowhere"]),
    "devices": in_linux(
        devices=[
            {"path": "/dev/mine", "type": "c", "major": 1, "minor": 3, "fileMode": 0o640, "uid": 3, "gid": 4},
            {"path": "/dev/pipe", "type": "p", "fileMode": 0o600},
        ]
    ),
    "root that is a slave": in_linux(rootfsPropagation="rslave"),
    "sysctl": in_linux(sysctl={"net.ipv4.ip_forward": "1", "kernel.msgmax": "9000"}),
}


@pytest.mark.once("the other runtimes are of one release, and what the payload sees is the kernel's")
@pytest.mark.parametrize("case", CASES)
def test_the_payload_sees_what_it_would_see_with_runc(bundle, case):
    CASES[case](bundle.config)
    bundle.config["process"]["args"] = ["/bin/sh", "-c", PROBE]
    bundle.save()
    status, text, error = bundle.see("runc")
    assert status == 0, error
    mine = bundle.see(RUNTIME)
    assert mine[0] == 0, mine
    found = "\n".join(differences(comparable(mine[1]), comparable(text)))
    assert not found, found


# Terminals


def received(listening):
    connection, _ = listening.accept()
    with connection:
        _, rights, _, _ = connection.recvmsg(64, socket.CMSG_SPACE(4))
    return struct.unpack("i", rights[0][2])[0]


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
        assert os.read(master, 100) == b"/dev/pts/0\r\n"
        assert struct.unpack("HHHH", fcntl.ioctl(master, 0x5413, b"\0" * 8))[:2] == (12, 34)
        options = ("--detach", "--tty", "--console-socket", "tty", "--pid-file", "pid")
        bundle.call("exec", *options, bundle.id, "readlink", "/proc/self/fd/1")
        other = received(listening)
        assert os.read(other, 100) == b"/dev/pts/1\r\n"
        os.waitpid(int((bundle.path / "pid").read_text()), 0)  # else the container's process 1 waits for that
        os.close(other)
        refused = bundle.call("exec", "--detach", "--console-socket", "tty", bundle.id, "true", check=False)
        assert "cannot use console socket" in refused.stderr
        os.close(master)


# Killed at every step

CALLS = ("mkdir", "mknodat", "rename", "clone", "fork", "vfork", "sendto", "recvfrom", "wait4", "openat", "write")


@pytest.mark.once("it costs a hundred runs, and is between the runtime and the kernel")
@pytest.mark.parametrize("manager", [(), ("--systemd-cgroup",)], ids=["cgroupfs", "systemd"])
def test_whenever_it_is_killed_delete_leaves_nothing(bundle, manager):
    bundle.call("create", bundle.id)  # so that the interpreter is where it stays
    bundle.call("delete", "--force", bundle.id)
    killed = 0
    for call in CALLS:
        for when in range(1, 40):
            inject = f"inject={call}:signal=KILL:when={when}"
            words = ("strace", "-o", "/dev/null", "-e", f"trace={call}", "-e", inject, RUNTIME, *manager)
            done = bundle.call(*words[1:], "create", bundle.id, runtime=words[0], check=False)
            bundle.call("delete", "--force", bundle.id)
            assert not (ROOT / bundle.id).exists(), inject
            assert not list(CGROUPS.rglob(f"*{bundle.id}*")), inject
            wait_until(lambda: not alive(bundle.id.encode()))
            if done.returncode == 0:
                break
            killed += 1
            if call == "openat" and when > 12:
                break
    assert killed > 20


def alive(word):
    """Processes with *word* in their command line, but those that wait to be waited for."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if word in (entry / "cmdline").read_bytes():
                    found.append(entry.name)
            except (FileNotFoundError, ProcessLookupError):
                continue
    return found


# Fields that runc of this release does not know, or that say something of processes


def says(bundle, script, *options):
    """What a script in the container prints."""
    bundle.config["process"]["args"] = ["sh", "-c", script]
    bundle.save()
    return bundle.call(*options, "run", bundle.id).stdout


def test_the_domain_name(bundle):
    bundle.config["domainname"] = "some.domain"
    assert says(bundle, "cat /proc/sys/kernel/domainname") == "some.domain\n"


def test_offsets_of_clocks(bundle):
    bundle.config["linux"]["namespaces"].append({"type": "time"})
    bundle.config["linux"]["timeOffsets"] = {"boottime": {"secs": 1000000}, "monotonic": {"secs": 5, "nanosecs": 7}}
    words = says(bundle, "cat /proc/self/timens_offsets; cat /proc/uptime").split()
    assert words[:6] == ["monotonic", "5", "7", "boottime", "1000000", "0"]
    assert float(words[6]) > 1000000


def test_persona_scheduler_priorities_and_labels_of_the_process(bundle):
    bundle.config["linux"]["personality"] = {"domain": "LINUX32"}
    bundle.config["process"]["scheduler"] = {"policy": "SCHED_BATCH", "nice": 7}
    bundle.config["process"]["ioPriority"] = {"class": "IOPRIO_CLASS_IDLE", "priority": 0}
    bundle.save()
    pid = bundle.create()
    assert Path(f"/proc/{pid}/personality").read_text() == "00000008\n"
    assert os.sched_getscheduler(pid) == os.SCHED_BATCH and os.getpriority(os.PRIO_PROCESS, pid) == 7
    shown = subprocess.run(["ionice", "-p", str(pid)], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "idle"


def test_processors_of_a_command(bundle):
    pid = bundle.create()
    bundle.call("start", bundle.id)
    process = bundle.config["process"] | {"args": ["grep", "Cpus_allowed_list", "/proc/self/status"]}
    last = max(os.sched_getaffinity(pid))
    process["execCPUAffinity"] = {"initial": "0", "final": str(last)}
    (bundle.path / "process").write_text(json.dumps(process))
    done = bundle.call("exec", "--process", "process", bundle.id)
    assert done.stdout.split() == ["Cpus_allowed_list:", str(last)]


def test_what_was_there_is_copied_into_a_tmpfs(bundle):
    bundle.config["mounts"].append(
        {"destination": "/work", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup", "ro"]}
    )
    assert says(bundle, "cat /work/kept; touch /work/x 2>&1 || true") == "kept\ntouch: /work/x: Read-only file system\n"


def test_read_only_to_the_last_mount_below(bundle, rootfs):
    below = rootfs / "source/below"
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", below], check=True)
    try:
        options = ["rbind", "rro", "rnosuid"]
        bundle.config["mounts"].append({"destination": "/work", "source": str(rootfs / "source"), "options": options})
        text = says(bundle, "touch /work/x /work/below/x 2>&1; grep ' /work' /proc/self/mountinfo")
        assert text.count("Read-only file system") == 2 and text.count(" ro,nosuid,") == 2
        bundle.config["mounts"][-1]["options"] = ["rbind", "ro"]
        assert says(bundle, "touch /work/x 2>/dev/null || touch /work/below/x && echo written") == "written\n"
    finally:
        subprocess.run(["umount", below], check=True)


def test_a_mount_with_ids_of_its_own(bundle, rootfs):
    maps = [{"containerID": 0, "hostID": 5000, "size": 1000}]
    entry = {"destination": "/work", "source": str(rootfs / "work"), "options": ["bind", "idmap"]}
    bundle.config["mounts"].append(entry | {"uidMappings": maps, "gidMappings": maps})
    assert says(bundle, "stat -c '%u %g' /work/kept") == "5000 5000\n"


def test_ids_of_the_container_for_a_mount(bundle, rootfs):
    users(bundle.config)
    entry = {"destination": "/work", "source": str(rootfs / "work"), "options": ["bind", "idmap"]}
    bundle.config["mounts"].append(entry)
    assert says(bundle, "stat -c '%u %g' /work/kept /etc/passwd").split() == ["0", "0", "65534", "65534"]


def test_namespaces_of_another_process(bundle, tmp_path, rootfs):
    first = Bundle(tmp_path / "first", rootfs)
    users(first.config)
    first.save()
    try:
        pid = first.create()
        kinds = {"user": "user", "network": "net", "ipc": "ipc", "uts": "uts", "pid": "pid"}
        bundle.config["linux"]["namespaces"] = [
            {"type": "mount"},
            *({"type": kind, "path": f"/proc/{pid}/ns/{name}"} for kind, name in kinds.items()),
        ]
        kept = [entry for entry in bundle.config["mounts"] if entry["type"] not in ("sysfs", "cgroup")]
        bundle.config["mounts"] = kept
        bundle.config.pop("hostname")
        text = says(bundle, "for kind in user net ipc uts pid; do readlink /proc/self/ns/$kind; done; id -u")
        assert text.split() == [*(os.readlink(f"/proc/{pid}/ns/{name}") for name in kinds.values()), "0"]
    finally:
        first.call("delete", "--force", first.id)


def test_mounts_travel_into_a_root_that_shares_them(bundle, rootfs):
    bundle.config["linux"]["rootfsPropagation"] = "rshared"
    entry = {"destination": "/work", "source": str(rootfs / "source"), "options": ["rbind", "rshared"]}
    bundle.config["mounts"].append(entry)
    bundle.save()
    bundle.call("run", "--detach", bundle.id)
    assert str(rootfs / "dev") not in Path("/proc/self/mountinfo").read_text()
    below = rootfs / "source/below"
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=711", "tmpfs", below], check=True)
    try:
        assert bundle.call("exec", bundle.id, "stat", "-c", "%a", "/work/below").stdout == "711\n"
    finally:
        subprocess.run(["umount", below], check=True)


def test_the_cgroup_is_seen_without_a_namespace_of_its_own(bundle):
    spaces = bundle.config["linux"]["namespaces"]
    bundle.config["linux"]["namespaces"] = [entry for entry in spaces if entry["type"] != "cgroup"]
    text = says(bundle, "cat /sys/fs/cgroup/cgroup.procs; grep ^0:: /proc/self/cgroup")
    assert text.split()[0] == "1" and text.splitlines()[-1].endswith(f"/{bundle.id}")


def test_a_link_of_the_image_leads_no_mount_astray(bundle, rootfs):
    link = rootfs / "astray"
    link.symlink_to("/proc/sys")
    try:
        bundle.config["mounts"].append({"destination": "/astray", "type": "tmpfs", "source": "tmpfs"})
        bundle.save()
        assert "it lies in /proc" in bundle.call("run", bundle.id, check=False).stderr
    finally:
        link.unlink()


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


def test_a_link_of_the_host_becomes_the_containers(bundle):
    name = f"t{uuid.uuid4().hex[:8]}"
    for words in (f"link add {name} type veth peer name {name}p", f"address add 192.0.2.7/24 dev {name}"):
        subprocess.run(["ip", *words.split()], check=True)
    try:
        bundle.config["linux"]["netDevices"] = {name: {"name": "inner0"}}
        bundle.save()
        pid = bundle.create()
        show = ["nsenter", "-t", str(pid), "-n", "ip", "-json", "address", "show", "inner0"]
        shown = json.loads(subprocess.run(show, capture_output=True, text=True, check=True).stdout)[0]
        assert "UP" in shown["flags"] and shown["addr_info"][0]["local"] == "192.0.2.7"
    finally:
        subprocess.run(["ip", "link", "delete", f"{name}p"], check=False)


def test_a_link_that_is_not_there_is_told(bundle):
    bundle.config["linux"]["netDevices"] = {"nolink0": {}}
    bundle.save()
    assert (
        "linux.netDevices: nolink0: no interface with this name" in bundle.call("create", bundle.id, check=False).stderr
    )


def test_nothing_of_the_callers_masks_gets_in(bundle):
    """Neither its umask, by which mount points would be for root only, nor its blocked signals."""
    bundle.config["root"]["readonly"] = False
    bundle.config["mounts"].append({"destination": "/made/below", "type": "tmpfs", "source": "tmpfs"})
    bundle.config["process"]["args"] = ["sh", "-c", "umask; stat -c %a /made; grep SigBlk /proc/self/status"]
    bundle.save()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    try:
        done = bundle.call("run", bundle.id, umask=0o077)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert done.stdout.split() == ["0022", "755", "SigBlk:", "0" * 16]


@pytest.mark.once("it costs dozens of runs, and is between the runtime and the kernel")
@pytest.mark.parametrize("verb", [("start",), ("delete", "--force")], ids=" ".join)
def test_whenever_another_verb_is_killed_delete_leaves_nothing(bundle, verb):
    killed = 0
    for call in ("flock", "write", "unlink", "rmdir", "pidfd_open", "poll", "read"):
        for when in range(1, 8):
            pid = bundle.create()
            if call == "read":
                when += 60  # those before are the interpreter's
            inject = f"inject={call}:signal=KILL:when={when}"
            words = ("-o", "/dev/null", "-e", f"trace={call}", "-e", inject, RUNTIME, *verb, bundle.id)
            done = bundle.call(*words, runtime="strace", check=False)
            bundle.call("delete", "--force", bundle.id)
            assert not (ROOT / bundle.id).exists(), inject
            assert not list(CGROUPS.rglob(f"*{bundle.id}*")), inject
            assert os.waitpid(pid, 0)[1] == signal.SIGKILL
            if done.returncode == 0:
                break
            killed += 1
    assert killed > 3


@pytest.mark.parametrize("options", [(), ("--systemd-cgroup",)], ids=["cgroupfs", "systemd"])
def test_the_cgroup_of_another_container_is_not_taken(bundle, tmp_path, rootfs, options):
    path = f"machine.slice:p:{bundle.id}" if options else f"/{bundle.id}"
    bundle.config["linux"]["cgroupsPath"] = path
    bundle.save()
    bundle.call(*options, "run", "--detach", bundle.id)
    other = Bundle(tmp_path / "other", rootfs)
    other.config["linux"]["cgroupsPath"] = path
    other.save()
    refused = other.call(*options, "create", other.id, check=False)
    assert refused.returncode == 1 and "cgroup is not empty" in refused.stderr
    assert not (ROOT / other.id).exists()
    assert bundle.state()["status"] == "running"


def test_a_user_has_containers_with_his_own_id(bundle, rootfs):
    config = json.loads((bundle.path / "config.json").read_text())
    config["root"] = {"path": str(rootfs)}
    spaces = [{"type": kind} for kind in ("pid", "ipc", "uts", "mount", "user")]
    ids = [{"containerID": 0, "hostID": 1000, "size": 1}]
    config["linux"] = {"namespaces": spaces, "uidMappings": ids, "gidMappings": ids}
    config["mounts"] = [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"},
    ]
    config["process"] |= {"args": ["sh", "-c", "id -u; cat /proc/self/uid_map; ls /dev/null"], "user": {}}
    (bundle.path / "config.json").write_text(json.dumps(config))
    for path in (bundle.path, *bundle.path.parents):
        if path.is_relative_to("/tmp/pytest-of-root"):
            path.chmod(0o755)
    own = bundle.path / "run"
    own.mkdir()
    os.chown(own, 1000, 1000)
    words = ("--reuid=1000", "--regid=1000", "--clear-groups", RUNTIME, "--root", str(own / "state"))
    done = bundle.call(*words, "run", bundle.id, runtime="setpriv", env={"XDG_RUNTIME_DIR": str(own)})
    assert done.stdout.split() == ["0", "0", "1000", "1", "/dev/null"]
    assert not (own / "state" / bundle.id).exists()
