"""Faults: whatever is killed, missing, full or stopped, one line says so, nothing is left, and the next start works."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from waiting import wait_until

ONCE = pytest.mark.once("killed between the helper's own steps; systemd says the same of each")
ANYWHERE = pytest.mark.anywhere("killed between nsunit's own calls, or the kernel refuses to write")

pytestmark = pytest.mark.usefixtures("tidy")

BUSYBOX = "/srv/roots/busybox"
SLEEPER = f"[Container]\nRootfs={BUSYBOX}\nVolatile=yes\nExec=/bin/sleep 1000\n"
DEFINITIONS = Path("/etc/nsunit")
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


def lines_of(result, name):
    return [line for line in result.stderr.splitlines() if line.startswith(f"nsunit: {name}: ")]


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
    told = {name: [line for result in results for line in lines_of(result, name)] for name in killed}
    wrong = {killed[name]: lines for name, lines in told.items() if len(lines) != 1 or "kill" not in lines[0]}
    assert wrong == {}
    assert containers.left() == []
    # What was killed before starts now, one of each half and all that have a place of their own.
    nsunit("start", *[name for name in list(killed)[::7] if "notify" not in killed[name]], timeout=300)


# The command killed or interrupted at every step

# Runs nsunit's own command line and lets a signal hit it before or after one call.
INTERRUPTED = """\
import os, sys
sys.path.insert(0, "/usr/lib/python3/dist-packages")
number, when, where, *argv = sys.argv[1:]
module, _, path = where.partition(":")
__import__(module)
*owner, name = path.split(".")
holder = sys.modules[module]
for part in owner:
    holder = getattr(holder, part)
original = getattr(holder, name)
def hit():
    setattr(holder, name, original)
    os.kill(os.getpid(), int(number))
def wrapped(*arguments, **options):
    if when == "before":
        hit()
    result = original(*arguments, **options)
    if when == "after":
        hit()
    return result
