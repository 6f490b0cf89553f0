"""What a definition says of processes is seen in /proc, of the payload and of a session; and other effects on them."""

import base64
import ctypes
import json
import os
import platform
import re
import signal
import subprocess
import uuid
from pathlib import Path

import pytest
from waiting import wait_until

from nsunit.definition.setting import keys_of, lookup

DEBIAN = "[Container]\nRootfs=/srv/roots/debian\nVolatile=yes\n"
SLEEP = "[Container]\nLayer=/srv/roots/busybox\nVolatile=yes\nExec=/bin/sleep 1000000\n"
CAP_SYS_RESOURCE = 24
IOPRIO_GET = {"x86_64": 252, "aarch64": 31}[platform.machine()]

# Of [Service]: a value that is not the default, and what is seen of it.
REAL_TIME = {
    "Nice": ("7", 7),
    "OOMScoreAdjust": ("123", "123"),
    "CPUSchedulingPolicy": ("rr", os.SCHED_RR),
    "CPUSchedulingPriority": ("11", 11),
    "CPUSchedulingResetOnFork": ("yes", True),
    "CPUAffinity": ("0", {0}),
    "NUMAPolicy": ("bind", "bind:0"),
    "NUMAMask": ("0", "bind:0"),
    "IOSchedulingClass": ("idle", 3),
    "IOSchedulingPriority": ("6", 6),
    "UMask": ("0027", "0027"),
    "IgnoreSIGPIPE": ("yes", True),
    "CoredumpFilter": ("0x7f", "0000007f"),
    "MemoryKSM": ("yes", "yes"),
    "MemoryTHP": ("disable", "0"),
    "LimitCPU": ("1h:2h", ("3600", "7200")),
    "LimitFSIZE": ("1G", ("1073741824",) * 2),
    "LimitDATA": ("8G", ("8589934592",) * 2),
    "LimitSTACK": ("9M:17M", ("9437184", "17825792")),
    "LimitCORE": ("0:1G", ("0", "1073741824")),
    "LimitRSS": ("1G", ("1073741824",) * 2),
    "LimitNOFILE": ("1025:4096", ("1025", "4096")),
    "LimitAS": ("64G", ("68719476736",) * 2),
    "LimitNPROC": ("4097", ("4097",) * 2),
    "LimitMEMLOCK": ("7M", ("7340032",) * 2),
    "LimitSIGPENDING": ("1026", ("1026",) * 2),
    "LimitMSGQUEUE": ("799K", ("818176",) * 2),
    "LimitNICE": ("+5", ("15",) * 2),
    "LimitRTPRIO": ("12", ("12",) * 2),
    "LimitRTTIME": ("100s", ("100000000",) * 2),
}
# The kernel has no timer slack for real time, and no nice levels but for these.
BATCH = {
    "CPUSchedulingPolicy": ("batch", os.SCHED_BATCH),
    "CPUSchedulingResetOnFork": ("yes", True),
    "TimerSlackNSec": ("60us", "60000"),
    "Nice": ("-3", -3),
}
# Keys of systemd.exec(5) that are about no process: its output; or that /proc does not show.
ELSEWHERE = re.compile("(Standard|Syslog|Log).*|(Load|Set|Import)Credential.*|KeyringMode|LimitLOCKS")
ROWS = {
    "LimitCPU": "cpu time",
    "LimitFSIZE": "file size",
    "LimitDATA": "data size",
    "LimitSTACK": "stack size",
    "LimitCORE": "core file size",
    "LimitRSS": "resident set",
    "LimitNOFILE": "open files",
    "LimitAS": "address space",
    "LimitNPROC": "processes",
    "LimitMEMLOCK": "locked memory",
    "LimitSIGPENDING": "pending signals",
    "LimitMSGQUEUE": "msgqueue size",
    "LimitNICE": "nice priority",
    "LimitRTPRIO": "realtime priority",
    "LimitRTTIME": "realtime timeout",
}


def version():
    return int(subprocess.run(["systemctl", "--version"], capture_output=True, text=True, check=True).stdout.split()[1])


