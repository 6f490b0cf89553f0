import json

import pytest

from nsunit.errors import NotFoundError
from nsunit.features.builds import own
from nsunit.features.builds.units import Wish


class Store:
    """One that has images by their full names, each of an architecture."""

    def __init__(self, place):
        self.configs = str(place)
        self.known = {}

    def add(self, name, identity, architecture="amd64"):
        self.known[name] = identity
        document = {"os": "linux", "architecture": architecture, "rootfs": {"diff_ids": ["sha256:x"]}}
        with open(f"{self.configs}/{identity}", "w") as file:
            json.dump(document, file)

    def find(self, name):
        if name not in self.known:
            raise NotFoundError("no such image")
        return self.known[name]


@pytest.fixture
def store(tmp_path):
    found = Store(tmp_path)
    for name, identity in (("localhost/mine:latest", "a1"), ("docker.io/library/nginx:1", "b2")):
        found.add(name, identity)
    found.add("localhost/other:latest", "c3", "arm64")
    found.add("quay.io/some/thing:latest", "d4")
    return found


@pytest.fixture
def contexts(store, tmp_path, monkeypatch):
    """What is said of a Containerfile; all images are in buildah's storage."""
    monkeypatch.setattr(own, "_there", lambda _program, identity: identity)

    def said(*lines, **wish):
        (tmp_path / "Containerfile").write_text("\n".join(lines))
        options = {"file": f"{tmp_path}/Containerfile", "platform": "linux/amd64", **wish}
        return own.contexts(None, store, Wish(str(tmp_path), **options), "buildah", lambda *_: None)

    return said


def test_images_are_taken_by_their_full_names(contexts):
    assert contexts("FROM mine", "COPY --from=nginx:1 /a /b") == (
        "mine=container-image://a1",
        "nginx:1=container-image://b2",
    )
    assert contexts("FROM thing", "FROM nginx", "FROM UPPER/$") == ()  # the end of a name, another tag, no name


def test_an_image_of_another_platform_is_not_meant(contexts):
    assert contexts("FROM other") == ()
    assert contexts("FROM other", "FROM mine", platform="linux/arm64") == ("other=container-image://c3",)


@pytest.mark.parametrize(("pull", "count"), [("", 1), ("never", 1), ("ifmissing", 1), ("always", 0), ("ifnewer", 0)])
def test_who_asks_registries_does_not_get_it(contexts, pull, count):
    assert len(contexts("FROM mine", pull=pull)) == count
