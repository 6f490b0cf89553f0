"""What one container, or anybody's unit, does keeps nobody from seeing and ending the others, and it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from waiting import wait_until

ANYWHERE = pytest.mark.anywhere("nsunit and the kernel alone have to do with it")

BUSYBOX = "/srv/roots/busybox"
DEEP = 800  # cgroups, the innermost of which has a longer path than the kernel takes
SLEEPER = f"[Container]\nRootfs={BUSYBOX}\nVolatile=yes\nExec=/bin/sleep 1000\n"
UNITS = Path("/run/systemd/system")
# systemd loads a unit of any name for anybody who asks for it.
STRANGE = (
    r"nsunit-\xff.service",
    r"nsunit-\xzz.service",
    r"nsunit-..\x2f..\x2fetc.pod.service",
    r"nsunit-\xff.slice",
    r"nsunit-\xzz-run-1.scope",
    r"nsunit-\xff.socket",
    r"nsunit-cgroup-\xff.service",
)
VERBS = (
    "list",
    "list --all",
    "list --tree",
    "stats --json",
    "status {}",
    "plan",
    "network check",
    "ns list",
    "cgroup list",
)


def answers(nsunit, name):
    """Every verb that looks at all answers, and tells of *name*."""
    for verb in VERBS:
        done = nsunit(*verb.format(name).split(), check=False)
        assert "Traceback" not in done.stderr, verb
        assert (done.returncode, done.stderr) == (0, ""), verb
    (state,) = (item for item in json.loads(nsunit("list", "--json").stdout) if item["name"] == name)
    assert state["active_state"] == "active"


@pytest.fixture
def strange(run):
    """Units that are not nsunit's, whose names begin as if they were."""
    for unit in STRANGE:
        if not unit.endswith((".scope", ".socket")):
            text = "[Service]\nExecStart=/bin/sleep 1000\n" if unit.endswith(".service") else "[Unit]\n"
            (UNITS / unit).write_text(text)
    run("systemctl", "daemon-reload")
    started = [unit for unit in STRANGE if (UNITS / unit).exists()]
    run("systemctl", "start", *started)
    run("systemctl", "show", *STRANGE, check=False)  # which loads them
    yield
    run("systemctl", "stop", *started)
    for unit in started:
        (UNITS / unit).unlink()
    run("systemctl", "daemon-reload")


def test_units_of_strange_names(containers, nsunit, strange):
    container = containers.start(SLEEPER)
    answers(nsunit, container.name)
    # The slice of such a name has a control group, which systemd does not list.
    done = nsunit("doctor", "--check", "--json", check=False)
    assert done.stderr == ""
    assert all("xff" in item["what"] for item in json.loads(done.stdout))
    nsunit("stop", container.name)


def test_a_unit_that_is_only_called_like_a_container(containers, nsunit, run):
    """It is somebody's: no verb reaches it."""
    unit = UNITS / "nsunit-evil.service"
    unit.write_text("[Service]\nExecStart=/bin/sleep 1000\n")
    run("systemctl", "daemon-reload")
    run("systemctl", "start", unit.name)
    try:
        for verb in ("stop", "stop --now", "kill", "pause", "exec {} true", "rm --force", "ps"):
            words = verb.split() if "{}" in verb else [*verb.split(), "evil"]
            done = nsunit(*(word.format("evil") for word in words), check=False)
            assert done.returncode, verb
            assert "'nsunit-evil.service' is there and was not made by nsunit" in done.stderr, (verb, done.stderr)
        assert run("systemctl", "is-active", unit.name).stdout == "active\n"
        assert run("systemctl", "show", "--property=FreezerState", unit.name).stdout == "FreezerState=running\n"
    finally:
        run("systemctl", "stop", unit.name)
        unit.unlink()
        run("systemctl", "daemon-reload")


def test_cgroups_made_inside_and_long_command_lines(containers, nsunit):
    """A payload that may write to its part of the tree: names that are no text, and paths that are too long."""
    container = containers.start(SLEEPER)
    other = containers.start(SLEEPER)
    payload = os.fsencode(container.cgroup / container.service)
    os.mkdir(payload + b"/\xff\xfe")
    with open(payload + b"/\xff\xfe/cgroup.procs", "w") as file:
        file.write(f"{container.pid}\n")
    nested(payload, 40, "n" * 250)
    long = subprocess.Popen(["nsunit", "exec", container.name, "sh", "-c", "sleep 1000", *["x" * 100_000] * 15])
    wait_until(lambda: "sleep 1000" in nsunit("ps", container.name).stdout.replace("/bin/sleep", ""), "the session")
    for name in (container.name, other.name):
        answers(nsunit, name)
        (shown,) = json.loads(nsunit("status", "--json", name).stdout)
        assert "/bin/sleep 1000" in {process["command"] for process in shown["processes"]}
    assert len(nsunit("ps", container.name).stdout) < 20_000
    assert len(nsunit("status", container.name).stdout) < 20_000
    nsunit("stop", container.name)
    assert long.wait(60) != 0
    nsunit("stop", other.name)


