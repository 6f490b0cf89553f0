"""Faults: whatever is missing, full or stopped, one line says so, nothing is left, and the next start works."""

import itertools
import json
import os
import subprocess
import threading
import time
from pathlib import Path

import pytest
from waiting import wait_until

ANYWHERE = pytest.mark.anywhere("the kernel refuses to write")

pytestmark = pytest.mark.usefixtures("tidy")

BUSYBOX = "/srv/roots/busybox"
SLEEPER = f"[Container]\nRootfs={BUSYBOX}\nVolatile=yes\nExec=/bin/sleep 1000\n"
KEPT = SLEEPER.replace("Rootfs", "Layer").replace("Volatile=yes\n", "")


def lines_of(result, name):
    return [line for line in result.stderr.splitlines() if line.startswith(f"nsunit: {name}: ")]


# Missing and wrong things: one line each, which names it

WRONG = {
    "Exec=/bin/nope": "Failed to execute '/bin/nope': No such file or directory",
    "Exec=/etc/passwd": "Failed to execute '/etc/passwd': Permission denied",
    "Exec=/bin": "Failed to execute '/bin': Permission denied",
    "Exec=no-such-program": "Failed to execute 'no-such-program': No such file or directory",
    "Layer=/srv/no-such-layer": "Layer=: '/srv/no-such-layer' does not exist",
    "Rootfs=/srv/no-such-root": "Rootfs=: '/srv/no-such-root' does not exist",
    "Layer=/etc/hostname": "Layer=: '/etc/hostname' is not a directory",
    "User=ghost": "Failed to find user 'ghost': user 'ghost' is not in the container's /etc/passwd",
    "Group=ghosts": "group 'ghosts' is not in the container's /etc/group",
    "SupplementaryGroups=ghosts": "group 'ghosts' is not in the container's /etc/group",
    "WorkingDirectory=/no/where": "Failed to change to the directory '/no/where': No such file or directory",
    "WorkingDirectory=/etc/passwd": "Failed to change to the directory '/etc/passwd': Not a directory",
    "Bind=/srv/no-such-source": "Bind=: '/srv/no-such-source' does not exist",
    "Bind=/etc:/etc/passwd": "Failed to bind '/etc' at '/etc/passwd'",
    "Bind=/etc/hostname:/bin": "Failed to bind '/etc/hostname' at '/bin': Is a directory",
    "Tmpfs=/etc/passwd": "Failed to mount a tmpfs on '/etc/passwd': openat2: Not a directory",
    "Sysctl=net.core.nope=1": "Failed to set sysctl 'net.core.nope' to '1': openat2: No such file",
    "Sysctl=net.ipv4.ip_default_ttl=x": "Failed to set sysctl 'net.ipv4.ip_default_ttl' to 'x': Invalid argument",
    "EnvironmentFile=/srv/no-such-file": "EnvironmentFile=: '/srv/no-such-file' does not exist",
}


@pytest.mark.timeout(600)
def test_what_is_missing_is_named(nsunit, containers):
    names = {}
    for line in WRONG:
        rest = [old for old in KEPT.splitlines() if old.split("=")[0] != line.split("=")[0] or "Layer" in old]
        rest = [old for old in rest if "Layer" not in old or "Rootfs" not in line]
        names[containers.define("\n".join([*rest, line, ""]))] = line
    result = nsunit("start", *names, check=False, timeout=400)
    assert result.returncode == 1
    told = {line: lines_of(result, name) for name, line in names.items()}
    wrong = {line: lines for line, lines in told.items() if len(lines) != 1 or WRONG[line] not in lines[0]}
    assert wrong == {}
    assert containers.left() == []


@pytest.mark.parametrize("limit", ["MemoryMax=1M", "TasksMax=1"])
def test_limit_too_small_for_a_start_is_refused(nsunit, containers, limit):
    name = containers.define(SLEEPER + f"[Slice]\n{limit}\n")
    result = nsunit("start", name, check=False)
    assert result.returncode == 1
    assert limit.split("=")[0] in result.stderr
    assert containers.left() == []


def test_failed_start_is_not_tried_again_behind_the_back(nsunit, containers):
    name = containers.define(
        SLEEPER.replace("/bin/sleep", "/bin/nope") + "[Service]\nRestart=always\nRestartSec=100ms\n"
    )
    assert nsunit("start", name, check=False).returncode == 1
    wait_until(lambda: containers.left() == [])
    time.sleep(1)
    assert containers.left() == []


# No space, read-only file systems, spoiled files


@pytest.fixture
def cover(run):
    """Mount something over a directory for a while."""
    covered = []

    def coverer(path, *options):
        run("mount", "-t", "tmpfs", "-o", ",".join(("mode=700", *options)), "test", path)
        covered.append(path)

    yield coverer
    for path in covered:
        run("umount", path)


