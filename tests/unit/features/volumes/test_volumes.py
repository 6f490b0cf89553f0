"""Volume= and ImageVolumes=: what they take, what an image adds, and the steps that come of it."""

import fcntl
import os
from pathlib import Path

import pytest
from definitions import container, problems

from nsunit.core.context import Context
from nsunit.errors import UsageError
from nsunit.features.volumes.look import check_name
from nsunit.features.volumes.plan import mounts, operations
from nsunit.features.volumes.setup import Copy, Volume, Volumes, begin, finish, is_current, is_filled
from nsunit.features.volumes.store import Store
from nsunit.features.volumes.transfer import refuse_users
from nsunit.features.volumes.values import Chosen, file_of, of, target_of, with_image_volumes
from nsunit.features.volumes.values import Volume as Said
from nsunit.plan.facts import Facts
from nsunit.setup.mounts import Tmpfs
from nsunit.storage.paths import Paths

FACTS = Facts(257, "python3", "run.py", "/run/nsunit/containers/web").with_extra("volumes", ("/v", "/own"))

IMAGE = "Image=web\n"


def volumes(line):
    return of(container(f"Volume={line}")).volumes


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("data:/data", (Said("data", "/data"),)),
        ("/data", (Said("", "/data"),)),
        ("/data:ro", (Said("", "/data", read_only=True),)),
        (
            "a:/x//y/:nocopy,noexec,nosuid,nodev b:/z",
            (Said("a", "/x/y", copy=False, executable=False), Said("b", "/z")),
        ),
        ("a:/x:size=1M", (Said("a", "/x", size_max=1 << 20),)),
        (r"a:/x\:y:ro,rw", (Said("a", "/x:y"),)),
    ],
)
def test_what_it_takes(line, expected):
    assert volumes(line) == expected


@pytest.mark.parametrize(
    ("lines", "message", "hint"),
    [
        ("Volume=data", "'data' is not the path of a volume", "use [NAME:]TARGET[:OPTIONS]"),
        ("Volume=-x:/data", "'-x' is not the name of a volume", "use letters, digits"),
        (f"Volume={'x' * 256}:/data", "is not the name of a volume", "use letters, digits"),
        ("Volume=/srv/x:/data", "'/srv/x' is not the name of a volume", "use Bind= for a directory of the host"),
        ("Volume=srv/x:/data", "'srv/x' is not the name of a volume", "for a directory of the host use Bind="),
        ("Volume=a:/x:ro:more", "has too many colons", "put a backslash"),
        ("Volume=a:/x:suid", "'suid' is not an option of a volume", "use [NAME:]TARGET[:OPTIONS]"),
        ("Volume=a:/x:size=0", "'0' leaves no room for anything", "e.g. size=512M"),
        ("Volume=a:/x:size=many", "'many' is not a size", ""),
        ("Volume=a:/proc/x", "is in /proc, which nsunit sets up itself", "mount it somewhere else"),
        (f"Volume=/{'x' * 200}/{'y' * 200}", "is too long for a volume without a name", "give it one, NAME:TARGET"),
        ("Volume=a:/x b:/x", "'/x' is mounted on twice", "the second mount would hide the first"),
        ("Volume=a:/x\nTmpfs=/x", "'/x' is mounted on twice", "the second mount would hide the first"),
        ("Volume=a:/x\nMountNamespace=host", "nothing is mounted with MountNamespace=host", "leave it out, or use"),
        ("ImageVolumes=none", "'none' is not", "anonymous"),
        ("ImageVolumes=tmpfs", "there is no Image= that could ask for volumes", "leave it out"),
    ],
)
def test_what_is_refused(lines, message, hint):
    assert any(message in found and hint in (what_to_do or "") for found, what_to_do in problems(lines))


def test_names_of_files():
    for target in ("/data", "/var/lib/app", "/a%2Fb", "/50%/x"):
        assert "/" not in file_of(target)
        assert target_of(file_of(target)) == target


