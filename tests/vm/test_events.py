"""`nsunit events` tells what happens, when it happens, without asking again and again."""

import errno
import json
import os
import random
import select
import subprocess
import time
from pathlib import Path

import pytest
from counts import count
from waiting import wait_until

ANYWHERE = pytest.mark.anywhere("counters of the kernel's")
SERVE = "trap 'exit 0' TERM\necho end >/tmp/report\nsleep 1000 &\nwait\n"


class Events:
    """A running `nsunit events`."""

    def __init__(self, *names):
        self.process = subprocess.Popen(["nsunit", "events", *names], stdout=subprocess.PIPE, bufsize=0)
        self.buffer = b""
        self.seen = []
        self.ready = self.wait("ready")

    def wait(self, kind, timeout=120, **fields):
        """The next event of that kind and with these fields."""
        deadline = time.monotonic() + timeout
        while True:
            while b"\n" in self.buffer:
                line, _, self.buffer = self.buffer.partition(b"\n")
                self.seen.append(json.loads(line))
                if self.seen[-1].items() >= {"event": kind, **fields}.items():
                    return self.seen[-1]
            left = deadline - time.monotonic()
            if not select.select([self.process.stdout], [], [], max(0, left))[0]:
                pytest.fail(f"no {kind} {fields} came, only {self.seen}")
            chunk = self.process.stdout.read(65536)
            assert chunk, f"nsunit events ended; it told {self.seen}"
            self.buffer += chunk

    def of(self, name, *kinds):
        """What it has told of one container, of these kinds if any are named."""
        told = [event for event in self.seen if event.get("container") == name]
        return [event for event in told if not kinds or event["event"] in kinds]

    def kinds(self, name):
        """The kinds of what it has told of one container."""
        return [event["event"] for event in self.of(name)]


@pytest.fixture(scope="module")
def early(shared, program):
    """A container that runs before anybody follows."""
    return shared.start(program(SERVE))


@pytest.fixture(scope="module")
def events(early):
    """One for all tests: it takes a while to begin, and is to go on whatever happens."""
    following = Events()
    yield following
    following.process.terminate()
    assert following.process.wait(30) == 128 + 15


def test_what_runs_already(events, early):
    assert early.name in events.ready["running"]
    assert events.of(early.name) == []


def test_start_and_stop(containers, program, nsunit, events):
    container = containers.start(program(SERVE))
    started = events.wait("start", container=container.name)
    assert started["unit"] == container.service
    assert abs(started["time_usec"] / 1e6 - time.time()) < 600
    container.report()
    nsunit("exec", container.name, "true")
    session = events.wait("session-start", container=container.name)["unit"]
    events.wait("session-stop", container=container.name, unit=session)
    nsunit("stop", container.name)
    assert events.wait("stop", container=container.name)["result"] == "success"
    assert events.kinds(container.name) == ["start", "session-start", "session-stop", "stop"]


def test_failure_and_restart(containers, program, events):
    container = containers.start(program("sleep 1\nexit 3\n", "", "[Service]", "Restart=on-failure", "RestartSec=1"))
    events.wait("start", container=container.name)
    failed = events.wait("fail", container=container.name)
    assert (failed["result"], failed["code"], failed["status"]) == ("exit-code", "exited", 3)
    events.wait("start", container=container.name)
    events.wait("fail", container=container.name)


def test_freeze_and_thaw(early, nsunit, run, events):
    nsunit("pause", early.name)
    events.wait("freeze", container=early.name)
    nsunit("resume", early.name)
    events.wait("thaw", container=early.name)
    # Not by nsunit.
    run("systemctl", "freeze", "--", early.service)
    events.wait("freeze", container=early.name, unit=early.service)
    run("systemctl", "thaw", "--", early.service)
    events.wait("thaw", container=early.name)
    # What is above it, by nobody that systemd knows of.
    for state, kind in (("1", "freeze"), ("0", "thaw")):
        (early.cgroup / "cgroup.freeze").write_text(state)
        events.wait(kind, container=early.name)


FILL = "dd if=/dev/zero of=/big bs=1M count=40 2>/dev/null\necho end >/tmp/report\nexec sleep 1000\n"


@ANYWHERE
@pytest.mark.machine("controllers")
def test_memory_high(containers, program, nsunit, events):
    container = containers.start(program(FILL, "Volatile=no", "[Slice]", "MemoryHigh=20M", "MemorySwapMax=0"))
    first = events.wait("memory-high", container=container.name)
    assert first["count"] > 0
    container.report(timeout=120)
    counted = int(container.limit("memory.events").split()[3])
    nsunit("stop", container.name)
    ended = events.wait("stop", container=container.name)
    assert (ended["result"], ended["status"]) == ("signal", 9)  # sleep does not listen, and is killed
    told = events.of(container.name, "memory-high")
    assert sum(event["count"] for event in told) == told[-1]["total"]
    assert first["total"] <= counted


