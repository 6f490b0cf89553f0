#!/usr/bin/python3
"""What many containers cost: reading verbs, one network, and hundreds on hundreds.

It runs as root in a system of its own (tests/vm/quick sh 'python3 /srv/nsunit/tests/bench/crowd.py …'), and prints.
Nothing here asserts a time: figures are for people.

- `reading [COUNT…]`: milliseconds and MiB of each reading verb with 10, 100 and 1,000 containers, and with 5,000
  definitions;
- `network [COUNT]`: 300 in one network, started by one command: what the first 50 and the last 50 of them took;
- `hundreds [COUNT]`: what each hundred of 1,000 takes to start and to stop, and one of them for exec and status.

Beside wall time stands the processor time of the whole system (cpu.stat of its control group; work of the kernel's own
threads is in none), since other work may run on the machine.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DEFINITIONS = Path("/run/nsunit/definitions")
CPU = Path("/sys/fs/cgroup/cpu.stat")
NAME = "crowd-{:04}"
TEXT = "[Container]\nRootfs=/srv/roots/busybox\nVolatile=yes\nNetwork={}\nExec=/bin/sleep 100000\n"
NETWORK = "[Network]\nSubnet=10.77.0.0/16\n"
VERBS = (
    *("list", "list --all", "list --json", "list --tree", "stats", "stats --json", "status", "status {}", "ps {}"),
    *("ns list", "plan", "plan {}", "verify", "cgroup list", "network check", "doctor --check", "image list"),
    *("volume list", "cat {}", "show {}", "render {}"),
)
BATCH = 50
HUNDRED = 100
SAMPLES = 15  # of what is asked of one container
program = "nsunit"


def measured(words: list[str]) -> tuple[float, float, int]:
    """Milliseconds, MiB of the process's own at most, and exit status of a command whose output nobody keeps."""
    begun = time.monotonic()
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as child:
        said = child.stderr.read() if child.stderr else b""
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in (0, 1):
        print(f"{' '.join(words)}: {said.decode()}", file=sys.stderr)
    return (time.monotonic() - begun) * 1000, usage.ru_maxrss / 1024, child.returncode


