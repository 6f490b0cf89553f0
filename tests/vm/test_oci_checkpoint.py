"""checkpoint and restore of nsunit-oci, with the real criu(8): what comes back."""

import os
import signal
import socket
import subprocess
import uuid
from pathlib import Path

import pytest
from bundles import ROOT, bundle, received, rootfs, subreaper, users
from remembering import MANAGERS, MARKS, REMEMBERS, criu, differs, remembering, restored, seen, started, word
from waiting import wait_until

__all__ = ["bundle", "criu", "remembering", "rootfs", "subreaper"]  # fixtures

pytestmark = MARKS


@MANAGERS
def test_a_container_goes_on_where_it_was(remembering, manager):
    bundle = remembering
    bundle.config["process"] |= {
        "oomScoreAdj": 321,
        "user": {"uid": 0, "gid": 0, "additionalGids": [7]},
        "cwd": "/work",
    }
    bundle.config["linux"]["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["swapon"], "action": "SCMP_ACT_ERRNO"}],
    }
    bundle.save()
    pid = started(bundle, *manager)
    before, mine = word(bundle), seen(pid)
    bundle.call("checkpoint", "--image-path", "image", bundle.id)
    assert os.waitpid(pid, 0) == (pid, signal.SIGKILL)
    assert bundle.state()["status"] == "stopped"
    again = restored(bundle, manager=manager)
    state = bundle.state()
    assert state["status"] == "running" and state["pid"] == again and state["bundle"] == str(bundle.path)
    assert word(bundle) == before
    differs(seen(again), mine)
    assert Path(f"/proc/{again}/status").read_text().split("PPid:")[1].split()[0] == str(os.getpid())
    bundle.call("pause", bundle.id)
    assert bundle.state()["status"] == "paused"
    bundle.call("resume", bundle.id)
    bundle.call("kill", bundle.id, "KILL")
    assert os.waitpid(again, 0) == (again, signal.SIGKILL)
    assert bundle.state()["status"] == "stopped"
    bundle.call("delete", bundle.id)


def test_an_ended_process_that_nobody_has_waited_for_is_told(remembering):
    """criu would wait for the end of the first process, and this for that of the other."""
    bundle = remembering
    pid = started(bundle)
    bundle.call("exec", "--detach", "--pid-file", "other", bundle.id, "true")
    other = int((bundle.path / "other").read_text())
    wait_until(lambda: "State:\tZ" in Path(f"/proc/{other}/status").read_text(), "its end")
    refused = bundle.call("checkpoint", "--image-path", "image", bundle.id, check=False)
    assert refused.returncode == 1 and refused.stderr == (
        f"process {other} of the container has ended, and process {os.getpid()} has not waited for it: until then the"
        " container's own cannot end; let it do so, or use --leave-running\n"
    )
    assert bundle.state()["status"] == "running" and not (bundle.path / "image").exists()
    bundle.call("checkpoint", "--image-path", "left", "--leave-running", bundle.id)
    os.waitpid(other, 0)
    bundle.call("checkpoint", "--image-path", "image", bundle.id)
    assert os.waitpid(pid, 0) == (pid, signal.SIGKILL)


@pytest.mark.machine("the release's own kernel")
def test_what_comes_after_a_first_dump_is_in_the_second(remembering):
    bundle = remembering
    pid = started(bundle)
    bundle.call("checkpoint", "--pre-dump", "--image-path", "first", bundle.id)
    assert bundle.state()["status"] == "running"
    before = word(bundle)
    bundle.call("checkpoint", "--image-path", "image", "--parent-path", "../first", bundle.id)
    assert os.waitpid(pid, 0) == (pid, signal.SIGKILL)
    assert os.readlink(bundle.path / "image/parent") == "../first"
    again = restored(bundle)
    assert word(bundle) == before
    bundle.call("delete", "--force", bundle.id)
    os.waitpid(again, 0)


LOCKS = "exec 9>/tmp/lock; flock 9; touch /tmp/locked; while :; do sleep 0.1; done"
TALKS = "nc -ll -p 7 -e cat & sleep 0.3; while :; do echo x; sleep 0.1; done | nc 127.0.0.1 7 > /tmp/said"


