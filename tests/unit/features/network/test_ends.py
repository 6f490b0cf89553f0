"""Detaching containers as their programs end, of real processes."""

import fcntl
import os
import subprocess
from pathlib import Path

import pytest

from nsunit.errors import NsunitError
from nsunit.features.network import ends
from nsunit.storage.paths import Paths


def test_a_connected_one_is_detached_once_its_program_has_ended(tmp_path, monkeypatch):
    """Each is locked before any is detached, and a refusal, or who is quicker, is left to the unit."""
    detached = []

    def detach_ended(name, fd, _locks, _wait):
        with pytest.raises(BlockingIOError):
            lock("c")
        detached.append((name, os.fstat(fd).st_ino))
        if name == "a":
            raise NsunitError("refused")

    def lock(name):
        with files[name].open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    monkeypatch.setattr(ends.program, "detach_ended", detach_ended)
    paths = Paths(str(tmp_path), str(tmp_path / "state"))
    os.mkdir(paths.attached)
    processes = {name: subprocess.Popen(["sleep", "1000"]) for name in "abcdef"}
    files = {name: Path(f"{paths.attached}/{name}") for name in "abce"}
    for file in files.values():
        file.touch()
    found = ends.Ends(paths)
    try:
        for name, process in processes.items():
            found.add(name, {"MainPID": process.pid, "ExecStop": ["it"] if name == "e" else []})
        found.add("a", {"MainPID": 0})
        found.look()
        assert detached == []
        for name, process in processes.items():
            if name != "f":
                process.kill()
                process.wait()
        with files["b"].open() as quicker:
            fcntl.flock(quicker, fcntl.LOCK_EX)
            found.look()
        assert sorted(detached) == [(name, files[name].stat().st_ino) for name in "ac"]
        for name in "abce":
            lock(name)
    finally:
        found.close()
        for process in processes.values():
            process.kill()
            process.wait()
