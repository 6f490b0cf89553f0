"""update and rollback: what runs in the end, and what is said."""

import errno
import os
import types

import pytest
from definitions import container

from nsunit.definition.model import Definition
from nsunit.errors import NotFoundError, NsunitError
from nsunit.features.images import pins, writing
from nsunit.features.images.layout import Image
from nsunit.features.images.pins import Pin
from nsunit.features.images.store import Store
from nsunit.features.updates import switch
from nsunit.storage import files
from nsunit.storage.files import remove_tree
from nsunit.storage.paths import Paths

ONE, TWO, THREE = ("1" * 64, "2" * 64, "3" * 64)
NAME = "localhost/web:1"


class World:
    """A store with three images, of which the name means the second, and a container that runs the first."""

    def __init__(self, place, monkeypatch):
        paths = Paths(str(place / "run"), str(place / "state"))
        self.context = types.SimpleNamespace(paths=paths, search=None, host=None, remove_tree=remove_tree)
        self.store = Store(paths)
        for path in (self.store.images, self.store.configs, self.store.about, self.store.names, paths.locks):
            os.makedirs(path, exist_ok=True)
        for identity in (ONE, TWO, THREE):
            writing.add_image(self.store, Image(identity, ()), b"{}", {})
        writing.add_name(self.store, NAME, TWO)
        self.directory = paths.state_of("web")
        os.makedirs(self.directory)
        self.has(ONE)
        self.runs, self.restarts, self.renewed, self.fails = True, [], [], set()
        self.text = f"Image={NAME}\n"
        monkeypatch.setattr(switch, "is_running", lambda context, name: self.runs)
        monkeypatch.setattr(switch, "load", lambda *_: Definition("web", container("", self.text), (), (), ()))

    def has(self, identity):
        with open(f"{self.directory}/image", "w") as file:
            file.write(f"{NAME}\n{identity}\n")

    def renew(self, name, runs):
        identity = pins.read(self.directory).identity
        if not runs:
            self.renewed.append(identity[0])
            if identity in self.fails:
                raise NsunitError(f"{name}: it cannot be enabled")
            return
        self.restarts.append(identity[0])
        self.has(identity)
        if identity in self.fails:
            raise NsunitError(f"{name}: it is unhealthy", hint="look")

    def update(self, *words, **options):
        return switch.update(self.context, "web", self.renew, *words, **options)

    def roll_back(self):
        return switch.roll_back(self.context, "web", self.renew)


@pytest.fixture
def world(tmp_path, monkeypatch):
    return World(tmp_path, monkeypatch)


def test_there_and_back_again(world):
    found = world.update()
    assert (found.state, found.differences) == ("updated", (f"from {ONE[:12]} to {TWO[:12]}",))
    assert pins.read(world.directory) == Pin(NAME, TWO, ONE)
    assert world.update().state == "newest"
    assert world.roll_back().state == "rolled-back"
    assert pins.read(world.directory) == Pin(NAME, ONE, TWO, TWO)
    assert world.update(auto=True).state == "newest"  # nobody asked for that one again
    assert world.update().state == "updated"
    assert world.restarts == ["2", "1", "2"]


def test_what_fails_is_taken_back(world):
    world.fails = {TWO}
    found = world.update()
    assert str(found.error) == f"web: not with the image {TWO[:12]}: it is unhealthy; it runs {ONE[:12]} again"
    assert (found.state, found.error.hint, world.restarts) == ("failed", "look", ["2", "1"])
    assert pins.read(world.directory) == Pin(NAME, ONE, "", TWO)
    assert world.update(auto=True).state == "newest"
    assert world.update("sha256:" + THREE, auto=True).state == "updated"
    world.fails = {ONE, TWO}
    assert world.roll_back().error.message.endswith(f"; it runs {THREE[:12]} again")
    world.fails = {TWO, THREE}
    text = f"; and it does not run with {THREE[:12]} again: it is unhealthy"
    assert world.update().error.message.endswith(text)


