"""Limits that are set for good, in files that systemd's own tools know."""

from pathlib import Path

import pytest

BUSYBOX = "/srv/roots/busybox"
SLEEP = f"[Container]\nRootfs={BUSYBOX}\nVolatile=yes\nExec=sleep 1000\n"
LIMITS = SLEEP + "[Slice]\nMemoryMax=100M\nIPAddressDeny=10.0.0.0/8\n"
SYSTEMD = Path("/etc/systemd/system")


def drop_in(unit):
    return SYSTEMD / f"{unit}.d/50-nsunit.conf"


def directives(unit):
    lines = drop_in(unit).read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@pytest.fixture
def limited(containers):
    return containers.start(LIMITS)


def test_persist_writes_drop_ins_that_outlive_the_container(limited, nsunit, run):
    nsunit("set", "--persist", limited.name, "MemoryMax=150M", "IPAddressDeny=192.0.2.0/24", "Service.TasksMax=77")
    text = drop_in(limited.slice).read_text()
    assert text.startswith(f"# Limits of container {limited.name} that were set for good.\n# Made by 'nsunit set")
    assert f"/etc/nsunit/{limited.name}.nsunit" in text
    expected = ["[Slice]", "MemoryMax=150M", "IPAddressDeny=", "IPAddressDeny=10.0.0.0/8", "IPAddressDeny=192.0.2.0/24"]
    assert directives(limited.slice) == expected
    assert directives(limited.service) == ["[Service]", "TasksMax=77"]
    assert oct(drop_in(limited.slice).stat().st_mode & 0o7777) == "0o644"

    def check():
        assert limited.limit("memory.max") == str(150 << 20)
        assert limited.service_limit("pids.max") == "77"
        shown = limited.show("MemoryMax", "DropInPaths", "NeedDaemonReload", "IPAddressDeny", unit=limited.slice)
        assert shown["MemoryMax"] == str(150 << 20)
        assert str(drop_in(limited.slice)) in shown["DropInPaths"]
        assert shown["NeedDaemonReload"] == "no"
        assert sorted(shown["IPAddressDeny"].split()) == ["10.0.0.0/8", "192.0.2.0/24"]
        assert nsunit("start", limited.name).stdout == f"{limited.name}: is already running\n"
        assert nsunit("plan", limited.name).stdout == f"{limited.name}: runs as its definition says\n"

    check()
    run("systemctl", "daemon-reload")
    check()
    run("systemctl", "daemon-reexec")
    check()
    nsunit("restart", limited.name)
    check()
    assert str(drop_in(limited.slice)) in nsunit("status", limited.name).stdout
    nsunit("set", "--persist", limited.name, "MemoryMax=160M")
    assert directives(limited.slice) == [line.replace("150M", "160M") for line in expected]


def test_what_is_set_for_good_is_not_set_for_a_run(limited, nsunit):
    nsunit("set", "--persist", limited.name, "MemoryMax=150M")
    done = nsunit("set", limited.name, "MemoryMax=160M", check=False)
    assert done.returncode == 1
    assert "would count again at any reload\n  hint: change it there with --persist" in done.stderr
    assert limited.limit("memory.max") == str(150 << 20)


def test_systemds_own_tools_know_the_drop_ins(limited, nsunit, run):
    nsunit("set", "--persist", limited.name, "MemoryMax=150M")
    assert "MemoryMax=150M" in run("systemctl", "cat", limited.slice).stdout
    assert run("systemd-analyze", "verify", limited.slice, check=False).stderr == ""
    run("systemctl", "revert", limited.slice)
    assert not drop_in(limited.slice).parent.exists()
    assert limited.show("MemoryMax", unit=limited.slice) == {"MemoryMax": str(100 << 20)}
    assert nsunit("plan", limited.name).stdout.splitlines()[1] == "  [Slice] MemoryMax: '150M' -> '100M' (at once)"
    nsunit("apply", limited.name)
    assert limited.limit("memory.max") == str(100 << 20)


