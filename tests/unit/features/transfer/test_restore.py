"""Putting a container in the place of another one: what a signal finds half done is taken back."""

import os

import pytest

from nsunit.core.context import take_back
from nsunit.features.transfer import restore


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_volume_that_stays_comes_back_where_a_signal_ends_the_import(tmp_path, monkeypatch, when):
    own, former = tmp_path / "own", tmp_path / "former"
    (former / "volumes/data/data").mkdir(parents=True)
    own.mkdir()
    rename = os.rename

    def interrupted(*names):
        if when == "after":
            rename(*names)
        raise KeyboardInterrupt

    undo = []
    with monkeypatch.context() as signalled, pytest.raises(KeyboardInterrupt):
        signalled.setattr(os, "rename", interrupted)
        restore._keep_volumes(str(own), str(former), undo)
    take_back(undo)
    assert (former / "volumes/data/data").is_dir()
    assert os.listdir(own / "volumes") == []
