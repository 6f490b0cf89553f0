"""Races: many commands at once on one container, or on many."""

import collections
import os
import subprocess
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from counts import count
from waiting import wait_until

BUSYBOX = "/srv/roots/busybox"
SLEEPER = f"[Container]\nLayer={BUSYBOX}\nExec=/bin/sleep 1000\n"
STARTS, SECONDS = count("STARTS"), count("SECONDS")


def popen(*words):
    return subprocess.Popen(["nsunit", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.timeout(600)
def test_many_starts_of_one_name(containers):
    name = containers.define(SLEEPER)
    processes = [popen("start", name) for _ in range(STARTS)]
    said = collections.Counter()
    for process in processes:
        out, err = process.communicate(timeout=500)
        assert (process.returncode, err) == (0, "")
        said[out] += 1
    assert said == {"": 1, f"{name}: is already running\n": STARTS - 1}
    container = containers.of(name)
    assert len((container.cgroup / container.service / "payload/cgroup.procs").read_text().split()) == 1


def test_a_start_and_a_foreground_run_of_one_name(nsunit, containers):
    """They would share the id range, the plan and the upper layer."""
    name = containers.define(SLEEPER)
    foreground = [popen("run", "--name", name, f"-pRootfs={BUSYBOX}", "sleep", "3") for _ in range(2)]
    background = popen("start", name)
    results = [(process.communicate(timeout=120), process.returncode) for process in (*foreground, background)]
    refused = [err for (_, err), status in results[:2] if status]
    assert all("is already running" in err for err in refused), refused
    ran = 2 - len(refused)
    started = results[2][0][1] == ""
    assert results[2][1] == 0
    assert ran or started
    assert "Traceback" not in str(results)
    nsunit("stop", name)


# What each command may answer while others are at work on the same container.
ANSWERS = {
    "start": {0: ("", "is already running")},
    "stop": {0: ("", "is not running", "killed, since its program has no handler for SIGTERM")},
    "rm": {0: ("", "nothing was kept"), 1: ("it is running",)},
    "exec": {
        0: ("",),
        125: (
            "is not running", "is still starting", "it has just ended", "it was restarted meanwhile",
            "it is being stopped",
        ),
        129: ("",),
        137: ("",),
        143: ("",),
    },
}  # fmt: skip


@pytest.mark.timeout(400)
def test_start_stop_rm_and_exec_against_each_other(containers):
    name = containers.define(SLEEPER)
    end = time.monotonic() + SECONDS
    answers = collections.Counter()

    def loop(verb):
        while time.monotonic() < end:
            words = ["nsunit", verb, name, *(["true"] if verb == "exec" else [])]
            done = subprocess.run(words, capture_output=True, text=True, timeout=200, check=False)
            known = ANSWERS[verb].get(done.returncode, ())
            said = done.stdout + done.stderr
            if not any(text in said if text else not said for text in known):
                answers[f"{verb} {done.returncode}: {said}"] += 1

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(loop, ["start", "start", "stop", "rm", "exec", "exec"]))
    assert answers == {}
    subprocess.run(["nsunit", "stop", name], check=True, timeout=60, capture_output=True)
    subprocess.run(["nsunit", "rm", name], check=True, timeout=60, capture_output=True)
    assert containers.left() == []


def test_exec_during_a_stop_gets_a_clean_answer(nsunit, containers):
    """The program takes its time to end, and its time runs out."""
    script = "trap : TERM; touch /ready; while :; do sleep 1; done"
    container = containers.start(
        SLEEPER.replace("/bin/sleep 1000", f"/bin/sh -c '{script}'") + "[Service]\nTimeoutStopSec=4\n"
    )
    wait_until(lambda: (container.root / "ready").exists(), "its start")
    session = popen("exec", container.name, "sh", "-c", "touch /begun; exec sleep 100")
    wait_until(lambda: (container.root / "begun").exists(), "the session's start")  # before, it would not have run
    stop = popen("stop", container.name)
    wait_until(lambda: container.show("ActiveState")["ActiveState"] != "active", "the stop's begin")
    late = nsunit("exec", container.name, "true", check=False)
    assert (late.returncode, "is not running" in late.stderr) == (125, True), late.stderr
    assert stop.wait(60) == 0
    session.communicate(timeout=60)
    assert session.returncode in (137, 143, 129), "the session outlived its container"


def test_exec_during_a_restart_gets_a_clean_answer(nsunit, containers):
    container = containers.start(SLEEPER)
    restart = popen("restart", container.name)
    answers = []
    while restart.poll() is None:
        answers.append(nsunit("exec", container.name, "true", check=False))
    assert restart.wait() == 0
    refused = [item for item in answers if item.returncode]
    for item in refused:
        # By a signal: it had begun, and ended with its container.
        assert item.returncode in (125, 129, 137, 143), item.stderr
        assert len(item.stderr.splitlines()) <= 2, item.stderr
        assert "internal error" not in item.stderr
    assert refused, "the restart was not noticed"
    assert nsunit("exec", container.name, "true").returncode == 0


def test_exec_that_meets_the_end_gets_a_clean_answer(containers):
    """The container ends by itself, so the session may be at any step; whichever it was, nothing is left of both."""
    script = f"{SLEEPER.replace('1000', '1')}Volatile=yes\n"
    containers.groups.append("races")
    for group in ("", "Slice=races-late\n"):
        container = containers.start(script + group)

        def session(name=container.name):
            done = subprocess.run(["nsunit", "exec", name, "true"], capture_output=True, text=True, check=False)
            return done.returncode, done.stderr.partition("\n")[0]

        def sessions():
            answers = [session()]
            while not answers[-1][1].endswith("it is not running"):
                answers.append(session())
            return answers

        with ThreadPoolExecutor(4) as pool:
            answers = {answer for future in [pool.submit(sessions) for _ in range(4)] for answer in future.result()}
        said = {(125, f"nsunit: {container.name}: it {what}") for what in ("has just ended", "is not running")}
        assert answers <= {(0, ""), (137, ""), *said}
    # What it keeps is the id range; its units, with the slices that a late session has made again, are gone.
    assert [line for line in containers.left() if not line.startswith("/var/lib/")] == []


def same_slot(count):
    """Names whose id ranges would be the same if nobody looked: the choice begins at a hash of the name."""
    slots = collections.defaultdict(list)
    total = (1878982656 - 524288) // 65536 + 1
    for number in range(10**7):
        name = f"slot{number}"
        names = slots[zlib.crc32(name.encode()) % total]
        names.append(name)
        if len(names) == count:
            return names
    raise AssertionError


def test_starts_at_once_get_ranges_of_their_own(containers):
    names = [containers.define(SLEEPER, name) for name in same_slot(6)]
    processes = [popen("start", name) for name in names]
    for process in processes:
        _, err = process.communicate(timeout=120)
        assert (process.returncode, err) == (0, "")
    starts = sorted(int((containers.of(name).state / "ids").read_text().split()[0]) for name in names)
    assert all(later - earlier >= 65536 for earlier, later in zip(starts, starts[1:], strict=False)), starts
    owners = {os.stat(f"/proc/{containers.of(name).pid}").st_uid for name in names}
    assert owners == set(starts)