RELOADS = """
import os, socket, time
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
    manager.connect(os.environ["NOTIFY_SOCKET"])
    manager.send(b"READY=1")
    manager.send(b"RELOADING=1\\nMONOTONIC_USEC=%d" % (time.monotonic_ns() // 1000))
time.sleep(1000)
"""


def test_a_program_that_reads_its_configuration_anew(containers, nsunit, tmp_path):
    """RELOADING=1, sd_notify(3): it runs all the same."""
    script = tmp_path / "program.py"
    script.write_text(RELOADS)
    container = containers.start(
        "[Container]\nRootfs=/srv/roots/debian\nVolatile=yes\nNotify=yes\n"
        f"Bind={script}:/program.py:ro\nExec=/usr/bin/python3 /program.py\n"
    )
    wait_until(lambda: container.show("ActiveState")["ActiveState"] == "reloading", "its word")
    assert nsunit("exec", container.name, "echo", "here").stdout == "here\n"
    assert "python3" in nsunit("ps", container.name).stdout
    (shown,) = json.loads(nsunit("status", "--json", container.name).stdout)
    assert shown["processes"]
    nsunit("pause", container.name)
    nsunit("resume", container.name)
    nsunit("kill", "--signal=WINCH", container.name)
    assert nsunit("start", container.name).stdout == f"{container.name}: is already running\n"
    nsunit("stop", "--now", container.name)


@ANYWHERE
def test_groups_nested_deeper_than_paths_reach(nsunit, run):
    """They can be listed, and removed; of one whose unit is gone the directory, too."""
    unit = "nsunit-cgroup-deep.service"  # as `nsunit cgroup create` makes it, without any controller
    run(
        "systemd-run",
        "--quiet",
        "--collect",
        f"--unit={unit}",
        "--slice=nsunit.slice",
        "--property=Delegate=yes",
        "sleep",
        "1000",
    )
    top = Path("/sys/fs/cgroup/nsunit.slice", unit)
    nested(top, DEEP, "below")
    assert len(nsunit("cgroup", "list").stdout.splitlines()) == DEEP + 1
    refused = nsunit("cgroup", "delete", "-g", ":deep", check=False)
    assert (refused.returncode, "has subgroups" in refused.stderr) == (1, True)
    nsunit("cgroup", "delete", "-r", "--kill", "-g", ":deep")
    assert not top.exists()
    (top / "below").mkdir(parents=True)
    nsunit("cgroup", "delete", "-r", "-g", ":deep")
    assert not top.exists()


def test_groups_nested_so_in_a_container(containers, nsunit):
    """They go when it is stopped, also after its program has ended by itself."""
    container = containers.start(SLEEPER)
    for end in ("stop", "kill --signal=KILL"):
        nested(container.cgroup / container.service, DEEP, "below")
        nsunit(*end.split(), container.name)
        wait_until(lambda: container.show("ActiveState")["ActiveState"] in ("inactive", "failed"), "its end")
        nsunit("stop", container.name)
        assert not container.cgroup.exists()
        nsunit("start", container.name)
    nsunit("stop", container.name)


def nested(top, depth, name):
    """Make cgroups below *top*, one in the other."""
    fd = os.open(top, os.O_DIRECTORY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=fd)
        child = os.open(name, os.O_DIRECTORY, dir_fd=fd)
        os.close(fd)
        fd = child
    os.close(fd)


def program(containers, tmp_path, text, *more):
    """A container with Notify=yes that runs the Python program *text*."""
    script = tmp_path / "program.py"
    script.write_text(CONNECT + text)
    return containers.start(
        "[Container]\nRootfs=/srv/roots/debian\nVolatile=yes\nNotify=yes\n"
        f"Bind={script}:/program.py:ro\nExec=/usr/bin/python3 /program.py\n" + "".join(more)
    )


CONNECT = """
import os, signal, socket, time
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.connect(os.environ["NOTIFY_SOCKET"])
"""
FLOOD = """
count = 0
manager.send(b"READY=1")
while True:
    manager.send(b"STATUS=%d" % count)
    count += 1
"""


