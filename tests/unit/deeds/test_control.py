"""What `reclaim` and `reload` do; the first on a tree of ordinary files that stands for the kernel's."""

import types

import pytest

from nsunit.core import running
from nsunit.core.jobs import GRACE_SECONDS
from nsunit.deeds import control
from nsunit.definition.search import SearchPath
from nsunit.errors import NotFoundError, NsunitError
from nsunit.setup import attributes
from nsunit.storage.paths import Paths


@pytest.fixture
def group(tmp_path, monkeypatch):
    """The container's control group."""
    monkeypatch.setattr(control, "CGROUP_ROOT", str(tmp_path / "cgroup"))
    directory = tmp_path / "cgroup/web.service"
    directory.mkdir(parents=True)
    (directory / "memory.reclaim").touch()
    (directory / "memory.current").write_text("5000\n")
    monkeypatch.setattr(attributes.write, "__defaults__", (str(tmp_path / "cgroup"),))
    return directory


@pytest.fixture
def context(tmp_path, group):
    unit = {"ControlGroup": "/web.service", "ActiveState": "active", "MainPID": 7, "InvocationID": b""}
    bus = types.SimpleNamespace(
        get=lambda name, *wanted: {key: unit[key] for key in wanted if key in unit}, list_units=lambda patterns: []
    )
    (tmp_path / "web.nsunit").touch()
    paths = Paths(str(tmp_path / "run"), str(tmp_path / "var"))
    return types.SimpleNamespace(bus=bus, paths=paths, unit=unit, search=SearchPath((str(tmp_path),)))


@pytest.mark.parametrize(
    ("first", "number", "asked", "whom"),
    [(True, 9, "all", "main"), (True, 15, "all", "all"), (False, 9, "all", "all"), (False, 9, "main", "main")],
)
def test_what_is_beside_a_process_1_is_not_killed(context, monkeypatch, first, number, asked, whom):
    """All of the container ends with that; the rest is nsunit's."""
    sent = []
    context.bus.kill = lambda *words: sent.append(words)
    monkeypatch.setattr(running, "_is_first", lambda pid: first)
    control.kill(context, "web", signal=number, whom=asked)
    assert sent == [("nsunit-web.service", whom, number)]


def test_reclaim(context, group, monkeypatch):
    assert control.reclaim(context, "web", 4096) == (5000, 5000, True)
    assert (group / "memory.reclaim").read_text() == "4096"

    def refuse(_path, _text):
        raise BlockingIOError

    monkeypatch.setattr(attributes, "write_file", refuse)
    assert control.reclaim(context, "web", 4096) == (5000, 5000, False)
    monkeypatch.undo()


def test_reclaim_needs_a_container_with_a_memory_controller(context, group):
    (group / "memory.reclaim").unlink()
    with pytest.raises(NsunitError, match="web: its control group has no memory controller") as caught:
        control.reclaim(context, "web", 4096)
    assert caught.value.hint == "see [Service] Delegate="
    context.unit["ActiveState"] = "inactive"
    with pytest.raises(NotFoundError, match="web: it is not running"):
        control.reclaim(context, "web", 4096)


def test_reload_waits_for_what_the_unit_says(context):
    context.unit |= {"CanReload": True, "TimeoutStartUSec": 5_000_000}
    context.bus.reload_unit = "reload of {}".format
    seen = []
    context.bus.wait = lambda job, seconds: seen.append((job, seconds)) or "done"
    control.reload(context, "web")
    assert seen == [("reload of nsunit-web.service", 5 + GRACE_SECONDS)]
    context.bus.wait = lambda job, seconds: "failed"
    with pytest.raises(NsunitError, match="web: the reload ended as 'failed'") as caught:
        control.reload(context, "web")
    assert caught.value.hint == "see 'systemctl status nsunit-web.service'"


def test_reload_needs_a_unit_that_says_how(context):
    context.unit["CanReload"] = False
    with pytest.raises(NsunitError, match="web: it runs without ExecReload= and ReloadSignal=") as caught:
        control.reload(context, "web")
    assert "'nsunit kill -s HUP web' for once" in str(caught.value.hint)
