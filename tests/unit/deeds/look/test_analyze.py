"""What the deed `analyze` puts together, with a bus that only answers."""

import types

import pytest

from nsunit.deeds.look import analyze as deed
from nsunit.errors import NotFoundError
from nsunit.storage.paths import Paths

TIMES = {"ConditionTimestampMonotonic": 50, "InactiveExitTimestampMonotonic": 60, "NRestarts": 0}


@pytest.fixture
def context(tmp_path, monkeypatch):
    paths = Paths(str(tmp_path), str(tmp_path))
    active = {"nsunit-a.service": 90, "nsunit-b.service": 80}
    bus = types.SimpleNamespace(get=lambda unit, *_names: {**TIMES, "ActiveEnterTimestampMonotonic": active[unit]})
    monkeypatch.setattr(deed, "container_names", lambda _context: ["a", "b", "shop.pod"])
    monkeypatch.setattr(
        deed, "find_running", lambda _context, name: types.SimpleNamespace(unit=f"nsunit-{name}.service")
    )
    for name in ("a", "b"):
        (tmp_path / "containers" / name).mkdir(parents=True)
        (tmp_path / "containers" / name / "marks").write_text("begun 70000 modules 75000")
    (tmp_path / "containers/a/asked").write_text("begun 10000 called 20000 reached 20000 loaded 30000 planned 40000")
    return types.SimpleNamespace(paths=paths, bus=bus, at=tmp_path / "containers")


def test_the_last_one_started(context):
    found = deed.analyze_last(context)
    assert (found.name, found.usec) == ("a", 80)


def test_all_but_pods_and_those_without_marks(context):
    assert [item.name for item in deed.analyze_all(context)] == ["a", "b"]
    (context.at / "b/marks").unlink()
    assert [item.name for item in deed.analyze_all(context)] == ["a"]


def test_who_has_noted_nothing(context, monkeypatch):
    (context.at / "b/marks").unlink()
    with pytest.raises(NotFoundError, match="b: its start has noted no times") as caught:
        deed.analyze(context, "b")
    assert caught.value.hint == "an older nsunit has started it; 'nsunit restart b' does it anew"
    monkeypatch.setattr(deed, "find_running", lambda _context, _name: types.SimpleNamespace(unit="nsunit-b-1.scope"))
    with pytest.raises(NotFoundError, match="b: it runs in the foreground, where no times are noted"):
        deed.analyze(context, "b")


def test_nothing_runs(context, monkeypatch):
    monkeypatch.setattr(deed, "container_names", lambda _context: [])
    with pytest.raises(NotFoundError, match="no container is running"):
        deed.analyze_last(context)
