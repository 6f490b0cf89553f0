"""The files of a definition under another name, and which are a container's own."""

from __future__ import annotations

import os

import pytest

from nsunit.core.context import take_back
from nsunit.definition.search import SearchPath, find
from nsunit.dropins import definitions
from nsunit.errors import NsunitError


@pytest.fixture
def search(tmp_path):
    (tmp_path / "etc/web.nsunit.d").mkdir(parents=True)
    (tmp_path / "run").mkdir()
    (tmp_path / "etc/web.nsunit").write_text("[Container]\n")
    (tmp_path / "etc/web.nsunit.d/10.conf").write_text("[Slice]\n")
    (tmp_path / "etc/web@.nsunit").write_text("[Container]\n")
    return SearchPath((str(tmp_path / "etc"), str(tmp_path / "run"), "/usr/lib/nsunit"))


def test_another_name(search, tmp_path):
    texts = definitions.renamed(definitions.texts_of(find("web", search)), "web", "shop")
    assert sorted(texts) == ["shop.nsunit", "shop.nsunit.d/10.conf"]
    undo = []
    definitions.write_all(search.directories[0], texts, undo)
    assert (tmp_path / "etc/shop.nsunit.d/10.conf").read_text() == "[Slice]\n"
    take_back(undo)
    assert sorted(os.listdir(tmp_path / "etc")) == ["web.nsunit", "web.nsunit.d", "web@.nsunit"]


def test_what_is_a_templates_stays_so(search):
    assert definitions.renamed({"web@.nsunit": b"", "web@1.nsunit.d/x.conf": b"1"}, "web@1", "web@2") == {
        "web@2.nsunit.d/x.conf": b"1"
    }


def test_own_files(search, tmp_path):
    etc = tmp_path / "etc"
    assert definitions.own_files("web", search) == [str(etc / "web.nsunit"), str(etc / "web.nsunit.d/10.conf")]
    assert definitions.own_files("web@1", search) == []
    undo = []
    assert len(definitions.remove_own("web", search, undo)) == 2
    assert os.listdir(etc) == ["web@.nsunit"]
    take_back(undo)
    assert (etc / "web.nsunit.d/10.conf").read_text() == "[Slice]\n"


def test_a_file_that_is_too_large(tmp_path):
    (tmp_path / "x").write_bytes(b"#" * (definitions.FILE_MAX + 1))
    with pytest.raises(NsunitError, match="has more than 1 MiB"):
        definitions.read(str(tmp_path / "x"))


def test_what_is_no_file(tmp_path):
    """A pipe that nobody writes to: nobody is waited for."""
    os.mkfifo(tmp_path / "x")
    with pytest.raises(OSError, match="is not a regular file"):
        definitions.read(str(tmp_path / "x"))
