"""What the parent half of the helper makes of the reports of the two others."""

import os

import pytest

from nsunit.setup import spawn
from nsunit.setup.build import Build
from nsunit.setup.operation import Operation
from nsunit.setup.process import Exec


@pytest.mark.parametrize(
    ("reports", "expected"),
    [
        ([], spawn.KILLED),
        (["ready", f"error 125 {spawn.PARENT_GONE}"], spawn.KILLED),
        (["error 125 Failed to enter the namespaces: no"], "Failed to enter the namespaces: no"),
        (["error 125 Failed to do it", f"error 125 {spawn.PARENT_GONE}"], "Failed to do it"),
    ],
)
def test_why_there_is_no_pid(reports, expected):
    assert str(spawn._lost(reports, attached=False)) == expected


def test_a_middle_process_that_is_killed_before_it_has_told_the_pid(monkeypatch):
    """Its child notices, too, and nobody waits for ever."""
    real_write = os.write

    def write(fd, data):
        if data.isdigit():  # what it tells the parent
            os.kill(os.getpid(), 9)
        return real_write(fd, data)

    monkeypatch.setattr(spawn.os, "write", write)
    monkeypatch.setattr(spawn.linux, "prctl", lambda *_: 0)
    operations = [Exec("", ("/bin/true",))]
    with pytest.raises(spawn.SetupError) as caught:
        spawn.spawn(operations, Build(""), lambda: None, new_root=False)
    assert str(caught.value) == spawn.KILLED


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