def refusal(bundle, *options):
    """What is said where the option is missing; the container goes on."""
    refused = bundle.call("checkpoint", "--image-path", "refused", *options, bundle.id, check=False)
    assert refused.returncode == 1 and refused.stderr.count("\n") == 1
    assert bundle.state()["status"] == "running"
    return refused.stderr


def test_locks_of_files_come_back(remembering):
    bundle = remembering
    of_host = {"type": "bind", "options": ["rbind", "ro"]}
    bundle.config["mounts"] += [of_host | {"destination": path, "source": path} for path in ("/usr", "/lib", "/lib64")]
    bundle.config["process"]["args"] = ["sh", "-c", LOCKS]
    bundle.save()
    pid = started(bundle)
    wait_until(lambda: bundle.call("exec", bundle.id, "test", "-e", "/tmp/locked", check=False).returncode == 0)
    assert "You can try --file-locks" in refusal(bundle)
    bundle.call("checkpoint", "--image-path", "image", "--file-locks", bundle.id)
    os.waitpid(pid, 0)
    again = restored(bundle, "--file-locks")
    assert bundle.call("exec", bundle.id, "flock", "-n", "/tmp/lock", "true", check=False).returncode == 1
    bundle.call("delete", "--force", bundle.id)
    os.waitpid(again, 0)


@pytest.mark.machine("the release's own kernel")
def test_connections_go_on(remembering):
    """Both ends are in the container: what others have would time out."""
    bundle = remembering
    bundle.config["process"]["args"] = ["sh", "-c", TALKS]
    bundle.save()
    pid = started(bundle)

    def said():
        return len(bundle.call("exec", bundle.id, "cat", "/tmp/said", check=False).stdout)

    wait_until(said, "an echo")
    assert "--tcp-established" in refusal(bundle)
    bundle.call("checkpoint", "--image-path", "image", "--tcp-established", bundle.id)
    os.waitpid(pid, 0)
    again = restored(bundle, "--tcp-established")
    before = said()
    assert before
    wait_until(lambda: said() > before + 4, "further echoes")
    bundle.call("delete", "--force", bundle.id)
    os.waitpid(again, 0)


