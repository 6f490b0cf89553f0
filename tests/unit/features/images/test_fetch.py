"""Fetching: what a short name stands for, which one of an index is meant, what skopeo says, and how far it is."""

import json
import os
import tarfile

import pytest

from nsunit.cli import progress
from nsunit.core.context import Context
from nsunit.errors import NsunitError
from nsunit.features.images.fetch import archive
from nsunit.features.images.fetch.shortnames import full_names, registries_of
from nsunit.features.images.fetch.watch import Watch
from nsunit.features.images.fetch.work import reason_of
from nsunit.features.images.layout import ends_as
from nsunit.features.images.unpack.sources import fitting

DIGEST = "sha256:" + "0f" * 32


@pytest.mark.parametrize(
    ("text", "documents", "expected"),
    [
        ("web", [], ["docker.io/library/web:latest"]),
        ("web:1", [{"aliases": {"web": "quay.io/web"}}], ["quay.io/web:1"]),
        (f"web@{DIGEST}", [{"aliases": {"web": "quay.io/web"}}], [f"quay.io/web@{DIGEST}"]),
        ("host.org/web", [{"aliases": {"host.org/web": "quay.io/web"}}], ["host.org/web:latest"]),
        ("web", [{"aliases": {"web": "a.io/x"}}, {"aliases": {"web": "b.io/y"}}], ["b.io/y:latest"]),
        (
            "a/web",
            [{"unqualified-search-registries": ["x.io", "docker.io"]}],
            ["x.io/a/web:latest", "docker.io/a/web:latest"],
        ),
        ("web", [{"unqualified-search-registries": ["docker.io"]}], ["docker.io/library/web:latest"]),
        ("web", [{"unqualified-search-registries": ["x.io"], "short-name-mode": "enforcing"}], ["x.io/web:latest"]),
        ("web", [{"aliases": ["damaged"], "unqualified-search-registries": "x.io"}], ["docker.io/library/web:latest"]),
    ],
)
def test_a_short_name_stands_for(text, documents, expected):
    assert full_names(text, registries_of(documents)) == expected


def test_one_of_several_registries_has_to_be_said():
    files = [{"unqualified-search-registries": ["x.io", "y.io"]}, {"short-name-mode": "enforcing"}]
    with pytest.raises(NsunitError, match="'web' may be x.io/web:latest or y.io/web:latest"):
        full_names("web", registries_of(files))


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("quay.io/a/web:1", "web:1", True),
        ("quay.io/a/web:1", "a/web:1", True),
        ("quay.io/a/web:1", "web", False),
        ("quay.io/a/web:latest", "web", True),
        ("quay.io/a/cobweb:latest", "web", False),
        ("localhost:5000/web:latest", "localhost:5000/web", False),
        (f"quay.io/a/web@{DIGEST}", f"web@{DIGEST}", True),
    ],
)
def test_a_name_is_found_by_its_end(name, text, expected):
    assert ends_as(name, text) is expected


def item(architecture, variant=""):
    return {"platform": {"os": "linux", "architecture": architecture, "variant": variant}}


@pytest.mark.parametrize(
    ("platform", "expected"),
    [
        (("linux", "amd64"), ["", "v3"]),
        (("linux", "arm", "v7"), ["v7", "v6", "v5"]),
        (("linux", "arm", "v6"), ["v6", "v5"]),
        (("linux", "arm64", "v8"), ["v8"]),
        (("linux", "s390x"), []),
    ],
)
def test_variants_of_an_index(platform, expected):
    items = [item("amd64", "v3"), item("amd64"), item("arm", "v5"), item("arm", "v7"), item("arm", "v6")]
    items += [item("arm64", "v9"), item("arm64", "v8")]
    assert [found["platform"]["variant"] for found in fitting(items, platform)] == expected


def test_skopeos_reason_is_its_last_line():
    log = b'copying\ntime="2026" level=fatal msg="reading manifest: name \\"x\\" unknown"\n\n'
    assert reason_of(log) == 'reading manifest: name "x" unknown'
    assert reason_of(b"plain \x1b\n") == "plain \\x1b"
    assert reason_of(b"") == ""


def test_what_is_fetched_is_told_by_layers_or_bytes(tmp_path):
    blobs = tmp_path / "image/blobs/sha256"
    blobs.mkdir(parents=True)
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy/oci-put-blob1").write_bytes(b"x" * 30)
    lines, seen = [], []
    quiet, looking = Context(warn=lines.append), Context(warn=lines.append)
    looking.progress = lambda *said: seen.append(said)
    watches = [Watch(quiet, "web", str(tmp_path)), Watch(looking, "web", str(tmp_path))]
    for watch in watches:
        watch()
    assert (lines, seen) == ([], [])
    (tmp_path / "plan").write_text(json.dumps({"layers": 3, "there": 1, "needed": {"aa": 100, "bb": 50}}))
    (blobs / "bb").touch()
    for watch in watches:
        watch()
    assert lines == ["web: 1 of 3 layers are here already", "web: layer 1 of 2 is fetched (50 bytes)"]
    assert seen == [("web", 80, 150)]


