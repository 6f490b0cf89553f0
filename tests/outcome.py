"""A pytest plugin (`-p outcome`): at the very end writes what became of every test to $NSUNIT_OUTCOME, as JSON.

A run that dies on the way leaves no such file, and a test without an outcome can be told from one that passed.
"""

import json
import os

import pytest

REASON_LENGTH = 500


class Outcomes:
    """Collects the outcome of every test: "passed", "failed: REASON" or "skipped: REASON"."""

    def __init__(self) -> None:
        self.collected: list[str] = []
        self.outcomes: dict[str, str] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.collected = [item.nodeid for item in session.items]

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.outcome != "passed":
            self.outcomes[report.nodeid or "collection"] = describe(report)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" and report.outcome == "passed":
            return
        # The worst of set-up, call and tear-down counts.
        if self.outcomes.get(report.nodeid, "passed") == "passed" or report.outcome == "failed":
            self.outcomes[report.nodeid] = describe(report)

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        record = {"collected": self.collected, "outcomes": self.outcomes, "status": int(exitstatus)}
        with open(os.environ["NSUNIT_OUTCOME"], "w") as file:
            json.dump(record, file)


def describe(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Return the outcome of one report; an expected failure is a skip for that reason.

    The beginning of what a failed test said goes along: often the summary is all that is kept of a run.
    """
    if report.outcome == "failed":
        crash = getattr(report.longrepr, "reprcrash", None)
        said = f"{os.path.basename(crash.path)}:{crash.lineno}: {crash.message}" if crash else str(report.longrepr)
        return "failed: " + " | ".join(said[:REASON_LENGTH].splitlines())
    if report.outcome == "passed":
        return report.outcome
    reason = getattr(report, "wasxfail", None)
    if reason is None:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return "skipped: " + reason.removeprefix("Skipped: ")


def pytest_configure(config: pytest.Config) -> None:
    if os.environ.get("NSUNIT_OUTCOME"):
        config.pluginmanager.register(Outcomes(), "nsunit-outcomes")
