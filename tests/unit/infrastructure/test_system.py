"""A system booted natively, with stand-ins for what is in it."""

import os
import subprocess
import time
from pathlib import Path

import pytest
from machine import needs, system
from machine.client import Lost


@pytest.fixture(autouse=True)
def systems(tmp_path, monkeypatch):
    monkeypatch.setenv("NSUNIT_SYSTEMS", str(tmp_path / "systems"))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return tmp_path / "systems"


def no_cgroup2() -> Path:
    raise Lost("no cgroup2 file system is mounted")


@pytest.mark.parametrize("module", [system, needs])
def test_without_cgroup2_everything_goes_to_the_machines(monkeypatch, tmp_path, module):
    """It is missed before a system is started, or while one is."""
    monkeypatch.setattr(module, "hierarchy", no_cgroup2)
    monkeypatch.setattr(system, "hierarchy", no_cgroup2)
    (tmp_path / "disk.ext4").touch()
    assert needs.refusal(tmp_path).endswith("no cgroup2 file system is mounted")
    system.System("any").stop()


def failing(*arguments: object, **options: object) -> None:
    raise subprocess.CalledProcessError(1, "cp")


def busy(path: Path) -> None:
    raise OSError("busy")


def test_whatever_goes_wrong_sends_everything_to_the_machines(monkeypatch, tmp_path):
    monkeypatch.setattr(needs, "hierarchy", lambda: tmp_path)
    monkeypatch.setattr(system, "hierarchy", lambda: tmp_path)
    monkeypatch.setattr(needs.System, "start", failing)
    monkeypatch.setattr(system, "remove_cgroups", busy)
    assert "'cp' returned non-zero" in needs.refusal(tmp_path)


@pytest.fixture
def one(monkeypatch, tmp_path):
    """A system whose process 1 is this process."""
    monkeypatch.setattr(system, "hierarchy", lambda: tmp_path)
    monkeypatch.setattr(system.System, "pid", lambda self: os.getpid())
    one = system.System("one")
    one.directory.mkdir(parents=True)
    one.console.touch()
    return one


def test_no_command_runs_before_it_has_a_root_of_its_own(monkeypatch, one):
    with pytest.raises(Lost, match="is not up"), one.client():
        pass
    monkeypatch.setattr(system, "BOOT_SECONDS", 0.3)
    with pytest.raises(Lost, match="did not start properly: it never answered"):
        one.wait_for_boot()
    assert not system.is_systemd(1 << 30)


@pytest.fixture
def inside(monkeypatch, one):
    """Runs commands right here."""
    monkeypatch.setattr(system, "is_systemd", lambda pid: True)
    inside = system.Inside(one)
    monkeypatch.setattr(inside, "words", lambda argv, env, cwd: argv)
    return inside


def test_input_that_nobody_reads_is_waited_for_as_long_as_asked(inside):
    begun = time.monotonic()
    with pytest.raises(Lost, match="it took longer than it may"):
        inside.run(["sleep", "60"], stdin=bytes(1 << 20), timeout=0.3)
    assert time.monotonic() - begun < 30


def test_input_reaches_a_command_and_none_is_empty(inside):
    said: list[bytes] = []
    assert inside.run(["wc", "-c"], lambda fd, data: said.append(data), stdin=bytes(1 << 18)) == 0
    assert inside.run(["wc", "-c"], lambda fd, data: said.append(data)) == 0
    assert b"".join(said).split() == [b"262144", b"0"]


def test_cgroups_deeper_than_a_path_reaches_are_removed(tmp_path):
    top = tmp_path / "nsunit-tests-one"
    top.mkdir()
    fd = os.open(top, os.O_RDONLY)
    for _ in range(30):
        os.mkdir("d" * 200, dir_fd=fd)
        child = os.open("d" * 200, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = child
    os.close(fd)
    system.remove_cgroups(top)
    assert not top.exists()
    system.remove_cgroups(top)
