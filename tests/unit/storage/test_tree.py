"""Directories that are many and deep; they stand for a cgroup's, which can only be made and removed one by one."""

import os

import pytest

from nsunit.storage.tree import below, remove_below


@pytest.fixture
def deep(tmp_path):
    """A directory with 1,200 others, one in the other: deeper than a path reaches, and than Python recurses."""
    fd = os.open(tmp_path, os.O_DIRECTORY)
    for number in range(1200):
        os.mkdir(f"{number:04}", dir_fd=fd)
        child = os.open(f"{number:04}", os.O_DIRECTORY, dir_fd=fd)
        os.close(fd)
        fd = child
    os.close(fd)
    return tmp_path


def test_in_order(tmp_path):
    for path in ("b/x", "a/z", "a/y/w"):
        (tmp_path / path).mkdir(parents=True)
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("a")
    assert ["/".join(names) for names, _ in below(str(tmp_path))] == ["a", "a/y", "a/y/w", "a/z", "b", "b/x"]


def test_a_path_is_that_of_the_directory(tmp_path):
    (tmp_path / "a/b").mkdir(parents=True)
    assert [sorted(os.listdir(place)) for _, place in below(str(tmp_path))] == [["b"], []]


def test_what_is_not_there_has_nothing_below(tmp_path):
    assert list(below(str(tmp_path / "gone"))) == []
    remove_below(str(tmp_path / "gone"))


def test_what_is_removed_meanwhile_is_passed_over(tmp_path):
    for name in "abc":
        (tmp_path / name).mkdir()
    seen = []
    for names, _ in below(str(tmp_path)):
        seen += names
        if names == ("a",):
            (tmp_path / "b").rmdir()
    assert seen == ["a", "c"]


def test_deeper_than_paths_reach(deep):
    before = len(os.listdir("/proc/self/fd"))
    found = [len(names) for names, _ in below(str(deep))]
    assert found == list(range(1, 1201))
    remove_below(str(deep))
    assert os.listdir(deep) == []
    assert len(os.listdir("/proc/self/fd")) == before


def test_one_that_is_in_use(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/file").touch()
    with pytest.raises(OSError, match="not empty"):
        remove_below(str(tmp_path))
