"""Asking podman and docker."""

import json

import pytest

from nsunit.deeds.imports import engines
from nsunit.deeds.imports.bring import given_of
from nsunit.errors import NotFoundError, NsunitError, UsageError
from nsunit.imports import find

CONTAINER = json.dumps([{"Name": "/web", "Image": "sha256:1", "Config": {"Image": "nginx"}}])


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """A docker that knows the container web."""
    program = tmp_path / "docker"
    program.write_text(
        "#!/bin/sh\n"
        'case "$1 $2 $3" in\n'
        f"'container inspect web') echo '{CONTAINER}' ;;\n"
        "'image inspect sha256:1') echo '[{\"Config\": {}}]' ;;\n"
        "*) exit 1 ;;\n"
        "esac\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(engines, "ENGINES", ("docker",))


def test_a_container_and_its_image(engine):
    (who, text), (_, image) = engines.inspect("web")
    assert who == "docker inspect web"
    assert json.loads(text)[0]["Name"] == "/web"
    assert json.loads(image) == [{"Config": {}}]
    assert given_of(find("run"), (), user=False, container="web").texts[0] == (who, text)


@pytest.mark.parametrize("name", ["db", "--help"])
def test_no_such_container(engine, name):
    with pytest.raises(NotFoundError) as caught:
        engines.inspect(name)
    assert f"'{name}'" in caught.value.message
    assert caught.value.hint


def test_no_engine(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NsunitError) as caught:
        engines.inspect("web")
    assert caught.value.message == "neither podman nor docker is installed"
    assert caught.value.hint == "--from-container asks them"


@pytest.mark.parametrize(("kind", "words"), [("run", ("docker",)), ("quadlet", ())])
def test_a_container_is_no_addition(kind, words):
    with pytest.raises(UsageError) as caught:
        given_of(find(kind), words, user=False, container="web")
    assert caught.value.message == "--from-container takes the place of a command"
    assert caught.value.hint == "nsunit import run --from-container NAME"
