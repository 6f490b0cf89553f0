"""Namespaces that a definition chooses, and what is true of namespaces in general."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from waiting import wait_until

KINDS = ("cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts")
ROOT = "[Container]\nRootfs=/srv/roots/busybox\nVolatile=yes\nExec=/bin/sleep 1000\n"
NO_ROOT = "[Container]\nExec=/bin/sleep 1000\n"
PINS = Path("/run/test-pins")


def main_pid(container):
    return int(container.show("MainPID")["MainPID"])


def inodes(pid):
    return {kind: os.stat(f"/proc/{pid}/ns/{kind}").st_ino for kind in KINDS}


def same(container, pid):
    """The kinds of namespaces that the payload has in common with process *pid*, an exec session included."""
    mine, other = inodes(main_pid(container)), inodes(pid)
    session = container.exec("sh", "-c", "cd /proc/self/ns && stat -Lc %i " + " ".join(KINDS)).stdout.split()
    # Its cgroup is another one, so it has a namespace of its own for that, unless the payload's is somebody else's.
    assert [int(number) for number in session][1:] == list(mine.values())[1:]
    return {kind for kind in KINDS if mine[kind] == other[kind]}


def start(shared, keys, base=ROOT, **options):
    return shared.start(base + "".join(f"{key}\n" for key in keys), **options)


@pytest.fixture(scope="module")
def leader(shared):
    """A container that others join."""
    return start(
        shared, ("Hostname=leader", "Sysctl=kernel.shmmax=4242", "Capability=SYS_ADMIN", "TimeOffset=boottime 1d")
    )


@pytest.fixture(scope="module")
def member(shared, leader):
    """A container that shares all but the file systems with the leader."""
    kinds = ("PID", "IPC", "UTS", "User", "Cgroup", "Time")
    return start(
        shared, [f"{kind}Namespace=container:{leader.name}" for kind in kinds] + [f"Network=container:{leader.name}"]
    )


@pytest.fixture(scope="module")
def of_host(shared):
    """A container with ids and file systems of its own, and nothing else."""
    return start(
        shared, [f"{kind}Namespace=host" for kind in ("PID", "IPC", "UTS", "Cgroup", "Time")] + ["Network=host"]
    )


# --- the host's


def test_namespaces_of_the_host(of_host):
    assert same(of_host, 1) == set(KINDS) - {"mnt", "user"}


def test_processes_of_the_host_are_seen_and_safe(of_host):
    """It sees them, but its root is nobody to them, and the files that hold secrets stay covered."""
    assert of_host.exec("cat", "/proc/1/comm").stdout == "systemd\n"
    assert of_host.exec("kill", "-0", "1", check=False).returncode == 1
    assert of_host.exec("cat", f"/proc/{os.getpid()}/environ", check=False).returncode == 1
    assert of_host.exec("cat", "/proc/kallsyms").stdout == ""
    assert "Read-only" in of_host.exec("sh", "-c", "echo 1 >/proc/sys/kernel/panic", check=False).stderr


def test_what_shows_the_host_is_the_hosts(of_host):
    assert of_host.exec("hostname").stdout == os.uname().nodename + "\n"
    assert "system.slice" in of_host.exec("ls", "/sys/fs/cgroup").stdout.split()
    assert "Read-only" in of_host.exec("mkdir", "/sys/fs/cgroup/x", check=False).stderr


def test_file_systems_of_the_host(shared):
    """With its own ids it may read what everybody may, and write nothing; with the host's it is root."""
    mapped = start(shared, ("MountNamespace=host",), NO_ROOT)
    root = start(shared, ("MountNamespace=host", "UserNamespace=host"), NO_ROOT)
    assert same(mapped, 1) == {"mnt"}
    assert same(root, 1) == {"mnt", "user"}
    assert mapped.exec("cat", "/etc/hostname").stdout == Path("/etc/hostname").read_text()
    assert mapped.exec("cat", "/etc/shadow", check=False).returncode == 1
    assert mapped.exec("stat", "-c", "%u", "/etc/shadow").stdout == "65534\n"
    assert root.exec("cat", "/etc/shadow").stdout == Path("/etc/shadow").read_text()


# --- another container's


def test_namespaces_of_a_container(leader, member):
    assert same(member, leader.pid) == set(KINDS) - {"mnt"}


