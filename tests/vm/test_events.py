"""`nsunit events` tells what happens, when it happens, without asking again and again."""

import json
import select
import subprocess
import time
from pathlib import Path

import pytest

SERVE = "trap 'exit 0' TERM\necho end >/tmp/report\nsleep 1000 &\nwait\n"


class Events:
    """A running `nsunit events`."""

    def __init__(self, *names):
        self.process = subprocess.Popen(["nsunit", "events", *names], stdout=subprocess.PIPE, bufsize=0)
        self.buffer = b""
        self.seen = []
        self.ready = self.wait("ready")

    def wait(self, kind, timeout=90, **fields):
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

    def kinds(self, name):
        """What it has told of one container."""
        return [event["event"] for event in self.seen if event.get("container") == name]


@pytest.fixture
def events():
    following = Events()
    yield following
    following.process.terminate()
    assert following.process.wait(30) == 128 + 15


def test_start_and_stop(containers, program, nsunit, events):
    container = containers.start(program(SERVE))
    started = events.wait("start", container=container.name)
    assert started["unit"] == container.service
    assert abs(started["time_usec"] / 1e6 - time.time()) < 60
    container.report()
    nsunit("exec", container.name, "true")
    session = events.wait("session-start", container=container.name)["unit"]
    events.wait("session-stop", container=container.name, unit=session)
    nsunit("stop", container.name)
    assert events.wait("stop", container=container.name)["result"] == "success"
    nsunit("start", container.name)
    events.wait("start", container=container.name)
    assert events.kinds(container.name) == ["start", "session-start", "session-stop", "stop", "start"]


def test_failure(containers, program, events):
    container = containers.start(program("sleep 1\nexit 3\n"))
    failed = events.wait("fail", container=container.name)
    assert (failed["result"], failed["code"], failed["status"]) == ("exit-code", "exited", 3)


def test_restart(containers, program, events):
    container = containers.start(program("sleep 1\nexit 4\n", "", "[Service]", "Restart=on-failure", "RestartSec=1"))
    for kind in ("start", "fail", "start", "fail"):
        events.wait(kind, container=container.name)


def test_freeze_and_thaw(containers, program, nsunit, run, events):
    container = containers.start(program(SERVE))
    nsunit("pause", container.name)
    events.wait("freeze", container=container.name)
    nsunit("resume", container.name)
    events.wait("thaw", container=container.name)
    # Not by nsunit, and not the slice.
    run("systemctl", "freeze", "--", container.service)
    events.wait("freeze", container=container.name, unit=container.service)
    run("systemctl", "thaw", "--", container.service)
    events.wait("thaw", container=container.name)


def test_memory_high(containers, program, events):
    script = "dd if=/dev/zero of=/big bs=1M count=60 2>/dev/null\necho end >/tmp/report\nexec sleep 1000\n"
    container = containers.start(program(script, "Volatile=no", "[Slice]", "MemoryHigh=20M", "MemorySwapMax=0"))
    told = events.wait("memory-high", container=container.name)
    assert told["count"] > 0
    assert told["total"] >= told["count"]
    container.report(timeout=120)
    begin = time.monotonic()
    while time.monotonic() - begin < 3:
        time.sleep(0.1)
    assert events.kinds(container.name).count("memory-high") < 60  # at most one a second


SUBGROUP = """
sleep 1
mkdir /sys/fs/cgroup/workers /sys/fs/cgroup/main
for pid in $(cat /sys/fs/cgroup/cgroup.procs); do echo $pid >/sys/fs/cgroup/main/cgroup.procs; done
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
echo 5M >/sys/fs/cgroup/workers/memory.max
echo 0 >/sys/fs/cgroup/workers/memory.swap.max
(read pid rest </proc/self/stat; echo $pid >/sys/fs/cgroup/workers/cgroup.procs; exec tail /dev/zero)
echo $? >/tmp/code
echo end >/tmp/report
exec sleep 1000
"""


def test_a_kill_inside_a_delegated_subgroup(containers, program, events):
    """The container has a cgroup of its own making, with a limit of its own: systemd does not look in there."""
    container = containers.start(program(SUBGROUP))
    killed = events.wait("oom-kill", container=container.name)
    container.report()
    assert (container.root / "tmp/code").read_text() == "137\n"
    assert (killed["unit"], killed["cgroup"].split("/")[-1]) == (container.service, "workers")
    assert (killed["count"], killed["total"]) == (1, 1)
    assert container.show("ActiveState", "Result") == {"ActiveState": "active", "Result": "success"}


def test_the_kill_that_ends_a_container(containers, program, events):
    container = containers.start(program("sleep 1; tail /dev/zero", "", "[Slice]", "MemoryMax=20M", "MemorySwapMax=0"))
    events.wait("oom-kill", container=container.name)
    assert events.wait("fail", container=container.name)["result"] == "oom-kill"
    assert events.kinds(container.name).count("oom-kill") == 1


def test_what_runs_already(containers, program, nsunit, run):
    container, other = (containers.start(program(SERVE)) for _ in range(2))
    events = Events(container.name)
    try:
        assert events.ready["running"] == [container.name]
        container.report()
        run("systemctl", "daemon-reload")
        run("systemctl", "daemon-reexec")
        nsunit("pause", other.name)
        nsunit("resume", other.name)
        nsunit("pause", container.name)
        events.wait("freeze", container=container.name)
        nsunit("resume", container.name)
        events.wait("thaw", container=container.name)
        nsunit("stop", container.name, other.name)
        events.wait("stop", container=container.name)
        assert [event["event"] for event in events.seen] == ["ready", "freeze", "thaw", "stop"]
    finally:
        events.process.terminate()
        events.process.wait(30)


def test_nothing_is_polled(containers, program, events):
    container = containers.start(program(SERVE))
    events.wait("start", container=container.name)
    time.sleep(2)

    def switches():
        status = Path(f"/proc/{events.process.pid}/status").read_text()
        return sum(int(line.split()[1]) for line in status.splitlines() if "ctxt_switches" in line)

    before = switches()
    time.sleep(5)
    assert switches() - before < 5
