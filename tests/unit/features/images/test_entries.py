"""Entries of tar archives, of which the usual ones are not read by tarfile, and what is noted of files meanwhile."""

import io
import os
import random
import subprocess
import tarfile

import pytest

from nsunit.errors import NsunitError
from nsunit.features.images.unpack.archive import Entry, entries
from nsunit.features.images.unpack.attributes import pieces_of
from nsunit.features.images.unpack.catalog import Digest, lines
from nsunit.features.images.unpack.stream import Blob, Content

NAMES = ("usr/bin/x", "d/", "./a//", "caf\udce9", "x" * 100, "p" * 90 + "/" + "y" * 60, "n" * 300, "")
KINDS = (*tarfile.SUPPORTED_TYPES, b"Z")
FIELDS = ("name", "mode", "uid", "gid", "size", "mtime", "chksum", "type", "linkname", "devmajor", "devminor")


def headers():
    """Headers of all kinds, in all formats."""
    for number, (name, kind) in enumerate((name, kind) for name in NAMES for kind in KINDS):
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.mode = kind, name[::-1], (0o644, 0o4755)[number % 2]
        info.uid, info.gid = (0, 1000, 0o7777777)[number % 3], (0, 3_000_000)[number % 2]
        info.size, info.mtime = (0, 512, 10_000_000_000)[number % 3], (0, 1_600_000_000, -5)[number % 3]
        info.uname, info.gname = ("", "root")[number % 2], ""
        for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
            try:
                whole = info.tobuf(form, "utf-8", "surrogateescape")
            except ValueError:
                continue  # that cannot be in this format
            yield from (whole[at : at + 512] for at in range(0, len(whole), 512))


def spoiled(header, chance):
    """The same with some bytes changed, mostly with a sum that fits."""
    found = bytearray(header)
    for _ in range(chance.randint(1, 3)):
        found[chance.randrange(len(found))] = chance.choice(b"\0 07 8-_+\x80\xff/ax")
    if chance.random() < 0.8:
        found[148:156] = b"        "
        found[148:156] = b"%06o\0 " % sum(found)
    return bytes(found[: chance.choice((512, 512, 512, 512, 511))])


def parsed(kind, header):
    """What comes of a header: its fields, or the error."""
    try:
        found = kind.frombuf(header, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError) as error:
        return type(error), str(error)
    return [getattr(found, field) for field in FIELDS]


def without_times(header, kind):
    """The name in a header of GNU tar, which has times where tarfile looks for more of it."""
    name = header[:100].partition(b"\0")[0].decode("utf-8", "surrogateescape")
    return name.rstrip("/") if kind == tarfile.DIRTYPE else name


def test_usual_headers_are_read_as_tarfile_does():
    chance = random.Random(7)
    usual = 0
    for header in headers():
        for content in (header, *(spoiled(header, chance) for _ in range(20))):
            expected = parsed(tarfile.TarInfo, content)
            if content[257:265] == b"ustar  \0" and isinstance(expected, list) and content[156:157] not in b"LKS":
                expected[0] = without_times(content, expected[7])
            assert parsed(Entry, content) == expected, content
            usual += Entry._usual(content, "utf-8", "surrogateescape") is not None
    assert usual > 1000


def test_an_archive_of_usual_files_needs_no_other_way(monkeypatch):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for kind in (tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE):
            info = tarfile.TarInfo("usr/lib/x")
            info.type, info.pax_headers = kind, {"mtime": "1.5"}
            tar.addfile(info)
    content.seek(0)
    monkeypatch.setattr(tarfile.TarInfo, "frombuf", None)
    archive = tarfile.TarFile(fileobj=content, tarinfo=Entry)
    assert [archive.next().pax_headers for _ in range(4)] == [{"mtime": "1.5"}] * 4


@pytest.mark.parametrize("option", ["--label=whole", "--listed-incremental=state", "--format=gnu"])
def test_archives_that_only_gnu_tar_writes(tmp_path, option):
    """A label is no file, and a directory of a dump is one; in those the times of access stand before the names."""
    (tmp_path / "in/d").mkdir(parents=True)
    (tmp_path / "in/d/file").write_text("x")
    (tmp_path / "in/d" / ("n" * 150)).write_text("y")
    subprocess.run(["tar", "-cf", "a.tar", option, "-C", "in", "d"], check=True, cwd=tmp_path)
    fd = os.open(tmp_path / "a.tar", os.O_RDONLY)
    found = entries(Content(Blob(fd, 0, os.fstat(fd).st_size, "a.tar"), 1 << 20))
    assert sorted((entry.name.rstrip("/"), entry.isdir()) for entry in found) == [
        ("d", True),
        ("d/file", False),
        (f"d/{'n' * 150}", False),
    ]
    os.close(fd)


