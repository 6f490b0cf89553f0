"""What the archive of a container says of itself, and what may be in it."""

from __future__ import annotations

import json

import pytest

from nsunit.errors import NsunitError
from nsunit.features.transfer import bundle
from nsunit.features.transfer.bundle import Manifest, Need

FULL = Manifest("web@1", True, (65536, 65536), (Need("Bind", "/srv:/data"),), (("addresses", "{}"),), True)


def test_it_reads_what_it_writes():
    assert bundle.load(bundle.dump(FULL).decode()) == FULL
    assert bundle.load(bundle.dump(Manifest("web")).decode()) == Manifest("web")


def changed(**fields):
    return json.dumps({**json.loads(bundle.dump(FULL)), **fields})


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "1", "null", "[" * 100_000, "{}", changed(name="../x"), changed(name=7), changed(name="a.slice")),
        *(changed(ids=["a", "b"]), changed(needs=[1]), changed(kept={"a": 1}), changed(ids=3)),
    ],
)
def test_nonsense(text):
    with pytest.raises(NsunitError, match=r"nsunit-container\.json makes no sense"):
        bundle.load(text)


def test_a_later_format():
    with pytest.raises(NsunitError, match="of format 2, and this nsunit knows 1"):
        bundle.load(changed(format=2))


def test_only_small_files_that_are_known_are_kept():
    kept = [["ids", "0 1"], ["image", "x\ny\n"], ["addresses", 7], ["../x", "y"]]
    assert bundle.load(changed(kept=kept)).kept == (("image", "x\ny\n"),)


UNITS = ("nsunit-web.slice", "nsunit-web.service")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("web", ["definition/web.nsunit"]),
        ("web", ["definition/web.nsunit", "definition/web.nsunit.d/10.conf", f"units/{UNITS[0]}.d/50-nsunit.conf"]),
        ("web@1", ["definition/web@.nsunit", "definition/web@1.nsunit.d/x.conf"]),
    ],
)
def test_files_that_belong_to_it(name, found):
    bundle.check_definition(name, found)
    bundle.check_units(name, UNITS, found)


@pytest.mark.parametrize(
    "path",
    [
        *("definition/other.nsunit", "definition/web.nsunit.d/a/b.conf", "definition/web.nsunit.d/x.txt"),
        *("definition/web@.nsunit", "units/ssh.service.d/50-nsunit.conf", f"units/{UNITS[0]}.d/10.conf"),
    ],
)
def test_files_that_do_not(path):
    found = ["definition/web.nsunit", path]
    with pytest.raises(NsunitError, match=f"the archive has '{path}', which is no file of container 'web'"):
        bundle.check_definition("web", found)
        bundle.check_units("web", UNITS, found)


@pytest.mark.parametrize("found", [[], ["definition/web.nsunit.d/x.conf"]])
def test_no_definition(found):
    with pytest.raises(NsunitError, match="the archive has no definition of 'web'"):
        bundle.check_definition("web", found)
