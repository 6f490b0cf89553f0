"""Health=: what is checked, what becomes of it, and what a check that means harm comes to."""

import contextlib
import json
import os
import re
import signal
import subprocess
import uuid
from pathlib import Path

import oci
import pytest
from test_images import busybox
from waiting import wait_until

BASE = """[Container]
Layer=/srv/roots/busybox
Volatile=yes
Exec=/bin/sh -c 'trap exit TERM; {}while :; do sleep 1000 & wait $!; done'
"""
WELL = BASE.format("touch /tmp/well; ")
ANYWHERE = pytest.mark.anywhere("between nsunit, the program and the kernel; others show on all releases who calls")
LOOKS = "Health=/bin/ls /tmp/well\nHealthInterval=200ms\nHealthRetries=2\n"


def checks(container):
    """The units that check it."""
    stem = container.service.removesuffix(".service")
    return f"{stem}-health.timer", f"{stem}-health.service"


def shown(nsunit, name):
    return json.loads(nsunit("--json", "status", name).stdout)[0]["health"]


def is_now(nsunit, name, status):
    return wait_until(lambda: (found := shown(nsunit, name)) and found["status"] == status and found, status)


def journal(unit, *words):
    return subprocess.run(
        ["journalctl", "--output=cat", f"--unit={unit}", *words], capture_output=True, text=True, check=True
    ).stdout


@contextlib.contextmanager
def events(name):
    """The lines of `nsunit events`, as they come."""
    with subprocess.Popen(["nsunit", "events", name], stdout=subprocess.PIPE, text=True) as follower:
        try:
            assert json.loads(follower.stdout.readline())["event"] == "ready"
            yield lambda: next(event["health"] for event in map(json.loads, follower.stdout) if "health" in event)
        finally:
            follower.terminate()


def test_what_is_known_and_who_tells(containers, nsunit, run):
    name = containers.define(WELL + LOOKS)
    container = containers.of(name)
    timer, service = checks(container)
    with events(name) as following:
        nsunit("start", name)
        nsunit("wait", "--condition=healthy", name)
        assert following() in ("starting", "healthy")
        found = shown(nsunit, name)
        assert (found["status"], found["failing_streak"]) == ("healthy", 0)
        assert found["results"][-1]["output"] == "/tmp/well\n"
        row = next(line for line in nsunit("list", "--no-color").stdout.splitlines() if line.startswith(name))
        assert "running (healthy)" in row
        assert "Health: healthy; checked" in nsunit("status", name, "--no-color").stdout

        nsunit("exec", name, "rm", "/tmp/well")
        done = nsunit("--json", "wait", "--condition=unhealthy", name)
        assert json.loads(done.stdout) == [{"name": name, "health": "unhealthy"}]
        while (event := following()) == "healthy":
            pass
        assert event == "unhealthy"
        text = nsunit("status", name, "--no-color").stdout
        assert re.search(r"Health: unhealthy; .* failures in a row: status 1: ls: /tmp/well: No such file", text), text
        assert shown(nsunit, name)["failing_streak"] >= 2
        done = nsunit("wait", "--condition=healthy", "--timeout=0.1", name, check=False)
        assert (done.returncode, "not healthy after 0.1 s" in done.stderr) == (1, True), done.stderr
        nsunit("exec", name, "touch", "/tmp/well")
        nsunit("wait", "--condition=healthy", name)
        assert following() == "healthy"

    # While nothing runs there, nothing is checked.
    nsunit("pause", name)
    tried = lambda: container.show("ExecMainStartTimestampMonotonic", unit=service)  # noqa: E731
    file = Path(f"/run/nsunit/containers/{name}/health")
    wait_until(lambda: container.show("ActiveState", unit=service)["ActiveState"] == "inactive")
    before = file.read_bytes()
    for _ in range(3):
        now = tried()
        wait_until(lambda now=now: tried() != now, "another look at it")
    assert file.read_bytes() == before
    assert container.show("ActiveState", unit=timer)["ActiveState"] == "active"
    nsunit("resume", name)
    wait_until(lambda: file.read_bytes() != before, "a check")

    # What passes is not told of, neither by nsunit nor by systemd; changes and failures are, among the container's.
    lines = nsunit("logs", name).stdout
    assert lines.count("Healthy: the check has passed") == 2
    assert len(re.findall("The check has failed .1 in a row.: status 1: ls: /tmp/well", lines)) == 1
    assert "Unhealthy: the check has failed (2 in a row)" in lines
    assert "Check the health" not in journal(service)
    assert not (container.cgroup / container.service / "health").exists() or is_now(nsunit, name, "healthy")

    # A new run begins anew, and nothing stays.
    run("systemctl", "kill", "--signal=KILL", "--kill-whom=main", container.service)
    done = wait_until(lambda: container.show("ActiveState")["ActiveState"] in ("failed", "inactive"))
    assert done
    wait_until(lambda: container.show("ActiveState", unit=timer)["ActiveState"] == "inactive", "the timer's end")
    assert nsunit("wait", "--condition=healthy", name, check=False).returncode == 3


