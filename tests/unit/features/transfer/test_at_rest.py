"""A container that somebody starts while its files are about to be read."""

import contextlib
import os
import types

import pytest

from nsunit.features.transfer import clone, copy, export, view
from nsunit.storage.lock import Lock
from nsunit.storage.paths import Paths


@pytest.fixture
def context(tmp_path):
    return types.SimpleNamespace(paths=Paths(str(tmp_path)), user=False)


def started_meanwhile(monkeypatch, module):
    """It does not run when it is first looked for, and does when its lock is had."""
    answers = [False, True]
    monkeypatch.setattr(module, "is_running", lambda *_: answers.pop(0))
    return answers


def test_what_was_started_before_the_lock_is_had_is_paused(monkeypatch, context):
    answers = started_meanwhile(monkeypatch, export)
    paused = []
    monkeypatch.setattr(export, "find_running", lambda _context, name: name)
    monkeypatch.setattr(export, "Paused", lambda _context, running: contextlib.nullcontext(paused.append(running)))
    with export.at_rest(context, "web", pause=True):
        assert os.listdir(context.paths.locks) == []
    assert (paused, answers) == (["web"], [])


def test_what_was_started_before_the_lock_is_had_is_entered(monkeypatch, context):
    """No second overlay is mounted on what it writes to."""
    started_meanwhile(monkeypatch, view)
    opened = []
    monkeypatch.setattr(view.View, "_open_running", lambda self: opened.append(self.name))
    with view.View(context, "web", writes=True):
        assert opened == ["web"]
        assert os.listdir(context.paths.locks) == []


class StoppedError(Exception):
    """It has seen enough."""


@pytest.fixture
def taken(monkeypatch):
    """The locks that are taken, in their order."""
    found = []
    monkeypatch.setattr(Lock, "__enter__", lambda self: found.append(self.name))
    for module in (export, view, clone):
        monkeypatch.setattr(module, "is_running", lambda *_: False, raising=False)
    return found


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_two_that_are_cloned_to_each_other_take_the_same_lock_first(monkeypatch, context, taken, names):
    """Each had the one that the other waited for, for two minutes."""

    def load(*_):
        raise StoppedError

    context.search = context.host = None
    monkeypatch.setattr(clone, "Staging", contextlib.nullcontext)
    monkeypatch.setattr(clone, "load", load)
    with pytest.raises(StoppedError):
        clone.clone(context, *names)
    assert taken == ["a", "b"]


@pytest.mark.parametrize("paths", [("a:/x", "b:/"), ("b:/x", "a:/"), ("a:/x", "a:/y")])
def test_so_do_two_between_which_files_are_copied(monkeypatch, context, taken, paths):
    written = []
    monkeypatch.setattr(view.View, "_plan_stopped", lambda self: written.append(self.writes) or self._lock.__enter__())
    monkeypatch.setattr(view.View, "_open_running", lambda _self: None)

    def work(*_):
        raise StoppedError

    monkeypatch.setattr(copy, "Worker", work)
    with pytest.raises(StoppedError):
        copy.copy(context, paths[:1], paths[1])
    assert taken == sorted({path[0] for path in paths})
    assert written == [name == paths[1][0] for name in taken]
