"""Projects of compose files: several share the directory of their definitions."""

import os

from nsunit.deeds.imports import project


def test_what_another_project_takes_away_meanwhile_is_none_of_this(tmp_path, monkeypatch):
    (tmp_path / "shop-web.nsunit").write_text("[Unit]\nX-Project=shop\n")
    monkeypatch.setattr(os, "listdir", lambda _place: ["other-db.nsunit", "shop-web.nsunit"])
    assert list(project._texts(str(tmp_path), "shop")) == ["shop-web"]
    project._unlink(str(tmp_path), ["other-db", "shop-web"])
    assert not (tmp_path / "shop-web.nsunit").exists()
