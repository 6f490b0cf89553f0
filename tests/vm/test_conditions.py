"""Conditions and asserts in [Unit]: a container whose start systemd skips is not one that was started."""

import pytest

PROGRAM = "[Container]\nRootfs=/srv/roots/busybox\nVolatile=yes\nExec=sleep 1000\n[Unit]\n"
NOT_MET = {
    "ConditionPathExists=/srv/no-such": "a condition in [Unit] is not met",
    "AssertPathExists=/srv/no-such": "an assertion in [Unit] is not met",
}


@pytest.mark.parametrize("line", NOT_MET)
def test_what_is_not_met_is_told(containers, nsunit, line):
    name = containers.define(f"{PROGRAM}{line}\n")
    for _ in range(2):  # nothing is left of the first time
        done = nsunit("start", name, check=False)
        service = containers.of(name).service
        assert (done.returncode, done.stderr) == (
            1,
            f"nsunit: {name}: {NOT_MET[line]}\n  hint: see 'systemctl status {service}'\n",
        )
    assert containers.left() == []
    assert nsunit("list", "--names").stdout == ""


@pytest.mark.parametrize("line", ["ConditionPathExists=/srv", "AssertPathExists=/srv", "ConditionPathExists=|/srv"])
def test_what_is_met_starts(containers, line):
    container = containers.start(f"{PROGRAM}{line}\n")
    assert container.show("ActiveState") == {"ActiveState": "active"}


def test_an_enabled_one_is_told_of_too(containers, nsunit):
    name = containers.define(f"{PROGRAM}ConditionPathExists=/srv/no-such\n")
    nsunit("enable", name)
    done = nsunit("start", name, check=False)
    assert (done.returncode, "a condition in [Unit] is not met" in done.stderr) == (1, True)
    nsunit("disable", name)
