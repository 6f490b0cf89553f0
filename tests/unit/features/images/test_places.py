"""Directories of the root that is unpacked into."""

import os

from nsunit.features.images.unpack.places import Places


def test_what_is_removed_may_be_as_deep_as_a_layer_has_it(tmp_path):
    """A path in an archive has two thousand directories at most, and Python recurses no thousand times."""
    root = os.open(tmp_path, os.O_PATH | os.O_DIRECTORY)
    directory = os.open(".", os.O_PATH, dir_fd=root)
    for _ in range(2000):
        os.mkdir("d", dir_fd=directory)
        deeper = os.open("d", os.O_PATH, dir_fd=directory)
        os.close(directory)
        directory = deeper
    os.close(directory)
    (tmp_path / "file").touch()
    places = Places(root)
    assert [places.remove(root, name) for name in ("d", "file", "nothing")] == [True, True, False]
    assert os.listdir(tmp_path) == []
    os.close(root)
