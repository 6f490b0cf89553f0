"""What a suite came to, and whether that is good enough."""

import collections
import json
from dataclasses import dataclass, field

SEPARATOR = "\x1e"  # what a line of the outcome plugin begins with


class Record:
    """What one run of pytest has told by the outcome plugin, as far as it came."""

    def __init__(self) -> None:
        self.collected: dict[str, str] = {}  # test → why it needs a machine, if it does
        self.outcomes: dict[str, str] = {}
        self.begun = ""
        self.status: int | None = None
        self.rest = ""

    def take(self, text: str) -> str:
        """Take some output, and return what of it is not for here."""
        *lines, self.rest = (self.rest + text).split("\n")
        others = []
        for line in lines:
            other, separator, told = line.partition(SEPARATOR)
            if separator:
                self.note(told)
            if other or not separator:
                others.append(other + "\n")
        return "".join(others)

    def note(self, told: str) -> None:
        """Take one line of the plugin."""
        said = json.loads(told)
        self.collected |= said.get("collected", {})
        self.begun = said.get("begun", self.begun)
        if "test" in said:
            self.outcomes[said["test"]] = said["outcome"]
        self.status = said.get("status", self.status)


@dataclass
class Result:
    """The outcome of one suite; `problems` are failures that are not those of one test.

    `place` says where it ran.  `note` is why it did not run, where that is no failure.
    """

    suite: str
    place: str = ""
    seconds: float = 0.0
    passed: int = 0
    failed: list[str] = field(default_factory=list)
    again: list[str] = field(default_factory=list)  # of those that passed: what had failed before it was run again
    problems: list[str] = field(default_factory=list)
    reasons: collections.Counter[str] = field(default_factory=collections.Counter)
    note: str = ""

    @property
    def bad(self) -> int:
        """How many failures there are."""
        return len(self.failed) + len(self.problems)

    @property
    def title(self) -> str:
        """The suite's name, with where it ran."""
        return f"{self.suite}, {self.place}" if self.place else self.suite

    def take(self, record: Record, *, lost: str = "", allow_empty: bool = False) -> list[str]:
        """Count what one run of pytest came to; what is missing in it is a failure.

        `lost` says why it did not come to its end, if so.  Then the test that ran has failed by that, the rest of its
        file was not run, and the files after it are returned: they are still to do.
        """
        tests, later = list(record.collected), list[str]()
        if lost:
            tests, later = until(tests, record.begun)
            if record.begun not in record.outcomes and record.begun in tests:
                record.outcomes[record.begun] = f"failed: while it ran: {lost}"
            else:
                self.problems.append(lost)
        self.reasons.update(reason for test in tests if (reason := record.collected[test]))
        missing = [test for test in tests if test not in record.outcomes]
        if len(missing) > 3:
            self.problems.append(f"{len(missing)} of {len(tests)} tests were not run")
            tests = [test for test in tests if test in record.outcomes]
        for test in [*tests, *(test for test in record.outcomes if test not in record.collected)]:
            outcome = record.outcomes.get(test, "not run")
            if outcome == "passed":
                self.passed += 1
            else:  # whoever skips a test would not see that it runs nowhere
                self.failed.append(f"{test}: {outcome}")
        if not lost:
            self.judge(record, allow_empty)
        return later

    def take_again(self, record: Record) -> None:
        """Take what became of tests that had failed, once they were run again."""
        for test, outcome in record.outcomes.items():
            before = next((text for text in self.failed if text.startswith(f"{test}: ")), None)
            if outcome == "passed" and before:
                self.failed.remove(before)
                self.again.append(before)
                self.passed += 1

    def judge(self, record: Record, allow_empty: bool) -> None:
        """Look at a run that came to its end as a whole."""
        if not record.collected and not allow_empty:
            self.problems.append("no test was found")
        # 0: all passed, 1: some failed, 5: none collected; anything else is pytest's own failure
        if record.status is None:
            self.problems.append("no result: pytest did not come to its end")
        elif record.status not in (0, 1, 5) or (record.status == 1 and not self.failed):
            self.problems.append(f"pytest ended with status {record.status}")

    def line(self) -> str:
        """Return the suite's line of the summary."""
        if self.note:
            return f"{self.title:26} {self.note}"
        again = f", {len(self.again)} of them when run again" if self.again else ""
        minutes, seconds = divmod(int(self.seconds), 60)
        return f"{self.title:26} {self.passed} passed{again}, {self.bad} failed in {minutes}:{seconds:02}"


def until(tests: list[str], last: str) -> tuple[list[str], list[str]]:
    """Return the tests of all files up to that of the test `last`, and the files after it."""
    files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
    if last not in tests:
        return [], files
    position = files.index(last.partition("::")[0]) + 1
    done = set(files[:position])
    return [test for test in tests if test.partition("::")[0] in done], files[position:]
