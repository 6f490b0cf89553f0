"""Blobs: what is decompressed, and what is refused."""

import gzip
import hashlib
import lzma
import os

import pytest

from nsunit.errors import NsunitError
from nsunit.features.images.unpack import zstd
from nsunit.features.images.unpack.archive import parts_of
from nsunit.features.images.unpack.sources import plain
from nsunit.features.images.unpack.stream import Blob, Content, Skimmed, is_compressed

TEXT = b"".join(b"%d," % number for number in range(200_000))
# `printf hello | zstd`, as two frames with a skippable one between them.
FRAME = bytes.fromhex("28b52ffd0458290000") + b"hello" + bytes.fromhex("9ee0a1a0")


@pytest.fixture
def blob(tmp_path):
    def made(content: bytes) -> Blob:
        (tmp_path / "blob").write_bytes(content)
        return Blob(os.open(tmp_path / "blob", os.O_RDONLY), 0, len(content), "blob")

    return made


def read(blob, most=1 << 30):
    content = Content(blob, most)
    found = b""
    while piece := content.read(100_000):
        found += piece
    return found


@pytest.mark.parametrize(
    "packed",
    [
        *[TEXT, gzip.compress(TEXT), lzma.compress(TEXT)],
        *[gzip.compress(TEXT[:9]) + gzip.compress(TEXT[9:]), lzma.compress(TEXT[:9]) + lzma.compress(TEXT[9:])],
    ],
)
def test_what_is_packed_comes_back(blob, packed):
    assert read(blob(packed)) == TEXT
    assert is_compressed(packed) == (packed != TEXT)


@pytest.mark.parametrize("packed", [gzip.compress(TEXT), lzma.compress(TEXT)])
def test_what_is_cut_off_or_has_something_behind_it(blob, packed):
    for wrong in (packed[:-3], packed[:100], packed + b"x", packed + b"\x1f\x8b"):
        with pytest.raises(NsunitError, match="blob: it cannot be decompressed: "):
            read(blob(wrong))


def test_zstd_without_its_library(blob, monkeypatch):
    monkeypatch.setattr(zstd, "_loaded", None)
    with pytest.raises(NsunitError, match=r"'libzstd\.so\.1' is not installed"):
        read(blob(FRAME))


def test_limits(blob):
    with pytest.raises(NsunitError, match="GiB that a layer may have"):
        read(blob(gzip.compress(TEXT)), 1000)
    with pytest.raises(NsunitError, match="a header in it has more than 1 MiB"):
        Content(blob(TEXT), 1 << 30).read(2 << 20)
    with pytest.raises(NsunitError, match="it ends within a file"):
        list(Content(blob(b"abc"), 1 << 30).copy(4))
    backward = Content(blob(TEXT), 1 << 30)
    backward.read(10)
    with pytest.raises(NsunitError, match="a size in it is negative"):
        backward.seek(9)


def test_a_file_that_shrinks(blob):
    short = blob(TEXT)
    with pytest.raises(NsunitError, match="it is shorter than it should be"):
        read(Blob(short.fd, 0, short.size + 1, "blob"))


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        *[("a/b", ["a", "b"]), ("/a//b/", ["a", "b"]), ("./a/./b", ["a", "b"]), ("../../a", ["a"]), ("a/../b", ["b"])],
        *[("a/b/../..", []), ("", []), ("/", []), (".", []), ("..", [])],
    ],
)
def test_names_never_lead_above_the_root(name, parts):
    assert parts_of(name) == parts


def test_pieces_that_are_made_ahead_are_the_same(blob):
    content = Content(blob(gzip.compress(TEXT)), 1 << 30)
    content.read_ahead()
    assert b"".join(iter(lambda: content.read(1 << 16), b"")) == TEXT
    assert content.digest.hexdigest() == hashlib.sha256(TEXT).hexdigest()
    damaged = Content(blob(gzip.compress(TEXT)[:-9]), 1 << 30)
    damaged.read_ahead()
    with pytest.raises(NsunitError, match="it cannot be decompressed: it is cut off"):
        for _ in iter(lambda: damaged.read(1 << 16), b""):
            pass


def test_what_is_skipped_is_not_read(blob, monkeypatch):
    content = bytes(range(256)) * 4096
    skimmed = Skimmed(blob(content), 1 << 30)
    real, read_at = os.pread, []

    def pread(fd, size, offset):
        read_at.append(offset)
        return real(fd, size, offset)

    monkeypatch.setattr(os, "pread", pread)
    assert skimmed.read(512) == content[:512]
    skimmed.seek(1000)
    assert (skimmed.read(10), skimmed.tell()) == (content[1000:1010], 1010)
    skimmed.seek(900_000)
    assert (skimmed.read(10), skimmed.tell()) == (content[900_000:900_010], 900_010)
    assert read_at == [0, 900_000]
    skimmed.seek(len(content))
    assert skimmed.read(1) == b""
    with pytest.raises(NsunitError, match="it ends within a file"):
        skimmed.seek(len(content) + 1)
    with pytest.raises(NsunitError, match="a size in it is negative"):
        skimmed.seek(5)


def test_what_a_disk_does_not_take_at_once_is_not_lost(blob, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "write", lambda fd, data, write=os.write: write(fd, data[: len(data) // 2 + 1]))
    spooled = plain(blob(gzip.compress(TEXT)), str(tmp_path))
    assert (spooled.size, os.pread(spooled.fd, len(TEXT) + 1, 0) == TEXT) == (len(TEXT), True)
