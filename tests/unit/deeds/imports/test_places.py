"""Which compose files are meant where none is named."""

import os

import pytest

from nsunit.deeds.imports.places import of_project
from nsunit.errors import NsunitError


@pytest.fixture
def project(tmp_path):
    """A project with a directory in it."""
    (tmp_path / "deep/er").mkdir(parents=True)
    (tmp_path / "compose.yaml").write_text("services: {}\n")
    return tmp_path


def test_those_of_the_directory_or_of_one_above(project):
    assert of_project(str(project / "deep/er"), {}) == (str(project),)
    (project / "deep/docker-compose.yml").write_text("")
    assert of_project(str(project / "deep/er"), {}) == (f"{project}/deep",)


def test_those_above_are_of_nobody_else(project, monkeypatch):
    """As /tmp/compose.yaml would be, which anybody can put there for root to run."""
    below = str(project / "deep")
    project.chmod(0o1777)
    with pytest.raises(NsunitError) as caught:
        of_project(below, {})
    assert caught.value.message == f"'{project}/compose.yaml' is in a directory that other users can write to"
    assert caught.value.hint == "name it with --file if it is meant, or go there"
    assert of_project(str(project), {}) == (str(project),)
    project.chmod(0o2775)
    assert of_project(below, {}) == (str(project),)
    own = os.stat(project).st_uid
    owner = own + 1000
    real = os.stat
    monkeypatch.setattr("nsunit.deeds.imports.places.os.stat", lambda path: _owned(real(path), owner))
    with pytest.raises(NsunitError):
        of_project(below, {})
    monkeypatch.setattr("nsunit.deeds.imports.places.os.geteuid", lambda: owner)
    assert of_project(below, {}) == (str(project),)
    with pytest.raises(NsunitError):  # only root is somebody else's by sudo
        monkeypatch.setattr("nsunit.deeds.imports.places.os.geteuid", lambda: owner + 1)
        of_project(below, {"SUDO_UID": str(owner)})
    monkeypatch.setattr("nsunit.deeds.imports.places.os.geteuid", lambda: 0)
    assert of_project(below, {"SUDO_UID": str(owner)}) == (str(project),)


def _owned(status, owner):
    return os.stat_result((*status[:4], owner, *status[5:]))


def test_those_that_the_environment_names(project):
    place = str(project / "deep")
    assert of_project(place, {"COMPOSE_FILE": "a.yaml:/b.yaml"}) == (f"{place}/a.yaml", "/b.yaml")
    (project / "deep/.env").write_text("COMPOSE_FILE=c.yaml,d.yaml\nCOMPOSE_PATH_SEPARATOR=,\n")
    assert of_project(place, {}) == (f"{place}/c.yaml", f"{place}/d.yaml")
    assert of_project(place, {"COMPOSE_FILE": "e.yaml"}) == (f"{place}/e.yaml",)


def test_none(tmp_path, monkeypatch):
    monkeypatch.setattr("os.path.isfile", lambda _path: False)
    assert of_project(str(tmp_path), {}) == ()