def test_an_interrupt_leaves_the_former_one_for_the_next_start(world):
    def renew(_name, _runs):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        switch.update(world.context, "web", renew)
    assert pins.read(world.directory) == Pin(NAME, ONE, "", TWO)


def test_one_that_does_not_run(world):
    world.runs = False
    assert world.update().state == "updated-for-next-start"
    assert world.update().state == "newest"
    found = world.roll_back()
    assert (found.state, found.differences) == ("rolled-back-for-next-start", (f"from {TWO[:12]} to {ONE[:12]}",))
    assert pins.read(world.directory) == Pin(NAME, ONE, TWO, TWO)
    world.fails = {THREE}
    with pytest.raises(NsunitError, match="web: it cannot be enabled"):
        world.update("sha256:" + THREE)
    assert pins.read(world.directory) == Pin(NAME, ONE, TWO, TWO)
    assert (world.restarts, world.renewed) == ([], ["2", "1", "3"])


def test_one_that_was_killed_before_it_ran_what_was_chosen(world):
    pins.write(world.directory, Pin(NAME, TWO, ONE))
    assert world.update().state == "updated"
    assert pins.read(world.directory) == Pin(NAME, TWO, ONE)
    world.has(ONE)
    assert world.roll_back().differences == (f"from {TWO[:12]} to {ONE[:12]}",)


@pytest.mark.parametrize("runs", [True, False])
def test_one_that_is_removed_meanwhile(world, runs):
    world.runs = runs

    def renew(name, _runs):
        remove_tree(world.directory)
        raise NsunitError(f"{name}: there is no definition of it")

    if runs:
        found = switch.update(world.context, "web", renew)
        text = f"web: not with the image {TWO[:12]}: there is no definition of it; and it does not run with {ONE[:12]}"
        assert str(found.error) == f"{text} again: there is no definition of it"
    else:
        with pytest.raises(NsunitError, match="^web: there is no definition of it$"):
            switch.update(world.context, "web", renew)
    assert not os.path.exists(world.directory)


def test_one_that_was_just_removed(world, monkeypatch):
    image = Store.image
    monkeypatch.setattr(Store, "image", lambda self, text: remove_tree(world.directory) and image(self, text))
    with pytest.raises(NsunitError, match="^web: it was just removed$") as error:
        world.update()
    assert error.value.hint == "'nsunit start web' takes the newest one"
    assert not os.path.exists(world.directory)


def test_what_was_written_on_older_images_goes(world):
    for identity in (ONE, THREE):
        os.makedirs(f"{world.context.paths.upper_of('web')}-{identity}/upper")
    world.update()
    assert sorted(os.listdir(world.directory)) == ["image", f"overlay-{ONE}", "pin"]


def test_what_is_refused(world):
    with pytest.raises(NsunitError, match="web: there is no update to go back from"):
        world.roll_back()
    with pytest.raises(NotFoundError, match="there is no image 'localhost/none'"):
        world.update("localhost/none")
    world.update()
    world.text = "Image=localhost/other:1\n"
    with pytest.raises(NsunitError, match="web: there is no update to go back from"):
        world.roll_back()
    os.unlink(f"{world.store.images}/{ONE}")
    world.text = f"Image={NAME}\n"
    with pytest.raises(NsunitError, match=f"web: the image {ONE[:12]} is not there any more"):
        world.roll_back()
    os.unlink(f"{world.directory}/image")
    with pytest.raises(NsunitError, match="web: it was never started, so there is nothing to update"):
        world.update()
    world.text = "Rootfs=/srv/r\nExec=/bin/sh\n"
    with pytest.raises(NsunitError, match="web: it has no image") as refused:
        world.update()
    assert "'nsunit restart web' takes another Layer=" in str(refused.value.hint)


