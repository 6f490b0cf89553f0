"""Plain names of services, and those that nsunit 0.1 gave them, which go on until the next start."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from waiting import wait_until

ANYWHERE = pytest.mark.anywhere("names of units: to systemd each is like any other")

BASE = "[Container]\nRootfs=/srv/roots/debian\nVolatile=yes\n"
TEXT = BASE + "Exec=/bin/sh -c 'echo said; exec sleep 1000'\n"
UNITS = Path("/etc/systemd/system")
# An nsunit that escapes each dash, as the earlier one did.
EARLIER = """
import sys
from nsunit import names
names._is_like_another = lambda name: True
from nsunit.cli.main import main
sys.argv[0] = "nsunit"
sys.exit(main())
"""


def earlier(*words):
    """Run what nsunit 0.1 would have run."""
    subprocess.run((sys.executable, "-c", EARLIER, *words), check=True, timeout=60)


def former(name):
    return f"nsunit-{name}.service".replace("-", "\\x2d").replace("nsunit\\x2d", "nsunit-", 1)


def state_of(run, unit):
    return run("systemctl", "is-active", unit, check=False).stdout.strip()


@pytest.fixture
def old(containers, run):
    """Start a container as nsunit 0.1 did."""

    def begin(name, *options, text=TEXT):
        containers.define(text, name)
        earlier(*(options or ("start",)), name)
        return former(name)

    yield begin
    for name in containers.names:
        run("nsunit", "disable", "--now", name, check=False)


def test_systemds_tools_take_the_plain_name(containers, run):
    web = containers.start(TEXT + "[Service]\nTimeoutStopSec=500ms\n", "plain-web")
    assert web.service == "nsunit-plain-web.service"
    assert state_of(run, "nsunit-plain-web") == "active"
    for words in (("-u", "nsunit-plain-web"), ("-t", "plain-web")):
        wait_until(lambda words=words: "said" in run("journalctl", "-q", "-o", "cat", *words).stdout)
    run("systemctl", "stop", "nsunit-plain-web")
    assert state_of(run, "nsunit-plain-web") != "active"


@ANYWHERE
def test_names_like_those_of_other_units_stay_escaped(containers, nsunit, run):
    """A container `a-health` beside the check of `a`, and one that is called as a unit of nsunit's own."""
    containers.start(TEXT + "Health=/bin/true\nHealthInterval=1h\n", "hn")
    for name in ("hn-health", "auto-update"):
        containers.start(TEXT, name)
        assert state_of(run, former(name)) == "active"
    names = [item["name"] for item in json.loads(nsunit("list", "--json").stdout)]
    assert {"hn", "hn-health", "auto-update"} <= set(names)
    nsunit("stop", "hn-health")
    assert state_of(run, "nsunit-hn-health.timer") == "active"


@ANYWHERE
def test_every_verb_finds_one_that_runs_by_its_former_name(old, nsunit, run, containers):
    unit = old("old-web")
    assert state_of(run, unit) == "active"
    (row,) = json.loads(nsunit("list", "--json", "old-web").stdout)
    assert (row["unit"], row["active_state"]) == (unit, "active")
    assert unit in nsunit("status", "old-web").stdout
    assert nsunit("exec", "old-web", "echo", "in").stdout == "in\n"
    assert "sleep" in nsunit("ps", "old-web").stdout
    assert "said" in nsunit("logs", "old-web").stdout
    assert "old-web" in nsunit("stats", "old-web").stdout
    assert "TasksMax" in nsunit("why", "old-web").stdout
    nsunit("set", "old-web", "TasksMax=77")
    for verb in ("pause", "resume", "plan", "apply", "show", "port"):
        nsunit(verb, "old-web", check=verb not in ("plan", "port"))
    assert "is already running" in (done := nsunit("start", "old-web")).stdout + done.stderr
    assert nsunit("doctor", "--check", check=False).stdout == "nothing is left\n"
    # What needs it is started beside it.
    other = containers.start(
        BASE + "UserNamespace=container:old-web\nPIDNamespace=container:old-web\nExec=/bin/sleep 1000\n", "new-one"
    )
    assert unit in run("systemctl", "show", "--property=BindsTo", other.service).stdout.replace("\\\\", "\\")
    nsunit("stop", "new-one")
    nsunit("kill", "--signal=CONT", "old-web")
    with subprocess.Popen(["nsunit", "wait", "old-web"], stdout=subprocess.PIPE, text=True) as waiting:
        nsunit("stop", "old-web")
        waiting.communicate(timeout=30)
    earlier("start", "old-web")
    nsunit("restart", "old-web")
    assert (state_of(run, unit), state_of(run, "nsunit-old-web")) == ("inactive", "active")
    nsunit("stop", "old-web")
    assert state_of(run, "nsunit-old-web") == "inactive"
    earlier("start", "old-web")
    nsunit("stop", "--now", "old-web")
    assert state_of(run, unit) == "inactive"


