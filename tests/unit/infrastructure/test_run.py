"""A whole run, with stand-ins for packages, images and suites."""

import threading
from pathlib import Path

import pytest
from machine import run, tree

ONCE = "trixie, booted natively, once"


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch, tmp_path):
    monkeypatch.setattr(run, "logs", lambda: tmp_path)
    monkeypatch.setattr(run, "build_package", lambda: tmp_path / "package")
    monkeypatch.setattr(run, "build_image", Path)
    monkeypatch.setattr(run.needs, "refusal", lambda image: "")
    monkeypatch.setattr(run.needs, "refusal_of_user_mode", lambda image: "")
    monkeypatch.setattr(run.unit, "run", lambda result, *others: passes(result))
    monkeypatch.setattr(run.Suite, "run", lambda self: passes(self.result))


def passes(result):
    result.passed += 1


def outcome(*words: str) -> tuple[int, dict[str, int], run.Run]:
    """Run, and return the exit status, how many failures each suite has, and the run."""
    arguments = run.parse(list(words))
    whole = run.Run(arguments)
    results = whole.suites()
    refusals = whole.refusal.get(), whole.refusal_of_user_mode.get()
    status = run.summarise(results, *refusals, partial=bool(arguments.k or arguments.extra))
    return status, {result.title: result.bad for result in results}, whole


def no_image_of(*releases: str):
    def build(release: str) -> Path:
        if release in releases:
            raise tree.Unavailable("no such package")
        return Path(release)

    return build


def test_every_suite_runs_in_its_places():
    status, bad, _ = outcome()
    kinds = ("booted natively", "in user mode", "in a machine")
    places = [f"{release}, {kind}" for release in tree.RELEASES for kind in kinds]
    assert (status, bad) == (0, dict.fromkeys([run.UNIT, *places, ONCE], 0))


def test_machines_are_of_both_kinds_where_nothing_is_to_run_natively(monkeypatch, capsys):
    status, bad, _ = outcome("--machines", "--suite", "sid")
    places = ("in a machine", "in user mode", "in user mode, once")
    assert (status, bad) == (0, dict.fromkeys([f"sid, {place}" for place in places], 0))
    assert "nothing was booted natively: as --machines says" in capsys.readouterr().out.splitlines()
    monkeypatch.setattr(run.needs, "refusal_of_user_mode", lambda image: "no room; its console said last: mem=2048M")
    assert outcome("--machines", "--suite", "sid")[1] == {"sid, in a machine": 0}
    said = "nothing was run in user mode, but in qemu's machines: no room; its console said last: mem=2048M"
    assert said in capsys.readouterr().out.splitlines()


def test_what_runs_only_when_asked_for_runs_alone_and_once():
    status, bad, _ = outcome("--engines")
    assert (status, bad) == (0, {"trixie, engines": 0})
    assert outcome("--engines", "--suite", "unit", "--suite", "sid")[1] == {"sid, engines": 0}


def test_any_image_serves_to_find_out_whether_systems_boot_natively(monkeypatch):
    asked: list[Path] = []
    monkeypatch.setattr(run.needs, "refusal", lambda image: asked.append(image) or "")
    monkeypatch.setattr(run, "build_image", no_image_of("trixie"))
    status, bad, _ = outcome()
    assert (status, asked) == (1, [Path("bookworm")])
    places = {f"trixie, {place}" for place in ("booted natively", "in user mode", "in a machine")}
    assert {title for title, count in bad.items() if count} == {*places, ONCE}


def test_without_any_image_each_suite_says_so(monkeypatch, capsys):
    monkeypatch.setattr(run, "build_image", no_image_of("trixie", "sid"))
    status, bad, _ = outcome("--suite", "trixie", "--suite", "sid")
    assert (status, bad) == (1, {"trixie, in a machine": 1, "sid, in a machine": 0})
    said = capsys.readouterr().out.splitlines()
    assert "nothing was booted natively: there is no image to try it with" in said
    assert "sid was left out: no such package" in said


def test_sid_alone_can_be_left_out(monkeypatch, capsys):
    monkeypatch.setattr(run, "build_image", no_image_of("sid"))
    outcome("--suite", "sid")
    assert "sid was left out: no such package" in capsys.readouterr().out.splitlines()


def test_a_suite_without_a_log_has_failed(monkeypatch, tmp_path):
    (tmp_path / "trixie.log").mkdir()
    status, bad, _ = outcome("--suite", "trixie")
    places = ("trixie, in user mode", "trixie, in a machine", ONCE)
    assert (status, bad) == (1, {"trixie, booted natively": 1, **dict.fromkeys(places, 0)})


def test_a_suite_in_which_nothing_ran_has_failed_unless_only_some_tests_were_asked_for(monkeypatch, capsys):
    monkeypatch.setattr(run.Suite, "run", lambda self: self.result.passed or None)
    monkeypatch.setattr(run.needs, "refusal", lambda image: "it needs root")
    assert outcome("--suite", "trixie", "--suite", "bookworm")[0] == 1
    assert "FAILED trixie, in a machine: nothing of it was run" in capsys.readouterr().out
    outcome("--suite", "trixie", "--", "-m", "nothing")
    assert "FAILED" not in capsys.readouterr().out


def test_a_suite_whose_thread_died_has_failed(monkeypatch):
    """Stderr may be closed, for instance."""
    said = run.cache.say

    def say(text: str) -> None:
        if "trixie" in text:
            raise BrokenPipeError
        said(text)

    monkeypatch.setattr(threading, "excepthook", lambda arguments: None)
    monkeypatch.setattr(run.cache, "say", say)
    monkeypatch.setattr(run, "AT_ONCE", 1)
    status, bad, _ = outcome("--suite", "trixie", "--suite", "bookworm")
    assert (status, bad["trixie"], bad["bookworm"]) == (1, 1, 1)
