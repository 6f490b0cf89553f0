import pytest

from nsunit.formats.cgroupfs import Traffic
from nsunit.plan import usage
from nsunit.plan.usage import Place

ROOT = "nsunit.slice"


@pytest.mark.parametrize(
    ("path", "children", "place"),
    [
        ((ROOT,), (), Place("total", ROOT, "", ())),
        ((ROOT, "nsunit-web.slice"), ("nsunit-web.service",), Place("container", "web", "web", ())),
        ((ROOT, "nsunit-web.slice"), ("nsunit-web-run-1.scope",), Place("container", "web", "web", ())),
        ((ROOT, r"nsunit-my\x2dapp.slice"), (r"nsunit-my\x2dapp.service",), Place("container", "my-app", "my-app", ())),
        ((ROOT, r"nsunit-web\x40a.slice"), ("nsunit-web@a.service",), Place("container", "web@a", "web@a", ())),
        ((ROOT, "nsunit-shop.slice"), ("nsunit-shop-web.slice",), Place("group", "shop.slice", "", ())),
        (
            (ROOT, "nsunit-shop.slice", "nsunit-shop-web.slice"),
            ("nsunit-web.service",),
            Place("container", "web", "web", ("shop.slice",)),
        ),
        (
            (ROOT, "nsunit-shop.slice", "nsunit-shop-web.slice", "nsunit-web-exec-12ab.scope"),
            (),
            Place("session", "nsunit-web-exec-12ab.scope", "web", ("shop.slice",)),
        ),
        ((ROOT, "nsunit-web.slice", "nsunit-web-run-12ab.scope"), (), None),
        ((ROOT, "nsunit-web.slice", "nsunit-web.service"), ("payload",), None),
        ((ROOT, "nsunit-web.slice"), (), None),  # just made, or just being removed
        ((ROOT, r"nsunit-\xzz.slice"), ("a.service",), None),
        ((ROOT, "nsunit-Web.slice"), ("a.service",), None),
        ((ROOT, "stray.scope"), (), None),
    ],
)
def test_what_a_cgroup_stands_for(path, children, place):
    assert usage.place_of(path, children) == place


PLACE = Place("container", "web", "web", ())


def test_everything_known():
    files = {
        "cpu.stat": "usage_usec 100\nuser_usec 60\nsystem_usec 40\nthrottled_usec 7\n",
        "cpu.max": "25000 50000\n",
        "cpu.pressure": "some avg10=1.00 avg60=0.00 avg300=0.00 total=5\n",
        "memory.current": "4096\n",
        "memory.peak": "8192\n",
        "memory.high": "max\n",
        "memory.max": "16384\n",
        "memory.events": "low 0\nhigh 1\nmax 2\noom 3\noom_kill 4\noom_group_kill 5\nsock_throttled 6\n",
        "cgroup.stat.local": "frozen_usec 1234\n",
        "memory.swap.current": "10\n",
        "memory.swap.max": "max\n",
        "pids.current": "3\n",
        "pids.max": "100\n",
        "io.stat": "8:0 rbytes=1 wbytes=2 rios=3 wios=4\n8:16 rbytes=10 wbytes=20 rios=30 wios=40\n",
    }
    found = usage.usage_of(PLACE, "/nsunit.slice/nsunit-web.slice", files, Traffic(1, 2, 3, 4), 12.5)
    assert found.unit == "nsunit-web.slice"
    assert found.cpu == usage.CPU(100, 60, 40, 7, 500_000, 12.5)
    assert found.memory == usage.Memory(4096, 8192, None, 16384, 1, 2, 3, 4, 6)
    assert found.frozen_usec == 1234
    assert found.swap == usage.Swap(10, None)
    assert found.tasks == usage.Tasks(3, 100)
    assert (found.io.read_bytes, found.io.write_bytes) == (11, 22)
    assert (found.io.read_operations, found.io.write_operations) == (33, 44)
    assert [device.device for device in found.io.devices] == ["8:0", "8:16"]
    assert found.network == Traffic(1, 2, 3, 4)
    assert found.pressure.cpu.some_avg10 == 1
    assert found.pressure.memory is None


def test_nothing_known():
    found = usage.usage_of(PLACE, "/x", {}, None)
    parts = (found.cpu, found.memory, found.swap, found.tasks, found.io, found.network)
    assert parts == (None,) * 6
    assert found.pressure == usage.PressureSet(None, None, None)


def test_traffic_adds_up():
    assert usage.add_traffic([None, Traffic(1, 2, 3, 4), Traffic(10, 20, 30, 40)]) == Traffic(11, 22, 33, 44)
    assert usage.add_traffic([None]) is None


@pytest.mark.parametrize(
    ("before", "after", "seconds", "percent"),
    [(0, 500_000, 0.5, 100.0), (0, 1_000_000, 0.5, 200.0), (10, 5, 1, None), (0, 1, 0, None)],
)
def test_percent(before, after, seconds, percent):
    assert usage.percent_of(before, after, seconds) == percent
