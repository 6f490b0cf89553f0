"""Where the directories of a root led when it was made."""

import os

import pytest

from nsunit.deeds.look.root import moved_links
from nsunit.setup import root


@pytest.mark.parametrize("name", ["tree", "a\rb", "a\x1cb", "a\x85b", "a\u2028b", "a\udcffb"])
def test_a_tree_is_called_as_whoever_made_it_likes(tmp_path, name):
    real, other = str(tmp_path / name), str(tmp_path / "other")
    link = str(tmp_path / "link")
    os.symlink(real, link)
    (tmp_path / root.LINKS).write_bytes(os.fsencode(f"{link}\0{real}\n"))
    assert moved_links(str(tmp_path)) == {}
    os.unlink(link)
    os.symlink(other, link)
    assert moved_links(str(tmp_path)) == {link: (real, other)}
