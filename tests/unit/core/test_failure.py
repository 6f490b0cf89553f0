"""What a failure of a unit is told as."""

import errno
import os
import types

import pytest

from nsunit.core import jobs
from nsunit.core.jobs import (
    GRACE_SECONDS,
    JOBS,
    RESULTS,
    STATUSES,
    Outcome,
    as_failed,
    explain_failure,
    start_timeout,
)
from nsunit.errors import JobFailedError, NsunitError
from nsunit.units import Property, Unit


class Bus:
    def __init__(self, **state):
        self.state = state

    def get(self, unit, *names):
        return {name: self.state[name] for name in names if name in self.state}


@pytest.mark.parametrize("result", RESULTS)
def test_service_results_are_told(result):
    error = explain_failure(Bus(Result=result, ExecMainStatus=9), "web", "nsunit-web.service", "failed")
    assert error.message == f"web: {RESULTS[result].text.format(status='9')}"
    assert "{" not in error.message + error.hint


@pytest.mark.parametrize("result", JOBS)
def test_job_results_are_told(result):
    error = explain_failure(Bus(Result="success"), "web", "nsunit-web.service", result)
    assert error.message == f"web: {JOBS[result].text}"
    assert error.result == result
    assert "{" not in error.hint


class Slices(Bus):
    """One of the slices around the service is in a state of its own."""

    def get(self, unit, *names):
        above = {"nsunit-web.slice": "nsunit.slice", "nsunit.slice": ""}
        if unit not in above:
            return {}
        found = {"Slice": above[unit], "FreezerState": self.state["freezer"] if unit == "nsunit.slice" else "running"}
        return {name: found[name] for name in names if name in found}


@pytest.mark.parametrize(
    ("freezer", "job"), [("frozen", "frozen"), ("frozen-by-parent", "frozen"), ("running", "dependency")]
)
def test_a_frozen_slice_is_told(freezer, job):
    error = explain_failure(Slices(freezer=freezer), "web", "nsunit-web.service", "dependency", "nsunit-web.slice")
    assert error.message == f"web: {JOBS[job].text}"


@pytest.mark.parametrize("status", STATUSES)
def test_what_systemd_could_not_do_is_told(status):
    bus = Bus(Result="exit-code", ExecMainStatus=status)
    error = explain_failure(bus, "web", "nsunit-web.service", "failed")
    assert error.message == f"web: the machine or systemd refused {STATUSES[status]} (status {status})"
    assert error.hint == "'systemctl status nsunit-web.service' has the reason"


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("Failed to execute '/x': No such file or directory", "check Exec= against what is in the root"),
        ("Failed to execute '/x': Permission denied", "make the file executable, or run it through its interpreter"),
        ("Failed to find user 'u': user 'u' is not", "check User=, Group= and SupplementaryGroups=, or give a number"),
        (
            "Failed to bind '/dev/kvm' at '/dev/kvm': its file system cannot id-map mounts",
            "use Device=, which makes a node of the container's own",
        ),
        (
            "Failed to execute '/sbin/init': No such file or directory",
            "install what brings it into the root (Debian: systemd-sysv), or use Exec=/usr/lib/systemd/systemd",
        ),
        (
            "Failed to mount a whole proc on '/run/host/proc': the host's root is inside",
            "leave out Nesting=, or give the container, or its pod, ids of its own",
        ),
        (
            "Failed to mount a whole proc on '/run/host/proc': Permission denied",
            "/run of these layers is another user's; add Tmpfs=/run",
        ),
        (
            "Failed to mount the overlay of 1 layers: '/root' is closed to the user and the user's ids",
            "have its owner open it, 'chmod o+rx', or take a copy that is the user's own",
        ),
        (
            "Failed to make a user namespace of 9 ids: No space left on device",
            "raise the sysctl user.max_user_namespaces",
        ),
        (
            "Failed to make a user namespace of 9 ids: Operation not permitted",
            "something is mounted over the host's root, see 'findmnt /', or a security module forbids them",
        ),
        ("Failed to make a user namespace of 9 ids: Invalid argument", "see 'nsunit doctor'"),
        (
            "Failed to connect the network by '/usr/bin/pasta': External interface not usable",
            "the host has no default route, see 'ip route': pasta needs one; add it, or leave out Network=pasta",
        ),
        ("Failed to do something new", None),
    ],
)
def test_words_of_the_helper_come_first(said, hint):
    bus = Bus(StatusText=said, Result="exit-code", ExecMainStatus=127)
    error = explain_failure(bus, "web", "nsunit-web.service", "failed")
    assert (error.message, error.hint) == (f"web: {said}", hint)


def test_words_of_a_payload_are_not_believed():
    error = explain_failure(Bus(StatusText="serving", Result="timeout"), "web", "nsunit-web.service", "failed")
    assert error.message == "web: it was not ready in time"


def test_unknown_results_are_shown():
    error = explain_failure(Bus(Result="odd"), "web", "nsunit-web.service", "strange")
    assert error.message == "web: the job ended as 'strange' (odd)"


def test_a_start_is_waited_for_as_long_as_its_unit_may_take():
    def unit(*seconds):
        found = [Property("TimeoutStartUSec", "t", value * 1_000_000) for value in seconds]
        return Unit("nsunit-web.service", (Property("TimeoutStopUSec", "t", 1), *found, Property("Nice", "i", 3)))

    assert start_timeout(unit(90)) == 90 + GRACE_SECONDS
    assert start_timeout(unit(90, 5)) == 5 + GRACE_SECONDS  # the last one counts
    assert start_timeout(unit(1 << 40)) == 86400 + GRACE_SECONDS
    with pytest.raises(JobFailedError, match="TimeoutStartUSec"):
        start_timeout(unit())


@pytest.mark.parametrize("uid", [0, 1000])
def test_what_has_failed_for_one_of_several(monkeypatch, uid):
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    refused = NsunitError("web: no", hint="ask again")
    assert as_failed("web", refused) == Outcome("web", "failed", error=refused)
    full = as_failed("web", OSError(errno.ENOSPC, "No space left on device", "/run/x"))
    assert (full.state, str(full.error)) == ("failed", "web: /run/x: No space left on device")
    may_not = PermissionError(errno.EACCES, "Permission denied", "/run/x")
    if uid:  # the command says what who is not root can do
        with pytest.raises(PermissionError):
            as_failed("web", may_not)
    else:
        assert str(as_failed("web", may_not).error) == "web: /run/x: Permission denied"


def test_what_systemd_removes_itself_meanwhile_is_forgotten_all_the_same(tmp_path, monkeypatch):
    """Its unit may be unloaded just then, with its file."""
    kept = tmp_path / "kept.service"
    kept.touch()
    asked = []
    bus = types.SimpleNamespace(reload=lambda: asked.append("reload"), get=lambda *_names: {})
    context = types.SimpleNamespace(transient=f"{tmp_path}/", bus=bus)
    monkeypatch.setattr(jobs.os.path, "lexists", lambda _path: True)  # as it was a moment ago
    jobs._forget_kept(context, "web", ("gone.slice", "kept.service"))
    assert (asked, kept.exists()) == (["reload"], False)