def test_another_terminal_of_others_takes_its_place(remembering):
    """Neither is in the container: what it says is on the first, and after the restore on the second."""
    bundle = remembering
    bundle.config["process"]["args"] = ["sh", "-c", REMEMBERS.replace("> /tmp/x", "> /tmp/x; echo $x")]
    bundle.save()
    masters, slaves = zip(os.openpty(), os.openpty(), strict=True)

    def on(slave, *words):
        subprocess.run(
            ["nsunit-oci", *words, "--detach", "--pid-file", "pid", bundle.id],
            cwd=bundle.path,
            check=True,
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        return int((bundle.path / "pid").read_text())

    pid = on(slaves[0], "run")
    with open(masters[0], encoding="utf-8") as terminal:
        before = terminal.readline()
        told = f"a standard stream is a terminal of others, {os.ttyname(slaves[0])}: with --shell-job another takes its"
        assert refusal(bundle).startswith(told)
        bundle.call("checkpoint", "--image-path", "image", "--shell-job", bundle.id)
        assert os.waitpid(pid, 0) == (pid, signal.SIGKILL)
    again = on(slaves[1], "restore", "--shell-job", "--image-path", "image")
    assert os.readlink(f"/proc/{again}/fd/1") == os.ttyname(slaves[1])
    with open(masters[1], encoding="utf-8") as terminal:
        assert terminal.readline() == before
        bundle.call("delete", "--force", bundle.id)
        os.waitpid(again, 0)
    for slave in slaves:
        os.close(slave)


def test_a_container_that_is_left_running_can_come_back_with_another_name(remembering):
    bundle = remembering
    pid = started(bundle)
    bundle.call("checkpoint", "--image-path", "image", "--work-path", "work", "--leave-running", bundle.id)
    assert (bundle.path / "work/dump.log").exists() and (bundle.path / "work/stats-dump").exists()
    before = word(bundle)
    bundle.call("delete", "--force", bundle.id)
    os.waitpid(pid, 0)
    first, bundle.id = bundle.id, f"{bundle.id}-2"
    try:
        again = restored(bundle)
        assert word(bundle) == before
        assert Path(f"/proc/{again}/cgroup").read_text().splitlines()[-1].endswith(f"/{bundle.id}")
        taken = bundle.call("restore", "--image-path", "image", bundle.id, check=False)
        assert (taken.returncode, taken.stderr) == (1, "container with given ID already exists\n")
    finally:
        bundle.call("delete", "--force", bundle.id)
        bundle.id = first
    os.waitpid(again, 0)


def test_what_is_mounted_of_the_host_is_mounted_again(remembering, rootfs):
    bundle = remembering
    below = rootfs / "source/below"
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", below], check=True)
    (below / "file").write_text("there\n")
    named = bundle.path / "with blank"
    named.mkdir()
    (named / "secret").write_text("secret\n")
    (rootfs / "link").symlink_to("work")
    try:
        bind = {"type": "bind", "options": ["rbind", "ro"]}
        bundle.config["mounts"] += [
            bind | {"destination": "/link", "source": str(rootfs / "source")},
            bind | {"destination": "/etc/passwd", "source": str(rootfs / "source/file")},
            bind | {"destination": "/tmp/a b", "source": str(named), "options": ["bind", "rprivate"]},
        ]
        bundle.config["linux"]["maskedPaths"] += ["/tmp/a b/secret"]
        bundle.config["linux"]["readonlyPaths"] += ["/bin"]
        bundle.save()
        pid = started(bundle)
        bundle.call("exec", bundle.id, "sh", "-c", "echo kept > /tmp/kept")
        before, mine = word(bundle), seen(pid)
        bundle.call("checkpoint", "--image-path", "image", bundle.id)
        os.waitpid(pid, 0)
        again = restored(bundle)
        differs(seen(again), mine)
        assert word(bundle) == before
        script = "cat /work/below/file /tmp/kept; cat '/tmp/a b/secret'; touch /work/x /etc/passwd /bin/x '/tmp/a b/x'"
        lines = bundle.call("exec", bundle.id, "sh", "-c", f"{script} 2>&1 || :").stdout.splitlines()
        assert lines[:2] == ["there", "kept"] and "secret" not in lines
        assert [line.split(":")[1] for line in lines[2:]] == [" /work/x", " /etc/passwd", " /bin/x"]
        bundle.call("delete", "--force", bundle.id)
        os.waitpid(again, 0)
    finally:
        (rootfs / "link").unlink()
        subprocess.run(["umount", below], check=True)


def test_a_user_namespace_comes_back(remembering, rootfs):
    bundle, nothing = remembering, subprocess.DEVNULL
    users(bundle.config)
    bundle.save()
    pid = started(bundle)
    refused = bundle.call("checkpoint", "--image-path", "image", bundle.id, check=False).stderr
    assert refused == "/source is a mount below root.path: criu cannot restore it in a user namespace\n"
    bundle.call("delete", "--force", bundle.id)
    os.waitpid(pid, 0)
    bare = bundle.path / "root"
    bare.mkdir()
    subprocess.run(["mount", "--bind", rootfs, bare], check=True)
    try:
        bundle.config["root"]["path"] = str(bare)
        bundle.save()
        # A file of root's could not be opened again by its root, as a pipe is.
        quiet = {"cwd": bundle.path, "check": True, "stdin": nothing, "stdout": nothing, "stderr": nothing}
        subprocess.run(["nsunit-oci", "run", "--detach", "--pid-file", "pid", bundle.id], **quiet)
        pid = int((bundle.path / "pid").read_text())
        before, mine = word(bundle), seen(pid)
        bundle.call("checkpoint", "--image-path", "image", bundle.id)
        os.waitpid(pid, 0)
        words = ("restore", "--detach", "--image-path", "image", "--pid-file", "pid", bundle.id)
        subprocess.run(["nsunit-oci", *words], **quiet)
        again = int((bundle.path / "pid").read_text())
        assert word(bundle) == before
        assert Path(f"/proc/{again}/uid_map").read_text().split() == ["0", "100000", "65536"]
        differs(seen(again), mine)
        bundle.call("delete", "--force", bundle.id)
        os.waitpid(again, 0)
    finally:
        subprocess.run(["umount", bare], check=True)


def test_a_terminal_comes_over_the_socket_again(bundle):
    bundle.config["process"] |= {"terminal": True, "args": ["sh", "-c", "while read x; do echo got $x; done"]}
    bundle.save()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(bundle.path / "tty"))
        listening.listen()
        bundle.call("run", "--detach", "--console-socket", "tty", "--pid-file", "pid", bundle.id)
        master = received(listening)
        bundle.call("checkpoint", "--image-path", "image", bundle.id)
        os.waitpid(int((bundle.path / "pid").read_text()), 0)
        os.close(master)
        refused = bundle.call("restore", "--detach", "--image-path", "image", bundle.id, check=False)
        assert refused.stderr == "cannot detach from a terminal without console socket\n"
        bundle.call(
            "restore", "--detach", "--console-socket", "tty", "--image-path", "image", "--pid-file", "pid", bundle.id
        )
        master = received(listening)
        os.write(master, b"word\n")
        wait_until(lambda: b"got word" in os.read(master, 100))
        os.close(master)
        os.waitpid(int((bundle.path / "pid").read_text()), 0)