def events() -> tuple[float, float]:
    """The same of `events` up to its first line."""
    begun = time.monotonic()
    with subprocess.Popen([program, "events"], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        json.loads(child.stdout.readline())
        elapsed = (time.monotonic() - begun) * 1000
        status = Path(f"/proc/{child.pid}/status").read_text()
        peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
        child.terminate()
    return elapsed, peak / 1024


def define(numbers: range, network: str = "none") -> list[str]:
    """Write the definitions of containers, and return their names."""
    DEFINITIONS.mkdir(parents=True, exist_ok=True)
    names = [NAME.format(number) for number in numbers]
    for name in names:
        (DEFINITIONS / f"{name}.nsunit").write_text(TEXT.format(network))
    return names


def ask(verb: str, *names: str) -> None:
    """Have *verb* carried out."""
    subprocess.run([program, *verb.split(), *names], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)


def grow(before: int, count: int) -> None:
    """Have *count* containers run, of which *before* do."""
    names = define(range(before, count))
    for first in range(0, len(names), BATCH):
        ask("start --quiet", *names[first : first + BATCH])


def remove(count: int) -> None:
    """Remove *count* containers with their definitions."""
    names = [NAME.format(number) for number in range(count)]
    for first in range(0, count, BATCH):
        subprocess.run([program, "rm", "--force", "--quiet", *names[first : first + BATCH]], check=False)
    for name in names:
        (DEFINITIONS / f"{name}.nsunit").unlink(missing_ok=True)


def row(count: int, table: dict[str, list[tuple[float, float]]]) -> None:
    """Print the last figures of each verb."""
    print(f"{count} containers, {len(list(DEFINITIONS.iterdir()))} definitions")
    for verb, figures in table.items():
        print("{:<16}{:>8.0f} ms{:>6.0f} MiB".format(verb.format("NAME"), *figures[-1]), flush=True)


def reading(counts: list[int], definitions: int) -> None:
    """What each reading verb takes."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    table: dict[str, list[tuple[float, float]]] = {verb: [] for verb in (*VERBS, "events")}
    before = 0
    try:
        for count in (*counts, 0):
            if count:
                grow(before, count)
                before = count
            else:
                for number in range(definitions):
                    (DEFINITIONS / f"other-{number:04}.nsunit").write_text(TEXT.format("none"))
            for verb in VERBS:
                table[verb].append(measured([program, *verb.format(NAME.format(0)).split()])[:2])
            table["events"].append(events())
            row(count or before, table)
    finally:
        for file in DEFINITIONS.glob("other-*.nsunit"):
            file.unlink()
        remove(before)


def processor() -> float:
    """Milliseconds of processor time that the whole system has used."""
    return next(int(line.split()[1]) for line in CPU.read_text().splitlines() if line.startswith("usage_usec")) / 1000


class Clock:
    """Wall and processor time while something goes on, in milliseconds: *samples* of (wall, processor)."""

    def __init__(self) -> None:
        self.samples: list[tuple[float, float]] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        """Look at both now and then, at the beginning and at the end."""
        ended = threading.Event()

        def look() -> None:
            while not ended.wait(0.02):
                self.samples.append((time.monotonic() * 1000, processor()))

        self.samples.append((time.monotonic() * 1000, processor()))
        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            self.samples.append((time.monotonic() * 1000, processor()))

    def between(self, begin: float, end: float) -> tuple[float, float]:
        """What passed from wall time *begin* to *end* of both."""
        at = [min(self.samples, key=lambda sample: abs(sample[0] - moment)) for moment in (begin, end)]
        return end - begin, at[1][1] - at[0][1]

    def all(self) -> tuple[float, float]:
        """What passed of both."""
        return self.between(self.samples[0][0], self.samples[-1][0])


def ready() -> list[float]:
    """When each container ran, in milliseconds of the monotonic clock, the first one first."""
    words = ["systemctl", "show", "--property=ActiveEnterTimestampMonotonic", "--value", "nsunit-crowd*.service"]
    said = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    return sorted(int(word) / 1000 for word in said)


def network(count: int) -> None:
    """*count* in one network, started by one command, and stopped by one."""
    DEFINITIONS.mkdir(parents=True, exist_ok=True)
    (DEFINITIONS / "crowd.network.nsunit").write_text(NETWORK)
    names = define(range(count), "crowd")
    try:
        start, stop = Clock(), Clock()
        with start.running():
            ask("start --quiet", *names)
        moments = ready()
        begun = start.samples[0][0]
        with stop.running():
            ask("stop --quiet", *names)
        parts = {
            f"start {count}": start.all(),
            f"first {BATCH}": start.between(begun, moments[BATCH - 1]),
            f"last {BATCH}": start.between(moments[-BATCH - 1], moments[-1]),
            f"stop {count}": stop.all(),
        }
        for what, (wall, busy) in parts.items():
            print(f"{what:<16}{wall:>8.0f} ms{busy:>8.0f} ms of processor", flush=True)
    finally:
        remove(count)
        subprocess.run([program, "network", "rm", "crowd"], check=False)


def hundreds(count: int) -> None:
    """Each hundred of *count* started, looked at, and stopped again, the last one first."""
    begun = 0
    table: dict[str, list[tuple[float, float]]] = {"start": [], "exec": [], "status": [], "stop": []}
    deeds = {"exec": ("exec", "{}", "true"), "status": ("status", "{}")}
    try:
        while begun < count:
            names = define(range(begun, begun + HUNDRED))
            begun += HUNDRED
            clock = Clock()
            with clock.running():
                ask("start --quiet", *names)
            table["start"].append(clock.all())
            for verb, words in deeds.items():
                table[verb].append(each([[word.format(name) for word in words] for name in names[:SAMPLES]]))
        for first in reversed(range(0, begun, HUNDRED)):
            clock = Clock()
            with clock.running():
                ask("stop --quiet", *(NAME.format(number) for number in range(first, first + HUNDRED)))
            table["stop"].insert(0, clock.all())
        print("hundred   ", *(f"{verb:>18}" for verb in table))
        for number in range(count // HUNDRED):
            print(f"{number + 1:<10}", *("{:>10.0f}{:>8.0f}".format(*table[verb][number]) for verb in table))
    finally:
        remove(begun)


def each(commands: list[list[str]]) -> tuple[float, float]:
    """The median of what a command of *commands* takes, wall and processor."""
    found = []
    for words in commands:
        before = time.monotonic() * 1000, processor()
        ask(words[0], *words[1:])
        found.append((time.monotonic() * 1000 - before[0], processor() - before[1]))
    return statistics.median(wall for wall, _ in found), statistics.median(busy for _, busy in found)


def main() -> None:
    """Measure, and take everything down."""
    global program
    parser = argparse.ArgumentParser(description="What many containers cost.")
    parser.add_argument("--program", default=program, help="which nsunit")
    parts = parser.add_subparsers(dest="part", required=True)
    part = parts.add_parser("reading")
    part.add_argument("counts", nargs="*", type=int, default=[10, 100, 1000])
    part.add_argument("--definitions", type=int, default=5000, help="how many there are besides, at last")
    parts.add_parser("network").add_argument("count", nargs="?", type=int, default=300)
    parts.add_parser("hundreds").add_argument("count", nargs="?", type=int, default=1000)
    arguments = parser.parse_args()
    program = arguments.program
    match arguments.part:
        case "reading":
            reading(arguments.counts, arguments.definitions)
        case "network":
            network(arguments.count)
        case "hundreds":
            hundreds(arguments.count)


main()
