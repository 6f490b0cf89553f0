"""Roots, sources and files of the containers of a user without privileges, and what is refused them."""

import json
import os
from pathlib import Path

import pytest
from rootless import USER, foreground, nothing_left, user

ANYWHERE = pytest.mark.anywhere("files, ids and archives: nsunit's own, and the kernel's")

__all__ = ["nothing_left", "user"]  # fixtures


@pytest.fixture
def roots_own():
    node = Path("/dev/nsunit-roots-own")
    os.mknod(node, 0o020600, os.makedev(1, 5))
    yield node
    node.unlink()


@ANYWHERE
def test_a_device(user, roots_own):
    """The user may open the host's node, or the definition is refused."""
    done = foreground(user, "head -c 2 /dev/more | od -An -tx1", "Device=/dev/zero:/dev/more")
    assert done.stdout.split() == ["00", "00"]
    done = foreground(user, "true", f"Device={roots_own}:r", check=False)
    assert f"Device=: '{roots_own}' cannot be opened by user {user.uid}, without the groups" in done.stderr


def test_a_single_id(user):
    """Without subordinate ids there is one user inside, and that is said."""
    kept = Path("/etc/subgid").read_text()
    Path("/etc/subgid").write_text("")
    try:
        done = foreground(user, "true", "User=7", check=False)
        assert done.returncode == 125
        assert "Failed to drop privileges: Invalid argument" in done.stderr
        name = user.define("single")
        done = user.nsunit("start", name)
        assert (
            done.stderr
            == f"nsunit: single: only user 0 and group 0 exist in it, since /etc/subgid has no ids for {USER}\n"
        )
        shown = user.exec(name, "cat /proc/self/uid_map /proc/self/setgroups; id -u; touch /x")
        assert shown.split() == ["0", str(user.uid), "1", "deny", "0"]
        user.nsunit("stop", name)
        user.nsunit("rm", name)
    finally:
        Path("/etc/subgid").write_text(kept)


TAKE_ROOT = {
    "Link=other\nNetwork=bridge": "[Container] Link= takes root",
    "Tunnel=other:80": "[Container] Tunnel= takes root",
    "Network=bridge": "[Container] Network=bridge is for containers of the system",
    "Activation=fds\nPublishPort=8080:80": "[Container] Activation= is for containers of the system",
    "Network=container:other": "[Container] namespaces of others can be joined by root only",
    "TimeOffset=boottime 1d": "[Container] TimeOffset= takes root",
}


def test_volumes(user):
    """They are the user's own, and owners inside are subordinate ids."""
    user.run("mkdir", "-p", user.layer / "data")
    user.run("sh", "-c", f"echo said >{user.layer}/data/file; chmod 2750 {user.layer}/data")
    name = user.define("web", "Volume=stays:/data /own")
    user.nsunit("start", name)
    user.exec(name, "chown 33:34 /data /own; echo more >/data/more; chmod 600 /data/more; chown 33 /data/more")
    volumes = user.containers.parent / "volumes"
    status = os.stat(volumes / "stays/data")
    assert (status.st_uid, status.st_gid) == (user.subordinate + 32, user.subordinate + 33)
    assert os.stat(user.containers / "web/volumes/own/data").st_uid == user.subordinate + 32
    other = user.define("other", "Volume=stays:/here:ro")
    user.nsunit("start", other)
    assert user.exec(other, "cat /here/*; stat -c %u:%g:%a /here") == "said\nmore\n33:34:2750\n"
    shown = json.loads(user.nsunit("volume", "list", "--json").stdout)
    assert [(item["name"], item["containers"]) for item in shown] == [("stays", [other, name]), ("web:/own", [name])]
    for words in (("volume", "export", "stays", "/tmp/x"), ("volume", "import", "more", "/dev/null"), ("mount", name)):
        done = user.nsunit(*words, check=False)
        assert done.returncode == 2
        assert "exec" in done.stderr
    user.nsunit("stop", "--now", name, other)
    user.nsunit("rm", name, other)
    user.nsunit("volume", "rm", "--force", "stays")
    assert os.listdir(volumes) == []


@ANYWHERE
def test_what_takes_root(user):
    """It is refused by `verify` as by `start`, with what a user can do instead; `ns` looks at the user's containers."""
    names = [user.define(f"refused{number}", *lines.split("\n")) for number, lines in enumerate(TAKE_ROOT)]
    for verb in ("verify", "start"):
        done = user.nsunit(verb, *names, check=False)
        assert done.returncode == 1
        for name, said in zip(names, TAKE_ROOT.values(), strict=True):
            assert f"{name}: {said}" in done.stderr
        assert done.stderr.count("  hint: ") >= len(names)
    directory = user.home / ".config/nsunit"
    for name in names:
        (directory / f"{name}.nsunit").unlink()
    (directory / "refused.pod.nsunit").write_text("[Pod]\n")
    for verb in ("verify", "start"):
        assert "refused.pod: a pod takes root" in user.nsunit(verb, "refused.pod", check=False).stderr
    (directory / "refused.pod.nsunit").unlink()
    name = user.define("seen", "Volatile=yes")
    user.nsunit("start", name)
    rows = json.loads(user.nsunit("ns", "list", name, "--json").stdout)
    assert {row["kind"] for row in rows if row["state"] == "used"} >= {"net", "mnt", "pid", "user"}
    assert user.nsunit("ns", "same", name, "host", "net", check=False).returncode == 1
    for words in (("ns", "pin", name, "net"), ("ns", "unpin", name), ("enter", name, "net"), ("capture", name)):
        done = user.nsunit(*words, check=False)
        assert "for containers of the system" in done.stderr
        assert "  hint: " in done.stderr
    user.nsunit("stop", name, "--now")
    user.nsunit("rm", name)


