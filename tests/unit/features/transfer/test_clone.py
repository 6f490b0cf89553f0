"""In which order `clone` takes the locks of two containers, and which it keeps."""

import contextlib
import os
import types

import pytest

from nsunit.errors import NsunitError
from nsunit.features.transfer import clone as module
from nsunit.features.transfer import export
from nsunit.storage.lock import Lock
from nsunit.storage.paths import Paths


@pytest.fixture
def context(tmp_path):
    return types.SimpleNamespace(paths=Paths(str(tmp_path)), user=False, search=None, host=None)


@pytest.mark.parametrize("runs", [False, True])
@pytest.mark.parametrize("names", [("db", "web"), ("web", "db")])
def test_locks_are_taken_in_the_order_of_names(monkeypatch, context, names, runs):
    """As start, stop and rename take them: of two commands that wait for each other's both would fail."""
    taken, paused = [], []
    enter = Lock.__enter__

    def noted(self):
        taken.append(self.name)
        return enter(self)

    def loaded(*_):
        assert taken == (["db", "web"] if not runs else [names[1]])
        assert sorted(os.listdir(context.paths.locks)) == (["db", "web"] if not runs else [names[1]])
        raise NsunitError("that is all")

    monkeypatch.setattr(Lock, "__enter__", noted)
    for place in (module, export):
        monkeypatch.setattr(place, "is_running", lambda _context, name: runs and name == names[0])
        monkeypatch.setattr(place, "find_running", lambda _context, name: name, raising=False)
        pausing = lambda _context, running: contextlib.nullcontext(paused.append(running))  # noqa: E731
        monkeypatch.setattr(place, "Paused", pausing, raising=False)
    monkeypatch.setattr(module, "Staging", lambda _context: contextlib.nullcontext())
    monkeypatch.setattr(module, "load", loaded)
    with pytest.raises(NsunitError, match="^that is all$"):
        module.clone(context, *names)
    assert paused == ([names[0]] if runs else [])
    assert os.listdir(context.paths.locks) == []
