"""Definitions as files of another tool: from a file to files, by the verb."""

import errno
import os

import pytest
from imports_corpus import FixedContext

from nsunit.cli.main import main
from nsunit.cli.transfer import VERBS
from nsunit.cli.verbs import Invocation
from nsunit.deeds.imports.export import write
from nsunit.errors import NsunitError
from nsunit.imports.export import KINDS, Exported


@pytest.fixture
def place(monkeypatch, tmp_path):
    """A directory with the definition `web`, and a drop-in."""
    (tmp_path / "web.nsunit").write_text("[Container]\nImage=x\nExec=sleep 1\nTimeOffset=boottime 1s\n")
    (tmp_path / "web.nsunit.d").mkdir()
    (tmp_path / "web.nsunit.d/more.conf").write_text("[Container]\nExec=\nExec=sleep 2\n")
    found = FixedContext(str(tmp_path))
    monkeypatch.setattr(found, "connect", lambda: None)
    monkeypatch.setattr(Invocation, "context", lambda _self: found)
    return tmp_path


def test_it_is_printed_with_what_drop_ins_say(place, capsys):
    assert main(["export", "web", "--as", "quadlet"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("[Container]\nImage=x\n")
    assert "\nExec=sleep 2\n" in out and "sleep 1" not in out
    assert err == f"nsunit: {place}/web.nsunit:4: TimeOffset: podman has nothing like it; leave it out\n"


def test_it_is_written_and_nothing_replaced(place, capsys):
    (place / "boot.nsunit").write_text("[Container]\nRootfs=/srv/b\nBoot=yes\n[Slice]\nMemoryMax=1G\n")
    assert main(["export", "boot", "--as=nspawn", str(place / "out")]) == 0
    names = [f"{place}/out/boot.nspawn", f"{place}/out/systemd-nspawn@boot.service.d/50-nsunit.conf"]
    assert capsys.readouterr().out.split() == names
    assert "MemoryMax=1G\n" in (place / "out/systemd-nspawn@boot.service.d/50-nsunit.conf").read_text()
    (place / "out/boot.nspawn").write_text("mine")
    assert main(["export", "boot", "--as=nspawn", str(place / "out")]) == 1
    assert "is there already\n  hint: --force replaces it" in capsys.readouterr().err
    assert (place / "out/boot.nspawn").read_text() == "mine"
    assert main(["export", "boot", "--as=nspawn", "--force", str(place / "out")]) == 0
    assert main(["export", "boot", "--as=nspawn"]) == 0
    assert "# boot.nspawn\n[Exec]\nBoot=yes\n" in capsys.readouterr().out


def test_a_network_is_one_of_quadlet(place, capsys):
    (place / "front.network.nsunit").write_text("[Network]\nSubnet=10.7.0.0/24\nIsolate=yes\n")
    assert main(["export", "front.network", "--as=quadlet"]) == 0
    out, err = capsys.readouterr()
    assert out == "[Network]\nNetworkName=front\nSubnet=10.7.0.0/24\n"
    assert "front.network.nsunit:3: Isolate: containers of a network reach each other there" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["web", "--as=helm"],
            "'helm' is not a kind to export as\n  hint: there are quadlet, run, compose, nspawn, oci",
        ),
        (["shop.pod", "--as=run"], "'shop.pod' is no container"),
        (["front.network", "--as=compose"], "'front.network' is no container"),
        (["shop.slice", "--as=quadlet"], "'shop.slice' is no container"),
        (["front.network", "--as=quadlet"], "the network 'front' is not defined"),
        (["web"], "export: FILE is missing"),
        (["web", "x.tar", "--force"], "--force is for --as"),
        (["nothing", "--as=run"], "nothing"),
    ],
)
def test_what_is_refused(place, words, said, capsys):
    assert main(["export", *words]) != 0
    assert said in capsys.readouterr().err


def test_a_directory_that_cannot_be_written_to(place, capsys):
    (place / "file").write_text("")
    assert main(["export", "web", "--as=run", str(place / "file/below")]) == 1
    assert "hint: name another directory" in capsys.readouterr().err


def test_the_shell_knows_all_kinds():
    (verb,) = [verb for verb in VERBS if verb.name == "export"]
    (option,) = [option for option in verb.options if option.long == "as"]
    assert option.complete == tuple(KINDS)


def test_what_cannot_be_written_anew_stays(place, monkeypatch, capsys):
    """It was emptied before it was written."""
    (place / "out").mkdir()
    (place / "out/web.container").write_text("mine")

    def full(_fd):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert main(["export", "web", "--as=quadlet", "--force", str(place / "out")]) == 1
    assert "web.container': No space left on device" in capsys.readouterr().err
    assert (place / "out/web.container").read_text() == "mine"
    assert os.listdir(place / "out") == ["web.container"]


@pytest.mark.parametrize("force", [False, True])
def test_of_several_files_none_is_left_when_one_cannot_be_written(tmp_path, force):
    """What has replaced another is told of."""
    (tmp_path / "one").write_text("mine") if force else None
    (tmp_path / "three").write_text("no directory")
    found = Exported((("one", "1"), ("two", "2"), ("three/in", "3"), ("four", "4")), ())
    with pytest.raises(NsunitError) as caught:
        write(found, str(tmp_path), force=force)
    told = f"; replaced by then: '{tmp_path}/one'" if force else ""
    assert caught.value.message == f"'{tmp_path}/three/in': File exists{told}"
    assert sorted(os.listdir(tmp_path)) == (["one", "three"] if force else ["three"])


def test_an_interruption_leaves_none_either(tmp_path, monkeypatch):
    makedirs = os.makedirs

    def interrupted(path, **options):
        if os.listdir(tmp_path):
            raise KeyboardInterrupt
        makedirs(path, **options)

    monkeypatch.setattr(os, "makedirs", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(Exported((("one", "1"), ("two", "2")), ()), str(tmp_path), force=False)
    assert os.listdir(tmp_path) == []