def seen(pid):
    """What the kernel says of a process, by key."""

    def read(file):
        return Path(f"/proc/{pid}/{file}").read_text()

    def field(file, name):
        return next((line.split()[1] for line in read(file).splitlines() if line.startswith(f"{name}:")), None)

    policy = os.sched_getscheduler(pid)
    priority = ctypes.CDLL(None).syscall(IOPRIO_GET, 1, pid)
    limits = {
        name: re.search(f"^Max {name} +([^ ]+) +([^ ]+)", read("limits"), re.M).groups() for name in ROWS.values()
    }
    return {
        "Nice": os.getpriority(os.PRIO_PROCESS, pid),
        "OOMScoreAdjust": read("oom_score_adj").strip(),
        "CPUSchedulingPolicy": policy & 0xFFFF,
        "CPUSchedulingPriority": os.sched_getparam(pid).sched_priority,
        "CPUSchedulingResetOnFork": bool(policy & 0x40000000),
        "CPUAffinity": os.sched_getaffinity(pid),
        **dict.fromkeys(("NUMAPolicy", "NUMAMask"), read("numa_maps").split()[1]),
        "IOSchedulingClass": priority >> 13,
        "IOSchedulingPriority": priority & 7,
        "UMask": field("status", "Umask"),
        "IgnoreSIGPIPE": bool(int(field("status", "SigIgn"), 16) >> 12 & 1),
        "CoredumpFilter": read("coredump_filter").strip(),
        "MemoryKSM": "yes" if re.search("^VmFlags:.* mg", read("smaps"), re.M) else "no",  # ksm_stat says it since 6.16
        "MemoryTHP": field("status", "THP_enabled"),
        "TimerSlackNSec": read("timerslack_ns").strip(),
        **{key: limits[name] for key, name in ROWS.items()},
    }


@pytest.fixture
def session():
    """The PID of a command in a container, on the host."""
    running = []

    def begin(container):
        running.append(subprocess.Popen(["nsunit", "exec", container.name, "sleep", "1000"], stdin=subprocess.DEVNULL))

        def is_sleep(pid):
            try:
                return Path(f"/proc/{pid}/comm").read_text() == "sleep\n"
            except (FileNotFoundError, ProcessLookupError):
                return False  # one that sets the session up ends meanwhile

        def found():
            assert running[-1].poll() is None
            pids = (
                pid
                for procs in container.cgroup.glob("*-exec-*.scope/cgroup.procs")
                for pid in procs.read_text().split()
            )
            return next((int(pid) for pid in pids if is_sleep(pid)), None)

        return wait_until(found, "the command runs")

    yield begin
    for process in running:
        process.terminate()
        process.wait()


@pytest.mark.kernel("memory policies")
@pytest.mark.parametrize("values", [REAL_TIME, BATCH], ids=["real time", "batch"])
def test_processes_are_as_the_definition_says(containers, session, values):
    known = {key: pair for key, pair in values.items() if lookup("Service", key).since <= version()}
    if not int(re.search("CapEff:\\t(.*)", Path("/proc/1/status").read_text())[1], 16) >> CAP_SYS_RESOURCE & 1:
        known = {key: pair for key, pair in known.items() if key not in ("LimitNICE", "LimitRTPRIO")}  # they are 0
    text = "[Service]\n" + "".join(f"{key}={value}\n" for key, (value, _) in known.items())
    usual = seen(containers.start(SLEEP).pid)
    container = containers.start(SLEEP + text)
    expected = {key: what for key, (_, what) in known.items()}
    for pid in (container.pid, session(container)):
        found = seen(pid)
        assert {key: found[key] for key in expected} == expected
    same = {"NUMAPolicy", "NUMAMask"} if usual["NUMAPolicy"].startswith("bind") else set()
    assert not [key for key in expected.keys() - same if usual[key] == expected[key] and key != "CPUAffinity"]


def test_no_key_is_forgotten():
    from nsunit.definition.systemd.exec import EXEC

    assert set(EXEC) <= set(keys_of("Service"))
    assert {key for key in EXEC if not ELSEWHERE.fullmatch(key)} == REAL_TIME.keys() | BATCH.keys()


