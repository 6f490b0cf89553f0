#!/usr/bin/python3
"""Compare nsunit-oci with runc and crun: what create, start, exec and the others take of time and of processor.

In a system of tests/vm/quick:

    tests/vm/quick sh 'python3 /srv/nsunit/tests/bench/runtimes.py [--rounds N] [--systemd-cgroup]'

All runtimes are called in turn, forwards and backwards, so that a disturbance hits all of them.  The table has medians,
and of each round's ratios to the other runtimes the medians.  Processor time is that of the command, of what it waits
for, and of the container's process until the command has ended.  Nothing here asserts a time: figures are for people.

Natively there is one controller at most, which cannot be handed down since a process of the host is in the root group:
crun tries that a thousand times a millisecond apart.  So all work in a tree of control groups with none; scopes are
systemd's, and with them crun is left out.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import resource
import shutil
import signal
import statistics
import subprocess
import time
from pathlib import Path

RUNTIMES = ("nsunit-oci", "runc", "crun")
SUBJECT = RUNTIMES[0]
PLACE = Path("/run/bench-oci")
ROOT = Path("/srv/roots/busybox")
_SUBREAPER = 36

Figures = dict[str, tuple[float, float]]  # of a verb: wall and processor, in ms


def bundle() -> None:
    """What `runc spec` says, with the root of tests, and a program that does not end."""
    PLACE.mkdir(exist_ok=True)
    (PLACE / "config.json").unlink(missing_ok=True)
    subprocess.run(["runc", "spec"], cwd=PLACE, check=True)
    config = json.loads((PLACE / "config.json").read_text())
    config["root"] = {"path": str(ROOT), "readonly": True}
    config["process"] |= {"terminal": False, "args": ["sleep", "1000"]}
    (PLACE / "config.json").write_text(json.dumps(config))
    process = config["process"] | {"args": ["true"]}
    (PLACE / "process.json").write_text(json.dumps(process))


def own_tree() -> None:
    """A tree of control groups that begins below the system's, where nobody has handed a controller down."""
    group = Path("/sys/fs/cgroup/bench-oci")
    group.mkdir(exist_ok=True)
    (group / "cgroup.procs").write_text("0")
    os.unshare(os.CLONE_NEWCGROUP | os.CLONE_NEWNS)
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "-t", "cgroup2", "cgroup2", "/sys/fs/cgroup"], check=True)
    leaf = Path("/sys/fs/cgroup/caller")
    leaf.mkdir(exist_ok=True)
    (leaf / "cgroup.procs").write_text("0")


def processor() -> float:
    """What all children took that have been waited for, in ms."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) * 1000


def so_far(pid: int) -> float:
    """What process *pid* has taken until now, in ms."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e6


def call(*words: str) -> tuple[float, float]:
    """Wall and processor time of a command.

    Raises:
        RuntimeError: it failed.
    """
    null = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in (0, 1, 2)]
    before, begun = processor(), time.monotonic()
    pid = os.posix_spawn(words[0], words, os.environ, file_actions=null)
    status = os.waitpid(pid, 0)[1]
    elapsed = (time.monotonic() - begun) * 1000
    if status:
        raise RuntimeError(f"{' '.join(words)}: status {status}")
    return elapsed, processor() - before


def container_pid() -> int:
    """What the pid file says."""
    return int((PLACE / "pid").read_text())


def one(runtime: str, options: tuple[str, ...]) -> Figures:
    """The life of one container."""
    path = shutil.which(runtime) or runtime
    found: Figures = {}
    # What engines say, who have a directory of their own for it.
    words = (path, "--root", f"/run/bench-oci-{runtime}", "--log", "/dev/null", "--log-format", "json", *options)
    wall, used = call(*words, "create", "--bundle", str(PLACE), "--pid-file", str(PLACE / "pid"), "bench")
    pid = container_pid()
    waiting = so_far(pid)
    found["create"] = wall, used + waiting
    wall, used = call(*words, "start", "bench")
    time.sleep(0.01)  # its own program does nothing more than begin
    found["start"] = wall, used + so_far(pid) - waiting
    found["create+start"] = tuple(map(sum, zip(found["create"], found["start"], strict=True)))  # type: ignore[assignment]
    process = ("--process", str(PLACE / "process.json"), "--detach", "--pid-file", str(PLACE / "exec"), "bench")
    begun, before = time.monotonic(), processor()
    wall, _ = call(*words, "exec", *process)
    os.waitpid(int((PLACE / "exec").read_text()), 0)
    found["exec"] = wall, processor() - before
    found["exec until its end"] = (time.monotonic() - begun) * 1000, found["exec"][1]
    found["state"] = call(*words, "state", "bench")
    found["kill"] = call(*words, "kill", "bench", "KILL")
    os.waitpid(pid, 0)
    found["delete"] = call(*words, "delete", "bench")
    return found


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--systemd-cgroup", action="store_true")
    arguments = parser.parse_args()
    options = ("--systemd-cgroup",) if arguments.systemd_cgroup else ()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    bundle()
    there = [name for name in RUNTIMES if shutil.which(name)]
    if arguments.systemd_cgroup:
        there.remove("crun")
    else:
        own_tree()
    for name in there:
        one(name, options)
    rounds: dict[str, list[Figures]] = {name: [] for name in there}
    for number in range(arguments.rounds):
        for name in there if number % 2 else reversed(there):
            rounds[name].append(one(name, options))
    for name in there:
        print(subprocess.run([name, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0])
    print(f"{arguments.rounds} rounds; ms, and {SUBJECT}'s share of the others': medians")
    for kind, title in enumerate(("wall", "processor")):
        print(f"{title:20}" + "".join(f"{name:>12}" for name in there) + "".join(f"{'/' + n:>8}" for n in there[1:]))
        for deed in rounds[SUBJECT][0]:
            values = {name: [found[deed][kind] for found in rounds[name]] for name in there}
            ratios = [
                statistics.median(mine / other for mine, other in zip(values[SUBJECT], values[name], strict=True))
                for name in there[1:]
            ]
            shown = "".join(f"{statistics.median(values[name]):12.1f}" for name in there)
            print(f"{deed:20}{shown}" + "".join(f"{ratio:8.2f}" for ratio in ratios))


main()