def test_ready_when_it_is_healthy(containers, nsunit):
    name = containers.define(BASE.format("sleep 1; touch /tmp/well; ") + LOOKS + "Notify=healthy\n")
    nsunit("start", name)
    assert shown(nsunit, name)["status"] == "healthy"
    assert containers.of(name).show("ActiveState", "StatusText") == {"ActiveState": "active", "StatusText": ""}

    # It is looked at from the beginning, when none of the processes is the container's yet.
    early = containers.define(
        BASE.format("touch /tmp/well; ") + "Health=/bin/ls /tmp/well\nHealthInterval=5min\nNotify=healthy\n"
        "[Service]\nExecStartPre=/bin/sleep 0.5\nExecStartPre=/bin/sleep 0.5\nTimeoutStartSec=20\n"
    )
    nsunit("start", early)
    assert [item["status"] for item in shown(nsunit, early)["results"]][-1] == 0
    assert "setns" not in nsunit("logs", early).stdout

    never = containers.define(BASE.format("") + LOOKS + "Notify=healthy\n[Service]\nTimeoutStartSec=6\n")
    done = nsunit("start", never, check=False)
    assert done.returncode == 1
    assert f"{never}: it was not healthy in time: status 1: ls: /tmp/well: No such file" in done.stderr
    assert "raise TimeoutStartSec=" in done.stderr
    # A program that ends before is no success, though it says so.
    ends = containers.define(BASE.format("exit 0; ") + LOOKS + "Notify=healthy\n")
    done = nsunit("start", ends, check=False)
    assert (done.returncode, "it ended before it was ready" in done.stderr) == (1, True), done.stderr


def test_one_that_is_restarted_during_a_check_is_checked_at_once(containers, nsunit, tmp_path):
    """The timer begins anew with it, and finds the program of the former run's check at work."""
    tmp_path.chmod(0o755)
    program = BASE.format("")
    looks = "Health=/bin/ls /mnt/well\nHealthInterval=30min\nHealthStartInterval=10min\n"
    again = "[Service]\nRestart=always\nRestartSec=50ms\n"
    container = containers.start(f"{program}{looks}BindReadOnly={tmp_path}:/mnt\n{again}")
    timer, service = checks(container)
    is_now(nsunit, container.name, "starting")
    checker = wait_until(lambda: int(container.show("MainPID", unit=service)["MainPID"]), "the first check")
    started = container.show("ActiveEnterTimestampMonotonic", unit=timer)
    os.kill(checker, signal.SIGSTOP)
    (tmp_path / "well").touch()
    os.kill(container.pid, signal.SIGKILL)

    def is_absorbed():
        now = container.show("ActiveEnterTimestampMonotonic", unit=timer)
        return now != started and container.show("SubState", unit=timer)["SubState"] == "running"

    wait_until(is_absorbed, "the timer of the next run")
    os.kill(checker, signal.SIGCONT)
    nsunit("wait", "--condition=healthy", "--timeout=60", container.name)


@ANYWHERE
@pytest.mark.parametrize("how", ["false", "exec sleep 1000"])
def test_tries_leave_no_descriptors_open(containers, how):
    """One that is starting is tried by one and the same program: it had none left after a thousand."""
    looks = f"Health=/bin/sh -c 'echo >>/tmp/tries; {how}'\nHealthInterval=30min\nHealthTimeout=500ms\n"
    container = containers.start(BASE.format("") + looks + "HealthStartInterval=100ms\n")
    _, service = checks(container)
    tries = Path(f"/proc/{container.pid}/root/tmp/tries")
    wait_until(lambda: tries.exists() and tries.stat().st_size >= 20, "twenty tries", timeout=250)
    assert len(os.listdir(f"/proc/{container.show('MainPID', unit=service)['MainPID']}/fd")) < 20


