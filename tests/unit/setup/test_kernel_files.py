"""Files of the kernel's, which gives a list a page at a time."""

import os

import pytest

from nsunit import setup
from nsunit.setup import namespaces, read_file


def test_a_list_is_read_to_its_end():
    """Of more than a page one read(2) gives the first alone."""
    reader = os.open("/proc/self/smaps", os.O_RDONLY)
    first = os.read(reader, 65536)
    os.close(reader)
    assert len(first) < 8192
    assert len(read_file("/proc/self/smaps")) > 2 * len(first)


@pytest.mark.parametrize("name", ["a\rb", "a\x0bb", "a\x1cb", "a\x85b", "a\u2028b", "0::x"])
def test_a_cgroup_is_called_as_whoever_made_it_likes(monkeypatch, name):
    text = f"4:memory:/v1\n0::/slice/{name}\n"
    monkeypatch.setattr(setup, "read_file", lambda _path: text)
    monkeypatch.setattr(namespaces, "read_file", lambda _path: text)
    assert namespaces.own_cgroup() == f"/slice/{name}"


@pytest.mark.parametrize("place", [1, 200, 340])
def test_the_host_s_root_is_found_wherever_it_is_mapped(monkeypatch, tmp_path, place):
    """So that its container cannot reach the host's interpreter, see nsunit.setup.interpreter."""
    lines = [f"{inside:10} {inside if inside != place else 0:10} {1:10}\n" for inside in range(1, 341)]
    opened = os.open

    def open_paged(path, flags, *more, **options):
        assert path == "/proc/42/uid_map"
        (tmp_path / "map").write_text("".join(lines))
        return opened(tmp_path / "map", flags, *more, **options)

    read = os.read
    monkeypatch.setattr(setup.os, "open", open_paged)
    monkeypatch.setattr(setup.os, "read", lambda fd, size: read(fd, min(size, 4096)))
    assert namespaces.has_hosts_root(42)