def said(container):
    return container.show("StatusText")["StatusText"]


def test_a_flood_of_words_to_systemd(containers, nsunit, run, tmp_path):
    """Systemd has time for everybody; and what takes its words costs nothing in between."""
    container = program(containers, tmp_path, FLOOD)
    other = containers.start(SLEEPER)
    first = wait_until(lambda: int(said(container) or 0), "its first words")
    for _ in range(3):
        answers(nsunit, other.name)
        assert nsunit("exec", container.name, "echo", "here").stdout == "here\n"
    wait_until(lambda: int(said(container)) > first, "more of it")
    # Sent are hundreds of thousands a second; a machine under load makes them fewer, and never more.
    started = int(container.show("ActiveEnterTimestampMonotonic")["ActiveEnterTimestampMonotonic"]) / 1_000_000
    heard = int(said(container))
    assert heard < 60 + 11 * (time.monotonic() - started)
    nsunit("stop", "--now", container.name)
    nsunit("stop", other.name)
    assert not run("systemctl", "list-units", "--all", "--plain", "--no-legend", "nsunit-sd-notify@*").stdout
    assert not os.listdir("/run/nsunit/notify")


WORDS = """
def tell(*words):
    for word in words:
        manager.send(word)
    reader, writer = os.pipe()
    socket.send_fds(manager, [b"BARRIER=1"], [writer])
    os.close(writer)
    os.read(reader, 1)
    os.close(reader)

tell(b"MAINPID=1\\nNOTIFYACCESS=none", b"STATUS=on the way")
child = os.fork()
if not child:
    manager.send(b"STATUS=by one that is gone\\nERRNO=7")
    os._exit(0)
os.waitpid(child, 0)
tell(b"READY=1")
signal.pause()
"""


def test_what_systemd_is_told(containers, nsunit, tmp_path):
    """Barriers hold, and the words of one that has ended count; not those about processes, or about who may speak."""
    container = program(containers, tmp_path, WORDS, "[Service]\nRestart=always\nRestartSec=0\n")
    properties = ("StatusText", "StatusErrno", "MainPID", "NotifyAccess")
    expected = {"StatusText": "by one that is gone", "StatusErrno": "7", "NotifyAccess": "all"}
    before = container.pid
    assert container.show(*properties) == expected | {"MainPID": str(before)}
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: container.show("NRestarts", "ActiveState") == {"NRestarts": "1", "ActiveState": "active"})
    assert container.show(*properties) == expected | {"MainPID": str(container.pid)}
    nsunit("restart", container.name)
    assert container.show(*properties) == expected | {"MainPID": str(container.pid)}
    nsunit("stop", container.name)


STUBBORN = """
def more(*_):
    manager.send(b"EXTEND_TIMEOUT_USEC=3600000000")

signal.signal(signal.SIGTERM, more)
signal.signal(signal.SIGUSR1, lambda *_: manager.send(b"STATUS=reached"))
manager.send(b"READY=1")
while True:
    signal.pause()
"""


def test_a_stop_at_once_waits_for_no_other(containers, nsunit, tmp_path):
    container = program(containers, tmp_path, STUBBORN)
    waiting = subprocess.Popen(["nsunit", "stop", container.name])
    wait_until(lambda: container.show("ActiveState")["ActiveState"] == "deactivating", "the stop")
    nsunit("kill", "--signal=USR1", container.name)
    wait_until(lambda: said(container) == "reached", "the signal")
    nsunit("stop", "--now", container.name)
    assert waiting.wait(60) == 0
    assert not container.cgroup.exists()


STARTING = "[Container]\nRootfs=/srv/roots/debian\nVolatile=yes\nNotify=yes\nExec=/bin/sleep 1000\n"


def test_a_stop_at_once_waits_for_no_start(containers, nsunit):
    """One that never says that it is ready."""
    name = containers.define(STARTING)
    container = containers.of(name)
    starting = subprocess.Popen(["nsunit", "start", name], stderr=subprocess.PIPE, text=True)
    wait_until(lambda: container.show("MainPID")["MainPID"] != "0" and nsunit("ps", name, check=False).stdout, "it")
    nsunit("stop", "--now", name)
    assert "killed by signal 9" in starting.communicate(timeout=60)[1]
    assert starting.returncode == 1


TERMINALS = """
import errno, resource
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
try:
    for count in range(1025):
        os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY)
except OSError as error:
    manager.send(b"STATUS=%d %s" % (count, errno.errorcode[error.errno].encode()))
manager.send(b"READY=1")
signal.pause()
"""


