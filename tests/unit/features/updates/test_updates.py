"""AutoUpdate=, and the image that an update has chosen."""

import os

import pytest
from definitions import container, problem

from nsunit.features.images import pins
from nsunit.features.images.pins import Pin
from nsunit.features.updates.keys import of


def test_what_it_takes():
    assert of(container("AutoUpdate=registry", "Image=localhost/web:1\n")) == "registry"
    assert of(container("")) == ""
    said = "AutoUpdate: that is about an image, and there is no Image="
    assert problem("AutoUpdate=local") == (said, "leave it out")


def test_the_pin_comes_back(tmp_path):
    assert pins.read(str(tmp_path)) is None
    for pin in (Pin("web", "1" * 64), Pin("web", "1" * 64, "2" * 64, "3" * 64)):
        pins.write(str(tmp_path), pin)
        assert pins.read(str(tmp_path)) == pin


NOBODY = None  # who removes trees: none goes


class Killed(BaseException):
    pass


@pytest.mark.parametrize("step", [0, 1, 2, 3])
def test_each_image_has_an_upper_directory_of_its_own(tmp_path, monkeypatch, step):
    """Whatever is killed at whichever step: the next one goes on."""
    upper, note = str(tmp_path / "overlay"), str(tmp_path / "image")

    def make(text):
        os.mkdir(upper)
        (tmp_path / "overlay/of").write_text(text)

    def go(wanted):
        has = (tmp_path / "image").read_text() if os.path.exists(note) else ""
        pins.put_upper_in_place(NOBODY, upper, has, wanted, note, wanted.encode())

    go("a")
    make("a")
    go("b")
    assert not os.path.exists(upper)
    make("b")
    go("a")
    steps = []
    for module, name in ((os, "rename"), (pins.files, "write_file")):
        real = getattr(module, name)

        def counted(*arguments, real=real):
            if len(steps) == step:
                raise Killed
            steps.append(real)
            real(*arguments)

        monkeypatch.setattr(module, name, counted)
    try:
        go("b")
    except Killed:
        pass
    monkeypatch.undo()
    for wanted in ("b", "a", "b"):
        go(wanted)
        assert (tmp_path / "overlay/of").read_text() == wanted
