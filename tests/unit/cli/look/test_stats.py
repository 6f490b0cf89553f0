import json
import os
from types import SimpleNamespace

import pytest

from nsunit.cli.look import stats, top
from nsunit.cli.look.prometheus import exposition
from nsunit.deeds.look.processes import Process
from nsunit.deeds.look.stats import Sample
from nsunit.errors import NotFoundError
from nsunit.formats.cgroupfs import DeviceIO, Traffic
from nsunit.plan.usage import CPU, IO, Memory, Place, PressureSet, Swap, Tasks, Usage, usage_of

WEB = Usage(
    "container",
    "web",
    "web",
    ("shop.slice",),
    "nsunit-shop-web.slice",
    "/nsunit.slice/nsunit-shop.slice/nsunit-shop-web.slice",
    CPU(1_500_000, 1_000_000, 500_000, 0, 300_000, 12.5),
    Memory(1 << 20, 2 << 20, None, 4 << 20, 7, 8, 9, 1),
    Swap(0, None),
    Tasks(3, 1024),
    IO(512, 1024, 5, 6, (DeviceIO("8:0", 512, 1024, 5, 6),)),
    Traffic(100, 1, 200, 2),
    PressureSet(None, None, None),
)
BARE = usage_of(Place("session", r"nsunit-my\x2dapp-exec-1.scope", "my-app", ()), "/x", {}, None)


@pytest.fixture
def sampler(manager):
    taken = []

    class Sampler:
        def __init__(self, above="", namespaces=""):
            pass

        def prime(self):
            taken.append("prime")

        def sample(self, names, absent=None):
            taken.append(tuple(names))
            if "gone" in names:
                absent.append(NotFoundError("gone: it is not running"))
            if "web" not in names and absent:
                return Sample(1, 250_000, ())
            if len(taken) > 4:
                raise KeyboardInterrupt
            return Sample(1, 250_000, (WEB, BARE))

    manager("deeds.look.stats", Sampler=Sampler)
    return taken


def test_table(nsunit, sampler):
    status, out, err = nsunit("stats", "--no-headings", "web")
    assert (status, err) == (0, "")
    first, second = out.splitlines()
    assert first.split("\t") == [
        *("  web", "12.5", "1s", "1M", "2M", "0B", "3", "512B", "1K", "100B", "200B"),
        *("-", "-", "-", "7", "1"),
    ]
    assert second.split("\t") == [r"  my\x2dapp-exec-1", *"-" * 15]
    assert sampler == ["prime", ("web",)]


def test_json(nsunit, sampler):
    found = json.loads(nsunit("stats", "--json")[1])
    assert found["interval_usec"] == 250_000
    assert found["usages"][0]["cpu"]["usage_usec"] == 1_500_000
    assert found["usages"][1]["memory"] is None


def test_watch(nsunit, sampler):
    status, out, _ = nsunit("stats", "--watch=0.1", "--json")
    assert status == 130
    assert [json.loads(line)["time_usec"] for line in out.splitlines()] == [1, 1, 1]


def test_watch_as_text(nsunit, sampler):
    status, out, _ = nsunit("stats", "--watch=0.1")
    assert status == 130
    assert out.count("12.5") == 3
    assert "\x1b" not in out


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("--watch=0",), "nsunit: '0' is not a number of seconds from 0.1 to 86400\n  hint: for instance --watch=2\n"),
        (
            ("--watch=nan",),
            "nsunit: 'nan' is not a number of seconds from 0.1 to 86400\n  hint: for instance --watch=2\n",
        ),
        (("--watch=x",), "nsunit: 'x' is not a number of seconds from 0.1 to 86400\n  hint: for instance --watch=2\n"),
        (("--json", "--prometheus"), "nsunit: --json and --prometheus exclude each other\n  hint: give one of them\n"),
        (
            ("--watch", "--prometheus"),
            "nsunit: --watch and --prometheus exclude each other\n  hint: Prometheus asks again and again itself\n",
        ),
    ],
)
def test_refused(nsunit, sampler, arguments, error):
    assert nsunit("stats", *arguments) == (2, "", error)


def test_watch_has_an_implied_interval(nsunit, sampler, monkeypatch):
    asked = []
    monkeypatch.setattr(stats, "_watch", lambda sampler, interval, invocation: asked.append(interval) or 0)
    assert nsunit("stats", "--watch", "web")[0] == 0
    assert asked == [2.0]


def test_not_running(nsunit, sampler):
    assert nsunit("stats", "gone") == (3, "", "nsunit: gone: it is not running\n")
    assert nsunit("stats", "--watch=0.1", "gone") == (3, "", "nsunit: gone: it is not running\n")


def test_what_does_not_run_beside_what_does(nsunit, sampler):
    status, out, errors = nsunit("stats", "gone", "web")
    assert (status, errors) == (3, "nsunit: gone: it is not running\n")
    assert out.splitlines()[1].startswith("  web\t")


