"""What a suite came to, and whether that is good enough."""

import fnmatch
import json
from dataclasses import dataclass, field
from pathlib import Path

from . import cache

EXPECTED_SKIPS = cache.REPOSITORY / "tests/expected-skips"


@dataclass
class Result:
    """The outcome of one suite; `problems` are failures that are not those of one test."""

    suite: str
    seconds: float = 0.0
    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def bad(self) -> int:
        """How many failures there are."""
        return len(self.failed) + len(self.problems)

    def take(self, record: str, allow_empty: bool = False) -> list[str]:
        """Read the record the outcome plugin wrote; what is missing in it is a failure.

        Returns the names of the tests that it has.
        """
        try:
            data = json.loads(record)
            collected, outcomes, status = data["collected"], data["outcomes"], data["status"]
        except (ValueError, KeyError, TypeError):
            self.problems.append("no result: pytest did not come to its end")
            return []
        expected = expected_skips(self.suite)
        lost = [test for test in collected if test not in outcomes]
        if len(lost) > 3:
            self.problems.append(f"{len(lost)} of {len(collected)} tests were not run")
        for test in [*collected, *(test for test in outcomes if test not in collected)]:
            outcome = outcomes.get(test, "not run")
            if outcome == "not run" and len(lost) > 3:
                continue
            if outcome == "passed":
                self.passed += 1
            elif not outcome.startswith("skipped: "):
                self.failed.append(f"{test}: {outcome}")
            elif any(fnmatch.fnmatchcase(test, pattern) for pattern in expected):
                self.skipped.append(test)
            else:
                self.failed.append(f"{test}: {outcome}, which tests/expected-skips does not list")
        if not collected and not allow_empty:
            self.problems.append("no test was found")
        # 0: all passed, 1: some failed, 5: none collected; anything else is pytest's own failure
        if status not in (0, 1, 5) or (status == 1 and not self.failed):
            self.problems.append(f"pytest ended with status {status}")
        return list(collected)

    def line(self) -> str:
        """Return the suite's line of the summary."""
        skipped = f", {len(self.skipped)} skipped as expected" if self.skipped else ""
        minutes, seconds = divmod(int(self.seconds), 60)
        return f"{self.suite:10} {self.passed} passed, {self.bad} failed{skipped} in {minutes}:{seconds:02}"


def expected_skips(suite: str) -> list[str]:
    """Return the patterns of the tests that may skip in a suite."""
    patterns = []
    for number, line in enumerate(EXPECTED_SKIPS.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        words = line.split(None, 2)
        if len(words) != 3:
            raise SystemExit(f"{EXPECTED_SKIPS}:{number}: expected SUITE TEST-ID REASON")
        if words[0] in (suite, "*"):
            # An id has brackets round its parameters; in a pattern they would be a set of characters.
            patterns.append(words[1].replace("[", "[[]"))
    return patterns


def read(path: Path) -> str:
    """Return a file's text, or nothing if it is not there."""
    return path.read_text() if path.exists() else ""
