#!/usr/bin/python3
"""What each reading verb takes, in time and memory, with 10, 100 and 1,000 containers, and with 5,000 definitions.

It runs as root in a system of its own (tests/vm/quick sh 'python3 /srv/nsunit/tests/bench/crowd.py') and prints tables
of milliseconds and MiB.  Nothing here asserts a time: figures are for people.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

DEFINITIONS = Path("/run/nsunit/definitions")
NAME = "crowd-{:04}"
TEXT = "[Container]\nRootfs=/srv/roots/busybox\nVolatile=yes\nNetwork=none\nExec=/bin/sleep 100000\n"
VERBS = (
    *("list", "list --all", "list --json", "list --tree", "stats", "stats --json", "status", "status {}", "ps {}"),
    *("ns list", "plan", "plan {}", "verify", "cgroup list", "network check", "doctor --check", "image list"),
    *("volume list", "cat {}", "show {}", "render {}"),
)
BATCH = 50


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
    with subprocess.Popen(["nsunit", "events"], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        json.loads(child.stdout.readline())
        elapsed = (time.monotonic() - begun) * 1000
        status = Path(f"/proc/{child.pid}/status").read_text()
        peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
        child.terminate()
    return elapsed, peak / 1024


def grow(before: int, count: int) -> None:
    """Have *count* containers run, of which *before* do."""
    DEFINITIONS.mkdir(parents=True, exist_ok=True)
    names = [NAME.format(number) for number in range(before, count)]
    for name in names:
        (DEFINITIONS / f"{name}.nsunit").write_text(TEXT)
    for first in range(0, len(names), BATCH):
        subprocess.run(["nsunit", "start", "--quiet", *names[first : first + BATCH]], check=True)


def row(count: int, table: dict[str, list[tuple[float, float]]]) -> None:
    """Print the last figures of each verb."""
    print(f"{count} containers, {len(list(DEFINITIONS.iterdir()))} definitions")
    for verb, figures in table.items():
        print("{:<16}{:>8.0f} ms{:>6.0f} MiB".format(verb.format("NAME"), *figures[-1]), flush=True)


def main() -> None:
    """Measure, and take everything down."""
    parser = argparse.ArgumentParser(description="What reading verbs take with many containers.")
    parser.add_argument("counts", nargs="*", type=int, default=[10, 100, 1000])
    parser.add_argument("--definitions", type=int, default=5000, help="how many there are besides, at last")
    arguments = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    table: dict[str, list[tuple[float, float]]] = {verb: [] for verb in (*VERBS, "events")}
    before = 0
    try:
        for count in (*arguments.counts, 0):
            if count:
                grow(before, count)
                before = count
            else:
                for number in range(arguments.definitions):
                    (DEFINITIONS / f"other-{number:04}.nsunit").write_text(TEXT)
            for verb in VERBS:
                table[verb].append(measured(["nsunit", *verb.format(NAME.format(0)).split()])[:2])
            table["events"].append(events())
            row(count or before, table)
    finally:
        for file in DEFINITIONS.glob("other-*.nsunit"):
            file.unlink()
        names = [NAME.format(number) for number in range(before)]
        for first in range(0, before, BATCH):
            subprocess.run(["nsunit", "rm", "--force", "--quiet", *names[first : first + BATCH]], check=False)
        for name in names:
            (DEFINITIONS / f"{name}.nsunit").unlink(missing_ok=True)


main()