@ANYWHERE
def test_sources_of_others(user):
    """Root's files can be read and belong to nobody; a link is only followed where it is root's."""
    properties = ("--property=Layer=/srv/roots/busybox", "--property=ReadOnly=yes")
    done = user.nsunit("run", *properties, "--", "/bin/stat", "-c", "%u", "/", "/bin/busybox")
    assert done.stdout.split() == ["0", "65534"]
    link = user.home / "link"
    link.symlink_to(user.layer)
    done = user.nsunit("run", f"--property=Layer={link}", "--", "true", check=False)
    assert done.returncode == 0  # it is root's
    os.chown(link, user.uid, user.uid, follow_symlinks=False)
    done = user.nsunit("run", f"--property=Layer={link}", "--", "true", check=False)
    assert "Failed to mount the overlay of 1 layers" in done.stderr
    assert f"the symbolic link '{link}' belongs to user {user.uid}, not to root" in done.stderr


@ANYWHERE
def test_roots_that_are_closed_to_a_user_are_told(user):
    for key in ("Layer", "Rootfs"):
        done = user.nsunit("run", f"--property={key}=/root", "-pReadOnly=yes", "--", "true", check=False)
        assert ": '/root' is closed to the user and the user's ids\n  hint: " in done.stderr
    done = user.nsunit("run", "--property=Layer=/root/x", "--", "true", check=False)
    assert "Layer=: '/root/x': Permission denied\n  hint: 'namei -l /root/x' shows" in done.stderr


@ANYWHERE
def test_whole_file_systems_in_layers_of_others(user):
    command = ("-pLayer=/srv/roots/debian", "-pVolatile=yes", "-pNesting=yes", "--", "ls", "/run/host")
    done = user.nsunit("run", *command, check=False)
    assert done.returncode == 125
    assert "Failed to mount a whole proc on '/run/host/proc': Permission denied\n  hint: " in done.stderr
    assert done.stderr.endswith("add Tmpfs=/run\n")
    assert user.nsunit("run", "-pTmpfs=/run", *command).stdout.split() == ["proc", "sys"]


@ANYWHERE
def test_files_in_and_out_and_backup(user):
    """By the ids of the container, which are the user's subordinate ones on the host."""
    name = user.define("kept", "Volume=/own")
    place = user.home / "place"
    user.run("mkdir", "-p", f"{place}/tree")
    (place / "tree/file").write_text("content\n")
    user.nsunit("start", name)
    user.exec(
        name,
        "rm /etc/group; mkdir -p /data; echo 7 > /data/seven; chown 7:8 /data/seven; rm -r /root; mkdir /root;"
        " echo 9 > /own/nine; chown 9:10 /own/nine",
    )
    user.nsunit("cp", f"{place}/tree", f"{name}:/data")
    assert user.exec(name, "stat -c %u:%g /data/tree/file /data/seven").split() == ["0:0", "7:8"]
    user.nsunit("stop", "--now", name)
    user.nsunit("cp", f"{place}/tree/file", f"{name}:/data/stopped")
    user.nsunit("cp", f"{name}:/data", f"{place}/back")
    assert (place / "back/stopped").read_text() == "content\n"
    assert (place / "back/seven").stat().st_uid == user.uid
    shared = Path(f"/tmp/nsunit-test-{os.getpid()}")  # in a directory that is root's, where anybody may write
    user.nsunit("cp", f"{name}:/data/stopped", shared)
    assert shared.read_text() == "content\n"
    shared.unlink()
    user.nsunit("export", name, f"{place}/kept.tar")
    user.nsunit("clone", name, "copied")
    user.nsunit("rename", "copied", "moved")
    user.nsunit("rm", "--definition", name)
    assert user.nsunit("import", f"{place}/kept.tar").stdout == "kept\n"
    for item in (name, "moved"):
        user.nsunit("start", item)
        look = "ls /etc/group 2>&1; stat -c %u:%g /data/seven; cat /data/stopped; ls -A /root; stat -c %u:%g /own/nine"
        shown = user.exec(item, look)
        assert shown.splitlines()[1:] == ["7:8", "content", "9:10"]
        assert "No such file" in shown
        user.nsunit("stop", "--now", item)
        user.nsunit("rm", "--definition", item)
    done = user.nsunit("import", "/etc/passwd", check=False)
    assert (done.returncode, "/etc/passwd: it is no tar archive" in done.stderr) == (1, True)
