"""Which compose files are meant where none is named."""

import pytest

from nsunit.deeds.imports.places import of_project


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


def test_those_that_the_environment_names(project):
    place = str(project / "deep")
    assert of_project(place, {"COMPOSE_FILE": "a.yaml:/b.yaml"}) == (f"{place}/a.yaml", "/b.yaml")
    (project / "deep/.env").write_text("COMPOSE_FILE=c.yaml,d.yaml\nCOMPOSE_PATH_SEPARATOR=,\n")
    assert of_project(place, {}) == (f"{place}/c.yaml", f"{place}/d.yaml")
    assert of_project(place, {"COMPOSE_FILE": "e.yaml"}) == (f"{place}/e.yaml",)


def test_none(tmp_path, monkeypatch):
    monkeypatch.setattr("os.path.isfile", lambda _path: False)
    assert of_project(str(tmp_path), {}) == ()
