"""Whether a container has ended when a session with it fails, and what the session leaves."""

import os
import subprocess

import pytest

from nsunit.bus.protocol import NO_SUCH_UNIT
from nsunit.core.context import Context
from nsunit.core.running import Running, cgroup_of, open_pidfd
from nsunit.deeds.session import ended
from nsunit.deeds.session.ended import forget_session, has_ended
from nsunit.errors import BusError, NotFoundError
from nsunit.storage.lock import Lock
from nsunit.storage.paths import Paths

UP = {"ActiveState": "active", "InvocationID": "0a"}
SLICE, SCOPE = "nsunit-web.slice", "nsunit-web-exec-1.scope"


class FakeSystemd:
    def __init__(self, **units):
        self.units = units
        self.stopped = []

    def get(self, unit, *names):
        if unit.endswith(".service"):
            return {name: self.units["service"].get(name) for name in names}
        if unit in self.stopped:
            return {"ActiveState": "inactive"}
        return {"ControlGroup": f"/{unit}", **self.units.get(unit, self.units["slice"])}

    def stop(self, unit):
        if unit == SCOPE:
            raise BusError(NO_SUCH_UNIT, "not loaded")
        self.stopped.append(unit)
        return unit

    def wait(self, job, timeout):
        return "done"


@pytest.fixture
def process():
    with subprocess.Popen(["sleep", "100"]) as started:
        yield started
        started.kill()


def context(tmp_path, service=None, slice_=None):
    found = Context(paths=Paths(str(tmp_path)))
    found._bus = FakeSystemd(service=service or UP, slice=slice_ or {})
    return found


def running(pid):
    return Running("web", "nsunit-web.service", f"/{SLICE}/nsunit-web.service", "0a", pid)


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        (UP, False),
        ({**UP, "ActiveState": "activating"}, False),
        ({**UP, "ActiveState": "deactivating"}, True),
        ({**UP, "InvocationID": "0b"}, True),
    ],
)
def test_the_unit_tells(tmp_path, process, service, expected):
    pidfd = os.pidfd_open(process.pid)
    assert has_ended(context(tmp_path, service), running(process.pid), pidfd) is expected
    os.close(pidfd)


@pytest.mark.parametrize("waited", [False, True])
def test_the_process_tells(tmp_path, process, waited):
    pidfd = os.pidfd_open(process.pid)
    process.kill()
    os.waitid(os.P_PIDFD, pidfd, os.WEXITED | (0 if waited else os.WNOWAIT))
    assert has_ended(context(tmp_path), running(process.pid), pidfd)
    os.close(pidfd)


@pytest.mark.parametrize(
    ("service", "message"),
    [
        (UP, "web: it has just ended"),  # its number is another process's by now
        ({**UP, "ActiveState": "inactive"}, "web: it has just ended"),
        ({**UP, "InvocationID": ()}, "web: it has just ended"),  # unloaded before this was asked for
        ({**UP, "InvocationID": "0b"}, "web: it was restarted meanwhile"),
    ],
)
def test_what_a_pidfd_is_refused_with(tmp_path, process, service, message):
    assert not cgroup_of(process.pid).startswith(f"/{SLICE}")
    with pytest.raises(NotFoundError) as caught:
        open_pidfd(context(tmp_path, service), running(process.pid))
    assert caught.value.message == message
    assert caught.value.hint


def test_a_slice_that_only_the_session_needed_goes(tmp_path):
    found = context(tmp_path, slice_={"ActiveState": "active", "FragmentPath": ""})
    forget_session(found, running(1), SCOPE)
    assert found.bus.stopped == [SLICE]


@pytest.mark.parametrize(
    ("units", "stopped"),
    [
        ({}, ["nsunit-shop-eu-web.slice", "nsunit-shop-eu.slice", "nsunit-shop.slice"]),
        (
            {
                "nsunit-shop.slice": {
                    "ActiveState": "active",
                    "FragmentPath": "/run/systemd/transient/nsunit-shop.slice",
                }
            },
            ["nsunit-shop-eu-web.slice", "nsunit-shop-eu.slice"],
        ),
        ({"used": "nsunit-shop.slice"}, ["nsunit-shop-eu-web.slice", "nsunit-shop-eu.slice"]),
    ],
    ids=["none", "started", "used"],
)
def test_slices_of_groups_go_as_well(tmp_path, monkeypatch, units, stopped):
    monkeypatch.setattr(ended, "CGROUP_ROOT", str(tmp_path))
    used = tmp_path / units.get("used", "other.slice")
    used.mkdir()
    (used / "cgroup.procs").write_text(f"{os.getpid()}\n")
    found = context(tmp_path, slice_={"ActiveState": "active", "FragmentPath": ""})
    found.bus.units |= units
    group = "/nsunit.slice/nsunit-shop.slice/nsunit-shop-eu.slice/nsunit-shop-eu-web.slice/nsunit-web.service"
    forget_session(found, running(1).replace(control_group=group), SCOPE)
    assert found.bus.stopped == stopped


def test_a_slice_of_a_start_stays(tmp_path):
    found = context(tmp_path, slice_={"ActiveState": "active", "FragmentPath": f"/run/systemd/transient/{SLICE}"})
    forget_session(found, running(1), SCOPE)
    assert found.bus.stopped == []


def test_a_slice_that_somebody_works_on_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr("nsunit.deeds.session.ended.LOCK_TIMEOUT", 0.0)
    found = context(tmp_path, slice_={"ActiveState": "active", "FragmentPath": ""})
    with Lock(found.paths.locks, "web"):
        forget_session(found, running(1), SCOPE)
    assert found.bus.stopped == []