setattr(holder, name, wrapped)
from nsunit.cli.main import main
sys.exit(main(argv))
"""
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
KEPT = SLEEPER.replace("Rootfs", "Layer").replace("Volatile=yes\n", "")


def interrupted(number, when, where, *argv):
    words = ["python3", "-SI", "-c", INTERRUPTED, str(int(number)), when, where, *argv]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done


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
    text = KEPT + "Network=bridge\nStopSignal=SIGKILL\n"
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
    nsunit("rm", name)
    nsunit("start", name)


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


# enable and disable killed at every step

ENABLING = (
    ("before", "nsunit.core.boot:reserve"),
    ("before", "nsunit.core.boot:write_contents"),
    ("after", "nsunit.core.boot:write_contents"),
    ("after", "nsunit.core.boot:write_unit"),
    ("before", "nsunit.deeds.enable:link"),
    ("after", "nsunit.core.install:symlink"),
    ("after", "nsunit.deeds.enable:link"),
    ("after", "nsunit.deeds.enable:finish"),
)
DISABLING = (
    ("before", "nsunit.deeds.enable:unlink"),
    ("after", "nsunit.deeds.enable:unlink"),
    ("before", "nsunit.deeds.enable:forget_runtime_changes"),
    ("before", "nsunit.deeds.enable:leave"),
    ("after", "nsunit.deeds.enable:leave"),
)


def files_of(name):
    """The unit files and links of container *name*."""
    return [str(path) for path in Path("/etc/systemd/system").rglob(f"nsunit-*{name}*")]


@ANYWHERE
def test_enable_and_disable_killed_at_every_step(nsunit, containers):
    """What there is of it then is found and taken away, or it is enabled."""
    steps = (*ENABLING, *DISABLING)
    names = [containers.define(KEPT + ("Slice=killed\n" if number % 2 else "")) for number in range(len(steps))]
    nsunit("enable", *names[len(ENABLING) :])
    for name, (when, where) in zip(names, steps, strict=True):
        verb = "enable" if (when, where) in ENABLING else "disable"
        assert interrupted(signal.SIGKILL, when, where, verb, name).returncode == -signal.SIGKILL, (when, where)
    found = json.loads(nsunit("doctor", "--check", "--json", check=False).stdout)
    nsunit("doctor", "--repair")
    assert nsunit("doctor", "--check", check=False).stdout == "nothing is left\n", found
    whole = {where for name, (when, where) in zip(names, steps, strict=True) if files_of(name)}
    assert whole == {"nsunit.deeds.enable:finish"}, found
    some = [name for number, name in enumerate(names) if number % 4 == 3 or files_of(name)]  # the others are like them
    nsunit("enable", *some)
    nsunit("disable", *some)
    assert [name for name in some if files_of(name)] == []


RENAMING = (
    ("before", "nsunit.deeds.rename:take_away_files"),
    ("after", "nsunit.deeds.rename:take_away_files"),
    ("after", "nsunit.deeds.rename:write_all"),
    ("after", "nsunit.deeds.rename:copy_drop_ins"),
    ("before", "nsunit.deeds.rename:remove_own"),
    ("before", "nsunit.deeds.rename:enable"),
    ("after", "nsunit.core.boot:write_contents"),
    ("before", "nsunit.deeds.enable:finish"),
)


@ANYWHERE
@pytest.mark.parametrize("by", ["rename", "doctor"])
def test_rename_killed_at_every_step(nsunit, run, containers, by):
    """The same command does the rest, or `doctor --repair`, and what was enabled is."""
    names = [containers.define(KEPT) for _ in RENAMING]
    new = {name: containers.own(f"{name}-new") for name in names}
    containers.files += [DEFINITIONS / f"{name}.nsunit" for name in new.values()]
    nsunit("enable", *names)
    for name, (when, where) in zip(names, RENAMING, strict=True):
        assert interrupted(signal.SIGKILL, when, where, "rename", name, new[name]).returncode == -signal.SIGKILL, where
    if by == "doctor":
        told = nsunit("doctor", "--check", check=False).stdout
        assert told.count("'rename' was killed") == len(names), told
        nsunit("doctor", "--repair")
    else:
        for name in names:
            nsunit("rename", name, new[name])
    assert nsunit("doctor", "--check", check=False).stdout == "nothing is left\n"
    for name, (_, where) in zip(names, RENAMING, strict=True):
        assert not (DEFINITIONS / f"{name}.nsunit").exists(), where
        assert files_of(name + ".") == [], where
        assert run("systemctl", "is-enabled", containers.of(new[name]).service, check=False).stdout == "enabled\n", (
            where
        )
    nsunit("disable", *new.values())


@ANYWHERE
def test_what_is_said_after_a_killed_rename_counts(nsunit, containers):
    """Whoever enables or disables it then has no rename finished."""
    for verb in ("enable", "disable"):
        name = containers.define(KEPT)
        new = containers.own(f"{name}-new")
        nsunit("enable", name)
        assert interrupted(signal.SIGKILL, "after", RENAMING[1][1], "rename", name, new).returncode == -signal.SIGKILL
        nsunit(verb, name)
        assert "'rename' was killed" not in nsunit("doctor", "--check", check=False).stdout
        assert bool(files_of(name)) == (verb == "enable")
        nsunit("disable", name)


@ANYWHERE
def test_state_of_an_enabled_container_that_somebody_removed(nsunit, containers):
    """Its unit file can start nothing any more, whatever leads to it, and nsunit's verbs would not find it."""
    name, other = containers.define(KEPT), containers.define(KEPT)
    nsunit("enable", name, other)
    shutil.rmtree(containers.of(name).state)
    told = nsunit("doctor", "--check", check=False).stdout
    assert f"nsunit-{name}.service\tits container is not enabled" in told
    assert other not in told
    nsunit("doctor", "--repair")
    assert nsunit("doctor", "--check").stdout == "nothing is left\n"
    assert files_of(name) == []
    nsunit("enable", name)
    nsunit("disable", name, other)