@ANYWHERE
@pytest.mark.parametrize("path", ["/run/nsunit/containers", "/var/lib/nsunit/containers"])
@pytest.mark.parametrize(
    ("options", "reason"), [(("nr_inodes=1",), "No space left"), (("ro",), "Read-only file system")]
)
def test_nowhere_to_write(nsunit, containers, cover, path, options, reason):
    name = containers.define(KEPT)
    os.makedirs(path, 0o700, exist_ok=True)
    cover(path, *options)
    result = nsunit("start", name, check=False)
    assert result.returncode == 1
    assert result.stderr.startswith(f"nsunit: {name}: {path}/{name}: "), result.stderr
    assert reason in result.stderr
    assert os.listdir(path) == []


@pytest.mark.parametrize("options", [("size=4k",), ("nr_inodes=2",)])
def test_nowhere_for_systemd_to_write(nsunit, containers, cover, options):
    """systemd 257 then answers that there is no such unit, or with the kernel's error and no word of what is full."""
    name, path = containers.define(KEPT), "/run/systemd/transient"
    cover(path, *options)
    Path(path, "filler").write_bytes(b"x" * (4096 if "size" in options[0] else 0))
    result = nsunit("start", name, check=False)
    said = f"nsunit: {name}: systemd could not write its unit into {path}\n"
    hint = f"  hint: it is full: see 'df {path}' and 'df -i {path}'\n"
    assert (result.returncode, result.stderr) == (1, said + hint)


@ANYWHERE
def test_disk_full_while_the_plan_is_written(nsunit, containers, cover):
    name = containers.define(KEPT + f"Environment=A={'x' * 9000}\n")
    os.makedirs("/run/nsunit/containers", 0o700, exist_ok=True)
    cover("/run/nsunit/containers", "size=4k")
    result = nsunit("start", name, check=False)
    assert (result.returncode, "No space left on device" in result.stderr) == (1, True)
    assert f"/run/nsunit/containers/{name}" in result.stderr, result.stderr
    assert os.listdir("/run/nsunit/containers") == []
    assert not containers.of(name).state.exists()


@pytest.mark.kernel("nftables")
@ANYWHERE
def test_restart_of_what_is_enabled_on_a_full_disk(nsunit, containers, cover):
    """What is as it was needs no room; what would not be written is found before it is stopped."""
    # A tmpfs is mounted with other ids since Linux 6.3.
    text = KEPT + "Network=bridge\nStopSignal=SIGKILL\nPrivateUsers=identity\n"
    name = containers.define(text)
    os.makedirs("/var/lib/nsunit/containers", 0o700, exist_ok=True)
    cover("/var/lib/nsunit/containers", "size=1M")
    nsunit("enable", "--now", name)
    container, filler = containers.of(name), Path("/var/lib/nsunit/containers/aquota.user")
    with pytest.raises(OSError, match="No space"), filler.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    nsunit("restart", name)
    nsunit("list", "--all")
    nsunit("volume", "list")
    nsunit("doctor", "--check", check=False)
    before = container.show("MainPID")
    Path(f"/etc/nsunit/{name}.nsunit").write_text(f"{text}Environment=A=1\n")
    done = nsunit("restart", name, check=False)
    assert (done.returncode, "No space left on device" in done.stderr) == (1, True)
    assert container.show("MainPID") == before
    filler.unlink()
    nsunit("restart", name)
    assert container.show("MainPID") != before
    nsunit("disable", "--now", name)
    nsunit("rm", name)


def test_leftovers_of_every_kind_are_no_obstacle(run, nsunit, containers):
    name = containers.define(KEPT)
    container = containers.of(name)
    runtime = Path(f"/run/nsunit/containers/{name}")
    runtime.mkdir(0o700, parents=True)
    (runtime / "plan").write_text("garbage")
    (runtime / "definition").write_text("")
    Path("/run/nsunit/locks").mkdir(exist_ok=True)
    Path(f"/run/nsunit/locks/{name}").touch()
    container.state.mkdir(0o700, parents=True)
    nsunit("start", name)
    run("systemctl", "kill", "--signal=KILL", container.service)
    wait_until(lambda: container.show("ActiveState")["ActiveState"] == "failed", "its failure")
    assert "failed" in nsunit("list").stdout
    nsunit("start", name)
    assert container.show("ActiveState")["ActiveState"] == "active"


