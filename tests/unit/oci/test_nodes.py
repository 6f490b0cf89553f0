"""Nodes in a root that somebody else writes to, and files of procfs: what they are is looked at by descriptor."""

import os
import stat
from pathlib import Path

import pytest

from nsunit.setup import system
from nsunit.setup.build import Build
from nsunit.setup.oci.devices import Device
from nsunit.setup.oci.process import write_proc

MODE = 0o640


@pytest.fixture
def build(tmp_path):
    made = Build("")
    made.root_fd = os.open(tmp_path, os.O_PATH | os.O_DIRECTORY)
    (tmp_path / "dev").mkdir()
    yield made
    os.close(made.root_fd)


def fifo():
    return Device("/dev/fifo", "p", 0, 0, MODE, os.getuid(), os.getgid(), False)


def test_a_node_that_is_there_gets_its_mode(tmp_path, build):
    os.mkfifo(tmp_path / "dev/fifo", 0o600)
    fifo().execute(build)
    assert stat.S_IMODE(os.stat(tmp_path / "dev/fifo").st_mode) == MODE


def test_a_link_in_its_place_is_not_followed(tmp_path, build):
    os.mkfifo(tmp_path / "elsewhere", 0o600)
    (tmp_path / "dev/fifo").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        fifo().execute(build)
    assert stat.S_IMODE(os.stat(tmp_path / "elsewhere").st_mode) == 0o600


def test_a_link_put_there_meanwhile_is_not_followed(tmp_path, build, monkeypatch):
    os.mkfifo(tmp_path / "elsewhere", 0o600)
    monkeypatch.setattr(
        system, "mknod", lambda name, *_, dir_fd: os.symlink(tmp_path / "elsewhere", name, dir_fd=dir_fd)
    )
    with pytest.raises(FileExistsError):
        fifo().execute(build)
    assert stat.S_IMODE(os.stat(tmp_path / "elsewhere").st_mode) == 0o600


def test_a_file_of_procfs_is_written():
    comm = Path("/proc/self/comm")
    before = comm.read_text()
    write_proc("self/comm", "written")
    assert comm.read_text() == "written\n"
    comm.write_text(before)


def test_links_to_elsewhere_are_not_followed_in_procfs():
    with pytest.raises(OSError):
        write_proc("self/root/dev/null", "x")