@pytest.mark.parametrize("count", [0, 1, 3, 4, 30])
@pytest.mark.parametrize("form", ["gnu", "oldgnu", "posix --sparse-version=0.0", "posix --sparse-version=1.0"])
def test_files_with_holes_as_gnu_tar_writes_them(tmp_path, form, count):
    """By default it has four pieces in a header, and the file may end with a hole."""
    path = tmp_path / "holes"
    with path.open("wb") as file:
        for number in range(count):
            file.seek((number << 20) + (1 << 16))
            file.write(b"%d" % number * 5000)
        file.truncate((count + 1) << 20)
    words = ["tar", "--sparse", "--hole-detection=raw", *f"--format={form}".split(), "-cf", "a.tar", "holes"]
    subprocess.run(words, check=True, cwd=tmp_path)
    assert (tmp_path / "a.tar").stat().st_size < path.stat().st_size
    fd = os.open(tmp_path / "a.tar", os.O_RDONLY)
    content, found = Content(Blob(fd, 0, os.fstat(fd).st_size, "a.tar"), 1 << 30), bytearray(path.stat().st_size)
    for entry in entries(content):
        assert (entry.size, entry.issparse()) == (len(found), True)
        for offset, size in pieces_of(entry):
            found[offset : offset + size] = b"".join(content.copy(size))
    assert found == path.read_bytes()
    os.close(fd)


@pytest.mark.parametrize("data", [b"", b"text\n", tarfile.TarInfo("smuggled").tobuf()])
def test_a_hard_link_with_a_size(data, tmp_path):
    """podman, buildah and umoci skip no data of a link, which POSIX lets it have: a size alone is nothing to them.

    Data are taken for a header, and most are none: "archive/tar: invalid tar header".
    """
    link = tarfile.TarInfo("link")
    link.type, link.linkname, link.size = tarfile.LNKTYPE, "file", len(data) or 5
    path = tmp_path / "layer.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(tarfile.TarInfo("file"))
        tar.addfile(link, io.BytesIO(data) if data else None)
        tar.addfile(tarfile.TarInfo("other"))
    with path.open("rb") as file:
        found = entries(Content(Blob(file.fileno(), 0, path.stat().st_size, "layer"), MIB))
        if data == b"text\n":
            with pytest.raises(NsunitError, match="its tar archive is damaged"):
                list(found)
        else:
            assert [item.name for item in found] == ["file", "link", *(["smuggled"] if data else []), "other"]


MIB = 1 << 20


@pytest.mark.parametrize(
    "content",
    [
        *[b"", b"x", b"\0", b"\0" * 5 + b"x" + b"\0" * 5, b"x" * MIB, b"\0" * MIB, b"\0" * (3 * MIB) + b"x"],
        *[b"a" * (MIB + 1), b"a" + b"\0" * (2 * MIB) + b"b", b"\0" * (MIB - 1) + b"bc", b"a" * MIB + b"\0" * MIB],
    ],
)
def test_what_is_noted_of_a_file_that_is_written_is_what_its_catalog_says(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    wanted = [line.rpartition("\t")[2] for line in lines(str(tmp_path))][1]
    for size in (1000, 1 << 18, MIB, 5 * MIB):
        digest = Digest()
        for at in range(0, len(content), size):
            digest.update(memoryview(content)[at : at + size])
        assert digest.hexdigest() == wanted


def test_only_regular_files_have_what_is_known_of_them(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d/known").write_text("not read")
    (tmp_path / "d/other").write_text("read")
    os.symlink("target", tmp_path / "d/link")
    found = {
        line.split("\t")[0]: line.rpartition("\t")[2] for line in lines(str(tmp_path), {"d/known": "k", "d/link": "l"})
    }
    assert found["/d/known"] == "k"
    assert found["/d/link"] == "target"
    assert len(found["/d/other"]) == 64