@ANYWHERE
def test_spoiled_id_range_is_named(nsunit, containers):
    name = containers.define(KEPT)
    state = containers.of(name).state
    state.mkdir(0o700, parents=True)
    (state / "ids").write_text("nonsense")
    result = nsunit("start", name, check=False)
    assert result.returncode == 1
    assert f"'{state}/ids' does not hold an id range" in result.stderr
    nsunit("doctor", "--repair")
    nsunit("start", name)
    own = (state / "ids").read_bytes()
    (state / "ids").write_bytes(b"")
    assert f"ids\t{state}/ids" in nsunit("doctor", "--check", check=False).stdout
    nsunit("doctor", "--repair")
    assert (state / "ids").read_bytes() == own


# Jobs that do not end well

NEVER_READY = SLEEPER + "Notify=yes\n[Service]\nTimeoutStartSec={}\nTimeoutStopSec=1\n"


def test_time_out_and_cancelled_job_are_told(nsunit, run, containers):
    slow, cancelled = containers.define(NEVER_READY.format(2)), containers.define(NEVER_READY.format(60))
    result = nsunit("start", slow, check=False)
    assert (result.returncode, lines_of(result, slow)) == (1, [f"nsunit: {slow}: it was not ready in time"])
    assert containers.left() == []
    process = subprocess.Popen(["nsunit", "start", cancelled], stderr=subprocess.PIPE, text=True)
    service = containers.of(cancelled).service
    wait_until(lambda: containers.of(cancelled).show("ActiveState")["ActiveState"] == "activating", "its start")
    # As soon as its program runs it can be looked at, ready or not.

    def is_open():
        done = nsunit("exec", cancelled, "true", check=False)
        assert (done.returncode, "is still starting" in done.stderr) in ((0, False), (125, True))
        return done.returncode == 0

    wait_until(is_open, "its program runs")
    run("systemctl", "cancel", job_of(service))
    _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert f"nsunit: {cancelled}: another command cancelled the start" in told
    assert containers.left() == []


def job_of(unit):
    shown = subprocess.run(["systemctl", "show", "-pJob", "--value", unit], capture_output=True, text=True, check=True)
    return shown.stdout.strip()


# systemd and the bus under way


@pytest.mark.timeout(600)
def test_reloads_and_re_executions_while_containers_start(run, nsunit, containers):
    done = threading.Event()
    failures = []

    def disturb():
        for verb in itertools.cycle(("daemon-reload", "daemon-reload", "daemon-reexec")):
            result = run("systemctl", verb, check=False)
            failures.extend([result.stderr] if result.returncode else [])
            if done.wait(2):
                return

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        names = [containers.define(SLEEPER + "[Slice]\nMemoryMax=100M\n") for _ in range(3)]
        for _ in range(2):
            nsunit("stop", *names)
            # What may not be asked for twice is told of, where a slow machine was asked while it re-executed itself.
            while "run the same command again" in (began := nsunit("start", *names, check=False)).stderr:
                pass
            assert began.returncode == 0, began.stderr
            session = containers.of(names[0]).exec("echo", "here", check=False)
            assert session.stdout == "here\n" or "connection to systemd was lost" in session.stderr, session.stderr
        pids = [containers.of(name).pid for name in names]
    finally:
        done.set()
        thread.join()
    assert failures == []
    assert [containers.of(name).pid for name in names] == pids
    assert {containers.of(name).limit("memory.max") for name in names} == {str(100 << 20)}
    assert [containers.of(name).show("MainPID")["MainPID"] for name in names] == [str(pid) for pid in pids]


def test_message_bus_is_not_needed(run, nsunit, containers):
    name = containers.define(SLEEPER)
    run("systemctl", "stop", "dbus.socket", "dbus.service")
    try:
        nsunit("start", name)
        assert nsunit("exec", name, "echo", "here").stdout == "here\n"
        listed = [item["name"] for item in json.loads(nsunit("list", "--json").stdout)]
        assert name in listed
        nsunit("stop", name)
    finally:
        run("systemctl", "start", "dbus.socket", "dbus.service")
        # It stays up and does not come back to the bus by itself.
        run("systemctl", "restart", "systemd-logind.service")


def test_a_reload_that_takes_long_is_waited_for(run, nsunit, containers):
    """As systemctl does it: generators may take longer than any other call may."""
    generator = Path("/run/systemd/system-generators/slow")
    generator.parent.mkdir(exist_ok=True)
    generator.write_text("#!/bin/sh\nsleep 1.5\n")
    generator.chmod(0o755)
    name = containers.define(KEPT)
    try:
        done = nsunit("enable", name, env={**os.environ, "SYSTEMD_BUS_TIMEOUT": "500ms"}, check=False)
    finally:
        generator.unlink()
    assert (done.returncode, done.stderr) == (0, "")
    nsunit("disable", name)
