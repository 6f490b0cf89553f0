"""Projects of compose files: several share the directory of their definitions."""

import os
from types import SimpleNamespace

from nsunit.core.jobs import Outcome
from nsunit.deeds.imports import project
from nsunit.errors import NsunitError
from nsunit.storage.paths import Paths


def test_what_another_project_takes_away_meanwhile_is_none_of_this(tmp_path, monkeypatch):
    (tmp_path / "shop-web.nsunit").write_text("[Unit]\nX-Project=shop\n")
    monkeypatch.setattr(os, "listdir", lambda _place: ["other-db.nsunit", "shop-web.nsunit"])
    assert list(project._texts(str(tmp_path), "shop")) == ["shop-web"]
    project._unlink(str(tmp_path), ["other-db", "shop-web"])
    assert not (tmp_path / "shop-web.nsunit").exists()


def test_volumes_stay_where_a_container_does(tmp_path, monkeypatch):
    """That they are used by it was told, and not why it is still there."""
    taken, context = [], SimpleNamespace(paths=Paths(str(tmp_path / "run"), str(tmp_path / "var")))
    volumes = SimpleNamespace(remove=lambda _context, names, missing: taken.append(names))
    failed = {name: Outcome(name, "failed", error=NsunitError(f"{name}: no")) for name in ("shop-web", "shop.network")}
    monkeypatch.setattr(project, "_plan", lambda *_words: SimpleNamespace(name="shop", volumes=("data",)))
    monkeypatch.setattr(project, "directory", lambda _context: "")
    monkeypatch.setattr(project.features, "load", lambda *_words: volumes)
    for outcomes in ([failed["shop-web"]], [failed["shop.network"]]):
        monkeypatch.setattr(project, "_take_down", lambda *_words, outcomes=outcomes: outcomes)
        assert project.down(context, None, volumes=True) == outcomes
    assert taken == [("data",)]