def test_a_network_namespace_of_others_is_joined_again(remembering):
    bundle = remembering
    name = f"t{uuid.uuid4().hex[:8]}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        spaces = [entry for entry in bundle.config["linux"]["namespaces"] if entry["type"] != "network"]
        bundle.config["linux"]["namespaces"] = [*spaces, {"type": "network", "path": f"/run/netns/{name}"}]
        bundle.save()
        pid = started(bundle)
        before = word(bundle)
        bundle.call("checkpoint", "--image-path", "image", bundle.id)
        os.waitpid(pid, 0)
        again = restored(bundle)
        assert word(bundle) == before
        assert Path(f"/proc/{again}/ns/net").stat().st_ino == Path(f"/run/netns/{name}").stat().st_ino
    finally:
        bundle.call("delete", "--force", bundle.id)
        subprocess.run(["ip", "netns", "delete", name], check=True)


def test_the_caller_can_wait_for_its_end(remembering):
    """Its output goes where that of `restore` goes: a pipe, as engines have it."""
    bundle = remembering
    script = "until test -e /tmp/go; do sleep 0.1; done; echo end; exit 5"
    bundle.config["process"]["args"] = ["sh", "-c", script]
    bundle.save()
    streams = {"cwd": bundle.path, "stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(["nsunit-oci", "run", bundle.id], **streams) as first:
        wait_until(lambda: bundle.call("exec", bundle.id, "true", check=False).returncode == 0)
        bundle.call("checkpoint", "--image-path", "image", "--leave-running", bundle.id)
        bundle.call("kill", bundle.id, "KILL")
        assert first.communicate()[0] == b""
    assert first.returncode == 128 + signal.SIGKILL
    with subprocess.Popen(["nsunit-oci", "restore", "--image-path", "image", bundle.id], **streams) as second:
        wait_until(lambda: bundle.call("exec", bundle.id, "touch", "/tmp/go", check=False).returncode == 0)
        assert second.communicate()[0] == b"end\n"
    assert second.returncode == 5
    assert not (ROOT / bundle.id).exists()


def test_cgroups_below_its_own_and_a_pause_come_back(remembering):
    bundle = remembering
    script = "mkdir /sys/fs/cgroup/sub; echo 0 > /sys/fs/cgroup/sub/cgroup.procs; "
    bundle.config["process"]["args"] = ["sh", "-c", script + REMEMBERS]
    next(entry for entry in bundle.config["mounts"] if entry["type"] == "cgroup")["options"].remove("ro")
    bundle.save()
    pid = started(bundle, "--systemd-cgroup")
    before = word(bundle)
    bundle.call("pause", bundle.id)
    bundle.call("checkpoint", "--image-path", "image", bundle.id)
    os.waitpid(pid, 0)
    again = restored(bundle, manager=("--systemd-cgroup",))
    assert word(bundle) == before
    group = Path(f"/proc/{again}/cgroup").read_text().splitlines()[-1]
    assert group == f"0::/system.slice/nsunit-oci-{bundle.id}.scope/sub"
