"""How often systemd-analyze is asked about many definitions."""

import os
import stat
import subprocess
import types

import pytest

from nsunit.deeds import verify as module
from nsunit.errors import NsunitError, Problem

BAD = "nsunit-bad.service"


@pytest.fixture
def asked(monkeypatch):
    """The units of each run; it complains of `BAD`, and fails with `fails` set."""
    found = types.SimpleNamespace(runs=[], fails=False)

    def verify_units(path, texts, *, user):
        found.runs.append(sorted(texts))
        if found.fails:
            raise NsunitError("systemd-analyze is not installed", hint="install it")
        return [Problem(path, 0, f"{name}: it is bad") for name in texts if name == BAD]

    monkeypatch.setattr(module, "_verify_units", verify_units)
    return found


def batch(*names):
    texts = {name: {f"nsunit-{name}.service": "", "nsunit-shop.slice": ""} for name in names}
    return [([], f"/etc/nsunit/{name}.nsunit", texts[name]) for name in names]


def test_all_together(asked):
    units = batch("a", "b", "c")
    module._verify_all(units, user=False)
    assert len(asked.runs) == 1
    assert asked.runs[0] == ["nsunit-a.service", "nsunit-b.service", "nsunit-c.service", "nsunit-shop.slice"]
    assert [problems for problems, _, _ in units] == [[], [], []]


def test_each_where_something_is_wrong(asked):
    units = batch("a", "bad", "c")
    module._verify_all(units, user=False)
    assert len(asked.runs) == 4
    found = [[str(problem) for problem in problems] for problems, _, _ in units]
    assert found == [[], [f"/etc/nsunit/bad.nsunit: {BAD}: it is bad"], []]


def test_one_is_asked_about_once(asked):
    units = batch("bad")
    module._verify_all(units, user=False)
    module._verify_all([], user=False)
    assert len(asked.runs) == 1
    assert len(units[0][0]) == 1


def test_each_tells_what_is_missing(asked):
    asked.fails = True
    units = batch("a", "b")
    module._verify_all(units, user=False)
    assert [[(item.path, item.message, item.hint) for item in problems] for problems, _, _ in units] == [
        [(f"/etc/nsunit/{name}.nsunit", "systemd-analyze is not installed", "install it")] for name in ("a", "b")
    ]


def test_one_that_does_not_end_is_told(monkeypatch):
    def run(argv, *, timeout, **_more):
        raise subprocess.TimeoutExpired(argv, timeout)

    monkeypatch.setattr(subprocess, "run", run)
    units = batch("a")
    module._verify_all(units, user=False)
    assert [item.message for item in units[0][0]] == ["systemd-analyze did not end within 60 s"]


def test_what_it_reads_is_nobodys_to_write_to(monkeypatch):
    """It complains of that, and with a umask of 0 no definition was right."""
    modes = []

    def run(argv, **_more):
        modes.extend(stat.S_IMODE(os.stat(path).st_mode) for path in argv if path.endswith((".service", ".slice")))
        return types.SimpleNamespace(stderr="")

    monkeypatch.setattr(subprocess, "run", run)
    before = os.umask(0)
    try:
        module._verify_all(batch("a"), user=False)
    finally:
        os.umask(before)
    assert modes == [0o644, 0o644]


def test_what_systemd_analyze_says_need_not_be_utf8(tmp_path, monkeypatch):
    """It quotes files of others, and cuts what is long: `verify` ended with an internal error."""
    program = tmp_path / "systemd-analyze"
    program.write_text(f"#!/bin/sh\nprintf '{BAD}: f\\377r die K\\303\\244tz: no\\n' >&2\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    (problem,) = module._verify_units("/etc/nsunit/bad.nsunit", {BAD: ""}, user=False)
    assert problem.message == f"systemd-analyze verify: {BAD}: f\ufffdr die Kätz: no"
