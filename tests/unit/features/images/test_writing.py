"""What gives things in the store their names."""

import errno
import os

import pytest

from nsunit.features.images.writing import swap
from nsunit.setup import linux


@pytest.mark.parametrize("known", [True, False])
def test_two_have_each_others_names(known, tmp_path, monkeypatch):
    def refuse(_first, _second):
        raise OSError(errno.EINVAL, "not here")

    if not known:
        monkeypatch.setattr(linux, "rename_exchange", refuse)
    for name in ("new", "old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    swap(str(tmp_path / "new"), str(tmp_path / "old"))
    assert (os.listdir(tmp_path / "new"), os.listdir(tmp_path / "old")) == (["old"], ["new"])
    assert sorted(os.listdir(tmp_path)) == ["new", "old"]
    with pytest.raises(FileNotFoundError):
        swap(str(tmp_path / "none"), str(tmp_path / "old"))
