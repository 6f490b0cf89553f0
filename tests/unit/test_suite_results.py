"""The count at the end of tests/run: nothing that did not pass may look as if it had."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "vm"))

from machine import guest_suite, result  # noqa: E402


@pytest.fixture(autouse=True)
def skips(tmp_path, monkeypatch):
    path = tmp_path / "expected-skips"
    path.write_text("# comment\n\nnative a.py::test_s[1] no zsh\n* a.py::any_* whatever\ntrixie a.py::test_t reason\n")
    monkeypatch.setattr(result, "EXPECTED_SKIPS", path)
    return path


def taken(outcomes: dict[str, str], status: int = 0, collected: list[str] | None = None) -> result.Result:
    suite = result.Result("native")
    names = list(outcomes) if collected is None else collected
    assert suite.take(json.dumps({"collected": names, "outcomes": outcomes, "status": status})) == names
    return suite


def test_passed_and_failed():
    suite = taken({"a.py::one": "passed", "a.py::two": "failed"}, status=1)
    assert (suite.passed, suite.failed, suite.problems) == (1, ["a.py::two: failed"], [])
    assert suite.line() == "native     1 passed, 1 failed in 0:00"


@pytest.mark.parametrize("record", ["", "{", "[]", "{}", '{"collected": []}'])
def test_missing_record_is_a_failure(record):
    suite = result.Result("native")
    suite.take(record)
    assert suite.bad == 1


def test_tests_without_outcome_are_failures():
    assert taken({"a": "passed"}, collected=["a", "b"]).failed == ["b: not run"]
    many = taken({"a": "passed"}, collected=[*"abcdef"])
    assert (many.passed, many.problems) == (1, ["5 of 6 tests were not run"])


def test_skips_are_failures_unless_listed_for_this_suite():
    skipped = {"a.py::test_s[1]": "skipped: no zsh", "a.py::any_thing": "skipped: x"}
    suite = taken(skipped)
    assert (suite.bad, suite.skipped) == (0, list(skipped))
    assert taken({"a.py::test_s[2]": "skipped: y", "a.py::test_t": "skipped: z"}).bad == 2


def test_collection_errors_count():
    assert taken({"a.py": "failed"}, status=2, collected=[]).bad == 3  # the module, no test, the status


def test_pytests_own_failure_counts():
    assert taken({"a": "passed"}, status=3).problems == ["pytest ended with status 3"]
    assert taken({"a": "passed"}, status=1).problems == ["pytest ended with status 1"]


def test_nothing_selected_is_allowed_with_an_expression_only():
    suite = result.Result("native")
    suite.take('{"collected": [], "outcomes": {}, "status": 5}', allow_empty=True)
    assert suite.bad == 0
    assert taken({}, status=5).problems == ["no test was found"]


def test_expected_skips_need_a_reason(skips):
    skips.write_text("native a.py::test\n")
    with pytest.raises(SystemExit, match="1: expected SUITE TEST-ID REASON"):
        result.expected_skips("native")


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
    suite.take(json.dumps({"collected": ["c", "d"], "outcomes": {"c": "passed", "d": "failed"}, "status": 1}))
    assert (suite.passed, suite.failed, suite.problems) == (2, ["b: failed", "d: failed"], [])
    suite.take("")
    assert suite.bad == 3
