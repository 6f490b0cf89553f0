"""What a start makes for the container."""

import os
import stat

import pytest

from nsunit.core import prepare


def test_an_upper_layer_never_has_another_mode_than_the_top_one(tmp_path, monkeypatch):
    """The merged root shows it; a start that is killed on the way leaves no layer that the next one would take."""
    top, state = tmp_path / "top", tmp_path / "overlay"
    top.mkdir()
    top.chmod(0o1777)
    chmod = os.chmod

    def killed(path, mode):
        if path != str(state):
            raise KeyboardInterrupt
        chmod(path, mode)

    with monkeypatch.context() as patched:
        patched.setattr(os, "chmod", killed)
        with pytest.raises(KeyboardInterrupt):
            prepare._make_upper(str(state), str(top))
    prepare._make_upper(str(state), str(top))
    assert stat.S_IMODE((state / "upper").stat().st_mode) == 0o1777
    assert sorted(os.listdir(state)) == ["upper", "work"]
    top.chmod(0o700)
    prepare._make_upper(str(state), str(top))
    assert stat.S_IMODE((state / "upper").stat().st_mode) == 0o1777
