"""Trees packed and unpacked: what goes in comes out, and what is in the way stays."""

from __future__ import annotations

import os
import socket
import stat
import tarfile

import pytest

from nsunit.errors import NsunitError
from nsunit.features.transfer import pack as pack_module
from nsunit.features.transfer.pack import Packer
from nsunit.features.transfer.tree import Pipe, Stream, Tree

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY
OWN = os.geteuid(), os.getegid()


@pytest.fixture(autouse=True)
def back_again(monkeypatch, tmp_path):
    """What unpacks is a process of its own otherwise, and goes to other directories."""
    monkeypatch.chdir(tmp_path)


def pack(source, archive, called="top", **options):
    out, parent = os.open(archive, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), os.open(source.parent, DIRECTORY)
    packer = Packer(out, **options)
    packer.tree(parent, source.name, called)
    packer.finish()
    os.close(out)
    os.close(parent)
    return packer.warnings


def unpack(archive, target, owner=OWN, **options):
    target.mkdir(exist_ok=True)
    root, reader = os.open(target, DIRECTORY), os.open(archive, os.O_RDONLY)
    tree = Tree(root, lambda _entry, parts: parts, owner=owner, **options)
    try:
        tree.apply(Stream(Pipe(reader, "here")))
    finally:
        os.close(root)
        os.close(reader)
    return tree.warnings


@pytest.fixture
def tree(tmp_path):
    top = tmp_path / "source"
    (top / "dir" / ("long" * 40)).mkdir(parents=True)
    (top / "file").write_text("content")
    (top / "empty").touch()
    (top / b"\xff\n".decode("utf-8", "surrogateescape")).write_text("x")
    (top / "dir/link").symlink_to("/nowhere")
    os.link(top / "file", top / "dir/same")
    os.mkfifo(top / "fifo")
    (top / "old").touch()
    os.utime(top / "old", ns=(0, -1_500_000_000))
    os.utime(top / "file", ns=(0, 1_234_567_891_987_654_321))
    with (top / "sparse").open("wb") as file:
        file.truncate(1 << 22)
        file.seek(1 << 20)
        file.write(b"middle")
    with (top / "hole").open("wb") as file:
        file.truncate(1 << 22)
    (top / "file").chmod(0o4755)
    return top


def listing(top):
    found = {}
    for path in sorted(top.rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
        target = os.readlink(path) if path.is_symlink() else ""
        found[path.relative_to(top)] = (oct(status.st_mode), content, target, path.is_dir() or status.st_mtime_ns)
    return found


def test_there_and_back(tree, tmp_path):
    assert pack(tree, tmp_path / "a.tar") == []
    assert unpack(tmp_path / "a.tar", tmp_path / "out", owner=None if os.geteuid() == 0 else OWN) == []
    expected, found = listing(tree), listing(tmp_path / "out/top")
    if os.geteuid():
        expected, found = ({key: item[1:] for key, item in part.items()} for part in (expected, found))
    assert found == expected
    assert os.path.samefile(tmp_path / "out/top/file", tmp_path / "out/top/dir/same")
    assert (tmp_path / "out/top/sparse").stat().st_blocks * 512 < 1 << 20
    assert (tmp_path / "a.tar").stat().st_size < 100_000
    with tarfile.open(tmp_path / "a.tar") as archive:  # others read it as well
        assert archive.extractfile("top/sparse").read() == (tree / "sparse").read_bytes()


def test_privileges_stay_behind(tree, tmp_path):
    pack(tree, tmp_path / "a.tar")
    unpack(tmp_path / "a.tar", tmp_path / "out")
    assert stat.S_IMODE((tmp_path / "out/top/file").stat().st_mode) == 0o755


def test_what_is_there(tree, tmp_path):
    """Files are replaced, directories merged and kept as they are, and the one never takes the other's place."""
    pack(tree, tmp_path / "a.tar")
    out = tmp_path / "out"
    (out / "top/dir").mkdir(parents=True)
    (out / "top/dir").chmod(0o700)
    (out / "top/file").write_text("old")
    (out / "top/dir/more").touch()
    unpack(tmp_path / "a.tar", out)
    assert (out / "top/file").read_text() == "content"
    assert stat.S_IMODE((out / "top/dir").stat().st_mode) == 0o700
    assert (out / "top/dir/more").exists()
    (out / "top/file").unlink()
    (out / "top/file").mkdir()
    with pytest.raises(NsunitError, match=r"here: entry 'top/file': a directory is in its place"):
        unpack(tmp_path / "a.tar", out)
    (tmp_path / "other/top").mkdir(parents=True)
    (tmp_path / "other/top/dir").symlink_to(out)
    with pytest.raises(NsunitError, match="something that is no directory is in its place"):
        unpack(tmp_path / "a.tar", tmp_path / "other")


def test_names_below_a_link(tmp_path):
    """An archive that somebody has made: nothing is written through its own links."""
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        link = tarfile.TarInfo("l")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path / "outside")
        archive.addfile(link)
        archive.addfile(tarfile.TarInfo("l/file"))
    (tmp_path / "outside").mkdir()
    with pytest.raises(NsunitError, match="'l' is no directory"):
        unpack(tmp_path / "a.tar", tmp_path / "out")
    unpack(tmp_path / "a.tar", tmp_path / "second", links=True)
    assert list((tmp_path / "outside").iterdir()) == []