def test_one_that_takes_terminals_leaves_some_to_others(containers, nsunit, tmp_path):
    """The kernel has 3072 for all containers."""
    container = program(containers, tmp_path, TERMINALS)
    assert said(container) == "1024 ENOSPC"
    other = containers.start(SLEEPER)
    assert nsunit("exec", "-t", other.name, "echo", "here").stdout == "here\r\n"
    refused = nsunit("exec", "-t", container.name, "true", check=False)
    assert (refused.returncode, refused.stderr) == (
        125,
        f"nsunit: {container.name}: Failed to open a terminal of the container: its programs have taken all of them\n",
    )
    assert nsunit("exec", container.name, "echo", "here").stdout == "here\n"


ALL_OF_IT = """
manager.send(b"READY=1")
manager.send(b"RELOADING=1\\nMONOTONIC_USEC=%d" % (time.monotonic_ns() // 1000))
signal.signal(signal.SIGTERM, lambda *_: manager.send(b"EXTEND_TIMEOUT_USEC=3600000000"))
print("\\x1b]0;owned\\x07" + "x" * 40_000, flush=True)
if not os.fork():
    with open("/proc/self/comm", "wb") as name:
        name.write(b"\\x1b[2J\\xff\\n")
    while True:
        if not os.fork():
            os._exit(0)
        os.wait()
for number in (0, 1, 2):
    os.close(number)
while True:
    manager.send(b"STATUS=\\x1b[2J%d" % time.monotonic_ns())
"""


def test_all_of_it_at_once(containers, nsunit, strange, tmp_path):
    """A flood of words, processes that come and go and have names of their own, a stop that is put off."""
    other = containers.start(SLEEPER)
    container = program(containers, tmp_path, ALL_OF_IT, "[Service]\nTimeoutStopSec=5min\n")
    payload = os.fsencode(container.cgroup / container.service)
    nested(payload, 40, "n" * 250)
    waiting = subprocess.Popen(["nsunit", "stop", container.name])
    wait_until(lambda: container.show("ActiveState")["ActiveState"] == "deactivating", "the stop")
    answers(nsunit, other.name)
    shown = nsunit("status", container.name, check=False).stdout + nsunit("list").stdout
    assert all(line.isprintable() for line in shown.replace("\t", " ").splitlines())
    assert nsunit("exec", other.name, "echo", "here").stdout == "here\n"
    nsunit("kill", "--signal=CONT", container.name)
    nsunit("stop", "--now", container.name)
    assert waiting.wait(60) == 0
    nsunit("rm", container.name)


# Makes groups in the group it is given and takes them away, with a process in each.
CHURN = """
import os, sys
top = sys.argv[1]
count = 0
while True:
    count += 1
    group = f"{top}/come-and-go-{count % 50}"
    try:
        os.mkdir(group)
    except FileExistsError:
        pass
    child = os.fork()
    if not child:
        try:
            with open(f"{group}/cgroup.procs", "w") as file:
                file.write("0")
        except OSError:
            os._exit(1)  # the other one has taken the group away
        with open("/proc/self/comm", "wb") as file:
            file.write(b"\\x1b[2J\\xff\\n")
        os.closerange(0, 1000)
        os._exit(0)
    os.waitpid(child, 0)
    if count % 3:
        try:
            os.rmdir(group)
        except OSError:
            pass
"""


@pytest.mark.once("the kernel's files are read, systemd has no part in it")
def test_groups_and_processes_that_come_and_go(containers, nsunit):
    """A thousand groups that stay, and as many more as one can make meanwhile."""
    container = containers.start(SLEEPER)
    other = containers.start(SLEEPER)
    payload = container.cgroup / container.service
    (busy := payload / "busy").mkdir()
    for number in range(1000):
        (busy / f"group-{number}").mkdir()
    churning = [subprocess.Popen([sys.executable, "-c", CHURN, str(busy)]) for _ in range(2)]
    try:
        for _ in range(5):
            for verb in ("list --tree", "stats --json", "ns list", "ps {}", "status {}", "cgroup list", "top -b -n 1"):
                done = nsunit(*verb.format(container.name).split(), check=False)
                assert (done.returncode, done.stderr) == (0, ""), verb
        answers(nsunit, other.name)
        assert all(child.poll() is None for child in churning)
    finally:
        for child in churning:
            child.kill()
            child.wait(60)
    nsunit("stop", container.name)
    assert not container.cgroup.exists()
    nsunit("stop", other.name)