def test_what_an_image_adds():
    own = container("Volume=mine:/a\nBind=/srv:/b\nTmpfs=/c\n")
    found = with_image_volumes(own, ("/a", "/b", "/c", "/d"))
    assert of(found).volumes == (Said("mine", "/a"), Said("", "/d"))
    plain = container("")
    assert not with_image_volumes(plain, ()).uses("volumes")
    assert with_image_volumes(plain, ("/d",)).uses("volumes")
    assert with_image_volumes(container("ImageVolumes=ignore", IMAGE), ("/d",)).extra("volumes") == Chosen((), "ignore")
    assert of(with_image_volumes(container("ImageVolumes=tmpfs", IMAGE), ("/d",))).volumes == (
        Said("", "/d", memory=True),
    )


def test_the_steps():
    own = container("Volume=b:/x:ro /y a:/z:nocopy,noexec b:/w\n")
    found = mounts(own, FACTS)
    assert found == [
        Volume("/v/b", "/x", ("ro",)),
        Volume("/own/y", "/y", ()),
        Volume("/v/a", "/z", ("nocopy", "noexec")),
        Volume("/v/b", "/w", ()),
    ]
    first = Tmpfs("/a", ())
    assert operations([first, *found], own, FACTS) == [first, Volumes(("/own/y", "/v/a", "/v/b")), *found]
    # Of one of which nothing is kept.
    assert mounts(container("Volume=/y:size=1M"), FACTS) == [Volume("/own/y", "/y", ())]
    (memory,) = mounts(container("Volume=/y:size=1M"), FACTS.with_extra("volumes", ("/v", "")))
    assert memory == Volume("", "/y", ("size=1048576",))
    assert operations([memory], own, FACTS) == [memory]
    assert memory.describe() == "mount a volume at '/y'"


@pytest.mark.parametrize("name", ["", ".", "..", ".x", "a/b", "a:b", "ä"])
def test_names_that_no_volume_can_have(name):
    with pytest.raises(UsageError, match="is not the name of a volume"):
        check_name(name)


def test_what_users_have_no_archives_of(tmp_path):
    with pytest.raises(UsageError, match="owners inside are known in containers only"):
        refuse_users(Context(paths=Paths(str(tmp_path), str(tmp_path)), user=True))


def test_one_that_is_half_made_is_discarded_unless_it_is_being_filled(tmp_path):
    store = Store(Context(paths=Paths(str(tmp_path / "run"), str(tmp_path))))
    path = store.path_of("data")
    os.makedirs(path)
    directory = os.open(path, os.O_RDONLY)
    fcntl.flock(directory, fcntl.LOCK_EX)
    begin(directory)
    assert not store.discard(path)
    assert not store.has("data")
    begin(directory)  # as if the first had been killed
    assert len(os.listdir(path)) == 2
    finish(directory)
    os.close(directory)
    assert store.names() == ["data"]
    assert not store.discard(path)
    assert os.listdir(path) == ["data"]
    os.rmdir(f"{path}/data")
    directory = os.open(path, os.O_RDONLY)
    assert not is_filled(directory)
    assert is_current(path, directory)
    Path(path, "about.4194305.new").touch()  # `volume create` was killed while it was writing it
    assert store.discard(path)
    assert not store.discard(path)
    assert not is_current(path, directory)
    os.close(directory)


def test_a_tree_is_copied_however_deep_it_is(tmp_path):
    """With its times, whichever directory is left last; 600 levels fit neither one stack nor 1024 descriptors."""
    source, target = tmp_path / "source", tmp_path / "target"
    place = source
    for number in range(600):
        place = place / "d" if number else place
        place.mkdir()
        if number % 200 == 1:
            (place / "before").write_text(str(number))
            (place / "x").symlink_to("before")
    for path in (source, source / "d", source / "d/d"):
        os.utime(path, ns=(10**18, 10**18))
    target.mkdir()
    fds = [os.open(path, os.O_RDONLY | os.O_DIRECTORY) for path in (source, target)]
    opened = len(os.listdir("/proc/self/fd"))
    Copy(fds[1]).tree(*fds)
    assert len(os.listdir("/proc/self/fd")) == opened
    for fd in fds:
        os.close(fd)

    def listed(top):
        return [(folder[len(str(top)) :], sorted(dirs), sorted(names)) for folder, dirs, names in os.walk(top)]

    assert listed(target) == listed(source)
    assert (target / "d/before").read_text() == "1"
    assert [os.stat(target / path).st_mtime_ns for path in ("", "d", "d/d")] == [10**18] * 3
