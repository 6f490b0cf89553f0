"""`enable`, `disable` and `rename` killed at whatever step: `doctor` finds it, or the same command does the rest."""

import json
import shutil
import signal
from pathlib import Path

import pytest
from interrupting import interrupted

pytestmark = [
    pytest.mark.usefixtures("tidy"),
    pytest.mark.anywhere("killed between nsunit's own calls"),
]

BUSYBOX = "/srv/roots/busybox"
KEPT = f"[Container]\nLayer={BUSYBOX}\nExec=/bin/sleep 1000\n"
DEFINITIONS = Path("/etc/nsunit")
ENABLING = (
    ("before", "nsunit.core.boot:reserve"),
    ("before", "nsunit.core.boot:write_contents"),
    ("after", "nsunit.core.boot:write_contents"),
    ("after", "nsunit.core.boot:write_unit"),
    ("before", "nsunit.deeds.enable:link"),
    ("after", "nsunit.core.install:symlink"),
    ("after", "nsunit.deeds.enable:link"),
    ("after", "nsunit.deeds.enable:finish"),
)
DISABLING = (
    ("before", "nsunit.deeds.enable:unlink"),
    ("after", "nsunit.deeds.enable:unlink"),
    ("before", "nsunit.deeds.enable:forget_runtime_changes"),
    ("before", "nsunit.deeds.enable:leave"),
    ("after", "nsunit.deeds.enable:leave"),
)


def files_of(name):
    """The unit files and links of container *name*."""
    return [str(path) for path in Path("/etc/systemd/system").rglob(f"nsunit-*{name}*")]


def test_enable_and_disable_killed_at_every_step(nsunit, containers):
    """What there is of it then is found and taken away, or it is enabled."""
    steps = (*ENABLING, *DISABLING)
    names = [containers.define(KEPT + ("Slice=killed\n" if number % 2 else "")) for number in range(len(steps))]
    nsunit("enable", *names[len(ENABLING) :])
    for name, (when, where) in zip(names, steps, strict=True):
        verb = "enable" if (when, where) in ENABLING else "disable"
        assert interrupted(signal.SIGKILL, when, where, verb, name).returncode == -signal.SIGKILL, (when, where)
    found = json.loads(nsunit("doctor", "--check", "--json", check=False).stdout)
    nsunit("doctor", "--repair")
    assert nsunit("doctor", "--check", check=False).stdout == "nothing is left\n", found
    whole = {where for name, (when, where) in zip(names, steps, strict=True) if files_of(name)}
    assert whole == {"nsunit.deeds.enable:finish"}, found
    some = [name for number, name in enumerate(names) if number % 4 == 3 or files_of(name)]  # the others are like them
    nsunit("enable", *some)
    nsunit("disable", *some)
    assert [name for name in some if files_of(name)] == []


RENAMING = (
    ("before", "nsunit.deeds.rename:take_away_files"),
    ("after", "nsunit.deeds.rename:take_away_files"),
    ("after", "nsunit.deeds.rename:write_all"),
    ("after", "nsunit.deeds.rename:copy_drop_ins"),
    ("before", "nsunit.deeds.rename:remove_own"),
    ("before", "nsunit.deeds.rename:enable"),
    ("after", "nsunit.core.boot:write_contents"),
    ("before", "nsunit.deeds.enable:finish"),
)


@pytest.mark.parametrize("by", ["rename", "doctor"])
def test_rename_killed_at_every_step(nsunit, run, containers, by):
    """The same command does the rest, or `doctor --repair`, and what was enabled is."""
    names = [containers.define(KEPT) for _ in RENAMING]
    new = {name: containers.own(f"{name}-new") for name in names}
    containers.files += [DEFINITIONS / f"{name}.nsunit" for name in new.values()]
    nsunit("enable", *names)
    for name, (when, where) in zip(names, RENAMING, strict=True):
        assert interrupted(signal.SIGKILL, when, where, "rename", name, new[name]).returncode == -signal.SIGKILL, where
    if by == "doctor":
        told = nsunit("doctor", "--check", check=False).stdout
        assert told.count("'rename' was killed") == len(names), told
        nsunit("doctor", "--repair")
    else:
        for name in names:
            nsunit("rename", name, new[name])
    assert nsunit("doctor", "--check", check=False).stdout == "nothing is left\n"
    for name, (_, where) in zip(names, RENAMING, strict=True):
        assert not (DEFINITIONS / f"{name}.nsunit").exists(), where
        assert files_of(name + ".") == [], where
        assert run("systemctl", "is-enabled", containers.of(new[name]).service, check=False).stdout == "enabled\n", (
            where
        )
    nsunit("disable", *new.values())


def test_what_is_said_after_a_killed_rename_counts(nsunit, containers):
    """Whoever enables or disables it then has no rename finished."""
    for verb in ("enable", "disable"):
        name = containers.define(KEPT)
        new = containers.own(f"{name}-new")
        nsunit("enable", name)
        assert interrupted(signal.SIGKILL, "after", RENAMING[1][1], "rename", name, new).returncode == -signal.SIGKILL
        nsunit(verb, name)
        assert "'rename' was killed" not in nsunit("doctor", "--check", check=False).stdout
        assert bool(files_of(name)) == (verb == "enable")
        nsunit("disable", name)


def test_state_of_an_enabled_container_that_somebody_removed(nsunit, containers):
    """Its unit file can start nothing any more, whatever leads to it, and nsunit's verbs would not find it."""
    name, other = containers.define(KEPT), containers.define(KEPT)
    nsunit("enable", name, other)
    shutil.rmtree(containers.of(name).state)
    told = nsunit("doctor", "--check", check=False).stdout
    assert f"nsunit-{name}.service\tits container is not enabled" in told
    assert other not in told
    nsunit("doctor", "--repair")
    assert nsunit("doctor", "--check").stdout == "nothing is left\n"
    assert files_of(name) == []
    nsunit("enable", name)
    nsunit("disable", name, other)
