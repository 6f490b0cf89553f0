"""Volumes that are made, filled and taken away: what fails half-way, and two commands at once."""

import errno
import fcntl
import os
from types import SimpleNamespace

import pytest

from nsunit.core.context import Context
from nsunit.errors import NotFoundError
from nsunit.features.volumes import change, doctor, transfer
from nsunit.features.volumes.store import Store
from nsunit.storage import files
from nsunit.storage.paths import Paths


@pytest.fixture
def context(tmp_path, monkeypatch):
    monkeypatch.setattr(change, "users", lambda _context: change_users())
    made = Context(paths=Paths(str(tmp_path / "run"), str(tmp_path)))
    files.make_private_directory(Store(made).path)
    return made


def change_users():
    return SimpleNamespace(of=lambda _name: (), bound={}, unknown=())


def put_aside(context, name):
    path = f"{Store(context).path}/.trash-{name}"
    os.makedirs(path + "/data/deep")
    return path


def test_one_that_cannot_be_made_leaves_nothing(context, monkeypatch):
    store = Store(context)
    for fails in ("write_file", "sync_directory"):
        with monkeypatch.context() as full:
            full.setattr(files, fails, lambda *_words: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
            with pytest.raises(OSError, match="full"):
                change.create(context, "data")
        assert os.listdir(store.path) == [], fails
    change.create(context, "data")
    assert store.names() == ["data"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
@pytest.mark.parametrize("take_away", [change.remove, change.remove_bound, change.prune])
@pytest.mark.parametrize("step", range(3))
def test_of_several_all_are_taken_away_or_none(context, monkeypatch, error, take_away, step):
    """Those before the one that could not be went with the next command, and nobody had said so."""
    store = Store(context)
    for name in ("first", "second"):
        os.makedirs(f"{store.path_of(name)}/data")
    calls = []

    def fails_at(call):
        def one(*names):
            calls.append(names)
            if len(calls) == step + 1:
                raise error(errno.EIO, "broken")
            call(*names)

        return one

    with monkeypatch.context() as broken, pytest.raises(error):
        broken.setattr(os, "rename", fails_at(os.rename))
        broken.setattr(files, "sync_directory", fails_at(files.sync_directory))
        take_away(context, ["first", "second"])
    assert sorted(os.listdir(store.path)) == ["first", "second"]
    take_away(context, ["first", "second"])
    assert os.listdir(store.path) == []


def test_what_another_command_has_taken_away_meanwhile_is_not_there(context, monkeypatch):
    """It is looked for when nobody else can take it."""
    store = Store(context)
    change.create(context, "data")

    class Late:
        def __enter__(self):
            files.remove_tree(store.path_of("data"))

        def __exit__(self, *_error):
            pass

    monkeypatch.setattr(Store, "lock", lambda _self: Late())
    with pytest.raises(NotFoundError, match="there is no volume 'data'"):
        change.remove(context, ["data"])
    change.remove(context, ["data"], missing=True)


def test_of_two_that_remove_what_was_put_aside_each_removes_its_part(context, monkeypatch):
    mine, theirs, gone = (put_aside(context, name) for name in ("mine", "theirs", "gone"))
    held = os.open(theirs, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    store = Store(context)
    listed = store.put_aside()
    files.remove_tree(gone)
    monkeypatch.setattr(Store, "put_aside", lambda _self: listed)
    store.sweep()
    assert (os.path.exists(mine), os.path.exists(theirs + "/data/deep")) == (False, True)
    os.close(held)


def test_what_was_left_half_made_or_half_removed_is_a_leftover(context):
    store, seen = Store(context), SimpleNamespace(context=context)
    change.create(context, "whole")
    os.makedirs(store.path_of("half") + "/new/x")
    os.makedirs(store.path_of("filled") + "/new")
    os.makedirs(store.path_of("filled") + "/data")
    trash = put_aside(context, "x")
    held = os.open(store.path_of("half"), os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    assert [item.what for item in doctor.left(seen)] == [trash, store.path_of("filled")]
    os.close(held)
    found = list(doctor.left(seen))
    assert [item.what for item in found] == [trash, store.path_of("filled"), store.path_of("half")]
    for item in found:
        doctor.take_away(context, item)
    assert sorted(os.listdir(store.path)) == ["filled", "whole"]
    assert list(doctor.left(seen)) == []


class Bus:
    """Systemd, which tells what is stopped."""

    def __init__(self):
        self.stopped = []

    def stop(self, unit):
        self.stopped.append(unit)

    def wait(self, _job, _seconds):
        return "done"


@pytest.mark.parametrize("fails", ["rename", "fsync", "Popen"])
def test_an_archive_that_cannot_be_unpacked_leaves_nothing(context, monkeypatch, fails):
    """It is told of the volume, or of the program: EAGAIN is what a limit of tasks says, and nobody who fills it."""
    bus = Bus()
    monkeypatch.setattr(Context, "bus", bus)
    run = SimpleNamespace(wait=lambda: 0)
    monkeypatch.setattr(transfer.subprocess, "Popen", lambda *_words, **_options: run)
    place = {"rename": os, "fsync": os, "Popen": transfer.subprocess}[fails]
    before = getattr(place, fails)

    def fail(*words, **options):
        if fails == "rename" and words[1] != "data":
            return before(*words, **options)
        raise OSError(errno.EAGAIN, "try again", *words[:1]) if fails == "rename" else OSError(errno.EAGAIN, "again")

    store = Store(context)
    with monkeypatch.context() as broken, pytest.raises(OSError, match="again") as caught:
        broken.setattr(place, fails, fail)
        transfer.import_volume(context, "data", os.open(os.devnull, os.O_RDONLY))
    if fails == "Popen":
        assert (caught.value.filename, len(bus.stopped)) == ("systemd-run", 1)
    else:
        assert caught.value.filename == store.path_of("data")
        assert bus.stopped == []
    if fails != "fsync":  # then it has its name
        assert os.listdir(store.path) == []