def test_shared_namespaces_show_the_others_world(leader, member):
    assert member.exec("hostname").stdout == "leader\n"
    assert member.exec("cat", "/proc/sys/kernel/shmmax").stdout == "4242\n"
    assert member.exec("cat", "/proc/1/comm").stdout == "sleep\n"
    assert leader.exec("sh", "-c", "hostname changed && cat /proc/sys/kernel/hostname").stdout == "changed\n"
    assert member.exec("hostname").stdout == "changed\n"
    assert os.uname().nodename != "changed"  # UTS is a copy


def test_message_queues_are_shared(shared, leader, member):
    """Through mounts of their own: the file system shows the IPC namespace, not the container."""
    stranger = start(shared, (f"IPCNamespace=container:{leader.name}",))
    leader.exec("touch", "/dev/mqueue/queue")
    assert member.exec("ls", "/dev/mqueue").stdout == "queue\n"
    assert stranger.exec("ls", "/dev/mqueue").stdout == "queue\n"
    assert os.listdir("/dev/mqueue") == []


def test_network_without_the_user_namespace(shared, leader):
    """It can be used but not changed: it belongs to the leader's root, who is another one."""
    listen = "nc -l -p 2000 -e /bin/echo hello & sleep 0.1; wait"
    server = subprocess.Popen(["nsunit", "exec", leader.name, "sh", "-c", listen])
    stranger = start(shared, (f"Network=container:{leader.name}", "Capability=NET_ADMIN"))
    assert same(stranger, leader.pid) == {"net"}
    assert stranger.exec("ls", "/sys/class/net").stdout == "lo\n"
    assert stranger.exec("sh", "-c", "until nc 127.0.0.1 2000; do sleep 0.1; done").stdout == "hello\n"
    assert stranger.exec("ip", "link", "set", "lo", "down", check=False).returncode != 0
    assert server.wait(60) == 0


def test_file_systems_of_a_container(shared, leader):
    """A sidecar: the other's processes, ids and files, and a slice of its own."""
    keys = [f"{kind}Namespace=container:{leader.name}" for kind in ("User", "PID", "Mount")]
    sidecar = start(shared, keys, NO_ROOT)
    assert same(sidecar, leader.pid) == {"user", "pid", "mnt"}
    sidecar.exec("touch", "/tmp/from-sidecar")
    assert (leader.root / "tmp/from-sidecar").stat().st_uid == leader.root.stat().st_uid
    assert sidecar.cgroup.exists()


def test_the_units_depend_on_each_other(member, leader):
    found = member.show("BindsTo", "After")
    assert found["BindsTo"] == leader.service
    assert leader.service in found["After"].split()


@pytest.mark.kernel("nftables")
def test_the_names_of_a_network_that_is_joined(containers, nsunit, run):
    first = containers.start(f"{ROOT}Network=bridge\nAddHost=printer:192.0.2.9\nDNS=192.0.2.1\n")
    second = start(containers, (f"Network=container:{first.name}",))
    own = containers.define(f"{ROOT}Network=container:{first.name}\nAddHost=mine:192.0.2.7\n")

    def of(container):
        return container.exec("cat", "/etc/hosts", "/etc/resolv.conf").stdout

    assert ("192.0.2.9 printer\n" in of(first), "nameserver 192.0.2.1\n" in of(first)) == (True, True)
    assert of(second) == of(first)
    assert first.exec("stat", "-c", "%u", "/etc/hosts").stdout == "0\n"  # still its own
    nsunit("start", own)
    hosts = nsunit("exec", own, "cat", "/etc/hosts", "/etc/resolv.conf").stdout
    assert ("192.0.2.7 mine\n" in hosts, "printer" in hosts, "nameserver 192.0.2.1" in hosts) == (True, False, True)
    # At boot they are elsewhere.
    nsunit("stop", own, second.name, first.name)
    nsunit("enable", first.name, second.name)
    try:
        run("systemctl", "start", second.service)
        assert of(second) == of(first)
        assert nsunit("plan", second.name).stdout.endswith("runs as its definition says\n")
    finally:
        nsunit("disable", "--now", second.name)
        nsunit("disable", "--now", first.name)