@ANYWHERE
def test_a_check_that_means_harm(containers, nsunit):
    """Endless output, no end, processes left behind, no program: each comes to an end, and nothing to another."""
    script = (
        "case $(cat /tmp/how) in flood) yes; ;; hang) echo so far; trap : TERM; sleep 1000 & wait; sleep 1000;; "
        "leave) (trap '' TERM HUP; sleep 1000; ) & echo left; exit 3;; die) kill -9 $$;; esac"
    )
    lines = f"Health=/bin/sh -c '{script.replace(chr(39), chr(34))}'\nHealthInterval=200ms\nHealthTimeout=1s\n"
    container = containers.start(BASE.format("echo fine >/tmp/how; ") + lines + "HealthRetries=1\n")
    name = container.name
    group = container.cgroup / container.service / "health"
    is_now(nsunit, name, "healthy")

    def last(how):
        """The result of a check that was begun after the container was told *how*."""
        nsunit("exec", name, "sh", "-c", f"echo {how} >/tmp/how")
        known = shown(nsunit, name)["results"]
        seen = known[-1]["ended_usec"]
        results = wait_until(
            lambda: [item for item in shown(nsunit, name)["results"] if item["ended_usec"] > seen][1:], f"two of {how}"
        )
        return results[-1]

    flood = last("flood")
    assert (flood["status"], flood["output"]) == (-1, "it was killed when its time was over")
    assert last("hang")["status"] == -1
    assert flood["duration_usec"] >= 1_000_000
    left = last("leave")
    assert (left["status"], left["output"]) == (3, "left\n")
    assert last("die")["status"] == 128 + 9
    assert last("fine")["status"] == 0
    wait_until(lambda: not group.exists(), "the end of its group")
    sleeping = [process for process in nsunit("ps", name).stdout.splitlines() if process.endswith("\tsleep 1000")]
    assert len(sleeping) == 1, sleeping  # the payload's

    missing = containers.start(WELL + "Health=/no/such program\nHealthInterval=200ms\nHealthRetries=1\n").name
    found = is_now(nsunit, missing, "unhealthy")["results"][-1]
    assert found["status"] == 127
    assert found["output"] == "Failed to execute '/no/such': No such file or directory"
    many = containers.start(WELL + "Health=/bin/sh -c 'seq 5000'\nHealthInterval=200ms\n").name
    output = is_now(nsunit, many, "healthy")["results"][-1]["output"]
    assert (len(output), output[-10:]) == (4096, "4999\n5000\n")


@pytest.mark.parametrize("action", ["restart", "stop", "kill"])
def test_what_becomes_of_an_unhealthy_one(containers, nsunit, action):
    more = "[Service]\nRestart=on-failure\nRestartSec=100ms\n" if action == "kill" else ""
    # Well once, on the first run; then it is started anew with nothing in /tmp, and is well by that.
    definition = BASE.format("touch /tmp/well; ") + LOOKS + f"HealthOnFailure={action}\n" + more
    container = containers.start(definition)
    name, first = container.name, str(container.pid)
    is_now(nsunit, name, "healthy")
    nsunit("exec", name, "rm", "/tmp/well")
    if action == "stop":
        wait_until(lambda: container.show("ActiveState")["ActiveState"] in ("inactive", "failed"), "its end")
        assert "HealthOnFailure=stop" in nsunit("logs", name).stdout
        return
    wait_until(lambda: container.show("MainPID", "ActiveState")["MainPID"] not in ("0", first), "another run")
    found = is_now(nsunit, name, "healthy")
    assert found["failing_streak"] == 0
    assert all(result["status"] == 0 for result in found["results"])  # nothing of the run before


def test_one_that_systemd_is_about_to_start_again_is_waited_for(containers, nsunit, run):
    """It was "still starting", with 3, where scripts wait for just that; nor does the last run's health count."""
    again = "[Service]\nRestart=always\nRestartSec=5s\n"
    container = containers.start(BASE.format("touch /tmp/well; ") + LOOKS + again)
    nsunit("wait", "--condition=healthy", container.name)
    run("systemctl", "kill", "--signal=KILL", "--kill-whom=main", container.service)
    wait_until(lambda: container.show("SubState")["SubState"] == "auto-restart")
    nsunit("wait", "--condition=healthy", "--timeout=60", container.name)
    assert container.show("ActiveState")["ActiveState"] == "active"


