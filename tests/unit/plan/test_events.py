import pytest

from nsunit.plan import events
from nsunit.plan.events import Event, Tracker

WEB = "nsunit-web.service"
SESSION = r"nsunit-my\x2dapp-exec-12.scope"


@pytest.mark.parametrize(
    ("unit", "container"),
    [
        (SESSION, "my-app"),
        (r"nsunit-web\x40a-exec-12.scope", "web@a"),
        ("nsunit-web-run-12.scope", None),
        (WEB, None),
        ("other-web-exec-12.scope", None),
        (r"nsunit-\xzz-exec-12.scope", None),
    ],
)
def test_container_of_a_session(unit, container):
    assert events.session_container(unit) == container


@pytest.mark.parametrize(
    ("slice_", "name"),
    [
        ("nsunit-shop-web.slice", "web"),
        (r"nsunit-my\x2dapp.slice", "my-app"),
        ("nsunit.slice", "nsunit"),
        ("system-web.slice", None),
        (r"nsunit-\xzz.slice", None),
    ],
)
def test_name_of_slice(slice_, name):
    assert events.name_of_slice(slice_) == name


def fed(*changes, unit=WEB, running=False):
    """The events of *changes*, each the properties of one signal."""
    tracker = Tracker()
    if running:
        assert tracker.changed(unit, {"ActiveState": "active", "Result": "success"}, first=True) == []
    return [event for values in changes for event in tracker.changed(unit, values)]


START = Event("start", "web", unit=WEB)
KILLED = {"Result": "signal", "ExecMainCode": 2, "ExecMainStatus": 9}
EXITED = {"Result": "exit-code", "ExecMainCode": 1, "ExecMainStatus": 3}