@ANYWHERE
@pytest.mark.machine("controllers")
def test_memory_high_above(containers, program, run, events):
    """A slice above has the limit: that is not the container's crossing."""
    run("systemctl", "set-property", "--runtime", "nsunit.slice", "MemoryHigh=30M")
    try:
        container = containers.start(program(FILL, "Volatile=no", "[Slice]", "MemorySwapMax=0"))
        assert events.wait("memory-high", group="nsunit.slice")["count"] > 0
    finally:
        run("systemctl", "set-property", "--runtime", "nsunit.slice", "MemoryHigh=infinity")
        run("systemctl", "revert", "nsunit.slice")
    assert events.of(container.name, "memory-high") == []


# The one that waits does so without processes of its own, which would come and go while all are moved.
EATER = """
set -- /sys/fs/cgroup/*.service/payload
(until read -r max <"$1/workers/memory.max" && [ "$max" = 5242880 ]; do :; done 2>/dev/null
exec tail /dev/zero) &
echo end >/tmp/report
wait
exec sleep 1000
"""


def hands_down_memory(directory):
    """Whether the groups below have the controller now: the kernel refuses it while a process is on its way out."""
    try:
        (directory / "cgroup.subtree_control").write_text("+memory")
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        return False
    return True


@pytest.mark.machine("controllers")
def test_a_kill_inside_a_delegated_subgroup(containers, program, events):
    """A cgroup below the payload's, with a limit of its own: systemd would not say where it was."""
    container = containers.start(program(EATER, "", "[Service]", "OOMPolicy=continue"))
    container.report()
    events.wait("start", container=container.name)
    payload = container.cgroup / container.service / "payload"
    for name in ("main", "workers"):
        (payload / name).mkdir()
    while pids := (payload / "cgroup.procs").read_text().split():  # one may have begun meanwhile
        for pid in pids:
            try:
                inside = Path(f"/proc/{pid}/status").read_text().partition("NSpid:")[2].split()[1]
                group = "main" if inside == "1" else "workers"
                (payload / group / "cgroup.procs").write_text(pid)
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has just ended
    for directory in (payload.parent, payload):
        wait_until(lambda directory=directory: hands_down_memory(directory), "those that have left it to be gone")
    (payload / "workers/memory.swap.max").write_text("0")
    (payload / "workers/memory.max").write_text("5M")
    killed = events.wait("oom-kill", container=container.name)
    assert (killed["unit"], killed["cgroup"]) == (container.service, "payload/workers")
    assert (killed["count"], killed["total"]) == (1, 1)
    assert container.show("ActiveState", "Result") == {"ActiveState": "active", "Result": "success"}
    assert events.kinds(container.name) == ["start", "oom-kill"]


@pytest.mark.machine("controllers")
def test_the_kill_that_ends_a_container(containers, program, events):
    container = containers.start(program("sleep 1; tail /dev/zero", "", "[Slice]", "MemoryMax=20M", "MemorySwapMax=0"))
    events.wait("oom-kill", container=container.name)
    assert events.wait("fail", container=container.name)["result"] == "oom-kill"
    # The kernel counts the victim again where it kills the whole group.
    told = events.of(container.name, "oom-kill")
    assert {event.get("unit") for event in told} <= {container.service, None}
    assert sum(event["count"] for event in told) <= 3


def test_systemd_executes_itself_anew(early, containers, program, nsunit, run, events):
    container = containers.start(program(SERVE))
    before = len(events.of(early.name))
    run("systemctl", "daemon-reload")
    run("systemctl", "daemon-reexec")
    (early.cgroup / "cgroup.freeze").write_text("1")
    events.wait("freeze", container=early.name)
    (early.cgroup / "cgroup.freeze").write_text("0")
    events.wait("thaw", container=early.name)
    nsunit("stop", container.name)
    events.wait("stop", container=container.name)
    assert events.kinds(container.name) == ["start", "stop"]
    nsunit("start", container.name)
    events.wait("start", container=container.name)
    assert [event["event"] for event in events.of(early.name)[before:]] == ["freeze", "thaw"]


LIVES = {
    "zero": ("exit 0", ()),
    "four": ("exit 4", ()),
    "late": ("sleep 0.1; exit 5", ()),
    "serve": ("trap 'exit 0' TERM; sleep 1000 & wait", ()),
    "deaf": ("exec sleep 1000", ()),
    "again": ("exit 3", ("[Service]", "Restart=on-failure", "RestartSec=20ms", "[Unit]", "StartLimitBurst=3")),
    "unmet": ("exit 0", ("[Unit]", "ConditionPathExists=/nowhere")),
    "unable": ("exit 0", ("Hostname=x", "[Service]", "WorkingDirectory=/nowhere")),
}
DEEDS = {
    "start": 6,
    "stop": 2,
    "restart": 2,
    "kill": 1,
    "pause": 2,
    "exec": 2,
    "rm": 1,
    "systemctl stop": 1,
    "systemctl restart": 1,
    "systemctl reset-failed": 1,
    "systemctl daemon-reload": 1,
    "systemctl daemon-reexec": 1,
}
# What systemd notes in the journal, sd-messages.h.
STARTED, STOPPING = "39f53479d3a045ac8e11786248231fbf", "de5b426a63be47a7b6ac3eaac82e2f6f"
FAILURE, SUCCESS = "d9b373ed55a64feb8242e02dbe79a49c", "7ad2d189f7e94e70a38c781354912448"