def test_the_line_of_progress(monkeypatch, capsys):
    now = [10.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    line = progress.Line()
    line("web", 0, 4 << 20)
    now[0] = 10.5
    line("web", 1 << 20, 4 << 20)
    assert capsys.readouterr().err == ""
    now[0] = 12.0
    line("web", 2 << 20, 4 << 20)
    assert capsys.readouterr().err.endswith("web: 2M of 4M, 1M/s, 3 s left")
    line("web", 0, 0)
    assert capsys.readouterr().err == "\r\x1b[K"
    line("web", 0, 0)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("rate", "said"),
    [(0.0, "1K of 1M, 0B/s"), (1024.0, "1K of 1M, 1K/s, 17 min left"), (1e9, "1K of 1M, 953.7M/s, 1 s left")],
)
def test_rate_and_time_left(rate, said):
    assert progress.told(1024, 1 << 20, rate) == said


def test_what_is_mounted_below_belongs_to_a_disk_alone(tmp_path, monkeypatch):
    """Its /usr may be a partition of its own; below a directory of the host's anything may be mounted."""
    (tmp_path / "usr/lib").mkdir(parents=True)
    real, usr = os.lstat, os.fsencode(tmp_path / "usr")

    def lstat(path):
        status = real(path)
        return os.stat_result((*status[:2], status.st_dev + 1, *status[3:10])) if path.startswith(usr) else status

    monkeypatch.setattr(os, "lstat", lstat)
    top = os.fsencode(tmp_path)
    assert archive._entries(top, mounts=False) == ([b".", b"usr"], [], [])
    assert archive._entries(top, mounts=True) == ([b".", b"usr", b"usr/lib"], [], [])


def test_a_file_without_blocks_of_its_own_is_no_hole(tmp_path, monkeypatch):
    """Of erofs, with fragments: tar --sparse would go by the number of blocks, and write zeros."""
    top = tmp_path / "top"
    top.mkdir()
    (top / "data").write_bytes(b"x" * 10_000)
    os.link(top / "data", top / "link")
    with (top / "hole").open("wb") as file:
        file.truncate(10_000)
    (top / "empty").touch()
    real, run, commands = os.lstat, archive._run, []

    def lstat(path):
        status = real(path)
        return os.stat_result((*status,), {"st_blocks": 0})

    def recorded(*command, given=b"", differs=0):
        commands.append(("--sparse" in command, given.split(b"\0")))
        return run(*command, given=given, differs=differs)

    monkeypatch.setattr(os, "lstat", lstat)
    monkeypatch.setattr(archive, "_run", recorded)
    assert archive._pack(str(top), str(tmp_path / "it.tar"), str(tmp_path / "whiteouts"), mounts=False) == []
    assert commands == [(True, [b".", b"./empty", b"./hole"]), (False, [b"./data", b"./link"])]
    with tarfile.open(tmp_path / "it.tar") as file:
        members = {member.name.removeprefix("./"): member for member in file}
        assert sorted(members) == [".", "data", "empty", "hole", "link"]
        assert members["link"].islnk()
        assert file.extractfile(members["data"]).read() == b"x" * 10_000
        assert file.extractfile(members["hole"]).read() == bytes(10_000)


def test_what_goes_while_it_is_listed_is_as_if_it_had_gone_before(tmp_path, monkeypatch):
    for name in ("usr/lib", "usr/share", "etc"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "etc/lock").write_text("")
    lstat = os.lstat

    def goes(path):
        if os.fsencode(path).endswith((b"lock", b"usr/lib")):
            raise FileNotFoundError(2, "No such file or directory", path)
        if os.fsencode(path).endswith(b"usr/share"):
            found = lstat(path)
            os.rmdir(path)
            return found
        return lstat(path)

    monkeypatch.setattr(archive.os, "lstat", goes)
    top = os.fsencode(tmp_path)
    assert archive._entries(top, mounts=False) == ([b".", b"etc", b"usr", b"usr/share"], [], [])
    with pytest.raises(FileNotFoundError):
        archive._entries(top + b"/none", mounts=False)


def test_what_goes_while_tar_reads_it_is_told_by_its_name(tmp_path):
    """It said "Exiting with failure status due to previous errors"."""
    with pytest.raises(NsunitError) as caught:
        archive._tar("--create", str(tmp_path / "x.tar"), str(tmp_path), [b".", b"gone"])
    assert caught.value.message == "'tar' has failed: tar: ./gone: Cannot stat: No such file or directory"
    assert caught.value.hint == "it is written to meanwhile: stop what does that, and try again"
