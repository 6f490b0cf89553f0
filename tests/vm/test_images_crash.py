"""The store after a crash: what has a name is on the disk, and whoever is killed leaves a whole image or none."""

import fcntl
import os
import re
import subprocess
from pathlib import Path

import oci
import pytest
from test_images import STORE, Images, merged_listing, units_that_unpack
from waiting import wait_until

pytestmark = pytest.mark.once("calls of nsunit's own, in which systemd has no part")
# What makes something be there for good, and what gives it its name.
INCOMING = Path("/var/lib/nsunit/incoming")
CALLS = "syncfs,fsync,rename,renameat,renameat2,symlink,symlinkat"
LINE = re.compile(r"^(?:\[pid +\d+\] |\d+ +)?(?P<call>\w+)\((?P<arguments>.*)\) += 0$")
LAYERS = [[oci.file("a", "1"), oci.directory("d"), oci.file("d/b", "2" * 5000)], [oci.file("c", "3")]]


@pytest.fixture
def images(workplace, run):
    run("nsunit", "image", "prune", "--all", "--force")
    yield Images(workplace, run)
    run("nsunit", "image", "prune", "--all", "--force")


def traced(images, *words: str) -> list[tuple[str, str]]:
    """The calls of a command, as (name, arguments): each file by its path, also where it is a descriptor."""
    log = images.place / "calls"
    command = ["strace", "-f", "-y", "-s", "4096", "-e", f"trace={CALLS}", "-o", str(log), "nsunit", *words]
    subprocess.run(command, check=True, capture_output=True)
    found = (LINE.match(line) for line in log.read_text().splitlines())
    return [(match["call"], match["arguments"]) for match in found if match]


def test_everything_is_on_the_disk_before_it_has_its_name(images):
    """Of layers all that is on the file system, of the documents of an image each; then the name in its directory."""
    place, name = images.layout(LAYERS), images.name()
    calls = traced(images, "image", "import", str(place), "--name", name)

    def places(kind: str, text: str) -> list[int]:
        return [number for number, (call, said) in enumerate(calls) if call.startswith(kind) and text in said]

    synced = places("syncfs", f"<{STORE}/staging/")
    layers = [number for number in places("rename", f'"{STORE}/layers/') if "/staging/" in calls[number][1]]
    assert len(layers) == 2 and len(synced) == 1
    # What stands beside a layer, too, is written before.
    described = [number for number in places("rename", "/layer") if number < synced[0]]
    assert len([number for number in described if '/layer"' in calls[number][1]]) == 2
    assert synced[0] < layers[0] < layers[1] < places("fsync", f"<{STORE}/layers>")[0]
    before = places("fsync", f"<{STORE}/layers>")[0]
    for kind in ("config", "about", "images"):
        (renamed,) = places("rename", f'"{STORE}/{kind}/')
        written, after = places("fsync", f"<{STORE}/{kind}/"), places("fsync", f"<{STORE}/{kind}>")
        assert before < written[0] < renamed < after[0], kind
        before = after[0]
    named = places("rename", f'"{STORE}/names/.')
    assert before < named[0] < places("fsync", f"<{STORE}/names>")[0]


def test_killed_at_each_step(images, run):
    """SIGKILL as it enters each of these calls: what is there is whole, and the same command does the rest."""
    place, name = images.layout(LAYERS), images.name()
    wanted = oci.expected(oci.merged(LAYERS))
    words = ("nsunit", "image", "import", str(place), "--name", name)
    for step in range(1, 100):
        trace = ("-o", "/dev/null", "-e", f"trace={CALLS}", "-e", f"inject={CALLS}:signal=KILL:when={step}")
        killed = subprocess.run(["strace", *trace, *words], capture_output=True, check=False)
        if killed.returncode == 0:
            break
        assert killed.returncode in (-9, 137), killed.stderr
        for chain in os.listdir(STORE / "layers"):
            assert {"root", "files", "layer"} == set(os.listdir(STORE / "layers" / chain)), step
        if (STORE / "names" / name.replace("/", "+")).is_symlink():
            assert oci.differences(wanted, merged_listing(name, images.place / "merged")) == [], step
        assert run("nsunit", "image", "check").stdout == "nothing is wrong\n"
        wait_until(lambda: not units_that_unpack(run), "the unit to end")
        if step % 3 == 0:
            run("nsunit", "image", "prune", "--all", "--force")
            assert [os.listdir(STORE / place) for place in ("layers", "staging")] == [[], []], step
    assert step > 8
    run(*words)
    assert oci.differences(wanted, merged_listing(name, images.place / "merged")) == []
    check_prune(run)
    run("nsunit", "doctor", "--repair")
    left = [item for place in ("images", "names", "config", "about", "staging") for item in os.listdir(STORE / place)]
    assert not [item for item in left if item.startswith(".") or item.endswith(".new")]


def check_prune(run) -> None:
    """`nsunit prune` takes away what imports have left that were killed, and nothing that one is at work in."""
    INCOMING.mkdir(mode=0o700, exist_ok=True)
    for directory in (STORE / "staging/gone", STORE / "staging/held", INCOMING / "gone"):
        (directory / "root/x").mkdir(parents=True)
    fd = os.open(STORE / "staging/held", os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_SH)
    run("nsunit", "prune", "--force")
    assert (os.listdir(STORE / "staging"), os.listdir(INCOMING)) == (["held"], [])
    os.close(fd)
    run("nsunit", "prune", "--force")
    assert os.listdir(STORE / "staging") == []
