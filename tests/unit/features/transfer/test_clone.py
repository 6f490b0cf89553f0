"""In which order `clone` takes the locks of two containers, and which it keeps."""

import contextlib
import os
import signal
import types

import pytest

from nsunit.core.context import Context
from nsunit.core.findings import Owners
from nsunit.definition.search import SearchPath
from nsunit.errors import NsunitError
from nsunit.features.transfer import clone as module
from nsunit.features.transfer import doctor, export, kept
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


@pytest.mark.parametrize("defined", [True, False])
def test_what_a_clone_has_left_that_was_killed_goes_where_it_has_no_definition(tmp_path, monkeypatch, defined):
    """The same command was refused: there was the state of a container of that name, which nobody knew of."""
    monkeypatch.setattr(Context, "host", None)
    context = Context(SearchPath((str(tmp_path / "defined"),), str(tmp_path / "units")))
    context.paths = Paths(str(tmp_path / "run"), str(tmp_path / "var"))
    (tmp_path / "defined").mkdir()
    monkeypatch.setattr(kept, "is_running", lambda _context, _name: False, raising=False)
    monkeypatch.setattr(module, "at_rest", lambda *_, **__: contextlib.nullcontext())
    monkeypatch.setattr(module, "_copy_state", lambda _context, _old, staging: os.mkdir(f"{staging.path}/state"))
    for name in ("load", "check_free", "_check_root"):
        monkeypatch.setattr(module, name, lambda *_: None)

    def killed(*_):
        if defined:
            (tmp_path / "defined/new.nsunit").write_text("[Container]\n")
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(module, "copy_definition", killed)
    pid = os.fork()
    if pid == 0:
        try:
            module.clone(context, "old", "new")
        finally:
            os._exit(1)
    assert os.WIFSIGNALED(os.waitpid(pid, 0)[1])
    owners = object.__new__(Owners)
    owners.context = context
    (item,) = doctor.left(owners)
    doctor.take_away(context, item)
    assert os.listdir(context.paths.states) == (["new"] if defined else [])
    assert list(doctor.left(owners)) == []