def service_of(name):
    """The service of a container."""
    return f"nsunit-{name}.service"


def lives_in_the_journal(run, unit, cursor):
    """What the journal tells of *unit* since *cursor*, in words of ours."""
    told, asked, given_up = [], False, False
    lines = run("journalctl", "--quiet", "--output=json", f"--after-cursor={cursor}", f"--unit={unit}").stdout
    for entry in map(json.loads, lines.splitlines()):
        if entry.get("UNIT") != unit:
            continue
        kind, text = entry.get("MESSAGE_ID"), entry["MESSAGE"]
        if kind == STARTED and "skipped" in text:
            told += [("skip", None)][told[-1:] == [("skip", None)] :]
        elif kind == STARTED:
            told.append(("start", None))
            asked = False
        elif kind == STOPPING:
            asked = True
        elif "repeated too quickly" in text:
            given_up = True
        elif kind == SUCCESS:
            told.append(("stop", "success"))
        elif kind == FAILURE:
            result = entry["UNIT_RESULT"]
            # Of the last of several restarts it is told once that it has failed.
            if not given_up or result == "start-limit-hit":
                told.append(("stop" if asked and result == "signal" else "fail", result))
            given_up = False
    return told


def live(name, deed, nsunit, run, events):
    """Do *deed* to the container, in whatever state that is."""
    unit = service_of(name)
    if deed == "systemctl daemon-reload" or deed == "systemctl daemon-reexec":
        run(*deed.split())
    elif deed.startswith("systemctl"):
        run(*deed.split(), unit, check=False)
    elif deed == "pause":
        if nsunit("pause", name, check=False).returncode == 0:
            events.wait("freeze", container=name)
            nsunit("resume", name, check=False)
            events.wait("thaw", container=name)
    elif deed == "kill":
        nsunit("kill", "--signal=KILL", name, check=False)
    elif deed == "exec":
        nsunit("exec", name, "true", check=False)
    else:
        nsunit(deed, *(["--force"] if deed == "rm" else []), name, check=False)


def test_random_lives(early, containers, program, nsunit, run, events):
    """Whatever is done to containers in whatever state: what is told is what the journal has."""
    chance = random.Random(13)
    names = {
        kind: containers.define(program(script, "", *lines), f"{kind}-{os.getpid()}")
        for kind, (script, lines) in LIVES.items()
    }
    run("journalctl", "--sync")
    cursor = run("journalctl", "--quiet", "--lines=0", "--show-cursor").stdout.rpartition("-- cursor: ")[2].strip()
    done = []
    for _ in range(count("LIVES")):
        kind = chance.choice(list(names))
        (deed,) = chance.choices(list(DEEDS), list(DEEDS.values()))
        done.append((kind, deed))
        live(names[kind], deed, nsunit, run, events)
        if chance.random() < 0.2:
            time.sleep(chance.random() / 5)
    nsunit("rm", "--force", *names.values())
    last = containers.start(program(SERVE))
    nsunit("stop", last.name)
    events.wait("stop", container=last.name)
    run("journalctl", "--sync")
    for kind, name in names.items():
        all_told = [(event["event"], event.get("result")) for event in events.of(name, "start", "stop", "fail", "skip")]
        # A job may look at the conditions more than once.
        told = [
            item
            for item, before in zip(all_told, [None, *all_told], strict=False)
            if item[0] != "skip" or item != before
        ]
        noted = lives_in_the_journal(run, service_of(name), cursor)
        assert told == noted, f"{kind} ({name}) after {done}: told {told}, while the journal has {noted}"
        sessions = [(event["event"], event["unit"]) for event in events.of(name, "session-start", "session-stop")]
        units = dict.fromkeys(unit for _, unit in sessions)
        assert sessions == [(event, unit) for unit in units for event in ("session-start", "session-stop")]


def test_nothing_is_polled(events):
    """Every thread of it waits in epoll_wait(2), and without a time-out."""
    waiting = {"x86_64": ("232", "281"), "aarch64": ("22",)}[os.uname().machine]
    deadline = time.monotonic() + 60
    while True:
        threads = list(Path(f"/proc/{events.process.pid}/task").iterdir())
        calls = [(thread / "syscall").read_text().split() for thread in threads]
        if all(call[0] in waiting and int(call[4], 16) & 0xFFFFFFFF == 0xFFFFFFFF for call in calls):
            return
        assert time.monotonic() < deadline, calls
        time.sleep(0.1)


def test_nobody_listens_any_more(early):
    """As with `nsunit events web | head -1`: it ends at once, not when there is something to tell."""
    events = Events(early.name)
    assert events.ready["running"] == [early.name]
    events.process.stdout.close()
    assert events.process.wait(60) == 141
