"""Controllers that a cgroup gets from those above it."""

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