@ANYWHERE
def test_one_that_was_enabled_by_its_former_name(old, nsunit, run, tidy):
    unit = old("old-boot", "enable", "--now")
    assert (UNITS / unit).exists() and state_of(run, unit) == "active"
    (row,) = json.loads(nsunit("list", "--json", "old-boot").stdout)
    assert row["enabled"] is True
    nsunit("enable", "old-boot")
    links = [path.name for path in UNITS.glob("*.wants/*") if "old" in path.name]
    assert links == ["nsunit-old-boot.service"]
    assert (UNITS / unit).exists() and state_of(run, unit) == "active"
    nsunit("restart", "old-boot")
    assert not (UNITS / unit).exists()
    assert (state_of(run, unit), state_of(run, "nsunit-old-boot")) == ("inactive", "active")
    nsunit("disable", "--now", "old-boot")
    assert not [path for path in UNITS.rglob("*") if "old" in path.name and "boot" in path.name]


@pytest.mark.kernel("nftables")
@ANYWHERE
def test_timers_and_sockets_by_their_former_names(old, nsunit, run, tidy):
    timer = BASE + "Exec=/bin/true\n[Timer]\nOnCalendar=2100-01-01\n"
    socket = BASE + "Activation=fds\nPublishPort=8097:80\nExec=/bin/sleep 1000\n"
    kinds = {"old-timer": ("timer", timer), "old-fds": ("socket", socket)}
    units = {
        name: old(name, "enable", text=text).replace(".service", f".{kind}") for name, (kind, text) in kinds.items()
    }
    for name, unit in units.items():
        run("systemctl", "start", unit)
        assert ("2100-01-01" if name == "old-timer" else "listening") in nsunit("status", name, check=False).stdout
        nsunit("enable", name)
        run("systemctl", "stop", unit)
        nsunit("enable", name)
        plain = f"nsunit-{name}.{kinds[name][0]}"
        assert [path.name for path in UNITS.glob("*.wants/*") if name.replace("-", "") in path.name.replace("-", "")]
        assert not (UNITS / unit).exists() and (UNITS / plain).exists()
        assert state_of(run, unit) == "inactive"


@ANYWHERE
def test_one_that_is_not_enabled_anew_can_be_disabled(old, nsunit):
    old("old-gone", "enable", "--now")
    nsunit("disable", "--now", "old-gone")
    assert not [path for path in UNITS.rglob("*") if "old" in path.name and "gone" in path.name]


@ANYWHERE
def test_what_was_set_for_good_goes_on(old, nsunit, run):
    unit = old("old-set")
    earlier("set", "--persist", "old-set", "Service.TasksMax=123")
    (UNITS / f"{unit}.d/own.conf").write_text("[Service]\nLimitCORE=4321\n")
    nsunit("set", "--persist", "old-set", "Service.CPUWeight=55")
    assert "TasksMax=123" in nsunit("cat", "old-set").stdout
    nsunit("restart", "old-set")
    assert not (UNITS / f"{unit}.d").exists()
    own = run("systemctl", "show", "--property=TasksMax,LimitCORE,CPUWeight", "nsunit-old-set").stdout
    assert {"TasksMax=123", "LimitCORE=4321", "CPUWeight=55"} <= set(own.split())
    (UNITS / "nsunit-old-set.service.d/own.conf").unlink()
    nsunit("rm", "--force", "--definition", "old-set")
    assert not [path for path in UNITS.rglob("*") if "old" in path.name and "set" in path.name]