def test_names_that_mean_something_in_layers(tmp_path):
    (tmp_path / "source").mkdir()
    (tmp_path / "source/.wh.file").write_text("just a name")
    pack(tmp_path / "source", tmp_path / "a.tar")
    unpack(tmp_path / "a.tar", tmp_path / "out")
    assert (tmp_path / "out/top/.wh.file").read_text() == "just a name"


def test_half_a_file_is_not_left(tree, tmp_path):
    (tree / "zz").write_bytes(bytes(range(256)) * 100)
    pack(tree, tmp_path / "a.tar")
    with (tmp_path / "a.tar").open("r+b") as file:
        file.truncate(file.seek(0, os.SEEK_END) - 20_000)
    with pytest.raises(NsunitError, match="it ends within a file"):
        unpack(tmp_path / "a.tar", tmp_path / "out")
    assert not (tmp_path / "out/top/zz").exists()
    assert (tmp_path / "out/top/file").exists()


def test_what_is_left_out(tmp_path):
    top = tmp_path / "source"
    top.mkdir()
    here = os.getcwd()
    os.chdir(top)
    try:
        socket.socket(socket.AF_UNIX).bind("socket")
    finally:
        os.chdir(here)
    assert pack(top, tmp_path / "a.tar") == ["'top/socket' is left out: it is a socket"]
    with tarfile.open(tmp_path / "b.tar", "w") as archive:
        node = tarfile.TarInfo("node")
        node.type = tarfile.CHRTYPE
        archive.addfile(node)
    assert unpack(tmp_path / "b.tar", tmp_path / "out") == ["'node' is left out: it is a device node"]


def test_a_file_that_shrinks(tmp_path, monkeypatch):
    """It is filled up with zeros, so that the rest of the archive is where it should be."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source/file").write_bytes(b"x" * 1000)
    real = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, size, offset: real(fd, size, offset)[: max(600 - offset, 0)])
    pack(tmp_path / "source", tmp_path / "a.tar")
    monkeypatch.undo()
    unpack(tmp_path / "a.tar", tmp_path / "out")
    assert (tmp_path / "out/top/file").read_bytes() == b"x" * 600 + bytes(400)


def test_what_has_no_size_is_read_to_its_end(tmp_path, monkeypatch):
    parent = os.open("/proc/self", os.O_RDONLY | os.O_DIRECTORY)
    with (tmp_path / "a.tar").open("wb") as file:
        packer = Packer(file.fileno())
        packer.tree(parent, "status", "status")
        packer.finish()
        monkeypatch.setattr(pack_module, "_SIZELESS_MAX", 1)
        with pytest.raises(OSError, match="it says no size, and has more than 0 MiB"):
            packer.tree(parent, "status", "status")
    os.close(parent)
    with tarfile.open(tmp_path / "a.tar") as archive:
        assert archive.extractfile("status").read().startswith(b"Name:")
