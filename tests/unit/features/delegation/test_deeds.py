import os
import types

import pytest

from nsunit.errors import BusError, NotFoundError, NsunitError, UsageError
from nsunit.features.delegation import deeds as delegate

UID = os.getuid()
UNIT = f"user@{UID}.service"


class FakeBus:
    def __init__(self, state="active"):
        self.state = state
        self.calls = []
        self.result = "done"
        self.broken = False
        self.on_restart = lambda: None

    def get(self, unit, *names):
        return {"ActiveState": self.state, "ControlGroup": f"/{unit}"}

    def reload(self):
        self.calls.append("reload")
        if self.broken:
            raise BusError("x", "no reload")

    def restart(self, unit):
        self.calls.append(f"restart {unit}")
        self.on_restart()
        return "job"

    def wait(self, job, timeout):
        return self.result


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A user who is logged in, with what systemd delegates by default."""
    monkeypatch.setattr(delegate, "CGROUP_ROOT", str(tmp_path))
    monkeypatch.setattr(delegate, "UNIT_DIRECTORY", str(tmp_path / "units"))
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory pids misc\n")
    (tmp_path / UNIT).mkdir()
    (tmp_path / UNIT / "cgroup.controllers").write_text("memory pids\n")
    bus = FakeBus()
    return types.SimpleNamespace(bus=bus, root=tmp_path, file=tmp_path / f"units/{UNIT}.d/delegate.conf")


def test_a_drop_in_is_written(host):
    found = delegate.delegate(host, str(UID), ["io", "cpu"])
    assert host.file.read_text().splitlines()[-2:] == ["[Service]", "Delegate=cpu io"]
    assert host.file.stat().st_mode & 0o777 == 0o644
    assert (found.uid, found.unit, found.path) == (UID, UNIT, str(host.file))
    assert (found.controllers, found.present) == (("cpu", "io"), ("memory", "pids"))
    assert (found.missing, found.changed, found.restarted) == (("cpu", "io"), True, False)
    assert host.bus.calls == ["reload"]
    assert delegate.delegate(host, str(UID), ["io", "cpu"]).changed is False
    assert host.bus.calls == ["reload"]


def test_all_of_them(host):
    assert delegate.delegate(host, str(UID), []).controllers == ("cpu", "cpuset", "io", "memory", "pids")


def test_now(host):
    host.bus.on_restart = lambda: (host.root / UNIT / "cgroup.controllers").write_text("cpu io memory pids\n")
    found = delegate.delegate(host, str(UID), ["io"], now=True)
    assert (found.restarted, found.missing) == (True, ())
    assert host.bus.calls == ["reload", f"restart {UNIT}"]


def test_now_without_a_login(host):
    host.bus.state = "inactive"
    found = delegate.delegate(host, str(UID), ["io"], now=True)
    assert (found.present, found.restarted) == (None, False)
    assert host.bus.calls == ["reload"]


def test_what_does_not_arrive(host):
    with pytest.raises(NsunitError) as caught:
        delegate.delegate(host, str(UID), ["io", "cpu"], now=True)
    assert caught.value.message == f"{UNIT} runs without cpu io"
    assert caught.value.hint == f"see 'systemctl cat {UNIT}' for what else sets Delegate="


def test_a_restart_that_fails(host):
    host.bus.result = "failed"
    with pytest.raises(NsunitError) as caught:
        delegate.delegate(host, str(UID), ["io"], now=True)
    assert caught.value.message == f"the restart of {UNIT} ended as 'failed'"
    assert caught.value.hint == f"see 'systemctl status {UNIT}'"


def test_a_reload_that_fails_changes_nothing(host):
    delegate.delegate(host, str(UID), ["io"])
    before = host.file.read_text()
    host.bus.broken = True
    for change in (lambda: delegate.delegate(host, str(UID), ["cpu"]), lambda: delegate.remove(host, str(UID))):
        with pytest.raises(BusError):
            change()
        assert host.file.read_text() == before


def test_remove(host):
    delegate.delegate(host, str(UID), ["io"])
    found = delegate.remove(host, str(UID))
    assert (found.changed, found.controllers) == (True, ())
    assert not host.file.parent.exists()
    assert host.bus.calls == ["reload", "reload"]
    assert delegate.remove(host, str(UID)).changed is False
    assert host.bus.calls == ["reload", "reload"]


@pytest.mark.parametrize("user", ["nobody-of-that-name", "4294967000", "99999999999999999999", ""])
def test_no_such_user(host, user):
    with pytest.raises(NotFoundError) as caught:
        delegate.look(host, user)
    assert caught.value.message == f"there is no user '{user}'"
    assert caught.value.hint == "see 'getent passwd'"


def test_a_wrong_controller_writes_nothing(host):
    with pytest.raises(UsageError):
        delegate.delegate(host, str(UID), ["io", "blkio"])
    assert not host.file.exists()
    assert host.bus.calls == []
