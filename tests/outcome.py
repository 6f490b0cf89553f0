"""A pytest plugin (`-p outcome`) that says what becomes of every test while it runs, in lines of JSON.

They go to the file $NSUNIT_OUTCOME.  It can be /dev/stderr: each line begins with a record separator (RFC 7464), so
what else is printed there can be told from it.  Of a run that dies on the way it is known how far it came and what it
was at, and a test without an outcome can be told from one that passed.
"""

import json
import os
from typing import TextIO

import pytest

REASON_LENGTH = 500
SEPARATOR = "\x1e"


class Outcomes:
    """Tells what was collected, what begins, and the outcome: "passed", "failed: REASON" or "skipped: REASON"."""

    def __init__(self, file: TextIO) -> None:
        self.file = file
        self.outcomes: dict[str, str] = {}

    def say(self, **record: object) -> None:
        self.file.write(f"{SEPARATOR}{json.dumps(record)}\n")
        self.file.flush()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        # The reason for which a test cannot do with less than a machine, or one of qemu's, where it has one.
        marks = {
            item.nodeid: item.get_closest_marker("machine") or item.get_closest_marker("kernel")
            for item in session.items
        }
        self.say(collected={name: str(mark.args[0]) if mark else "" for name, mark in marks.items()})

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.outcome != "passed":
            self.say(test=report.nodeid or "collection", outcome=describe(report))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.say(begun=nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" and report.outcome == "passed":
            return
        # The worst of set-up, call and tear-down counts.
        if self.outcomes.get(report.nodeid, "passed") == "passed" or report.outcome == "failed":
            self.outcomes[report.nodeid] = describe(report)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self.say(test=nodeid, outcome=self.outcomes.get(nodeid, "failed: it was not called"))

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        self.say(status=int(exitstatus))


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


# Opened before pytest puts files of its own in place of the standard streams.
FILE = open(os.environ["NSUNIT_OUTCOME"], "a") if os.environ.get("NSUNIT_OUTCOME") else None  # noqa: SIM115


def pytest_configure(config: pytest.Config) -> None:
    if FILE:
        config.pluginmanager.register(Outcomes(FILE), "nsunit-outcomes")
