"""What gives things in the store their names."""

import contextlib
import errno
import fcntl
import os
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from nsunit.core.context import Context
from nsunit.errors import NsunitError
from nsunit.features.images.collect import prune
from nsunit.features.images.doctor import left
from nsunit.features.images.layout import Image
from nsunit.features.images.store import Store
from nsunit.features.images.writing import (
    Staging,
    Workplace,
    add_image,
    add_name,
    add_names,
    admit,
    spool,
    swap,
    swap_back,
    sweep_place,
    take_away,
)
from nsunit.setup import linux
from nsunit.storage import files
from nsunit.storage.paths import Paths


@pytest.mark.parametrize("known", [True, False])
def test_two_have_each_others_names(known, tmp_path, monkeypatch):
    def refuse(_first, _second):
        raise OSError(errno.EINVAL, "not here")

    if not known:
        monkeypatch.setattr(linux, "rename_exchange", refuse)
    for name in ("new", "old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    swap(str(tmp_path / "new"), str(tmp_path / "old"))
    assert (os.listdir(tmp_path / "new"), os.listdir(tmp_path / "old")) == (["old"], ["new"])
    assert sorted(os.listdir(tmp_path)) == ["new", "old"]
    with pytest.raises(FileNotFoundError):
        swap(str(tmp_path / "none"), str(tmp_path / "old"))


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")])
def test_a_name_that_does_not_come_to_be_leaves_nothing(error, tmp_path, monkeypatch):
    def rename(_source, _target):
        raise error

    store = Store(Paths(str(tmp_path / "run"), str(tmp_path)))
    os.makedirs(store.names)
    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(type(error)):
        add_name(store, "localhost/web:1", "0" * 64)
    assert os.listdir(store.names) == []


def test_what_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    """A full disk left a file for each try, which nobody but doctor removed."""
    store = Store(Paths(str(tmp_path / "run"), str(tmp_path)))
    for directory in (store.configs, store.about, store.images):
        os.makedirs(directory)

    def full(_fd):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        add_image(store, Image("ab" * 32, ()), b"{}", {})
    assert [os.listdir(directory) for directory in (store.configs, store.about, store.images)] == [[], [], []]


def tree(place):
    """All names below a directory, with what links lead to."""
    found = Path(place).rglob("*")
    return sorted((str(path.relative_to(place)), os.readlink(path) if path.is_symlink() else "") for path in found)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_what_does_not_get_all_of_its_names_gets_none(error, tmp_path, monkeypatch):
    """Whichever it was: on a full disk the layers stayed, which are what is large."""
    store = Store(Paths(str(tmp_path / "run"), str(tmp_path)), files.remove_tree)
    first, second, below, top = ("ab" * 32, "cd" * 32, "01" * 32, "23" * 32)
    sync, left = files.sync_directory, 0

    def fail(path):
        nonlocal left
        left -= 1
        if left == 0:
            raise error(errno.EIO, "broken")
        sync(path)

    def bring(image, *chains):
        with Staging(store) as staging:
            layers = [{"chain": chain, "place": str(place)} for place, chain in enumerate(chains)]
            for layer in layers:
                os.makedirs(f"{staging.path}/{layer['place']}/root/etc")
            admit(store, staging, layers, Image(image, tuple(chains)), b"{}", {}, ["localhost/a:1", "localhost/b:1"])

    bring(first, below)
    add_name(store, "localhost/b:1", first)
    os.unlink(f"{store.names}/localhost+a:1")
    before = tree(store.path)
    monkeypatch.setattr(files, "sync_directory", fail)
    for step in range(1, 100):
        left = step
        try:
            bring(second, below, top)
        except error:
            assert tree(store.path) == before, step
        else:
            break
    assert step == 7
    assert [link for name, link in tree(store.names)] == [f"../images/{second}"] * 2
    assert sorted(store.chains()) == sorted([below, top])


def test_a_pipe_becomes_a_file(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "fifo")
    with subprocess.Popen(["sh", "-c", "cat /etc/passwd >fifo"], cwd=tmp_path):
        spool(str(tmp_path / "fifo"), str(tmp_path / "file"))
    assert (tmp_path / "file").read_bytes() == Path("/etc/passwd").read_bytes()
    with pytest.raises(IsADirectoryError) as caught:
        spool(str(tmp_path), str(tmp_path / "other"))
    assert caught.value.filename == str(tmp_path)


def test_what_a_killed_writer_left_is_told(tmp_path):
    store = Store(Paths(str(tmp_path / "run"), str(tmp_path)))
    gone, own, digest = 1 << 22, os.getpid(), "ab" * 32
    for directory in (store.names, store.images):
        os.makedirs(directory)
    for name in (f".{gone}.new", f".{own}.new", f"docker.io+x:1.{gone}.new"):
        os.symlink("../images/x", f"{store.names}/{name}")
    for name in (f"{digest}.{gone}.new", f"{digest}.{own}.new", digest):
        (tmp_path / f"images/images/{name}").touch()
    owners = SimpleNamespace(context=SimpleNamespace(paths=store.paths))
    assert [item.what for item in left(owners)] == [f"{store.names}/.{gone}.new", f"{store.images}/{digest}.{gone}.new"]


def test_what_others_remove_meanwhile_is_passed_over(tmp_path, monkeypatch):
    """An import failed where another one ended just then."""

    def place(name):
        (tmp_path / "place" / name).mkdir(parents=True)
        return str(tmp_path / "place" / name)

    removed = []
    own, left = place("own"), place("left")
    held = os.open(own, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(held, fcntl.LOCK_SH)
    monkeypatch.setattr(files, "list_directory", lambda path: ["gone", "left", "own"])
    swept = sweep_place(f"{tmp_path}/place", contextlib.nullcontext, lambda path: removed.append(path) or True)
    os.close(held)
    assert (swept, removed) == (1, [left])


def test_a_workplace_is_gone_at_the_end_and_taken_by_none_before(tmp_path):
    place = str(tmp_path / "place")
    with Workplace(place, contextlib.nullcontext, files.remove_tree) as work:
        assert sweep_place(place, contextlib.nullcontext, files.remove_tree) == 0
        assert os.listdir(place) == [work.token]
    assert os.listdir(place) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.EIO, "broken")])
