"""Roots that a template fills: whatever is interrupted, what was there is there again."""

import os
from pathlib import Path

import pytest

from nsunit.core.context import Context
from nsunit.errors import NsunitError
from nsunit.features.images import writing
from nsunit.features.images.roots import make
from nsunit.storage import files
from nsunit.storage.paths import Paths


@pytest.fixture
def context(tmp_path, monkeypatch):
    def fill(_context, _name, _template, staging):
        os.mkdir(f"{staging.path}/root")
        Path(f"{staging.path}/root/new").touch()
        return ()

    monkeypatch.setattr(make, "_filled", fill)
    return Context(paths=Paths(str(tmp_path / "run"), str(tmp_path / "var")))


@pytest.mark.parametrize("there", [True, False])
def test_an_interrupt_once_the_root_has_its_name(context, monkeypatch, there):
    """The root that a new one was to replace went with the new one's staging directory."""
    target = make.root_of(context, "web")
    if there:
        os.makedirs(f"{target}/old")

    def then_interrupt(call):
        def both(*names):
            call(*names)
            raise KeyboardInterrupt

        return both

    with monkeypatch.context() as signalled, pytest.raises(KeyboardInterrupt):
        signalled.setattr(writing, "swap", then_interrupt(writing.swap))
        signalled.setattr(files, "move", then_interrupt(files.move))
        make.make(context, "web", None, there, lambda _made: None)
    assert files.list_directory(target) == ["old"] * there
    assert os.path.lexists(target) == there
    make.make(context, "web", None, there, lambda _made: None)
    assert os.listdir(target) == ["new"]


def test_a_root_that_another_command_has_made_meanwhile_stays(context, monkeypatch):
    target = make.root_of(context, "web")

    def meanwhile(*_names):
        os.makedirs(f"{target}/theirs")
        raise NsunitError("it is there")

    monkeypatch.setattr(files, "move", meanwhile)
    with pytest.raises(NsunitError, match="it is there"):
        make.make(context, "web", None, False, lambda _made: None)
    assert os.listdir(target) == ["theirs"]
