"""Device=: a node of the container's own for a device of the host."""

import os
from pathlib import Path

import pytest

ANYWHERE = pytest.mark.anywhere("ids and mounts of the kernel's")

BASE = """[Container]
Layer=/srv/roots/busybox
Volatile=yes
Exec=/bin/sleep 1000000
"""
# The kernel's log, which everybody may open to write who can open the node, under a name and with an owner of its own.
NODE, NUMBER = Path("/dev/nsunit-test"), os.makedev(1, 11)
LOOK = """
stat -c '%t:%T %u:%g %a' "$1"
(exec 3>"$1") && echo writes
chown 33:33 "$1" && stat -c %u:%g "$1"
"""


@pytest.fixture(autouse=True)
def node():
    NODE.unlink(missing_ok=True)
    os.mknod(NODE, 0o020660, NUMBER)
    os.chown(NODE, 0, 20)
    NODE.chmod(0o660)
    yield NODE
    NODE.unlink(missing_ok=True)


def look(nsunit, name, path):
    return nsunit("exec", name, "sh", "-c", LOOK, "sh", path, check=False).stdout.splitlines()


def allowed(run, container):
    return {*run("systemctl", "show", "-P", "DeviceAllow", container.service).stdout.splitlines()}


@ANYWHERE
@pytest.mark.parametrize("users", ["", "PrivateUsers=identity\n", "PrivateUsers=no\n", "UIDMap=0 300000 1000\n"])
def test_its_owner_is_mapped(containers, nsunit, users):
    """What is done to the node inside is not done to the host's; a session has the same rights as the payload."""
    users += "GIDMap=0 300000 1000\n" if "UIDMap" in users else ""
    container = containers.start(f"{BASE}Device={NODE} {NODE}:/dev/deep/node:w\n{users}")
    for path in (NODE, "/dev/deep/node"):
        assert look(nsunit, container.name, str(path)) == ["1:b 0:20 660", "writes", "33:33"]
    assert (NODE.stat().st_uid, NODE.stat().st_gid) == (0, 20)


@ANYWHERE
def test_an_owner_that_is_not_inside_is_root(containers, nsunit):
    os.chown(NODE, 70000, 20)
    container = containers.start(f"{BASE}Device={NODE}\n")
    assert look(nsunit, container.name, str(NODE)) == ["1:b 0:20 660", "writes", "33:33"]


def test_its_rights(containers, nsunit, run):
    """Those of one device do not take from another, nor do those that DeviceAllow= gives, changed as it runs or not."""
    lines = f"Device={NODE}:r -/dev/missing /dev/zero:/dev/more\n"
    container = containers.start(BASE + lines + "[Service]\nDeviceAllow=char-pts r\n")
    assert "writes" not in look(nsunit, container.name, str(NODE))
    assert nsunit("exec", container.name, "head", "-c", "3", "/dev/more").stdout == "\0\0\0"
    of_devices = {f"{NODE} rm", "/dev/zero rwm"}
    assert of_devices | {"char-pts r"} <= allowed(run, container)
    nsunit("set", container.name, "Service.DeviceAllow=/dev/full r")
    assert of_devices | {"/dev/full r"} <= allowed(run, container)
    # systemd puts its rules in place anew.
    group = container.cgroup / container.service / "payload/cgroup.procs"
    tries = f"echo $$ >{group}; (exec 3>{NODE}) 2>/dev/null && echo writes; head -c 3 /dev/zero"
    for command in ("daemon-reload", "daemon-reexec"):
        run("systemctl", command)
        assert run("sh", "-c", tries).stdout == "\0\0\0"
        assert "writes" not in look(nsunit, container.name, str(NODE))


@ANYWHERE
def test_a_bound_node_is_still_the_hosts(containers, nsunit):
    container = containers.start(f"{BASE}Bind={NODE}\n[Service]\nDeviceAllow={NODE} rw\n")
    assert look(nsunit, container.name, str(NODE)) == ["1:b 65534:65534 660"]


def test_a_foreground_run_and_one_that_comes_back(containers, nsunit, run):
    words = ("-p", "Layer=/srv/roots/busybox", "-p", "Volatile=yes", "-p", f"Device={NODE}:/dev/node:w")
    said = nsunit("run", *words, "--", "sh", "-c", LOOK, "sh", "/dev/node").stdout
    assert said.splitlines() == ["1:b 0:20 660", "writes", "33:33"]
    name = containers.define(f"{BASE}Device={NODE}\n[Install]\nWantedBy=multi-user.target\n")
    nsunit("enable", name)
    try:
        run("systemctl", "start", f"nsunit-{name}.service")
        assert look(nsunit, name, str(NODE))[:2] == ["1:b 0:20 660", "writes"]
    finally:
        nsunit("disable", "--now", name, check=False)


@ANYWHERE
def test_all_in_a_directory(containers, nsunit, run):
    """Those below it as well; what is named itself has the rights that it has there."""
    top = Path("/dev/nsunit-tests")
    (top / "deep").mkdir(parents=True)
    try:
        for path in (top / "log", top / "deep/log", top / "deep/other"):
            os.mknod(path, 0o020660, NUMBER)
            path.chmod(0o660)
        (top / "link").symlink_to("log")
        (top / "file").touch()
        container = containers.start(f"{BASE}Device={top}:/dev/those:rw {top}/deep/other:/dev/those/deep/other:r\n")
        found = nsunit("exec", container.name, "find", "/dev/those", "!", "-type", "d").stdout.split()
        assert sorted(found) == [f"/dev/those/{name}" for name in ("deep/log", "deep/other", "log")]
        rules = {f"{top}/log rwm", f"{top}/deep/log rwm", f"{top}/deep/other rm"}
        assert rules <= allowed(run, container)
        assert "writes" in look(nsunit, container.name, "/dev/those/deep/log")
        nsunit("set", container.name, "Service.DeviceAllow=/dev/full r")
        assert rules | {"/dev/full r"} <= allowed(run, container)
        said = nsunit(
            "run", "-p", "Layer=/srv/roots/busybox", "-p", f"Device={top}", "--", "sh", "-c", LOOK, "sh", f"{top}/log"
        )
        assert "writes" in said.stdout.splitlines()
    finally:
        run("rm", "-r", str(top))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("/dev/missing", "Device=: '/dev/missing' does not exist"),
        ("/dev/shm", "Device=: '/dev/shm' is a directory without a device in it"),
        ("/dev/log", "Device=: '/dev/log' is not a device"),
    ],
)
def test_what_cannot_be(containers, nsunit, source, message):
    done = nsunit("start", containers.define(f"{BASE}Device={source}\n"), check=False)
    assert (done.returncode, message in done.stderr) == (1, True)