def test_a_workplace_that_cannot_be_had_leaves_nothing(error, tmp_path, monkeypatch):
    def fail(_fd, _operation):
        raise error

    place = str(tmp_path / "place")
    monkeypatch.setattr(fcntl, "flock", fail)
    with pytest.raises(type(error)), Workplace(place, contextlib.nullcontext, files.remove_tree):
        pass
    assert os.listdir(place) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, NsunitError])
def test_what_has_failed_in_a_workplace_is_told_before_what_cannot_be_removed(error, tmp_path):
    def refuse(path):
        raise OSError(errno.EIO, "broken", path)

    with pytest.raises(error), Workplace(str(tmp_path / "place"), contextlib.nullcontext, refuse):
        raise error("it is damaged")
    with pytest.raises(OSError, match="broken"), Workplace(str(tmp_path / "place"), contextlib.nullcontext, refuse):
        pass


@pytest.mark.parametrize(("step", "exchanges"), [*((at, True) for at in range(2)), *((at, False) for at in range(4))])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_swap_that_ends_anywhere_is_taken_back(step, exchanges, when, tmp_path, monkeypatch):
    new, path, left = str(tmp_path / "new"), str(tmp_path / "path"), step
    for name in (new, path):
        os.makedirs(f"{name}/{os.path.basename(name)}")
    former = os.lstat(path)

    def counted(call):
        def one(*names):
            nonlocal left
            left -= 1
            if left < 0 and when == "before":
                raise KeyboardInterrupt
            call(*names)
            if left < 0:
                raise KeyboardInterrupt

        return one

    def refused(*_names):
        raise OSError(errno.EINVAL, "Invalid argument")

    if not exchanges:
        monkeypatch.setattr(linux, "rename_exchange", refused)
    with monkeypatch.context() as signalled:
        signalled.setattr(os, "rename", counted(os.rename))
        signalled.setattr(linux, "rename_exchange", counted(linux.rename_exchange) if exchanges else refused)
        with contextlib.suppress(KeyboardInterrupt):
            swap(new, path)
    swap_back(new, path, former)
    assert {name: os.listdir(tmp_path / name) for name in os.listdir(tmp_path)} == {"new": ["new"], "path": ["path"]}


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_of_several_names_all_lead_to_the_image_or_none(error, tmp_path, monkeypatch):
    """`image tag` left those that came before the one that could not be written."""
    store = Store(Paths(str(tmp_path / "run"), str(tmp_path)), files.remove_tree)
    os.makedirs(store.names)
    add_name(store, "localhost/b:1", "ab" * 32)
    before, rename = tree(store.path), os.rename

    def fail(source, target):
        if target.endswith("c:1"):
            raise error(errno.EIO, "broken")
        rename(source, target)

    names = ["localhost/a:1", "localhost/b:1", "localhost/c:1"]
    with monkeypatch.context() as broken, pytest.raises(error):
        broken.setattr(os, "rename", fail)
        add_names(store, names, "cd" * 32)
    assert tree(store.path) == before
    add_names(store, names, "cd" * 32)
    assert [link for _, link in tree(store.names)] == [f"../images/{'cd' * 32}"] * 3


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_image_is_taken_away_with_all_of_its_names_or_stays(error, tmp_path, monkeypatch):
    """`image rm` was to be called by its id then, as no name led to it any more."""
    store, image = Store(Paths(str(tmp_path / "run"), str(tmp_path)), files.remove_tree), "ab" * 32
    for directory in (store.names, store.images, store.about, store.configs):
        os.makedirs(directory)
    names = ["localhost/a:1", "localhost/b:1"]
    add_image(store, Image(image, ()), b"{}", {})
    add_names(store, names, image)
    before, unlink = tree(store.path), os.unlink
    for step in range(3):
        left = [step]

        def fail(path, left=left):
            left[0] -= 1
            if left[0] == -1:
                raise error(errno.EIO, "broken")
            unlink(path)

        with monkeypatch.context() as broken, pytest.raises(error):
            broken.setattr(os, "unlink", fail)
            take_away(store, image, names, whole=True)
        assert tree(store.path) == before, step
    take_away(store, image, names, whole=True)
    assert [len(os.listdir(place)) for place in (store.names, store.images, store.about, store.configs)] == [0] * 4


def test_documents_of_no_image_go_with_the_next_removal(tmp_path):
    """Whoever was killed between two of them left the others for good."""
    store = Store(Paths(str(tmp_path / "run"), str(tmp_path)), files.remove_tree)
    for directory in (store.names, store.images, store.about, store.configs, store.layers):
        os.makedirs(directory)
    context = Context(paths=store.paths)
    add_image(store, Image("ab" * 32, ()), b"{}", {})
    add_name(store, "localhost/a:1", "ab" * 32)
    for directory in (store.about, store.configs):
        Path(directory, "cd" * 32).touch()
    prune(context)
    assert [os.listdir(directory) for directory in (store.about, store.configs)] == [["ab" * 32]] * 2
