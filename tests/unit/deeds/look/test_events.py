"""The counters of a slice, on a directory that looks like its cgroup; the machine's tests do the rest."""

import asyncio
import os
import types

import pytest

from nsunit.deeds.look import events, notices
from nsunit.deeds.look.notices import Notices, managed_kills, subtree_kills
from nsunit.plan.events import Event


@pytest.fixture
def told(monkeypatch):
    monkeypatch.setattr(events, "_CALM_SECONDS", 0.01)
    return []


@pytest.fixture
def cgroup(tmp_path):
    def put(path="", kills=0, high=0):
        directory = tmp_path / path
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "memory.events.local").write_text(f"low 0\nhigh {high}\noom_kill {kills}\n")

    put.root = str(tmp_path)
    return put


def content(kills=0, high=0):
    return f"low 0\nhigh {high}\nmax 0\noom {kills}\noom_kill {kills}\n"


def run(slice_, *steps, pause=0.0):
    async def inner():
        for step in steps:
            step()
            await asyncio.sleep(pause)

    asyncio.run(inner())


def test_kills_are_told_with_their_cgroup(cgroup, told):
    slice_ = events._Slice("web", "nsunit-web.slice", cgroup.root, told.append)
    cgroup("nsunit-web.service/payload/old", kills=2)

    def more():
        cgroup("nsunit-web.service/payload/deep", kills=1)
        cgroup("nsunit-web-exec-1.scope", kills=1)
        slice_.changed(content(kills=5))  # one was in a cgroup that is gone

    def counted_before_it_was_told():
        cgroup("nsunit-web.service/payload/deep", kills=3)
        slice_.changed(content(kills=6))

    begin = lambda: slice_.begin(content(kills=2), fresh=False)  # noqa: E731
    again = (lambda: slice_.changed(content(kills=5)), counted_before_it_was_told)
    run(slice_, begin, more, *again, lambda: slice_.changed(content(kills=7)))
    assert sorted(told, key=lambda event: event.unit or "") == [
        Event("oom-kill", "web", cgroup="", count=1),
        Event("oom-kill", "web", unit="nsunit-web-exec-1.scope", cgroup="", count=1, total=1),
        Event("oom-kill", "web", unit="nsunit-web.service", cgroup="payload/deep", count=1, total=1),
        Event("oom-kill", "web", unit="nsunit-web.service", cgroup="payload/deep", count=2, total=3),
    ]


def test_a_fresh_slice_may_have_news_already(cgroup, told):
    slice_ = events._Slice("web", "nsunit-web.slice", cgroup.root, told.append)
    cgroup("nsunit-web.service/payload", kills=1)
    run(slice_, lambda: slice_.begin(content(kills=1), fresh=True))
    assert told == [Event("oom-kill", "web", unit="nsunit-web.service", cgroup="payload", count=1, total=1)]


def test_crossings_of_memory_high_are_gathered(cgroup, told):
    slice_ = events._Slice("web", "nsunit-web.slice", cgroup.root, told.append)
    cgroup("nsunit-web.service")
    counts = [content(high=number) for number in (3, 5, 9)]
    steps = [lambda text=text: slice_.changed(text) for text in counts]
    run(slice_, lambda: slice_.begin(content(high=1), fresh=False), *steps)
    assert told == [Event("memory-high", "web", count=2, total=3)]

    told.clear()
    run(slice_, lambda: slice_._calm_over(), pause=0.05)
    assert told == [Event("memory-high", "web", count=6, total=9)]


def test_a_group_tells_of_its_own_only(cgroup, told):
    slice_ = events._Slice("shop", "nsunit-shop.slice", cgroup.root, told.append)
    cgroup("nsunit-shop-web.slice/nsunit-web.service", kills=1, high=7)

    def more():
        cgroup("", high=2)
        slice_.changed(content(kills=1, high=9))

    run(slice_, lambda: slice_.begin(content(), fresh=False), more)
    assert told == [Event("memory-high", group="shop.slice", count=2, total=2)]


def test_what_is_gone(cgroup, tmp_path):
    slice_ = events._Slice("web", "nsunit-web.slice", str(tmp_path / "gone"), pytest.fail)
    slice_.look()
    assert subtree_kills(str(tmp_path / "gone")) == {}
    assert events.directories(str(tmp_path / "gone")) == []
    notices = Notices()
    assert notices.watch(str(tmp_path / "gone/memory.events"), pytest.fail) is None
    notices.deliver()
    notices.close()


def test_kills_by_systemd_oomd(tmp_path, monkeypatch):
    """They are counted in an attribute of the cgroup, and told of when systemd says that the container has failed."""
    service = tmp_path / "nsunit.slice/nsunit-web.slice/nsunit-web.service"
    (service / "payload").mkdir(parents=True)
    (service / "odd").mkdir()
    (service / "huge").mkdir()
    counted = {service: b"2", service / "payload": b"1", service / "odd": b"x", service / "huge": b"9" * 5000}

    def getxattr(path, name):
        assert name == "user.oomd_ooms"
        found = next((count for group, count in counted.items() if os.path.samefile(group, path)), None)
        if found is None:
            raise OSError(61, "No data available")
        return found

    monkeypatch.setattr(notices.os, "getxattr", getxattr)
    assert managed_kills(str(service)) == 3
    assert managed_kills(f"{tmp_path}/gone") == 0

    told = []
    context = types.SimpleNamespace(user=False, cgroup="")
    monkeypatch.setattr(events, "CGROUP_ROOT", str(tmp_path))
    following = events._Events(context, told.append, lambda names: None, None)
    following._following = True
    following._changed("nsunit-web.slice", {"ActiveState": "active"})
    following._changed("nsunit-web.service", {"ActiveState": "active"})
    following._changed("nsunit-web.service", {"Result": "oom-kill"})
    following._changed("nsunit-web.service", {"ActiveState": "failed", "Result": "oom-kill"})
    following._notices.close()
    assert [(event.event, event.count) for event in told] == [("start", None), ("managed-oom-kill", 3), ("fail", None)]
