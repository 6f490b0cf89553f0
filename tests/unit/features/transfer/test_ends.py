"""What operands mean, and where things go: docker-cp(1)'s rules."""

from __future__ import annotations

import os

import pytest

from nsunit.errors import NsunitError, UsageError
from nsunit.features.transfer import copy, ends
from nsunit.features.transfer.ends import End


@pytest.mark.parametrize(
    ("text", "container", "path"),
    [
        ("web:/etc/passwd", "web", "/etc/passwd"),
        ("web:etc", "web", "/etc"),
        ("web:", "web", "/"),
        ("web@1:/a:b", "web@1", "/a:b"),
        ("./web:/x", "", "./web:/x"),
        ("/srv/a:b", "", "/srv/a:b"),
        ("../a:b", "", "../a:b"),
        ("file", "", "file"),
        ("-", "", "-"),
    ],
)
def test_operands(text, container, path):
    found = ends.end_of(text)
    assert (found.container, found.path) == (container, path)
    assert found.is_stream == (text == "-")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dir/below").mkdir(parents=True)
    (tmp_path / "file").write_text("")
    (tmp_path / "todir").symlink_to("dir")
    (tmp_path / "tofile").symlink_to(tmp_path / "file")
    (tmp_path / "dangling").symlink_to("dir/new")
    (tmp_path / "loop").symlink_to("loop")
    return tmp_path


def source(path, *, follow=False):
    fd, name, called = ends.source(ends.on_host, End(path, "", path), follow=follow)
    found = os.path.realpath(f"/proc/self/fd/{fd}")
    os.close(fd)
    return os.path.normpath(os.path.join(found, name)), called


@pytest.mark.parametrize(
    ("path", "follow", "found", "called"),
    [
        ("file", False, "file", "file"),
        ("dir", False, "dir", "dir"),
        ("dir/", False, "dir", "dir"),
        ("dir/.", False, "dir", "."),
        (".", False, ".", "."),
        ("dir/..", False, ".", "."),
        ("todir", False, "todir", "todir"),
        ("todir/", False, "dir", "todir"),
        ("todir/.", False, "dir", "."),
        ("tofile", True, "file", "tofile"),
        ("dir/../file", False, "file", "file"),
    ],
)
def test_sources(here, path, follow, found, called):
    assert source(path, follow=follow) == (str((here / found) if found != "." else here), called)


@pytest.mark.parametrize("path", ["missing", "file/below", "missing/below", "file/"])
def test_sources_that_are_not_there(here, path):
    with pytest.raises(NsunitError, match="is not there"):
        source(path)


def test_a_link_to_itself(here):
    with pytest.raises(OSError, match="Too many levels"):
        source("loop", follow=True)


def target(path, *, is_directory=False, several=False):
    found = ends.target(ends.on_host, End(path, "", path), is_directory=is_directory, several=several)
    place = os.path.realpath(f"/proc/self/fd/{found.fd}")
    os.close(found.fd)
    return os.path.relpath(os.path.join(place, found.name)), found.into


@pytest.mark.parametrize(
    ("path", "is_directory", "where", "into"),
    [
        ("new", False, "new", False),
        ("new", True, "new", False),
        ("file", False, "file", False),
        ("dir", False, "dir", True),
        ("dir/", True, "dir", True),
        ("todir", True, "dir", True),
        ("tofile", False, "file", False),
        ("dangling", False, "dir/new", False),
    ],
)
def test_targets(here, path, is_directory, where, into):
    assert target(path, is_directory=is_directory) == (where, into)


@pytest.mark.parametrize(
    ("path", "options", "said"),
    [
        ("missing/new", {}, "there is no such directory"),
        ("new/", {}, "there is no such directory"),
        ("file/new", {}, "leads through something that is no directory"),
        ("file", {"is_directory": True}, "is no directory, and what is to be copied is one"),
        ("file", {"several": True}, "is no directory, and more than one"),
        ("new", {"several": True}, "is not there, and more than one"),
        ("pipe", {}, "'pipe' is a device, a pipe or a socket, which no file can replace"),
        ("to-pipe", {}, "'to-pipe' is a device, a pipe or a socket, which no file can replace"),
    ],
)
def test_targets_that_cannot_be(here, path, options, said):
    os.mkfifo("pipe")
    os.symlink("pipe", "to-pipe")
    with pytest.raises(NsunitError, match=said):
        target(path, **options)


@pytest.mark.parametrize(
    ("sources", "destination", "said"),
    [
        (["a"], "b", "none of the two is a container's"),
        (["a", "web:/b"], "c", "none of the two"),
        (["-"], "-", "none of the two"),
        (["web:/a", "web:/b"], "-", "- takes one source"),
        (["-", "a"], "web:/b", "- takes one source"),
        (["a"], "WEB:/b", "WEB"),
        (["web:/a"], "", "'' is no path"),
        (["", "a"], "web:/b", "'' is no path"),
    ],
)
def test_copies_that_cannot_be(sources, destination, said):
    with pytest.raises(UsageError, match=said):
        copy.copy(None, sources, destination)
