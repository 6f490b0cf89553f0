"""The count at the end of tests/run: nothing that did not pass may look as if it had."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "vm"))

from machine import guest_suite, later, owned, result, run, tree  # noqa: E402


def lines(*records: dict[str, object]) -> str:
    return "".join(f"\x1e{json.dumps(record)}\n" for record in records)


def told(outcomes: dict[str, str], status: int | None = 0, collected: list[str] | None = None, begun: str = ""):
    """What the plugin tells of a run with these outcomes; without a status it has not come to its end."""
    names = list(outcomes) if collected is None else collected
    record = result.Record()
    said = [{"test": test, "outcome": outcome} for test, outcome in outcomes.items()]
    end = [] if status is None else [{"status": status}]
    assert record.take(lines({"collected": dict.fromkeys(names, "")}, *said, {"begun": begun}, *end)) == ""
    return record


def taken(*arguments, **options) -> result.Result:
    suite = result.Result("unit")
    assert suite.take(told(*arguments, **options)) == []
    return suite


def test_passed_and_failed():
    suite = taken({"a.py::one": "passed", "a.py::two": "failed"}, status=1)
    assert (suite.passed, suite.failed, suite.problems) == (1, ["a.py::two: failed"], [])
    assert suite.line().split(None, 1) == ["unit", "1 passed, 1 failed in 0:00"]


def test_what_others_print_is_passed_on():
    record = result.Record()
    assert record.take("one\ntwo \x1e{'no") == "one\n"
    record = result.Record()
    assert record.take('half \x1e{"status": 0}\nline\nrest') == "half \nline\n"
    assert (record.status, record.rest) == (0, "rest")


def test_no_record_is_a_failure():
    suite = result.Result("unit")
    suite.take(result.Record())
    assert suite.problems == ["no test was found", "no result: pytest did not come to its end"]


def test_a_run_without_an_end_is_a_failure():
    assert taken({"a": "passed"}, status=None).problems == ["no result: pytest did not come to its end"]


def test_tests_without_outcome_are_failures():
    assert taken({"a": "passed"}, collected=["a", "b"]).failed == ["b: not run"]
    many = taken({"a": "passed"}, collected=[*"abcdef"])
    assert (many.passed, many.problems) == (1, ["5 of 6 tests were not run"])


FILES = ["a.py::one", "a.py::two", "a.py::three", "b.py::four", "c.py::five"]


def test_what_was_lost_fails_and_later_files_are_still_to_do():
    suite = result.Result("trixie")
    record = told({"a.py::one": "passed"}, None, FILES, begun="a.py::two")
    assert suite.take(record, lost="no word") == ["b.py", "c.py"]
    assert (suite.passed, suite.problems) == (1, [])
    assert suite.failed == ["a.py::two: failed: while it ran: no word", "a.py::three: not run"]


def test_what_was_lost_between_two_tests_is_a_failure_of_its_own():
    suite = result.Result("trixie")
    record = told(dict.fromkeys(FILES[:3], "passed"), None, FILES, begun="a.py::three")
    assert suite.take(record, lost="no word") == ["b.py", "c.py"]
    assert (suite.passed, suite.failed, suite.problems) == (3, [], ["no word"])


def test_what_was_lost_before_the_first_test_leaves_all_to_do():
    suite = result.Result("trixie")
    assert suite.take(told({}, None, FILES), lost="no word") == ["a.py", "b.py", "c.py"]
    assert (suite.passed, suite.failed, suite.problems) == (0, [], ["no word"])
    assert suite.take(result.Record(), lost="no boot") == []
    assert suite.problems == ["no word", "no boot"]


def test_skips_are_failures():
    assert taken({"a.py::one": "skipped: no zsh"}).failed == ["a.py::one: skipped: no zsh"]


def test_collection_errors_count():
    assert taken({"a.py": "failed"}, status=2, collected=[]).bad == 3  # the module, no test, the status


def test_pytests_own_failure_counts():
    assert taken({"a": "passed"}, status=3).problems == ["pytest ended with status 3"]
    assert taken({"a": "passed"}, status=1).problems == ["pytest ended with status 1"]


def test_nothing_selected_is_allowed_with_an_expression_only():
    suite = result.Result("unit")
    suite.take(told({}, status=5), allow_empty=True)
    assert suite.bad == 0
    assert taken({}, status=5).problems == ["no test was found"]


def test_what_a_kernel_died_of_is_found():
    console = [
        "booting",
        "[    1.0] Oops: int3: 0000 [#1]",
        "[    1.0] Call Trace:",
        "[    1.1] Kernel panic - not syncing",
    ]
    assert guest_suite.last_words(console) == [console[1], console[3]]
    assert guest_suite.last_words(["a line"]) == []


def test_what_comes_after_a_reboot_is_added_up():
    suite = taken({"a": "passed", "b": "failed"}, status=1)
    suite.take(told({"c": "passed", "d": "failed"}, status=1))
    assert (suite.passed, suite.failed, suite.problems) == (2, ["b: failed", "d: failed"], [])
    suite.take(result.Record())
    assert suite.bad == 4


def unavailable(show):
    raise tree.Unavailable("no such package\nand more")


@pytest.fixture
def logs(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "logs", lambda: tmp_path)


@pytest.mark.parametrize(("release", "status"), [("sid", 0), ("trixie", 1)])
def test_only_what_moves_may_be_missing(logs, capsys, release, status):
    unit, suite = taken({"a": "passed"}), result.Result(release, "in a machine")
    run.attempt(run.Job(suite, release, unavailable))
    assert run.summarise([unit, suite], "", "") == status
    said = capsys.readouterr().out.splitlines()
    assert said[-1].startswith(f"1 passed, {status} failed")
    assert ("sid was left out: no such package" in said[-3:]) == (release == "sid")


def test_the_summary_says_what_ran_where(capsys):
    suite = result.Result("trixie", "in a machine")
    record = result.Record()
    record.take(lines({"collected": {"a": "a reboot"}}, {"test": "a", "outcome": "passed"}, {"status": 0}))
    suite.take(record)
    assert run.summarise([suite], "", "") == 0
    assert "in machines for: a reboot (1)" in capsys.readouterr().out.splitlines()
    assert run.summarise([suite], "it needs root", "") == 0
    said = capsys.readouterr().out.splitlines()
    shared = "each test ran in one of the releases; with --long each has all of them"
    where = {"nothing was booted natively: it needs root", "in qemu's machines for: a reboot (1)"}
    assert {*where, shared} <= {*said}
    assert run.summarise([suite], "it needs root", "", long=True) == 0
    assert shared not in capsys.readouterr().out.splitlines()
    assert run.summarise([suite], "it needs root", "no kernel") == 0
    assert "machines for:" not in capsys.readouterr().out


@pytest.mark.parametrize("place", [guest_suite.USER, guest_suite.NATIVELY])
def test_the_summary_has_no_reason_where_it_made_no_difference(capsys, place):
    """What of a kernel a test needs does not matter natively; and where all runs in machines, user mode is the rule."""
    suite = result.Result("trixie", place.title)
    record = told({"a": "passed"})
    record.collected["a"] = "nftables"
    suite.take(record)
    run.summarise([suite], "" if place is guest_suite.NATIVELY else "it needs root", "")
    assert "machines for:" not in capsys.readouterr().out


def test_the_summary_tells_what_passed_only_when_run_again(capsys):
    suite = taken({"a.py::one": "passed", "a.py::two": "failed: by chance"}, status=1)
    suite.take_again(told({"a.py::two": "passed"}))
    assert suite.line().split(None, 1) == ["unit", "2 passed, 1 of them when run again, 0 failed in 0:00"]
    assert run.summarise([suite], "", "") == 0
    printed = capsys.readouterr().out
    assert "FAILED unit, and passed when run again: a.py::two: failed: by chance\n" in printed
    assert "1 passed only when run again, in a new boot: find out why\n" in printed


def test_a_value_for_later_is_one_or_an_error():
    assert later.Later(lambda: 7).get() == 7
    with pytest.raises(ZeroDivisionError):
        later.Later(lambda: 1 // 0).get()


def test_what_a_killed_run_left_is_cleaned_up_and_nothing_else(tmp_path):
    mine, other, kept = (tmp_path / name for name in (f"{owned.RUN}-a", "run-1-ffff-a", "dev"))
    for path in (mine, other, kept):
        owned.own(path)
    removed: list[str] = []
    owned.fcntl.flock(owned.held[-1], owned.fcntl.LOCK_UN)  # as when its process has ended
    owned.clean_up(tmp_path, removed.append)
    assert removed == [other.name]
    other.mkdir()
    owned.remove(other)
    assert not [*tmp_path.glob(f"{other.name}*")]
