"""Whoever is killed or interrupted at whatever step: nothing is left, and the next start works."""

import fcntl
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from interrupting import interrupted
from waiting import wait_until

ONCE = pytest.mark.once("killed between the helper's own steps; systemd says the same of each")

pytestmark = pytest.mark.usefixtures("tidy")

BUSYBOX = "/srv/roots/busybox"
SLEEPER = f"[Container]\nRootfs={BUSYBOX}\nVolatile=yes\nExec=/bin/sleep 1000\n"
KEPT = SLEEPER.replace("Rootfs", "Layer").replace("Volatile=yes\n", "")
DROP_INS = Path("/run/systemd/system")
# Uses every kind of operation a plan can have.
EVERYTHING = f"""\
[Container]
Layer={BUSYBOX}
ReadOnly=yes
Exec=/bin/sleep 1000
Init=yes
Notify=yes
Tmpfs=/tmp
BindReadOnly=/etc/hostname:/etc/hostname
Sysctl=net.ipv4.tcp_keepalive_time=100
[Service]
UMask=0027
"""
WATCHES = "MemoryPressureWatch=yes\n"


# The helper killed at every step


@ONCE
@pytest.mark.timeout(600)
def test_helper_killed_at_every_step(run, nsunit, containers):
    """Each step has two halves; one container is killed in each, all at the same time."""
    plan = nsunit("render", "--json", containers.define(EVERYTHING), check=False)
    assert plan.returncode == 0, plan.stderr
    from nsunit.setup.main import KINDS

    watches = int(run("systemctl", "--version").stdout.split()[1]) >= 254
    left_out = {"root-directory", "subgroup", "cgroup", *(() if watches else ("pressure",))}  # others have these
    keywords = [kind.keyword for kind in KINDS if kind.keyword not in left_out] + ["network"]
    steps = [(keyword, half) for keyword in keywords for half in ("prepare", "execute")]
    killed = {}
    for keyword, half in steps:
        text = EVERYTHING if keyword == "notify-socket" else EVERYTHING.replace("Notify=yes\n", "")
        if keyword == "network":
            text = text.replace("[Service]", "Network=bridge\n[Service]")
        name = containers.define(text + WATCHES if watches else text)
        killed[name] = f"{keyword}:{half}"
        directory = DROP_INS / f"nsunit-{name}.service.d"
        directory.mkdir(parents=True)
        (directory / "fail.conf").write_text(f"[Service]\nEnvironment=NSUNIT_FAILPOINT={keyword}:{half}\n")
    run("systemctl", "daemon-reload")
    try:
        batches = [list(killed)[number : number + 12] for number in range(0, len(killed), 12)]
        results = [nsunit("start", *batch, check=False, timeout=200) for batch in batches]
    finally:
        for name in killed:
            shutil.rmtree(DROP_INS / f"nsunit-{name}.service.d")
    run("systemctl", "daemon-reload")
    assert {result.returncode for result in results} == {1}
    lines = [line for result in results for line in result.stderr.splitlines()]
    told = {name: [line for line in lines if line.startswith(f"nsunit: {name}: ")] for name in killed}
    wrong = {killed[name]: said for name, said in told.items() if len(said) != 1 or "kill" not in said[0]}
    assert wrong == {}
    assert containers.left() == []
    # What was killed before starts now, one of each half and all that have a place of their own.
    nsunit("start", *[name for name in list(killed)[::7] if "notify" not in killed[name]], timeout=300)


# The command killed or interrupted at every step

PHASES = [
    ("before", "nsunit.deeds.start:settle"),
    ("before", "nsunit.storage.ranges:choose"),
    ("after", "nsunit.storage.ranges:allocate"),
    ("before", "nsunit.core.prepare:dump"),
    ("before", "nsunit.deeds.start:Starter._queue"),
    ("before", "nsunit.bus.systemd:Systemd.start_transient"),
    ("after", "nsunit.bus.systemd:Systemd.start_transient"),
    ("before", "nsunit.bus.systemd:Systemd.wait_any"),
    ("after", "nsunit.bus.systemd:Systemd.wait_any"),
]


