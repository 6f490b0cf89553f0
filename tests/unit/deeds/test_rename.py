"""Whose locks `rename` holds while it takes back what has failed."""

import os
import types

import pytest

from nsunit.deeds import rename as module
from nsunit.errors import NsunitError
from nsunit.storage.paths import Paths


def test_what_fails_is_taken_back_before_others_can_start_either(monkeypatch, tmp_path):
    """Who waits for a lock would find the definitions of both, and the state about to move."""
    context = types.SimpleNamespace(paths=Paths(str(tmp_path / "run"), str(tmp_path / "lib")))
    monkeypatch.setattr(module, "_check", lambda *_, **__: None)
    monkeypatch.setattr(module, "load", lambda name, *_: types.SimpleNamespace(name=name))
    context.search = context.host = None
    locked = []

    def fail(_context, _definition, _new, undo):
        undo.append(lambda: locked.append(sorted(os.listdir(context.paths.locks))))
        raise NsunitError("no room")

    monkeypatch.setattr(module, "_move", fail)
    with pytest.raises(NsunitError, match="^no room$"):
        module.rename(context, "web", "shop")
    assert locked == [["shop", "web"]]
    assert os.listdir(context.paths.locks) == []