@ANYWHERE
def test_an_image_says_how_it_is_checked(containers, nsunit, workplace, define):
    layout = oci.Layout(workplace / "layout")
    health = {"Test": ["CMD-SHELL", "id -u; echo $COLOR"], "Interval": 200_000_000, "Retries": 1}
    config = {"Cmd": ["sleep", "1000"], "User": "web", "Env": ["COLOR=red"], "Healthcheck": health}
    layout.image([oci.archive(busybox())], **config)
    image = f"localhost/{workplace.name.lower()}:1"
    nsunit("image", "import", f"oci:{layout.path}:latest", "--name", image)
    try:
        container = containers.start(f"[Container]\nImage={image}\nVolatile=yes\nNotify=healthy\n")
        assert shown(nsunit, container.name)["results"][-1]["output"] == "33\nred\n"
        none = containers.start(f"[Container]\nImage={image}\nVolatile=yes\nHealth=no\n")
        assert shown(nsunit, none.name) is None
        done = nsunit("wait", "--condition=healthy", none.name, check=False)
        assert (done.returncode, "nothing checks its health" in done.stderr) == (1, True)
        never = define(f"[Container]\nImage={image}\nVolatile=yes\nHealth=no\nNotify=healthy\n")
        done = nsunit("start", never, check=False)
        assert "nothing tells whether it is healthy with Health=no" in done.stderr
        containers.clean()
    finally:
        nsunit("image", "rm", image)


def test_from_unit_files(containers, nsunit, run):
    """Started by systemd alone, as at boot; handed down is what [Service] says of processes."""
    lines = WELL + "Health=/bin/sh -c 'ulimit -n; ls /tmp/well'\nHealthInterval=200ms\nNotify=healthy\n"
    name = containers.define(lines + "[Service]\nLimitNOFILE=333\n")
    container = containers.of(name)
    timer, service = checks(container)
    nsunit("enable", name)
    assert Path(f"/etc/systemd/system/{timer}").exists()
    run("systemd-analyze", "verify", f"/etc/systemd/system/{timer}", f"/etc/systemd/system/{service}")
    run("systemctl", "start", container.service)
    assert shown(nsunit, name)["results"][-1]["output"] == "333\n/tmp/well\n"
    run("systemctl", "restart", container.service)
    is_now(nsunit, name, "healthy")
    assert container.show("ActiveState", unit=timer)["ActiveState"] == "active"
    run("systemctl", "stop", container.service)
    assert container.show("ActiveState", unit=timer)["ActiveState"] == "inactive"
    nsunit("start", name)
    is_now(nsunit, name, "healthy")
    nsunit("disable", "--now", name)
    assert not list(Path("/etc/systemd/system").glob(f"nsunit-{name}*"))


def test_from_unit_files_with_a_dash_in_the_name(containers, nsunit, run):
    """In the path of its slice that is `\\x2d`, an escape for systemd in a command: it was looked for elsewhere."""
    name = containers.define(WELL + "Health=/bin/true\nHealthInterval=200ms\n", f"t-{uuid.uuid4().hex[:8]}")
    nsunit("enable", name)
    run("systemctl", "start", containers.of(name).service)
    is_now(nsunit, name, "healthy")
    nsunit("disable", "--now", name)


def test_a_check_under_way_is_ended_with_the_unit_files(containers, nsunit, run):
    """What checks outlives the container for a moment; its failure would be kept if it came once its file was gone."""
    name = containers.define(WELL + "Health=/bin/sleep 1000\nHealthTimeout=1000\n")
    container = containers.of(name)
    _, service = checks(container)
    nsunit("enable", name)
    run("systemctl", "start", container.service)

    def program():
        return int(container.show("ExecMainPID", unit=service)["ExecMainPID"])

    wait_until(program, "a check")
    os.kill(program(), signal.SIGSTOP)
    nsunit("disable", "--now", name)
    assert container.show("LoadState", "ActiveState", unit=service) == {
        "LoadState": "not-found",
        "ActiveState": "inactive",
    }


@pytest.mark.parametrize("lines", ["Init=yes", "PIDNamespace=host", "PrivateUsers=no", "Slice={group}"])
def test_whatever_the_container_shares(containers, nsunit, lines):
    """It is the payload that is checked, and the same that systemd calls the main process."""
    group = containers.define_group("[Slice]\nTasksMax=100\n")
    more = f"{lines.format(group=group)}\nNotify=healthy\n"
    name = containers.define(WELL.replace("[Container]\n", f"[Container]\n{more}") + LOOKS)
    nsunit("start", name)
    assert shown(nsunit, name)["results"][-1]["output"] == "/tmp/well\n"
