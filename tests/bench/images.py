#!/usr/bin/python3
"""Compare how images come in with podman, natively, in a system of `tests/vm/quick`: JSON of all times for `draw.py`.

`tests/bench/run --images` brings it there.  Each round has a file system of its own, with a journal, since one without
looks for inodes that were not removed a moment ago.  Who writes pays: before each deed all is on the disk, and what a
tool does not wait for after it is shown as a figure of its own.  The memory is the most that all processes together had
that came meanwhile, looked at in a round without a clock.  Nothing here asserts a time: figures are for people.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import stat
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from peers import first_number, quietly, said, surroundings
from resident import processes, shared_out

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "vm"))

import oci  # noqa: E402

WORK = Path("/var/tmp/bench-images")
FILES, BIG = 20_000, 16
TEXT, BINARY = 6 << 10, 6 << 20  # bytes, of a file in the middle
LAYERS = (0.6, 0.25, 0.15)  # which part of the files is in each
LOAD, SYNCED, AGAIN, START = "archive in", "archive in, and all on the disk", "all but a layer there", "start"
OWN, PODMAN = "nsunit", "podman"
STORES = {OWN: "/var/lib/nsunit/images", PODMAN: "/var/lib/containers/storage"}
DISK = "900M"
DEFINITIONS = Path("/run/nsunit/definitions")
IMAGES = {"first": "localhost/bench:first", "second": "localhost/bench:second"}
Entries = list[tuple[tarfile.TarInfo, bytes]]
Times = dict[str, dict[str, list[float]]]


def words(chance: random.Random) -> Iterator[bytes]:
    """Text that gzip makes a quarter of, as it does of programs' sources: few words are said often."""
    letters = b"etaoinshrdlucmfwypvbgkqjxz"
    known = [bytes(chance.choices(letters, k=chance.randint(2, 11))) for _ in range(4000)]
    while True:
        yield b" ".join(known[int(chance.paretovariate(0.6)) % len(known)] for _ in range(12)) + b"\n"