def test_it_ends_with_the_one_it_joined(containers):
    """The death of process 1 ends its PID namespace; and systemd stops what is bound to the unit."""
    soon = ("[Service]", "TimeoutStopSec=500ms")
    first = start(containers, ())
    keys = (f"UserNamespace=container:{first.name}", f"PIDNamespace=container:{first.name}")
    second, third = start(containers, keys), start(containers, (f"UTSNamespace=container:{first.name}", *soon))
    pidfds = [os.pidfd_open(main_pid(container)) for container in (second, third)]
    subprocess.run(["systemctl", "kill", "--signal=KILL", "--kill-whom=main", first.service], check=True)
    for container in (second, third):
        wait_until(lambda unit=container: unit.show("ActiveState")["ActiveState"] in ("inactive", "failed"), "its end")
    for pidfd in pidfds:
        with pytest.raises(ProcessLookupError):
            signal.pidfd_send_signal(pidfd, 0)
        os.close(pidfd)


def test_one_that_does_not_run_cannot_be_joined(containers, nsunit):
    first = containers.define(ROOT)
    second = containers.define(f"{ROOT}Network=container:{first}\n")
    done = nsunit("start", second, check=False)
    assert done.returncode == 3
    assert done.stderr == (
        f"nsunit: {second}: it shares namespaces with '{first}', which is not running\n"
        f"  hint: start that first: nsunit start {first}\n"
    )
    nsunit("start", second, first)  # in whatever order they are named
    assert same(containers.of(second), main_pid(containers.of(first))) == {"net"}


def test_a_restart_joins_the_new_one(containers, nsunit, run):
    """systemd starts the helper again, which finds the payload of the present invocation by itself."""
    soon = ("[Service]", "TimeoutStopSec=500ms")  # systemctl waits for programs that are deaf
    first = start(containers, soon)
    second = start(containers, (f"Network=container:{first.name}", *soon, "Restart=always", "RestartSec=100ms"))
    before = main_pid(second)
    run("systemctl", "kill", "--signal=KILL", second.service)
    wait_until(
        lambda: main_pid(second) not in (0, before) and second.show("ActiveState")["ActiveState"] == "active",
        "the restart",
    )
    assert same(second, first.pid) == {"net"}
    # What a restart of the other one takes along comes back, by nsunit as by systemctl.
    for tool in ("nsunit", "systemctl"):
        before = main_pid(first), main_pid(second)
        run(tool, "restart", first.name if tool == "nsunit" else first.service)
        wait_until(lambda: second.show("ActiveState")["ActiveState"] == "active", "the other one's start")
        assert not {main_pid(first), main_pid(second)} & {*before, 0}
        assert same(second, first.pid) == {"net"}


def test_foreground(leader, nsunit):
    words = ("run", "-p", "Rootfs=/srv/roots/busybox", "-p", "Volatile=yes", "-p", f"Network=container:{leader.name}")
    words += ("-p", f"UserNamespace=container:{leader.name}", "-p", f"PIDNamespace=container:{leader.name}")
    done = nsunit(*words, "--", "stat", "-Lc", "%i", "/proc/self/ns/net", "/proc/self/ns/pid")
    assert [int(word) for word in done.stdout.split()] == [inodes(leader.pid)[kind] for kind in ("net", "pid")]


# --- pinned


@pytest.fixture
def pin():
    """Return a function that keeps a namespace of a process alive in a file."""
    PINS.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "pins", PINS], check=True)
    subprocess.run(["mount", "--make-private", PINS], check=True)

    def keep(pid, kind, name=""):
        path = PINS / (name or kind)
        path.touch()
        subprocess.run(["mount", "--bind", f"/proc/{pid}/ns/{kind}", path], check=True)
        return path

    yield keep
    subprocess.run(["umount", "-R", PINS], check=True)
    PINS.rmdir()


def test_pinned_namespaces_outlive_their_container(containers, nsunit, pin):
    first = start(containers, ("Hostname=first",))
    before = inodes(first.pid)
    paths = {kind: pin(first.pid, kind) for kind in ("user", "net", "ipc", "uts", "time", "cgroup")}
    gone = paths.pop("cgroup")
    nsunit("stop", first.name)
    keys = {"user": "UserNamespace", "net": "Network", "ipc": "IPCNamespace", "uts": "UTSNamespace"}
    keys |= {"time": "TimeNamespace"}
    second = start(containers, [f"{keys[kind]}=path:{path}" for kind, path in paths.items()])
    assert {kind: inodes(second.pid)[kind] for kind in paths} == {kind: before[kind] for kind in paths}
    assert same(second, 1) == set()
    assert second.exec("hostname").stdout == "first\n"
    assert second.exec("id", "-u").stdout == "0\n"
    third = containers.define(f"{ROOT}CgroupNamespace=path:{gone}\n")
    assert "the cgroup at its root is gone" in nsunit("start", third, check=False).stderr