def test_dropin_for_a_stopped_container(containers, nsunit):
    name = containers.define(LIMITS)
    container = containers.of(name)
    printed = nsunit("dropin", name, "MemoryMax=150M", "Service.TasksMax=50").stdout.splitlines()
    assert printed == [str(drop_in(container.slice)), str(drop_in(container.service))]
    nsunit("start", name)
    assert container.limit("memory.max") == str(150 << 20)
    assert nsunit("dropin", "--remove", name).stdout.splitlines() == sorted(printed)
    assert not drop_in(container.slice).parent.exists()
    assert container.limit("memory.max") == str(100 << 20)
    assert container.service_limit("pids.max") == "max"
    assert nsunit("start", name).stdout == f"{name}: is already running\n"
    again = nsunit("dropin", "--remove", name, check=False)
    assert (again.returncode, again.stderr.splitlines()[0]) == (3, f"nsunit: {name}: it has no drop-ins")
    nsunit("stop", name)
    assert nsunit("dropin", name, check=False).returncode == 3
    bad = nsunit("dropin", name, "MemoryMax=1X", check=False)
    assert (bad.returncode, drop_in(container.slice).exists()) == (2, False)


def test_a_wrong_key_is_a_wrong_command_line_where_it_was_typed(containers, nsunit):
    name = containers.start(LIMITS).name
    for verb in (
        ["set", name],
        ["dropin", name],
        ["create", "typed", "Rootfs=/"],
        ["run", "-d", "-p", "Rootfs=/", "-p"],
    ):
        done = nsunit(*verb, "Foo=1", check=False)
        assert done.returncode == (125 if verb[0] == "run" else 2), (
            verb
        )  # as with every error of nsunit's before a program
        assert "'Foo' is not a key" in done.stderr, verb
    Path(f"/etc/nsunit/{name}.nsunit").write_text(f"{LIMITS}Foo=1\n")
    assert nsunit("dropin", name, "MemoryMax=150M", check=False).returncode == 1


def test_dropin_keeps_what_was_set_for_this_run(limited, nsunit):
    assert nsunit("dropin", limited.name, check=False).returncode == 1
    nsunit("set", limited.name, "MemoryMax=150M")
    nsunit("dropin", limited.name)
    assert directives(limited.slice) == ["[Slice]", "MemoryMax=150M"]
    assert nsunit("start", limited.name).stdout == f"{limited.name}: is already running\n"
    nsunit("restart", limited.name)
    assert limited.limit("memory.max") == str(150 << 20)


def test_a_later_namesake_does_not_inherit(limited, nsunit):
    nsunit("set", "--persist", limited.name, "MemoryMax=150M", "Service.TasksMax=50")
    others = drop_in(limited.slice).parent / "70-admin.conf"
    others.write_text("[Slice]\nCPUWeight=44\n")
    nsunit("stop", limited.name)
    nsunit("rm", limited.name)
    assert [path.name for path in SYSTEMD.glob(f"nsunit-{limited.name}*/*")] == ["70-admin.conf"]
    others.unlink()
    others.parent.rmdir()
    nsunit("start", limited.name)
    assert limited.limit("memory.max") == str(100 << 20)


def test_names_are_escaped_in_directories(containers, nsunit, run):
    name = containers.own("live-a.b")
    container = containers.start(LIMITS, name)
    unit = run("systemd-escape", name).stdout.strip()
    nsunit("set", "--persist", name, "MemoryMax=150M", "Service.TasksMax=50")
    assert drop_in(f"nsunit-{unit}.slice").exists()
    assert drop_in(f"nsunit-{name}.service").exists()
    nsunit("restart", name)
    shown = container.show("MemoryMax", unit=f"nsunit-{unit}.slice")
    assert shown == {"MemoryMax": str(150 << 20)}
    template = containers.define(LIMITS, "live@")
    instance = containers.own(template + "blue")
    nsunit("start", instance)
    nsunit("set", "--persist", instance, "MemoryMax=150M", "Service.TasksMax=50")
    assert drop_in("nsunit-live@blue.service").exists()
    nsunit("stop", instance, name)
    nsunit("rm", instance, name)
    assert list(SYSTEMD.glob("nsunit-live*")) == []


def test_nothing_is_half_done_when_a_file_cannot_be_written(limited, nsunit):
    blocking = drop_in(limited.service).parent
    blocking.write_text("not a directory")
    try:
        done = nsunit("set", "--persist", limited.name, "MemoryMax=150M", "Service.TasksMax=50", check=False)
    finally:
        blocking.unlink()
    assert done.returncode == 1
    assert f"cannot write '{drop_in(limited.service)}'" in done.stderr
    assert not drop_in(limited.slice).parent.exists()
    assert limited.limit("memory.max") == str(100 << 20)
    assert limited.service_limit("pids.max") == "max"
    assert nsunit("start", limited.name).stdout == f"{limited.name}: is already running\n"
