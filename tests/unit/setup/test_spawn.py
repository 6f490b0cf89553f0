"""What the parent half of the helper makes of the reports of the two others."""

import errno
import os
import select

import pytest

from nsunit.setup import main, namespaces, spawn
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


def test_only_a_child_is_killed(monkeypatch):
    """Anybody else may have the number of a payload that has ended, which is the service manager's child."""
    killed = []
    monkeypatch.setattr(spawn.os, "kill", lambda pid, number: killed.append((pid, number)))
    monkeypatch.setattr(spawn.os, "waitpid", lambda pid, _options: (pid, 9))

    def fail(_pid):
        raise TimeoutError

    for pid, child in ((42, -1), (42, 42)):
        with pytest.raises(TimeoutError):
            spawn._call(fail, pid, child, -1)
    assert killed == [(42, 9)]


def test_a_payload_ends_with_a_caller_that_fails_before_it_executes(monkeypatch):
    monkeypatch.setattr(spawn.linux, "prctl", lambda *_: 0)
    reader, writer = os.pipe()
    helper = os.fork()
    if helper == 0:

        def fail(payload):
            os.write(writer, b"%d" % payload)
            raise TimeoutError

        try:
            spawn.spawn([Exec("", ("/bin/sleep", "60"))], Build(""), lambda: None, new_root=False, before_exec=fail)
        finally:
            os._exit(0)
    os.close(writer)
    payload = int(os.read(reader, 16))
    pidfd = os.pidfd_open(payload)
    os.waitpid(helper, 0)
    assert select.select([pidfd], [], [], 10)[0] == [pidfd]
    os.close(pidfd)
    os.close(reader)


def test_a_caller_that_dies_just_before_its_death_would_be_told(monkeypatch):
    """prctl(2) comes too late for PR_SET_PDEATHSIG then, and nothing else ends the payload."""
    monkeypatch.setattr(spawn.linux, "prctl", lambda *_: 0)
    monkeypatch.setattr(spawn.linux, "close_range", lambda *_: None)
    report_reader, report = os.pipe()
    go, go_writer = os.pipe()
    link = spawn._Link(report, go, -1, attached=True)
    os.write(go_writer, b".")
    spawn._last_preparations(Build(""), link)  # the caller lives
    os.write(go_writer, b".")
    os.close(go_writer)
    with pytest.raises(spawn.SetupError, match=spawn.PARENT_GONE):
        spawn._last_preparations(Build(""), link)
    for fd in (report_reader, report, go):
        os.close(fd)


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


def test_a_program_that_cannot_be_executed_does_not_end_before_the_reason_is_told(monkeypatch):
    """Its end has systemd kill the helper, which would tell the reason."""
    monkeypatch.setattr(spawn.linux, "prctl", lambda *_: 0)
    payloads = []
    with pytest.raises(spawn.SetupError) as caught:
        spawn.spawn(
            [Exec("", ("/no/such/program",))], Build(""), lambda: None, new_root=False, before_exec=payloads.append
        )
    pidfd = os.pidfd_open(payloads[0])
    try:
        helper = os.fork()
        if helper == 0:  # closing what is open is for a process of its own
            main.close_all_but(caught.value.link_fd)
            os._exit(0 if os.write(caught.value.link_fd, b"") == 0 else 1)
        assert os.waitpid(helper, 0)[1] == 0
        assert select.select([pidfd], [], [], 0)[0] == []
        os.close(caught.value.link_fd)
        assert select.select([pidfd], [], [], 10)[0] == [pidfd]
    finally:
        os.close(pidfd)


@pytest.mark.parametrize("kept", [-1, 3, 9])
def test_descriptors_that_are_closed(kept, monkeypatch):
    left = set(range(12))
    monkeypatch.setattr(
        main.linux, "close_range", lambda first, last=99: left.difference_update(range(first, last + 1))
    )
    main.close_all_but(kept)
    assert left == {0, 1, 2} | ({kept} if kept >= 0 else set())


@pytest.mark.parametrize(("number", "expected"), [(0, 0), (errno.ENOSPC, errno.ENOSPC), (None, errno.EIO)])
def test_a_child_tells_why_it_is_not_ready(number, expected):
    def deed():
        if number is None:
            raise ValueError
        if number:
            raise OSError(number, "no")

    with namespaces.Child(deed) as child:
        assert (child.is_ready, child.errno) == (not expected, expected)
