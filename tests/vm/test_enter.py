"""`enter`: the host's tools in some of a container's namespaces."""

import json
import os
import pty
import shutil
import subprocess
from pathlib import Path

import pytest
from waiting import wait_until

BUSYBOX = "/srv/roots/busybox"
SLEEPER = f"[Container]\nLayer={BUSYBOX}\nVolatile=yes\nHostname=inside\nExec=/bin/sleep 1000\n"
LINKS = "for link in /proc/self/ns/*; do readlink $link; done"


@pytest.fixture(scope="module")
def container(shared):
    """A container with everything of its own."""
    return shared.start(SLEEPER)


@pytest.fixture
def enter(nsunit, container):
    """Run `nsunit enter` on it and return what the command wrote."""
    return lambda *words: nsunit("enter", container.name, *words).stdout


def kinds_of(text, pid):
    """The kinds that are those of process *pid* among links to namespaces."""
    return {
        link.partition(":")[0] for link in text.split() if link == os.readlink(f"/proc/{pid}/ns/{link.split(':')[0]}")
    }


def test_the_default_set(enter, container):
    links = enter("sh", "-c", LINKS)
    assert kinds_of(links, container.pid) == {"ipc", "net", "pid", "uts"}
    assert kinds_of(links, 1) == {"cgroup", "time", "user"}  # and mounts of its own, for /proc and /sys
    # The host's tools, with the host's files and ids, see the container's network and processes.
    shown = enter("sh", "-c", "id -u; hostname; ls /sys/class/net; ps -o comm= 1; cat /proc/self/cgroup; ls /srv/roots")
    own = Path("/proc/self/cgroup").read_text().splitlines()
    assert shown.splitlines() == ["0", "inside", "lo", "sleep", *own, "busybox", "debian"]
    assert enter("ip", "-o", "link").count("\n") == 1
    # What is below /sys and is the host's stays there.
    assert "nsunit.slice" in enter("ls", "/sys/fs/cgroup")


def test_mounts_are_the_commands_own(enter):
    assert "here" in enter("sh", "-c", "mount -t tmpfs here /mnt && grep here /proc/self/mountinfo")
    assert " here " not in Path("/proc/self/mountinfo").read_text()


def test_chosen_kinds(enter, container):
    links = enter("--namespaces", "uts", "sh", "-c", LINKS)
    assert kinds_of(links, container.pid) == {"uts"}
    assert kinds_of(links, 1) == {"cgroup", "ipc", "net", "mnt", "pid", "time", "user"}
    assert enter("-n", "user,net", "sh", "-c", "cat /proc/self/uid_map").split() == container.proc("uid_map").split()


def test_programs_of_the_container_get_its_privileges_only(enter, container):
    """With its mounts a name means a program of the container, which may be hostile."""
    shown = enter("-n", "net,mnt", "sh", "-c", f"cat /proc/self/uid_map; {LINKS}; mount -t tmpfs made /tmp; hostname")
    assert shown.split()[:3] == container.proc("uid_map").split()
    assert kinds_of("\n".join(shown.splitlines()[1:-1]), container.pid) == {"net", "mnt", "pid", "user"}
    assert shown.splitlines()[-1] == os.uname().nodename
    assert " /tmp " in "".join(line for line in container.proc("mountinfo").splitlines() if " made " in line)


WITHOUT_ITS_FIRST_THREAD = """import ctypes, threading, time
threading.Thread(target=time.sleep, args=(1000,)).start()
ctypes.CDLL(None).pthread_exit(None)
"""


