"""What is told of a template that does something wrong."""

import pytest

from nsunit.errors import NsunitError
from nsunit.features.images.roots.fill import fill


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exec head -c 1000000 /dev/zero", "the template 'sh' says more than a definition can be"),
        ("head -c 1000000 /dev/zero; exit 3", "the template 'sh' says more than a definition can be"),
        ("exit 3", "the template 'sh' failed with status 3: it did not say why"),
        ("echo why >&2; exit 3", "the template 'sh' failed with status 3: why"),
        ("exit 0", "the template 'sh' has left the root empty"),
    ],
)
def test_why_there_is_no_root(tmp_path, script, reason):
    (tmp_path / "root").mkdir()
    job = {
        "words": ("/bin/sh", "-c", script),
        "root": str(tmp_path / "root"),
        "config": str(tmp_path),
        "of_lxc": False,
        "environment": {"PATH": "/usr/bin:/bin"},
        "identifier": "x",
    }
    with pytest.raises(NsunitError) as caught:
        fill(job)
    assert caught.value.message == reason