def test_the_limit_of_tasks_is_that_of_the_slice(containers, nsunit, session):
    container = containers.start(SLEEP + "[Slice]\nTasksMax=4096\n")
    units = (container.slice, container.service)
    assert [container.show("TasksMax", unit=unit)["TasksMax"] for unit in units] == ["4096", "infinity"]
    nsunit("set", container.name, "TasksMax=5000")
    assert [container.show("TasksMax", unit=unit)["TasksMax"] for unit in units] == ["5000", "infinity"]
    session(container)
    (scope,) = (path.name for path in container.cgroup.glob("*.scope"))
    assert container.show("TasksMax", unit=scope)["TasksMax"] == "infinity"
    nsunit("set", container.name, "TasksMax=", "Service.TasksMax=6000")
    assert [container.show("TasksMax", unit=unit)["TasksMax"] for unit in units] == ["infinity", "6000"]
    nsunit("set", container.name, "Service.TasksMax=")
    assert [container.show("TasksMax", unit=unit)["TasksMax"] for unit in units] == ["1024", "infinity"]


WATCHDOG = r"""
import os, socket, time
link = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
link.connect(os.environ["NOTIFY_SOCKET"])
link.send(b"READY=1")
while int(os.environ["WATCHDOG_USEC"]) == 90000000:
    link.send(b"WATCHDOG=1")
    time.sleep(0.05)
"""


@pytest.fixture
def python(workplace):
    """Lines of a definition that run a program of Python's."""

    def write(text, *lines):
        path = workplace / f"{abs(hash(text))}.py"
        path.write_text(text)
        command = f"BindReadOnly={path}:/program.py\nExec=/usr/bin/python3 /program.py\n"
        return DEBIAN + command + "".join(f"{line}\n" for line in lines)

    return write


def test_a_program_learns_of_its_watchdog(containers, python):
    container = containers.start(python(WATCHDOG, "Notify=yes", "[Service]", "WatchdogSec=90"))

    def pinged():
        return container.show("WatchdogTimestampMonotonic")["WatchdogTimestampMonotonic"]

    first = pinged()
    wait_until(lambda: pinged() != first, "it says again that it is alive")
    assert "WATCHDOG_USEC" not in container.exec("env").stdout


PRESSURE = r"""
import base64, os, select
watch = os.open(os.environ["MEMORY_PRESSURE_WATCH"], os.O_RDWR | os.O_NONBLOCK)
os.write(watch, base64.b64decode(os.environ["MEMORY_PRESSURE_WRITE"]))
open("/tmp/report", "w").write(f"{os.environ['MEMORY_PRESSURE_WATCH']} {os.environ['MEMORY_PRESSURE_WRITE']}\nend\n")
select.select([], [], [])
"""
WINDOW = base64.b64encode(b"some 170000 2000000\0").decode()


@pytest.mark.kernel("pressure")
def test_a_program_watches_its_pressure(containers, nsunit, python):
    """As a user without privileges, which may set triggers since Linux 6.5."""
    lines = ("[Service]", "MemoryPressureWatch=yes", "MemoryPressureThresholdSec=170ms")
    text = python(PRESSURE, "User=1000", *lines)
    if version() < 254:
        assert "needs systemd 254" in nsunit("start", containers.define(text), check=False).stderr
        return
    container = containers.start(text)
    assert container.report() == f"/sys/fs/cgroup/memory.pressure {WINDOW}\n"
    off = containers.start(SLEEP + "[Service]\nMemoryPressureWatch=no\n")
    assert "\0MEMORY_PRESSURE_WATCH=/dev/null\0" in f"\0{off.proc('environ')}"
    assert "PRESSURE" not in containers.start(SLEEP).proc("environ")


