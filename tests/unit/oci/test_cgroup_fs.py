"""Controllers that a cgroup gets from those above it."""

import errno
import os
from pathlib import Path

import pytest

from nsunit.oci.cgroup import fs


@pytest.fixture
def top(tmp_path, monkeypatch) -> Path:
    """A place for cgroups, whose top has controllers and hands one of them down already."""
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu memory pids\n")
    (tmp_path / "cgroup.subtree_control").write_text("memory\n")
    monkeypatch.setattr(fs, "CGROUP_ROOT", str(tmp_path))
    return tmp_path


def test_one_that_cannot_be_handed_down_does_not_keep_the_others(top, monkeypatch):
    """As `cpu` where a process of the host has a scheduler of real time."""
    asked = []

    def write(path: str, text: str) -> None:
        assert path == f"{top}/cgroup.subtree_control"
        asked.append(text)
        if text == "+cpu":
            raise OSError(22, "Invalid argument")

    monkeypatch.setattr(fs, "write_file", write)
    fs.make("/one")
    assert asked == ["+cpuset", "+cpu", "+pids"]
    assert (top / "one").is_dir()
    asked.clear()
    fs.hand_down("/one", ("cpu", "memory", "pids"))
    assert asked == ["+cpu", "+pids"]


def test_a_group_that_goes_before_it_is_told_to_end_has_ended(top, monkeypatch):
    """As a scope whose last process is gone: systemd removes it in a time of its own."""

    def write(path: str, _text: str) -> None:
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV), path)

    monkeypatch.setattr(fs, "write_file", write)
    fs.kill("/one")


def test_groups_that_no_path_reaches_go_too(top, monkeypatch):
    """Who has the group to write to nests as it likes: PATH_MAX holds for paths alone."""
    fd = os.open(top, os.O_DIRECTORY)
    for _ in range(40):
        os.mkdir("n" * 200, dir_fd=fd)
        child = os.open("n" * 200, os.O_DIRECTORY, dir_fd=fd)
        os.close(fd)
        fd = child
    with open(os.open("cgroup.procs", os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=fd), "w") as file:
        file.write("7\n")
    os.chmod("cgroup.procs", 0o644, dir_fd=fd)
    assert fs.processes(f"/{'n' * 200}") == [7]
    os.unlink("cgroup.procs", dir_fd=fd)  # the kernel's files go with their directory
    os.close(fd)
    monkeypatch.setattr(fs, "_wait_for", lambda *_: True)
    fs.remove(f"/{'n' * 200}")
    assert not (top / ("n" * 200)).exists()