@pytest.mark.parametrize(
    ("running", "changes", "found"),
    [
        (False, [{"ActiveState": "activating"}, {"ActiveState": "active"}], [START]),
        (True, [{"ActiveState": "active"}, {"ActiveState": "reloading"}, {"ActiveState": "active"}], []),
        (
            True,
            [
                {"ActiveState": "deactivating"},
                {"Result": "success", "ExecMainCode": 1, "ExecMainStatus": 0},
                {"ActiveState": "inactive"},
            ],
            [Event("stop", "web", unit=WEB, result="success", code="exited", status=0)],
        ),
        (
            True,
            [EXITED, {"ActiveState": "failed"}, {"ActiveState": "failed"}],
            [Event("fail", "web", unit=WEB, result="exit-code", code="exited", status=3)],
        ),
        (  # Restart= brings it back
            True,
            [
                EXITED,
                {"ActiveState": "activating", "SubState": "auto-restart"},
                {"SubState": "start"},
                {"ActiveState": "active"},
            ],
            [Event("fail", "web", unit=WEB, result="exit-code", code="exited", status=3), START],
        ),
        (  # it never came up
            False,
            [{"ActiveState": "activating"}, {"Result": "protocol", "ExecMainCode": 0}, {"ActiveState": "failed"}],
            [Event("fail", "web", unit=WEB, result="protocol")],
        ),
        (  # it was told to stop and did not listen
            True,
            [{"Job": [7, "/job/7"], "ActiveState": "deactivating"}, KILLED, {"Job": [0, "/"], "ActiveState": "failed"}],
            [Event("stop", "web", unit=WEB, result="signal", code="killed", status=9)],
        ),
        (  # it was told to stop, and what it does then has failed
            True,
            [{"Job": [7, "/job/7"]}, EXITED, {"Job": [0, "/"], "ActiveState": "failed"}],
            [Event("fail", "web", unit=WEB, result="exit-code", code="exited", status=3)],
        ),
        (  # somebody has killed it
            True,
            [{"Job": [7, "/job/7"]}, {"Job": [0, "/"]}, KILLED, {"ActiveState": "failed"}],
            [Event("fail", "web", unit=WEB, result="signal", code="killed", status=9)],
        ),
        (  # too quick for a signal of each state
            False,
            [{**EXITED}, {"ActiveState": "failed", "ActiveEnterTimestampMonotonic": 5}],
            [START, Event("fail", "web", unit=WEB, result="exit-code", code="exited", status=3)],
        ),
        (  # restarted, and the same
            True,
            [
                {"ActiveState": "active", "ActiveEnterTimestampMonotonic": 5},
                {"ActiveState": "active", "ActiveEnterTimestampMonotonic": 6},
                {"ActiveState": "activating", "ActiveEnterTimestampMonotonic": 6},
                {"ActiveState": "active", "ActiveEnterTimestampMonotonic": 7},
            ],
            [Event("stop", "web", unit=WEB), START, Event("stop", "web", unit=WEB), START],
        ),
        (  # systemd did not even try
            False,
            [{"Result": "start-limit-hit"}, {"ActiveState": "failed"}],
            [Event("fail", "web", unit=WEB, result="start-limit-hit")],
        ),
        (
            False,
            [
                {"ActiveState": "inactive", "ConditionResult": False, "ConditionTimestampMonotonic": 5},
                {"ActiveState": "inactive", "ConditionResult": False, "ConditionTimestampMonotonic": 5},
            ],
            [Event("skip", "web", unit=WEB)],
        ),
        (
            False,  # systemd 252: one job looks twice, and is over after the second time
            [
                {"ConditionResult": False, "ConditionTimestampMonotonic": 5, "Job": (7, "/7")},
                {"ConditionResult": False, "ConditionTimestampMonotonic": 6, "Job": (0, "/")},
                {"ConditionResult": False, "ConditionTimestampMonotonic": 6, "Job": (0, "/")},
            ],
            [Event("skip", "web", unit=WEB)],
        ),
        (
            False,  # the second time it was met
            [
                {"ConditionResult": False, "ConditionTimestampMonotonic": 5, "Job": (7, "/7")},
                {"ActiveState": "active", "ConditionResult": True, "ConditionTimestampMonotonic": 6, "Job": (0, "/")},
            ],
            [Event("start", "web", unit=WEB)],
        ),
        (
            False,
            [
                {"ConditionResult": False, "ConditionTimestampMonotonic": 5, "Job": (0, "/")},
                {"ConditionResult": False, "ConditionTimestampMonotonic": 6, "Job": (0, "/")},
            ],
            [Event("skip", "web", unit=WEB), Event("skip", "web", unit=WEB)],
        ),
        (True, [{"LoadState": "not-found"}], [Event("stop", "web", unit=WEB, result="success")]),
        (False, [{"LoadState": "not-found"}], []),
        (
            True,
            [{"Result": "oom-kill", "ExecMainCode": 2, "ExecMainStatus": 9}, {"ActiveState": "failed"}],
            [
                Event("oom-kill", "web", unit=WEB, cgroup="", count=1),
                Event("fail", "web", unit=WEB, result="oom-kill", code="killed", status=9),
            ],
        ),
    ],
)
def test_changes_of_a_container(running, changes, found):
    assert fed(*changes, running=running) == found


def test_a_kill_is_told_once():
    tracker = Tracker()
    tracker.changed(WEB, {"ActiveState": "active"}, first=True)
    tracker.note_kill("web")
    assert [event.event for event in tracker.changed(WEB, {"Result": "oom-kill", "ActiveState": "failed"})] == ["fail"]
    tracker.changed(WEB, {"ActiveState": "active"})
    found = tracker.changed(WEB, {"Result": "oom-kill", "ActiveState": "failed"})
    assert [event.event for event in found] == ["oom-kill", "fail"]


def test_sessions():
    found = fed({"ActiveState": "active"}, {"ActiveState": "inactive"}, unit=SESSION)
    assert found == [Event("session-start", "my-app", unit=SESSION), Event("session-stop", "my-app", unit=SESSION)]


def test_units_of_others():
    assert fed({"ActiveState": "active"}, {"ActiveState": "failed"}, unit="nsunit-a-health.service") == []


def test_what_runs():
    tracker = Tracker()
    for unit, state in ((WEB, "active"), ("nsunit-db.service", "failed"), (SESSION, "active")):
        tracker.changed(unit, {"ActiveState": state}, first=True)
    assert tracker.running() == ["web"]