def test_a_program_whose_first_thread_has_ended(containers, nsunit, workplace):
    """It runs, as /proc says of its other threads alone: the way by its process is closed."""
    (workplace / "program.py").write_text(WITHOUT_ITS_FIRST_THREAD)
    keys = (f"Layer={workplace}", "Layer=/srv/roots/debian", "Volatile=yes", "Exec=python3 /program.py")
    container = containers.start("\n".join(("[Container]", *keys, "")))
    wait_until(lambda: "State:\tZ" in container.proc("status"))
    (shown,) = json.loads(nsunit("status", container.name, "--json").stdout)
    assert shown["state"]["pid"] == container.pid and shown["namespaces"]["pid"] != os.stat("/proc/1/ns/pid").st_ino
    assert nsunit("enter", container.name, "-n", "net,mnt", "/usr/bin/id", "-u").stdout == "0\n"
    (used, *_) = json.loads(nsunit("stats", container.name, "--json").stdout)["usages"]
    assert used["network"] is not None
    for verb, words in (("exec", ("true",)), ("cp", ("/tmp/x",))):
        named = container.name if verb == "exec" else f"{container.name}:/etc/passwd"
        refused = nsunit(verb, named, *words, check=False)
        assert refused.returncode == (125 if verb == "exec" else 3)
        assert "the first thread of its program has ended, and the kernel lets nobody in any more" in refused.stderr


def test_a_static_program_of_the_host_comes_along(enter, tmp_path):
    """It needs no library, so nothing of the container is executed; the container has none at this path."""
    shutil.copy("/usr/bin/busybox", tmp_path / "busybox")
    assert "sleep" in enter("-n", "mnt", str(tmp_path / "busybox"), "ps")


def test_without_a_user_namespace_they_do_not_run(containers, nsunit):
    container = containers.start(SLEEPER + "PrivateUsers=no\n")
    done = nsunit("enter", container.name, "-n", "mnt", "sh", check=False)
    assert (done.returncode, "'sh' would run with the host's privileges" in done.stderr) == (125, True)
    assert nsunit("enter", container.name, "-n", "mnt", "/usr/bin/busybox", "hostname").returncode == 0


def test_exit_statuses(nsunit, container):
    def status(*words):
        return nsunit("enter", container.name, *words, check=False).returncode

    assert status("sh", "-c", "exit 7") == 7
    assert status("sh", "-c", "kill -9 $$") == 137
    assert status("/etc/passwd") == 126
    assert status("absent-program") == 127
    assert nsunit("enter", "absent", "true", check=False).returncode == 125


def test_a_paused_container_can_be_looked_at(nsunit, container, enter):
    nsunit("pause", container.name)
    try:
        assert "lo" in enter("ip", "-o", "link")
    finally:
        nsunit("resume", container.name)


def test_a_terminal_is_passed_on(container):
    master, slave = pty.openpty()
    with subprocess.Popen(
        ["nsunit", "enter", container.name, "sh", "-c", "tty; stty size; read x; echo got $x"],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    ) as process:
        os.close(slave)
        os.write(master, b"word\n")
        shown = b""
        while b"got word" not in shown:
            shown += os.read(master, 4096)
        assert process.wait(60) == 0
    os.close(master)
    assert b"/dev/pts/" in shown


def test_it_does_not_outlive_the_container_unnoticed(containers, nsunit, run):
    """In its PID namespace it ends with that; outside of it the ledger names it."""
    container = containers.start(SLEEPER)
    inside = subprocess.Popen(
        ["nsunit", "enter", "-i", container.name, "sh", "-c", "echo up; cat"], stdin=-1, stdout=-1
    )
    words = ["nsunit", "enter", "-i", container.name, "-n", "net", "sh", "-c", "echo up; exec cat"]
    outside = subprocess.Popen(words, stdin=-1, stdout=-1)
    assert [process.stdout.readline() for process in (inside, outside)] == [b"up\n", b"up\n"]
    nsunit("stop", container.name)
    assert inside.wait(60) == 137
    left = [line.split("\t") for line in nsunit("ns", "list", "--left").stdout.splitlines()]
    assert [(row[0], row[1], row[-1].endswith(" (cat)")) for row in left if row[1] == "net"] == [
        (container.name, "net", True)
    ]
    outside.communicate(timeout=60)
    inside.communicate(timeout=60)
    assert nsunit("ns", "list", "--left").stdout == ""
