"""Jobs: containers that are started by a timer, whose end is waited for, and whose time is limited."""

import json
import subprocess
import time
from pathlib import Path

import pytest
from waiting import wait_until

BASE = """[Container]
Layer=/srv/roots/busybox
Volatile=yes
"""
UNITS = Path("/etc/systemd/system")


def is_active(unit):
    return subprocess.run(("systemctl", "is-active", unit), capture_output=True, text=True, check=False).stdout.strip()


@pytest.fixture
def enabled(containers, nsunit):
    """Define and enable a container, for one test."""
    names = []

    def enable(text, *options):
        names.append(containers.define(text))
        nsunit("enable", *options, names[-1])
        return names[-1], UNITS / f"nsunit-{names[-1]}.timer"

    yield enable
    for name in names:
        nsunit("disable", "--now", name)


def test_a_timer_starts_it(enabled, nsunit, containers):
    text = BASE + "Exec=/bin/echo did it\n[Timer]\nOnActiveSec=1s\nOnCalendar=*-*-* 03:00\nAccuracySec=1ms\n"
    name, timer = enabled(text, "--now")
    links = [path for path in UNITS.glob("*.wants/*") if name in path.name]
    assert [str(path.relative_to(UNITS)) for path in links] == [f"timers.target.wants/{timer.name}"]
    assert "[Install]" not in (UNITS / f"nsunit-{name}.service").read_text()
    wait_until(lambda: "did it" in nsunit("logs", name).stdout)
    wait_until(lambda: is_active(f"nsunit-{name}.service") == "inactive")
    (seen,) = json.loads(nsunit("status", "--json", name, check=False).stdout)
    assert seen["timer"] == timer.name
    assert seen["next_elapse_usec"] > time.time() * 1e6 > seen["last_trigger_usec"] > 0
    state = seen["state"]
    assert (state["sub_state"], state["next_elapse_usec"]) == ("waiting", seen["next_elapse_usec"])
    shown = nsunit("status", name, check=False).stdout
    assert f"Timer: {timer.name}, next " in shown and "Active: inactive (waiting)" in shown
    (listed,) = json.loads(nsunit("list", "--json", name).stdout)
    states = (listed["active_state"], listed["sub_state"], listed["enabled"])
    assert (*states, listed["next_elapse_usec"]) == ("inactive", "waiting", True, seen["next_elapse_usec"])
    assert "waiting (next in " in nsunit("list", name).stdout
    subprocess.run(("systemctl", "stop", timer.name), check=True)
    assert name not in nsunit("list").stdout
    assert f"Timer: {timer.name}, which 'nsunit enable --now' starts" in nsunit("status", name, check=False).stdout
    nsunit("enable", "--now", name)
    assert "started at its times" in shown
    nsunit("disable", name)
    assert is_active(timer.name) == "inactive"
    assert not timer.exists()
    assert not [path for path in UNITS.glob("*.wants/*") if name in path.name]


# The helper, to whom systemd does not listen for a while when the program runs: not to the last that it says, or to
# nothing since it has the program's process.
LATE = """\
import os, sys, time
sys.path.append("/usr/lib/python3/dist-packages")
from nsunit.setup import main, notify
send, tell, told, unheard = notify.send, notify.tell, [], sys.argv.pop()
def late(address, message):
    if message == "READY=1":
        if unheard == "all" and not told:
            os._exit(1)  # it has waited for systemd to read the number of the process
        time.sleep(1)
        for earlier in told:
            tell(address, earlier)
    send(address, message)
notify.send = late
if unheard == "all":
    notify.tell = lambda address, message: told.append(message)
os._exit(main.main(sys.argv))
"""


