import json

import pytest

from nsunit.plan.events import Event


@pytest.fixture
def follow(manager):
    def follow_events(context, tell, ready, pipe):
        ready(["db", "web"])
        tell(Event("start", "web", unit="nsunit-web.service"))
        tell(Event("fail", "db", result="exit-code", code="exited", status=0))
        tell(Event("memory-high", group="shop.slice", count=1, total=1))
        raise KeyboardInterrupt

    manager("deeds.look.events", follow_events=follow_events)


def lines(out):
    found = [json.loads(line) for line in out.splitlines()]
    assert all(item.pop("time_usec") > 1_600_000_000_000_000 for item in found)
    return found


def test_each_event_is_a_line(nsunit, follow):
    status, out, err = nsunit("events")
    assert (status, err) == (130, "")
    assert lines(out) == [
        {"event": "ready", "running": ["db", "web"]},
        {"event": "start", "container": "web", "unit": "nsunit-web.service"},
        {"event": "fail", "container": "db", "result": "exit-code", "code": "exited", "status": 0},
        {"event": "memory-high", "group": "shop.slice", "count": 1, "total": 1},
    ]


@pytest.mark.parametrize(
    ("names", "found"), [(("web",), ["ready", "start"]), (("shop.slice",), ["ready", "memory-high"])]
)
def test_names(nsunit, follow, names, found):
    assert [item["event"] for item in lines(nsunit("events", *names)[1])] == found


def test_a_bad_name(nsunit, follow):
    assert nsunit("events", "We b")[0] == 2
