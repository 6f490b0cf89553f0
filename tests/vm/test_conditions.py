"""Conditions and asserts in [Unit]: a container whose start systemd skips is not one that was started."""

import json
from pathlib import Path

import pytest
from waiting import wait_until

PROGRAM = "[Container]\nRootfs=/srv/roots/busybox\nVolatile=yes\nStopSignal=SIGKILL\nExec=sleep 1000\n[Unit]\n"
CONDITION = "a condition in [Unit] is not met"
ASSERTION = "an assertion in [Unit] is not met"
NOT_MET = {
    "ConditionPathExists=/srv/no-such": (CONDITION, "see 'systemctl status {service}'"),
    "AssertPathExists=/srv/no-such": (ASSERTION, "see 'systemctl status {service}'"),
    "[Service]\nExecCondition=/bin/false": (
        "a command of ExecCondition= does not let it start",
        "see 'nsunit logs {name}'",
    ),
    "StopWhenUnneeded=yes": (
        "nothing that runs needs it, so StopWhenUnneeded= stops it",
        "start what needs it, or leave StopWhenUnneeded= out",
    ),
}


@pytest.mark.kernel("nftables")
@pytest.mark.parametrize("line", NOT_MET)
def test_what_is_not_met_is_told(containers, nsunit, line):
    """Nothing is left of it, and the next one has its port."""
    port = "[Container]\nNetwork=bridge\nPublishPort=18083:80\n"
    names = [containers.define(f"{port}{PROGRAM}{line}\n") for _ in range(2)]
    for name in names:
        done = nsunit("start", name, check=False)
        what, hint = NOT_MET[line]
        hint = hint.format(name=name, service=containers.of(name).service)
        assert (done.returncode, done.stderr) == (1, f"nsunit: {name}: {what}\n  hint: {hint}\n")
        assert json.loads(nsunit("network", "list", "--json").stdout)[0]["containers"] == []
    assert containers.left() == []
    assert nsunit("list", "--names").stdout == ""
    assert list(Path("/run/nsunit").glob("unstarted-*")) == []


@pytest.mark.parametrize("line", [line for line in NOT_MET if "Exec" not in line])
def test_in_the_foreground(nsunit, line):
    """It does not run, without limits, in the caller's control group."""
    keys = ["-p", "Rootfs=/srv/roots/busybox", "-p", f"Unit.{line}"]
    done = nsunit("run", *keys, "echo", "it runs", check=False)
    assert (done.returncode, done.stdout) == (125, "")
    what = "[Unit] StopWhenUnneeded= stops it at once, as nothing can need it" if "Stop" in line else NOT_MET[line][0]
    assert what in done.stderr
    assert nsunit("list", "--names").stdout == ""


def test_what_is_needed_runs(containers, nsunit, run):
    container = containers.of(containers.define(f"{PROGRAM}StopWhenUnneeded=yes\n"))
    unit = Path("/run/systemd/system/needs-it.service")
    unit.write_text(f"[Unit]\nWants={container.service}\n[Service]\nExecStart=/bin/sleep 1000\n")
    try:
        run("systemctl", "daemon-reload")
        run("systemctl", "start", unit.name)
        nsunit("start", container.name)
        assert container.show("ActiveState") == {"ActiveState": "active"}
    finally:
        run("systemctl", "stop", unit.name)
        unit.unlink()
        run("systemctl", "daemon-reload")


@pytest.mark.parametrize(
    "line", ["ConditionPathExists=|/srv", "AssertPathExists=/srv", "[Service]\nExecCondition=/bin/true"]
)
def test_what_is_met_starts(containers, line):
    container = containers.start(f"{PROGRAM}{line}\n")
    assert container.show("ActiveState") == {"ActiveState": "active"}
    assert list(Path("/run/nsunit").glob("unstarted-*")) == []


@pytest.mark.parametrize("line", ["ConditionPathExists=/srv/no-such", "[Service]\nExecCondition=/bin/false"])
def test_an_enabled_one_is_told_of_too(containers, nsunit, line):
    name = containers.define(f"{PROGRAM}{line}\n")
    nsunit("enable", name)
    done = nsunit("start", name, check=False)
    assert (done.returncode, NOT_MET[line][0] in done.stderr) == (1, True)
    nsunit("disable", name)


def test_a_unit_that_is_not_there(containers, nsunit):
    name = containers.define(f"{PROGRAM}Requires=no-such.service\nBindsTo=no-such.mount\nWants=not-needed.service\n")
    done = nsunit("verify", name, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "[Unit] Requires: 'no-such.service' is not there\n  hint: install what has it" in done.stderr
    assert "[Unit] BindsTo: 'no-such.mount' is not there" in done.stderr
    assert "not-needed" not in done.stderr
    said = nsunit("start", name, check=False).stderr
    assert said.startswith(f"nsunit: {name}: ")
    assert "not found" in said  # of one of the two, as systemd comes upon it
    assert said.endswith(f"  hint: 'nsunit verify {name}' says what asks for it\n")


def test_containers_that_require_each_other(containers, nsunit):
    first, second = sorted((containers.define(PROGRAM), containers.define(PROGRAM)))
    for name, other in ((first, second), (second, first)):
        Path(f"/etc/nsunit/{name}.nsunit").write_text(f"{PROGRAM}Requires=nsunit-{other}.service\n")
    hint = "  hint: require each other no more than one way round; Wants= does without\n"
    done = nsunit("start", first, check=False)
    assert done.returncode == 1
    assert f"nsunit: {first}: it requires '{second}', which is to be started after it\n{hint}" in done.stderr
    assert f"nsunit: {second}: it requires '{first}', which did not start\n" in done.stderr
    Path(f"/etc/nsunit/{second}.nsunit").write_text("[Container]\nNothing=1\n")
    done = nsunit("start", first, check=False)
    assert f"nsunit: {first}: it requires '{second}', which did not start\n  hint: Wants= does without\n" in done.stderr
    warning = f"warning: {first}: [Unit] Requires: 'nsunit-{second}.service' is not there; install what has it"
    assert warning in nsunit("enable", first).stderr
    nsunit("disable", first)


def test_nothing_is_left_of_what_has_waited_in_vain(containers, nsunit):
    text = "[Container]\nRootfs=/srv/roots/busybox\nVolatile=yes\nExec=/no-such\n"
    failing = f"nsunit-{containers.define(text)}.service"
    name = containers.define(f"{PROGRAM}Requires={failing}\nAfter={failing}\n")
    other = failing.removeprefix("nsunit-").removesuffix(".service")
    assert f"nsunit: {name}: it requires '{other}', which did not start\n" in nsunit("start", name, check=False).stderr
    wait_until(lambda: not containers.left())
