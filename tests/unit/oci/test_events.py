"""Lines that nobody can write."""

import errno

import pytest

from nsunit.oci.verbs import events


@pytest.fixture
def group(tmp_path):
    (tmp_path / "cgroup.events").write_text("populated 1\nfrozen 0\n")
    return str(tmp_path)


def failing(number):
    def write(_line):
        raise OSError(number, "no")

    return write


def test_a_disk_that_is_full_is_told(group, monkeypatch):
    monkeypatch.setattr(events, "_write", failing(errno.ENOSPC))
    with pytest.raises(OSError, match="no"):
        events._follow("box", group, 0.001)


@pytest.mark.parametrize("number", [errno.EPIPE, errno.ENODEV, errno.ENOENT])
def test_the_end_of_the_reader_and_of_the_group_is_the_end(group, monkeypatch, number):
    monkeypatch.setattr(events, "_write", failing(number))
    events._follow("box", group, 0.001)