def test_interrupted_start_leaves_nothing(containers):
    """Either signal unwinds the stack in the same way: each phase meets one of them, and the longest wait both."""
    signals = (signal.SIGINT, signal.SIGTERM)
    hits = [(signals[count % 2], *phase) for count, phase in enumerate(PHASES)]
    hits.append((signal.SIGINT, "before", "nsunit.bus.systemd:Systemd.wait_any"))
    for number, when, where in hits:
        name = containers.define(KEPT)
        done = interrupted(number, when, where, "start", name)
        assert done.returncode == 128 + number, (when, where, done.stderr)
        if where.endswith("wait_any") and when == "after":
            continue  # it was up already: whether it stays is all the same, as long as it is whole
        assert containers.left() == [], (when, where)


def test_killed_start_leaves_nothing_in_the_way(nsunit, containers):
    names = []
    for when, where in PHASES:
        names.append(containers.define(KEPT))
        assert interrupted(signal.SIGKILL, when, where, "start", names[-1]).returncode == -signal.SIGKILL
    nsunit("start", *names, timeout=240)
    ranges = {(containers.of(name).state / "ids").read_text() for name in names}
    assert len(ranges) == len(names)
    for name in names:
        assert containers.of(name).show("ActiveState")["ActiveState"] == "active"


def test_killed_stop_does_not_leave_links_away_without_a_word(nsunit, containers):
    """What was started before it was enabled is forgotten by systemd only while no link refers to it."""
    name = containers.define(KEPT)
    link = Path(f"/etc/systemd/system/multi-user.target.wants/{containers.of(name).service}")
    nsunit("start", name)
    nsunit("enable", name)
    done = interrupted(signal.SIGKILL, "before", "nsunit.bus.systemd:Systemd.reload", "stop", name)
    assert (done.returncode, link.is_symlink()) == (-signal.SIGKILL, False)
    told = nsunit("doctor", "--check", check=False)
    assert (told.returncode, "'enable' or 'disable' was killed" in told.stdout) == (1, True)
    nsunit("enable", name)
    assert link.is_symlink()
    assert nsunit("doctor", "--check", check=False).stdout.count("killed") == 0
    nsunit("disable", name)


# Where a stop that detaches a container itself may be killed; the unit has then to do all that is left of it.
DETACHING = [
    ("before", "nsunit.features.network.program:detach_ended"),
    ("after", "nsunit.features.network.wire.removal:delete"),
    ("after", "nsunit.features.network.wire.hosts:leave"),
    ("after", "nsunit.features.network.wire.ruleset:Ruleset.remove"),
    ("after", "nsunit.features.network.program:discard"),
]


@pytest.mark.kernel("nftables")
def test_a_unit_detaches_what_no_stop_has_detached(nsunit, containers, run):
    """It waits for a stop that has begun, does what a killed one has left, and nothing after one that was through."""
    names = [containers.define(f"{KEPT}Network=bridge\nPublishPort={port}:80\n") for port in range(8090, 8096)]
    nsunit("start", *names)
    run("systemctl", "daemon-reload")  # then units are as systemd has written them down
    for (when, where), name in zip(DETACHING, names, strict=False):
        assert interrupted(signal.SIGKILL, when, where, "stop", name).returncode == -signal.SIGKILL, where
        wait_until(lambda name=name: containers.of(name).show("ActiveState")["ActiveState"] in ("inactive", "failed"))
    assert [name for name in names if Path(f"/run/nsunit/attached/{name}").exists()] == names[-1:]
    assert sorted(os.listdir("/run/nsunit/connected")) == names[-1:]
    rules = run("nft", "list", "ruleset").stdout
    assert [port for port in range(8090, 8096) if str(port) in rules] == [8095]
    last, unit = names[-1], containers.of(names[-1])
    with open(f"/run/nsunit/attached/{last}") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        run("systemctl", "kill", "--signal=KILL", unit.service)
        wait_until(lambda: unit.show("SubState")["SubState"] == "stop-post")
        wait_until(lambda: is_waited_for(file), "its wait")
        os.unlink(file.name)  # as if all of it were done
    wait_until(lambda: unit.show("ActiveState")["ActiveState"] == "failed")
    assert unit.show("Result")["Result"] == "signal"
    assert "8095" in run("nft", "list", "ruleset").stdout
    nsunit("start", last)
    nsunit("stop", last)
    assert not Path(f"/run/nsunit/attached/{last}").exists()
    assert "8095" not in run("nft", "list", "ruleset").stdout