@pytest.mark.parametrize("unheard", ["last", "all"])
def test_a_program_that_is_over_before_systemd_hears_that_it_runs(enabled, run, tmp_path, unheard):
    """It has succeeded, or failed, as it says; systemd calls a unit failed whose process ends before it is ready."""
    (tmp_path / "late.py").write_text(LATE)
    for program, result, status in (("true", "success", "0"), ("false", "exit-code", "1")):
        name, _ = enabled(BASE + f"Exec=/bin/{program}\n")
        service = f"nsunit-{name}.service"
        drop_in = UNITS / f"{service}.d/late.conf"
        drop_in.parent.mkdir()
        late = f"/usr/bin/python3 -SI {tmp_path}/late.py /run/nsunit/containers/{name} {unheard}"
        drop_in.write_text(f"[Service]\nExecStart=\nExecStart={late}\n")
        try:
            run("systemctl", "daemon-reload")
            assert run("systemctl", "start", service, check=False).returncode == 0
            wait_until(lambda service=service: is_active(service) in ("inactive", "failed"))
            shown = run("systemctl", "show", "--property=Result,ExecMainStatus", service).stdout.split()
            assert sorted(shown) == [f"ExecMainStatus={status}", f"Result={result}"]
        finally:
            drop_in.unlink()
            drop_in.parent.rmdir()
        run("systemctl", "reset-failed", service, check=False)


def test_without_times_it_has_no_timer_any_more(enabled, nsunit, containers):
    name, timer = enabled(BASE + "Exec=/bin/sleep 1000\n[Timer]\nOnCalendar=daily\n", "--now")
    assert is_active(timer.name) == "active"
    assert is_active(f"nsunit-{name}.service") == "inactive"
    Path(f"/etc/nsunit/{name}.nsunit").write_text(BASE + "Exec=/bin/sleep 1000\n[Install]\nWantedBy=\n")
    nsunit("enable", name)
    assert (is_active(timer.name), timer.exists()) == ("inactive", False)
    assert not [path for path in UNITS.glob("*.wants/*") if name in path.name]  # as WantedBy= is empty


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("OnCalendar=some day\n", "OnCalendar=: 'some day' is no time"),
        ("Persistent=yes\n", "[Timer] has no key that says when it is to be"),
        ("OnCalendar=daily\nUnit=a.service\n", "it starts its container, and nothing else"),
    ],
)
def test_what_is_no_time(containers, nsunit, lines, message):
    name = containers.define(BASE + "Exec=/bin/true\n[Timer]\n" + lines)
    assert message in nsunit("enable", name, check=False).stderr


@pytest.mark.parametrize(
    ("program", "status", "said"),
    [
        ("true", 0, ""),
        ("exit 3", 3, "exited with status 3"),
        ("sleep 0.5; exit 4", 4, "exited with status 4"),
    ],
)
def test_a_start_that_waits_has_the_programs_status(containers, nsunit, program, status, said):
    name = containers.define(f"{BASE}Exec=/bin/sh -c '{program}'\n")
    done = nsunit("start", "--wait", name, check=False)
    assert done.returncode == status, done.stderr
    assert said in done.stdout + done.stderr


def test_the_end_of_a_short_job_is_no_kill(containers, nsunit):
    """It is over before the helper is, which has nothing more to do."""
    name = containers.define(BASE + "Exec=/bin/true\n")
    for _ in range(4):
        nsunit("start", "--wait", name)
    wait_until(lambda: nsunit("logs", name).stdout.count("Deactivated successfully") == 4)
    assert "SIGKILL" not in nsunit("logs", name).stdout


def test_a_start_of_an_enabled_one_waits_as_well(enabled, nsunit):
    name, _ = enabled(BASE + "Exec=/bin/sh -c 'sleep 0.3; exit 5'\n[Install]\nWantedBy=\n")
    done = nsunit("start", "--wait", "--json", name, check=False)
    (ending,) = json.loads(done.stdout)
    assert (done.returncode, ending["name"], ending["ended"]["exec_main_status"]) == (5, name, 5)


DEAF = "Exec=/bin/sleep 1000\n[Service]\nRuntimeMaxSec=1\nTimeoutStopSec=100\n"  # no handler for SIGTERM


def test_its_time_is_up(containers, nsunit):
    name = containers.define(BASE + DEAF)
    done = nsunit("start", "--wait", name, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (137, f"{name}: was stopped, as its time was up (RuntimeMaxSec=)\n")
    shown = nsunit("status", name, check=False).stdout
    assert "it was stopped, as its time was up (RuntimeMaxSec=)" in shown


def test_its_time_is_up_in_the_foreground(nsunit):
    words = ("-p", "Layer=/srv/roots/busybox", "-p", "RuntimeMaxSec=1", "-p", "TimeoutStopSec=100")
    done = nsunit("run", *words, "--", "sleep", "1000", check=False, timeout=60)
    assert done.returncode == 137
    assert "it was stopped, as its time was up (RuntimeMaxSec=)" in done.stderr
