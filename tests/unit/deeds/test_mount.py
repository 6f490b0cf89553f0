"""The root of a container on the host: what is left where that fails."""

import os
import types

import pytest

from nsunit.deeds.mount import mount
from nsunit.deeds.mount.mount import Mounted
from nsunit.errors import NsunitError


def test_a_place_that_goes_away_leaves_no_descriptor(tmp_path, monkeypatch):
    monkeypatch.setattr(mount, "is_running", lambda _context, _name: False)
    monkeypatch.setattr(mount, "_operations", lambda *_, **__: [])
    monkeypatch.setattr(mount, "_root", lambda *_, **__: (None, ""))
    context = types.SimpleNamespace(paths=types.SimpleNamespace(mounts_of=lambda _name: str(tmp_path)))
    before = os.listdir("/proc/self/fd")
    with pytest.raises(NsunitError, match="^web: its root cannot be mounted: No such file or directory$"):
        mount._mount(context, Mounted("web", str(tmp_path / "gone"), False), ())
    assert os.listdir("/proc/self/fd") == before