def files() -> Iterator[tuple[str, bytes]]:
    """The names and contents of the image's files: many small texts, and programs, of which half is like random."""
    chance = random.Random(12)
    text = b"".join(line for line, _ in zip(words(chance), range(200_000), strict=False))
    for number in range(FILES):
        place = f"usr/lib/part{number // 400}/module{number // 12}/file{number}"
        if number % (FILES // BIG) == 7:
            size = int(BINARY * chance.lognormvariate(0, 0.6))
            pieces = (chance.randbytes(4096) if chance.random() < 0.5 else text[at : at + 4096] for at in steps(size))
            yield place + ".so", b"".join(pieces)
        else:
            begin, size = chance.randrange(len(text) - (4 << 20)), int(TEXT * chance.lognormvariate(0, 0.9))
            yield place + ".py", text[begin : begin + size]


def steps(size: int) -> range:
    """Where in a text the pieces of a file of *size* bytes are from."""
    return range(0, size, 4096)


def in_directories(found: list[tuple[str, bytes]]) -> Entries:
    """The entries of a layer: each directory before what is in it."""
    entries: Entries = []
    seen = {"."}
    for name, data in found:
        for parent in reversed(Path(name).parents):
            if str(parent) not in seen:
                seen.add(str(parent))
                entries.append(oci.directory(str(parent)))
        entries.append(oci.entry(name, data=data))
    return entries


def make_archives() -> None:
    """Write first.tar and second.tar: the second has all layers of the first, and one small one."""
    WORK.mkdir(exist_ok=True)
    if (WORK / "second.tar").exists():
        return
    found = list(files())
    layers, begin = [], 0
    for share in LAYERS:
        end = begin + round(share * len(found))
        entries = in_directories(found[begin:end])
        layers.append(oci.archive(entries if begin else [*runnable(), *entries]))
        begin = end
    own = oci.archive(in_directories([(f"srv/more/file{number}", b"own\n") for number in range(100)]))
    for name, those in (("first", layers), ("second", [*layers, own])):
        oci.Layout(WORK / name).image(those, IMAGES[name])
        subprocess.run(("tar", "-C", WORK / name, "-cf", WORK / f"{name}.tar", "."), check=True)
        shutil.rmtree(WORK / name)


def runnable() -> Entries:
    """What a container needs to start."""
    program = Path("/srv/roots/busybox/bin/busybox").resolve().read_bytes()
    made = [oci.directory(name) for name in ("bin", "proc", "sys", "dev", "run", "tmp", "etc")]
    return [*made, oci.entry("bin/busybox", data=program, mode=0o755), oci.hard("bin/sleep", "bin/busybox")]


def command(tool: str, image: str) -> tuple[str, ...]:
    """What brings an image in."""
    archive = f"{WORK}/{image}.tar"
    if tool == PODMAN:
        return ("podman", "load", "-q", "-i", archive)
    return ("nsunit", "image", "import", f"oci-archive:{archive}")


@contextlib.contextmanager
def fresh(tool: str) -> Iterator[None]:
    """A store of *tool* with nothing in it, on a disk of its own."""
    disk, store = f"{WORK}/disk", STORES[tool]
    said("fallocate", "-l", DISK, disk)
    said("mkfs.ext4", "-q", "-F", "-N", "80000", disk)
    os.makedirs(store, 0o700, exist_ok=True)
    said("mount", "-o", "loop", disk, store)
    os.chmod(store, 0o700)
    try:
        yield
    finally:
        said("umount", "-R", store)
        os.unlink(disk)


def make_loops() -> None:
    """Have the nodes of loop devices, which only udev makes."""
    for name, *numbers in (("loop-control", 10, 237), *((f"loop{number}", 7, number) for number in range(64))):
        if not os.path.exists(f"/dev/{name}"):
            os.mknod(f"/dev/{name}", 0o600 | (stat.S_IFCHR if numbers[0] == 10 else stat.S_IFBLK), os.makedev(*numbers))


def timed(argv: tuple[str, ...]) -> tuple[float, float]:
    """How long a command takes, and that with what is not on the disk yet, in milliseconds; before it, all is."""
    os.sync()
    begun = time.monotonic()
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    done = time.monotonic()
    os.sync()
    return (done - begun) * 1000, (time.monotonic() - begun) * 1000


def bring(tool: str, times: Times) -> None:
    """Both images, the second on top of the first."""
    with fresh(tool):
        first, synced = timed(command(tool, "first"))
        again, _ = timed(command(tool, "second"))
    for deed, took in ((LOAD, first), (SYNCED, synced), (AGAIN, again)):
        times.setdefault(deed, {}).setdefault(tool, []).append(took)
    if tool == OWN:
        times[AGAIN].setdefault(f"{OWN}, nothing there", []).append(first)


def start(times: Times) -> None:
    """A start of the image, and of the same layers by their directories."""
    for kind, name in ((OWN, "benchimage"), (f"{OWN}, by Layer=", "benchlayers")):
        times.setdefault(START, {}).setdefault(kind, []).append(timed(("nsunit", "start", name))[0])
        quietly("nsunit", "stop", name)


def define() -> None:
    """The two containers that are started."""
    inspected = json.loads(said("nsunit", "image", "inspect", "--json", IMAGES["first"]))
    found = inspected[0] if isinstance(inspected, list) else inspected
    layers = [f"{STORES[OWN]}/layers/{chain.removeprefix('sha256:')}/root" for chain in found["layers"]]
    DEFINITIONS.mkdir(exist_ok=True, parents=True)
    rest = "Volatile=yes\nExec=sleep 1000\n"
    (DEFINITIONS / "benchimage.nsunit").write_text(f"[Container]\nImage={IMAGES['first']}\n{rest}")
    lines = "".join(f"Layer={path}\n" for path in layers)
    (DEFINITIONS / "benchlayers.nsunit").write_text(f"[Container]\n{lines}{rest}")


@contextlib.contextmanager
def watched() -> Iterator[list[int]]:
    """The most KiB that the processes together have that come while this is entered, as a list of one."""
    before, most, over = set(processes()), [0], threading.Event()

    def look() -> None:
        while not over.wait(0.01):
            most[0] = max(most[0], sum(map(shared_out, set(processes()) - before)))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield most
    finally:
        over.set()
        watcher.join()


def main() -> None:
    """Measure, and print the JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--start-rounds", type=int, default=30)
    arguments = parser.parse_args()
    make_archives()
    make_loops()
    tools = [OWN, *([PODMAN] if shutil.which(PODMAN) else [])]
    notes = {}
    for tool in tools:
        with fresh(tool), watched() as most:
            timed(command(tool, "first"))
        notes[tool] = f"{most[0] / 1024:.0f} MiB at most, of all its processes"
    times: Times = {}
    for number in range(arguments.rounds):
        for tool in tools if number % 2 else reversed(tools):
            bring(tool, times)
    with fresh(OWN):
        timed(command(OWN, "first"))
        define()
        for _ in range(arguments.start_rounds):
            start(times)
    json.dump(
        {
            **surroundings(),
            "versions": {tool: first_number(said(tool, "--version")) for tool in tools},
            "notes": notes,
            "left_out": {} if PODMAN in tools else {PODMAN: "it is not installed"},
            "times": times,
        },
        sys.stdout,
    )


main()
