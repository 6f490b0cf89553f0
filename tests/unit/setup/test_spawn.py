"""What the parent half of the helper makes of the reports of the two others."""

import os

import pytest

from nsunit.setup import spawn
from nsunit.setup.operation import Operation
from nsunit.setup.process import Exec


@pytest.mark.parametrize(
    ("reports", "expected"),
    [
        (["pid 7", "ready"], ["pid 7", "ready"]),
        (["ready", "pid 7"], ["pid 7", "ready"]),
        (["terminal 5", "ready", "pid 7"], ["pid 7", "terminal 5", "ready"]),
        (["terminal 5", "pid 7", "ready"], ["pid 7", "terminal 5", "ready"]),
        (["error 125 it", "pid 7"], ["pid 7", "error 125 it"]),
        (["pid 7", "ready", "error 127 it"], ["pid 7", "ready", "error 127 it"]),
        (["error 125 no namespaces"], ["error 125 no namespaces"]),
        (["terminal 5", "ready"], []),
        ([], []),
    ],
)
def test_pid_comes_first(reports, expected):
    assert list(spawn.in_order(reports)) == expected


def test_nobody_is_killed_for_a_pid_that_is_not_known(monkeypatch):
    killed = []
    monkeypatch.setattr(os, "kill", lambda pid, number: killed.append((pid, number)))

    def fail(_pid):
        raise TimeoutError

    with pytest.raises(TimeoutError):
        spawn._call(fail, -1, -1, -1)
    assert killed == []
    with pytest.raises(TimeoutError):
        spawn._call(fail, 42, -1, -1)
    assert killed == [(42, 9)]


class Step(Operation):
    def describe(self):
        return "do it at '/here'"


@pytest.mark.parametrize(
    ("operation", "error", "text", "status"),
    [
        (Step(), OSError(2, "gone"), "Failed to do it at '/here': gone", 125),
        (Step(), OSError(2, "gone", "/here"), "Failed to do it at '/here': gone", 125),
        (Step(), OSError(2, "gone", "/there"), "Failed to do it at '/here': gone ('/there')", 125),
        (Step(), LookupError("no such user"), "Failed to do it at '/here': no such user", 125),
        (Step(), ValueError(), "Failed to do it at '/here': ValueError", 125),
        (Exec("", ("/x",)), OSError(2, "gone"), "Failed to execute '/x': gone", 127),
        (Exec("", ("/x",)), OSError(13, "refused"), "Failed to execute '/x': refused", 126),
    ],
)
def test_failures_are_one_line(operation, error, text, status):
    found = spawn.explain(operation, error)
    assert (str(found), found.status) == (text, status)
