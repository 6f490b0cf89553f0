import fnmatch

import pytest

from nsunit.bus import protocol
from nsunit.errors import BusError


@pytest.mark.parametrize(
    ("text", "major"), [("257.13-1~deb13u1", 257), ("252", 252), ("v256~rc1", 256), ("252.38-1~deb12u1", 252)]
)
def test_major_version(text, major):
    assert protocol.major_version(text) == major


def test_major_version_refuses():
    with pytest.raises(BusError, match="^systemd gives its version as 'devel', which has no number in front$"):
        protocol.major_version("devel")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("org.freedesktop.DBus.Error.AccessDenied", "run it as root"),
        ("org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", "run it as root"),
        ("org.freedesktop.DBus.Error.ServiceUnknown", "nsunit needs systemd as PID 1 and its bus"),
        ("org.freedesktop.DBus.Error.FileNotFound", "nsunit needs systemd as PID 1 and its bus"),
        ("org.freedesktop.DBus.Error.PropertyReadOnly", "too old for the property"),
        ("org.freedesktop.DBus.Error.Timeout", "systemctl list-jobs"),
        ("org.freedesktop.systemd1.NoSuchUnit", "nsunit list --all"),
        ("org.freedesktop.systemd1.UnitExists", "systemctl reset-failed"),
        ("org.freedesktop.systemd1.TransactionIsDestructive", "shutting down"),
    ],
)
def test_hints(name, hint):
    error = protocol.bus_error(name, "Something.\nwith a line")
    assert error.name == name
    assert error.message == "Something. with a line"
    assert hint in error.hint


def test_unknown_error_has_no_hint():
    error = protocol.bus_error("com.example.Odd", "")
    assert (error.message, error.hint) == ("com.example.Odd", None)


@pytest.mark.parametrize(
    ("kind", "load", "active", "result"),
    [
        ("start", "loaded", "active", "done"),
        ("start", "loaded", "failed", "failed"),
        ("start", "not-found", "inactive", "failed"),
        ("restart", "loaded", "reloading", "done"),
        ("stop", "loaded", "inactive", "done"),
        ("stop", "not-found", "", "done"),
        ("stop", "loaded", "failed", "done"),
        ("stop", "loaded", "active", "failed"),
    ],
)
def test_lost_job_result(kind, load, active, result):
    assert protocol.lost_job_result(kind, load, active) == result


@pytest.mark.parametrize("kind", ["service", "timer", "socket"])
def test_who_looks_for_former_names_is_told_of_no_slices(kind):
    """Those have such names at all times: a thousand of them took each command 20 ms."""
    slices = [f"nsunit-c\\x2d{number}.slice" for number in range(1000)]
    earlier = f"nsunit-my\\x2dapp.{kind}"
    listed = []

    def list_units(patterns):
        found = [
            protocol.UnitStatus(name, "", "loaded", "active", "running", "")
            for name in (*slices, *([earlier] if not listed else []))
            if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
        ]
        listed.append([item.name for item in found])
        return found

    former = protocol.FormerNames(list_units)
    assert former.loaded(f"nsunit-my-app.{kind}") == earlier
    assert former.loaded(f"nsunit-c-1.{kind}") == f"nsunit-c-1.{kind}"
    assert listed == [[earlier], []]
