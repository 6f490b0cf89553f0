"""Whose namespaces are joined, on a tree of ordinary directories."""

import errno
import os

import pytest

from nsunit.features.namespaces import setup


@pytest.fixture
def numbers(monkeypatch):
    """The numbers of processes in their PID namespaces, from the outermost one on."""
    found = {"self": [b"7"], "20": [b"20", b"1"], "21": [b"21", b"5", b"1"], "22": [b"22"]}
    monkeypatch.setattr(setup, "_pids_of", lambda pid: found.get(pid, []))


def procs(directory, *pids):
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "cgroup.procs").write_text("".join(f"{pid}\n" for pid in pids))


def test_process_1_wherever_it_is(tmp_path, numbers):
    procs(tmp_path, 22)
    procs(tmp_path / "other", 21, 22)  # that of a container in the container
    assert setup._first_process(str(tmp_path)) == 0
    procs(tmp_path / "payload/init.scope", 21, 20)
    procs(tmp_path / "payload")
    assert setup._first_process(str(tmp_path)) == 20


@pytest.mark.parametrize("number", [errno.ENOENT, errno.ENODEV, errno.ENAMETOOLONG, errno.EOPNOTSUPP, errno.EIO])
def test_groups_that_come_and_go_inside_are_passed_over(tmp_path, numbers, monkeypatch, number):
    """A start that joins the namespaces failed where the other container made and removed groups meanwhile."""
    procs(tmp_path)
    procs(tmp_path / "a", 20)
    procs(tmp_path / "b", 20)
    scandir, looked = os.scandir, []

    def look(path):
        looked.append(path)
        if len(looked) == 2:
            raise OSError(number, "not this one")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", look)
    if number == errno.EIO:
        with pytest.raises(OSError, match="not this one"):
            setup._first_process(str(tmp_path))
    else:
        assert setup._first_process(str(tmp_path)) == 20
    assert len(looked) == (2 if number == errno.EIO else 3)