def test_logs_of_a_journal_of_its_own(containers, nsunit, program, run):
    name = f"own{uuid.uuid4().hex[:6]}"
    container = containers.start(
        program("echo said by $container\nexec sleep 1000\n", "[Service]", f"LogNamespace={name}")
    )
    try:
        said = "said by nsunit"
        wait_until(lambda: said in nsunit("logs", container.name).stdout, "the journal has the line")
        assert f"Started {container.service}" in nsunit("logs", container.name).stdout  # in the usual journal
        assert said in nsunit("status", container.name).stdout
    finally:
        nsunit("stop", container.name)
        # When nobody needs it any more, this asks the journal, which is to be there then, to write what it has.
        sync = ("systemctl", "is-active", f"systemd-journald-sync@{name}.service")
        wait_until(lambda: "inactive" in run(*sync, check=False).stdout, "the end of who writes it out")
        run("systemctl", "stop", f"systemd-journald@{name}.socket", f"systemd-journald@{name}.service", check=False)


def test_kills_by_systemd_oomd_are_told(containers, nsunit):
    """It notes them in an attribute of the cgroup, where systemd looks as well, if it is the unit's own."""
    container = containers.start(SLEEP)
    os.setxattr(container.cgroup / container.service / "payload", "user.oomd_ooms", b"3")
    (sample,) = json.loads(nsunit("stats", "--json", container.name).stdout)["usages"]
    assert sample["managed_oom_kills"] == 3
    (found,) = json.loads(nsunit("status", "--json", container.name).stdout)
    assert (found["managed_oom_kills"], found["oom_kills"]) == (3, 0)
    shown = nsunit("status", "-n0", container.name).stdout
    assert "   OOM kills: 3 by systemd-oomd\n" in shown
    assert "systemd-oomd killed in it 3 times" in shown

    pid = container.pid
    os.setxattr(container.cgroup / container.service, "user.oomd_ooms", b"2")
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: container.show("ActiveState")["ActiveState"] == "failed", "systemd has noticed")
    assert container.show("Result")["Result"] == "oom-kill"
    shown = nsunit("status", "-n0", container.name, check=False).stdout
    by = "systemd-oomd killed in it 2 times" if version() >= 259 else "the kernel killed it"
    assert by in shown


def test_what_systemd_refuses_is_named(containers, nsunit):
    name = containers.define(SLEEP + "[Service]\nCPUAffinity=8000\n")
    done = nsunit("start", name, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == f"nsunit: {name}: the machine or systemd refused CPUAffinity= (status 215)"


def test_a_slice_that_is_full(containers, nsunit):
    if version() < 258:
        name = containers.define(SLEEP + "[Slice]\nConcurrencyHardMax=1\n")
        assert "ConcurrencyHardMax needs systemd 258" in nsunit("start", name, check=False).stderr
        return
    container = containers.start(SLEEP + "[Slice]\nConcurrencyHardMax=1\n")
    done = nsunit("exec", container.name, "true", check=False)
    full = (
        "has been reached, refusing start job",
        "  hint: stop another unit of that slice, or raise its ConcurrencyHardMax=",
    )
    assert (done.returncode, *done.stderr.splitlines()[1:]) == (125, full[1])
    assert done.stderr.splitlines()[0].endswith(full[0])
    group = containers.define_group("[Slice]\nConcurrencyHardMax=2\n")  # a container counts with its slice
    members = [containers.member(group, SLEEP) for _ in range(2)]
    nsunit("start", members[0].name)
    done = nsunit("start", members[1].name, check=False)
    assert (done.returncode, *done.stderr.splitlines()[1:]) == (1, full[1])


def test_a_slice_that_is_frozen(containers, nsunit, run):
    """systemd does nothing there; one that is as old as 252 thaws it."""
    group = containers.define_group("")
    members = [containers.member(group, SLEEP) for _ in range(2)]
    nsunit("start", members[0].name)
    run("systemctl", "freeze", f"nsunit-{group}.slice")
    try:
        for verb, member in (("stop", members[0]), ("start", members[1])):
            done = nsunit(verb, member.name, check=False)
            refused = version() >= 257
            assert (done.returncode, "is frozen" in done.stderr) == (int(refused), refused), done.stderr
    finally:
        run("systemctl", "thaw", f"nsunit-{group}.slice", check=False)
