"""The suite of unit tests, with a program that stands in for pytest."""

import time
from pathlib import Path

import pytest
from machine import result, unit


@pytest.fixture
def program(monkeypatch, tmp_path):
    """Put a shell script in pytest's place."""

    def put(script: str) -> None:
        (tmp_path / "bin").mkdir()
        path = tmp_path / "bin/pytest"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setattr(unit, "environment_path", lambda: tmp_path)

    return put


def runs(pid: str) -> bool:
    path = Path(f"/proc/{pid}/cmdline")
    return path.exists() and b"sleep" in path.read_bytes()


def test_what_takes_too_long_is_ended_with_its_children(monkeypatch, program):
    program("sleep 60 & echo $!; wait")
    monkeypatch.setattr(unit, "TIMEOUT", 0.5)
    suite, said = result.Result("unit"), []
    unit.run(suite, None, [], said.append)
    assert suite.problems[0] == "took longer than 0.5 s"
    deadline = time.monotonic() + 10
    while runs(said[0].decode().strip()):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(("expression", "extra"), [("nothing", []), (None, ["-m", "nothing"])])
def test_nothing_may_be_asked_for(program, expression, extra):
    program("printf '\\036{\"status\": 5}\\n' >$NSUNIT_OUTCOME")
    suite = result.Result("unit")
    unit.run(suite, expression, extra, lambda data: None)
    assert suite.bad == 0
    unit.run(suite, None, [], lambda data: None)
    assert suite.problems == ["no test was found"]