def test_a_file_that_is_no_such_namespace_is_refused(containers, nsunit, pin):
    plain = PINS / "plain"
    reasons = {
        pin(1, "uts"): "it is a uts namespace",
        plain: "it is not the file of a namespace",
        PINS / "missing": "No such file or directory",
    }
    plain.touch()
    names = [containers.define(f"{ROOT}Network=path:{path}\n") for path in reasons]
    done = nsunit("start", *names, check=False)
    assert done.returncode == 1
    for name, (path, reason) in zip(names, reasons.items(), strict=True):
        (line,) = [line for line in done.stderr.splitlines() if line.startswith(f"nsunit: {name}: ")]
        assert f"Failed to join the net namespace of the path '{path}': " in line
        assert reason in line


def test_a_pid_namespace_of_somebody_else_is_refused(containers, nsunit, pin):
    first, other = start(containers, ()), start(containers, ())
    users, processes = pin(other.pid, "user"), pin(first.pid, "pid")
    name = containers.define(f"{ROOT}UserNamespace=path:{users}\nPIDNamespace=path:{processes}\n")
    done = nsunit("start", name, check=False)
    assert f"'{processes}': the container's user namespace does not own it" in done.stderr
    subprocess.run(["umount", users], check=True)
    pin(first.pid, "user")
    nsunit("start", name)
    assert same(containers.of(name), first.pid) == {"user", "pid"}


# --- clocks, names


def test_clocks_have_their_offsets(shared):
    """Both clocks, for the payload and for what is executed later; the host's are as they were."""
    container = start(shared, ("TimeOffset=boottime 10d", "TimeOffset=monotonic 3h", "Domainname=example.org"))
    assert container.proc("timens_offsets").split() == ["monotonic", "10800", "0", "boottime", "864000", "0"]
    inside = float(container.exec("cat", "/proc/uptime").stdout.split()[0])
    assert 0 <= inside - 864000 <= time.clock_gettime(time.CLOCK_BOOTTIME)
    assert time.clock_gettime(time.CLOCK_BOOTTIME) < 864000
    assert container.exec("cat", "/proc/sys/kernel/domainname").stdout == "example.org\n"
    assert Path("/proc/sys/kernel/domainname").read_text() == "(none)\n"


def test_a_clock_cannot_be_before_zero(define, nsunit):
    done = nsunit("start", define(ROOT + "TimeOffset=monotonic -1000h\n"), check=False)
    assert "a clock would be before 0, or too far ahead" in done.stderr


# --- small truths


UNSHARE = """
import ctypes, os
before = os.readlink("/proc/self/ns/pid")
assert ctypes.CDLL(None).unshare(0x20000000) == 0  # CLONE_NEWPID; Python 3.11 has no os.unshare
reader, writer = os.pipe()
if os.fork() == 0:
    os.write(writer, b"%d" % os.getpid())
    os._exit(0)
print(before == os.readlink("/proc/self/ns/pid"), os.getpid() == 1, os.read(reader, 9).decode())
"""


def test_unshare_moves_the_next_child_into_a_pid_namespace_but_not_the_caller(run):
    assert run("python3", "-c", UNSHARE).stdout.split() == ["True", "False", "1"]


def test_process_1_takes_its_namespace_along(containers):
    container = start(containers, ())
    words = ("nsunit", "exec", container.name, "sh", "-c", "echo ready; exec sleep 1000")
    with subprocess.Popen(words, stdout=subprocess.PIPE) as session:
        assert session.stdout.readline() == b"ready\n"
        os.kill(container.pid, 9)
        assert session.wait(60) == 137


@pytest.mark.parametrize(("propagation", "seen"), [("private", "no"), ("slave", "yes")])
def test_mounts_made_later_appear_only_where_asked_for(containers, workplace, propagation, seen):
    source = workplace / propagation
    (source / "inner").mkdir(parents=True)
    container = start(containers, (f"Bind={source}:/outer", f"Propagation={propagation}"))
    subprocess.run(["mount", "-t", "tmpfs", "later", source / "inner"], check=True)
    try:
        (source / "inner/file").touch()
        assert container.exec("sh", "-c", "test -e /outer/inner/file && echo yes || echo no").stdout == f"{seen}\n"
    finally:
        subprocess.run(["umount", source / "inner"], check=True)
        shutil.rmtree(source, ignore_errors=True)