def is_waited_for(file):
    """Whether somebody waits for a lock on *file*, which is locked."""
    inode = f":{os.fstat(file.fileno()).st_ino} "
    return any(" -> FLOCK " in line and inode in line for line in Path("/proc/locks").read_text().splitlines())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_killed_foreground_run_ends_its_program(nsunit, containers, number):
    script = "trap 'exit 3' TERM; exec 2>&1; sleep 777 & wait"
    process = subprocess.Popen(["nsunit", "run", f"-pRootfs={BUSYBOX}", "sh", "-c", script])
    pids = wait_until(lambda: pids_of("777"), "its start")
    process.send_signal(number)
    assert process.wait(60) == (3 if number == signal.SIGTERM else -number)
    wait_until(lambda: not pids_of("777"), f"the end of {pids}")
    nsunit("run", f"-pRootfs={BUSYBOX}", "true")  # sweeps up what a killed one could not
    assert [name for name in os.listdir("/run/nsunit/containers") if name.startswith("run-")] == []
    units = subprocess.run(["systemctl", "list-units", "--all", "--plain", "--no-legend", "nsunit-run*"],
                           capture_output=True, text=True, check=True)  # fmt: skip
    assert units.stdout == ""


# Signals that come where nobody sees them as a rule: what is there of the payload gets them, or it is taken back.
RUN_PHASES = [
    ("before", "nsunit.deeds.session.run:read_plan", "sleep 777", {143}),
    ("after", "nsunit.bus.systemd:Systemd.start_transient", "sleep 777", {143}),
    ("before", "nsunit.deeds.session.terminal:Streams.attach", "sleep 777", {137}),  # process 1 without a handler
    ("before", "nsunit.deeds.session.run:_end_scope", "exit 3", {3, 143}),
    ("before", "nsunit.deeds.session.run:_forget_run", "exit 3", {3, 143}),
]


@pytest.mark.parametrize(("when", "where", "script", "statuses"), RUN_PHASES)
def test_interrupted_foreground_run_leaves_nothing(containers, when, where, script, statuses):
    name = containers.own("interrupted-run")
    argv = ("run", "--name", name, f"-pRootfs={BUSYBOX}", "sh", "-c", script)
    done = interrupted(signal.SIGTERM, when, where, *argv)
    assert done.returncode in statuses, done.stderr
    assert containers.left() == []


def test_foreground_run_leaves_nothing_however_late_systemd_is(containers):
    """It notices an empty cgroup in its own time; one that is not empty yet stands for that here."""
    name = containers.own("late-run")
    argv = ["nsunit", "run", "-i", "--name", name, f"-pRootfs={BUSYBOX}", "cat"]
    other = subprocess.Popen(["sleep", "1000"])
    try:
        process = subprocess.Popen(argv, stdin=subprocess.PIPE)
        (scope,) = wait_until(lambda: [*containers.of(name).cgroup.glob("*-run-*.scope")], "its start")
        procs = wait_until(lambda: [file for file in scope.rglob("cgroup.procs") if file.read_text()], "its process")
        procs[0].write_text(str(other.pid))
        process.stdin.close()
        assert process.wait(60) == 0
        assert containers.left() == []
        assert other.wait(60) == -signal.SIGKILL
    finally:
        other.kill()


def pids_of(argument):
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if words[:2] == [b"sleep", argument.encode()]:
            found.append(path.parent.name)
    return found