def test_prometheus(nsunit, sampler):
    status, out, _ = nsunit("stats", "--prometheus")
    assert status == 0
    assert sampler == [()]  # nothing to wait for: counters only
    lines = out.splitlines()
    at = lines.index("# TYPE nsunit_container_cpu_seconds_total counter")
    assert lines[at - 1] == "# HELP nsunit_container_cpu_seconds_total CPU time used, of a container"
    assert lines[at + 1] == 'nsunit_container_cpu_seconds_total{container="web",parent="shop.slice"} 1.5'
    assert 'nsunit_container_memory_bytes{container="web",parent="shop.slice"} 1048576' in lines
    assert not [line for line in lines if "memory_high_bytes" in line]  # there is none
    assert out.endswith("\n")


def test_prometheus_escapes():
    session = BARE.replace(tasks=Tasks(1, None))
    assert exposition([session]).splitlines()[-1] == (
        r'nsunit_session_tasks{container="my-app",session="nsunit-my\\x2dapp-exec-1.scope"} 1'
    )


PROCESS = Process(
    container="web",
    pid=900,
    inside_pid=1,
    uid=525288,
    inside_uid=1000,
    unit="nsunit-web.service",
    cgroup="payload",
    state="S",
    threads=1,
    started_usec=1,
    cpu_usec=2_500_000,
    cpu_percent=0.25,
    memory=4096,
    command="sh \x1b[31m\n",
)


def test_processes(nsunit, manager):
    strange = PROCESS.replace(pid=901, inside_pid=None, inside_uid=None)
    manager("deeds.look.processes", list_processes=lambda context, name: [PROCESS, strange])
    status, out, _ = nsunit("ps", "--no-headings", "web")
    assert status == 0
    first, second = out.splitlines()
    shown = ["S", "0.2", "2s", "4K", r"sh \x1b[31m\n"]
    assert first.split("\t") == ["900", "1", "525288", "1000", "nsunit-web.service", *shown]
    assert second.split("\t")[:4] == ["901", "-", "525288", "-"]
    manager("deeds.look.processes", list_processes=lambda context, name: [PROCESS.replace(uid=0, inside_uid=0)])
    assert nsunit("ps", "web", "--no-headings")[1].split("\t")[2:4] == ["root", "root"]
    assert json.loads(nsunit("ps", "web", "--json")[1])[0]["command"] == "sh \x1b[31m\n"


def test_processes_of_several(nsunit, manager):
    def one(_context, name):
        if name == "gone":
            raise NotFoundError("container 'gone' is not running")
        return [PROCESS.replace(container=name)]

    manager("deeds.look.processes", list_processes=one)
    manager("features.groups.deeds", members=lambda context, name, *, running: ["web", "db"] if "shop" in name else [])
    status, out, errors = nsunit("ps", "web", "gone", "db")
    assert (status, errors) == (3, "nsunit: container 'gone' is not running\n")
    assert [line.split("\t")[:2] for line in out.splitlines()] == [["NAME", "PID"], ["web", "900"], ["db", "900"]]
    found = json.loads(nsunit("ps", "shop.slice", "db", "--json")[1])
    assert [item["container"] for item in found] == ["web", "db"]
    assert nsunit("ps", "empty.slice") == (3, "", "nsunit: empty.slice: nothing in it is running\n")


@pytest.mark.parametrize("arguments", [(), ("-b", "-n", "1"), ("--order=cpu", "--", "x")])
def test_top_becomes_cgtop(nsunit, monkeypatch, arguments):
    called = []
    monkeypatch.setattr(os, "execvp", lambda file, argv: called.append((file, argv)))
    nsunit("top", *arguments)
    assert called == [("systemd-cgtop", ["systemd-cgtop", *arguments, "/nsunit.slice"])]


def test_top_of_a_container(nsunit, monkeypatch):
    """`docker top NAME` is typed here, too; what follows an option is its value."""
    called = []
    monkeypatch.setattr(os, "execvp", lambda file, argv: called.append(argv))
    monkeypatch.setattr(top, "find_running", lambda _context, name: SimpleNamespace(slice=f"nsunit-shop-{name}.slice"))
    nsunit("top", "-b", "web")
    nsunit("top", "web", "-b")
    nsunit("top", "-n", "1")
    path = "/nsunit.slice/nsunit-shop.slice/nsunit-shop-web.slice"
    assert called == [["systemd-cgtop", "-b", path]] * 2 + [["systemd-cgtop", "-n", "1", "/nsunit.slice"]]
    status, _, err = nsunit("top", "Web")
    assert (status, err.splitlines()[0]) == (2, "nsunit: 'Web' is not a container name")


def test_top_without_systemd(nsunit, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    hint = "  hint: it comes with systemd; see 'nsunit doctor'\n"
    assert nsunit("top") == (1, "", "nsunit: systemd-cgtop is not there\n" + hint)


def test_top_has_help_of_its_own(nsunit):
    assert "Runs systemd-cgtop on nsunit.slice" in nsunit("top", "--help")[1]


def test_prometheus_of_those_that_run(nsunit, sampler):
    """One that does not run kept all others from being told."""
    status, out, err = nsunit("stats", "--prometheus", "web", "gone")
    assert (status, err) == (3, "nsunit: gone: it is not running\n")
    assert 'nsunit_container_tasks{container="web"' in out
    assert nsunit("stats", "--prometheus", "gone")[:2] == (3, "")