def test_a_signal_once_the_image_is_noted_leaves_the_former_one(world, monkeypatch):
    write = pins.write

    def interrupted(directory, pin, *file):
        write(directory, pin, *file)
        if not file:
            raise KeyboardInterrupt

    monkeypatch.setattr(pins, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        world.update()
    assert (pins.read(world.directory).identity, world.restarts) == (ONE, [])
    assert sorted(os.listdir(world.directory)) == ["image", "pin"]


@pytest.mark.parametrize("runs", [True, False])
def test_the_way_back_needs_no_room(world, monkeypatch, runs):
    """It had the new image noted, and where it had been stopped by then nothing ran."""
    world.runs, world.fails = runs, {TWO}
    write, renew = files.write_file, world.renew

    def full(path, *_words):
        raise OSError(errno.ENOSPC, "No space left on device", path)

    def filling(*words):
        monkeypatch.setattr(files, "write_file", full)
        renew(*words)

    world.renew = filling
    if runs:
        assert world.update().error.message.endswith(f"it is unhealthy; it runs {ONE[:12]} again")
        assert world.restarts == ["2", "1"]
    else:
        with pytest.raises(NsunitError, match="it cannot be enabled"):
            world.update()
    assert pins.read(world.directory) == Pin(NAME, ONE, "", TWO if runs else "")
    monkeypatch.setattr(files, "write_file", write)
    world.renew, world.fails = renew, set()
    assert world.update().state.startswith("updated")
    assert sorted(os.listdir(world.directory)) == ["image", "pin"]


@pytest.mark.parametrize("pinned", [None, Pin(NAME, ONE, THREE)])
@pytest.mark.parametrize("file", ["pin.back", "pin"])
def test_what_cannot_be_noted_changes_nothing(world, monkeypatch, pinned, file):
    """It was pinned to the image that it had, as if that had been chosen."""
    if pinned:
        pins.write(world.directory, pinned)
    write, failures = files.write_file, [OSError(errno.ENOSPC, "No space left on device")]

    def full(path, *words):
        if path.endswith(f"/{file}") and failures:
            raise failures.pop()
        write(path, *words)

    monkeypatch.setattr(files, "write_file", full)
    with pytest.raises(OSError, match="No space left"):
        world.update()
    assert (pins.read(world.directory), world.restarts) == (pinned, [])
    assert os.listdir(world.directory).count("pin.back") == 0
    assert world.update().state == "updated"


@pytest.mark.parametrize("runs", [True, False])
def test_a_pin_is_written_under_the_lock_of_its_container(world, monkeypatch, runs):
    """When it failed it was written without, beside whoever starts it with the pin that he has read."""
    locked = []

    def noted(function):
        def seen(*words):
            locked.append(os.path.exists(f"{world.context.paths.locks}/web"))
            return function(*words)

        return seen

    for name in ("prepare_return", "write", "go_back"):
        monkeypatch.setattr(pins, name, noted(getattr(pins, name)))
    world.fails, world.runs = {TWO}, runs
    if runs:
        assert world.update().state == "failed"
    else:
        with pytest.raises(NsunitError, match="it cannot be enabled"):
            world.update()
    assert set(locked) == {True}
    assert len(locked) >= 3


def test_what_another_command_has_chosen_meanwhile_stays(world):
    """The one that fails took it back, too; and one that waited for the lock went by what it had read before."""
    renew, other = world.renew, Pin(NAME, THREE, ONE)

    def chosen(name, runs):
        pins.prepare_return(world.directory, other)
        pins.write(world.directory, other)
        renew(name, runs)

    world.renew, world.fails = chosen, {THREE}
    with pytest.raises(NsunitError, match="it is unhealthy"):
        world.update()
    assert (pins.read(world.directory), world.restarts) == (other, ["3"])
    assert "pin.back" in os.listdir(world.directory)  # it is of who is not done


def test_who_has_waited_for_another_command_begins_anew(world, monkeypatch):
    find = Store.find

    def meanwhile(store, text):
        pins.write(world.directory, Pin(NAME, THREE, ONE))
        return find(store, text)

    monkeypatch.setattr(Store, "find", meanwhile)
    with pytest.raises(NsunitError, match="web: another command has just chosen its image"):
        world.update()
    assert (pins.read(world.directory).identity, world.restarts) == (THREE, [])
