#!/usr/bin/python3
"""Compare nsunit with its peers on one machine in one run: medians and ratios.

It runs in the test machine (`tests/bench/run` brings it there), as root.  A deed is timed from the start of its command
to the end, and is done only when the payload really runs: `systemd-run` and `podman run -d` return then too, and
systemd-nspawn is started as a service of Type=notify.  The rounds go through all tools in turn, so that a disturbance
hits all of them.  Nothing here asserts a time: figures are for people.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

from resident import Before, memory_of

ROOT = "/srv/roots/busybox"
ALWAYS = ("sleep", "1000")
DEFINITIONS = "/run/nsunit/definitions"


class Bench:
    """Collects the times of named deeds, in milliseconds."""

    def __init__(self):
        self.times = {}
        self.resident = {}

    def time(self, deed, *argv):
        begun = time.monotonic()
        result = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        elapsed = (time.monotonic() - begun) * 1000
        if result.returncode:
            raise SystemExit(f"{' '.join(argv)}: exit status {result.returncode}: {result.stderr.decode()}")
        self.times.setdefault(deed, []).append(elapsed)

    def note_resident(self, tool, before):
        """Note what *tool* keeps for one container beside its program since *before*: processes, and their memory."""
        pids = before.since(ALWAYS)
        self.resident[tool] = (len(pids), sum(memory_of(pid) for pid in pids))


def quietly(*argv):
    subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def define(name):
    os.makedirs(DEFINITIONS, exist_ok=True)
    with open(f"{DEFINITIONS}/{name}.nsunit", "w") as file:
        file.write(f"[Container]\nLayer={ROOT}\nVolatile=yes\nExec={' '.join(ALWAYS)}\n")


def prepare(many):
    for number in range(many):
        define(f"bench{number}")
    for path in ("/etc/subuid", "/etc/subgid"):
        with open(path, "a+") as file:
            file.seek(0)
            if "containers:" not in file.read():
                file.write("containers:2147483647:2147483648\n")
    if subprocess.run(["podman", "image", "exists", "bench"]).returncode:
        tar = subprocess.Popen(["tar", "-C", ROOT, "-c", "."], stdout=subprocess.PIPE)
        subprocess.run(
            ["podman", "import", "-q", "-", "bench"], stdin=tar.stdout, check=True, stdout=subprocess.DEVNULL
        )


def one_round(bench):
    bench.time("python3 -SI -c pass", "python3", "-SI", "-c", "pass")

    bench.time("systemd-run start", "systemd-run", "-q", "--unit=bench-plain", *ALWAYS)
    bench.time("systemd-run stop", "systemctl", "stop", "bench-plain")

    before = Before()
    bench.time("nsunit start", "nsunit", "start", "bench0")
    bench.time("nsunit exec", "nsunit", "exec", "bench0", "true")
    bench.note_resident("nsunit", before)
    bench.time("nsunit stop", "nsunit", "stop", "bench0")

    before = Before()
    nspawn = ("systemd-nspawn", "-q", "-U", "--volatile=overlay", "--private-network", "--keep-unit", "--register=no")
    bench.time(
        "nspawn start", "systemd-run", "-q", "--unit=bench-nspawn", "-p", "Type=notify", *nspawn, "-D", ROOT, *ALWAYS
    )
    bench.note_resident("nspawn", before)
    quietly("systemctl", "kill", "-s", "KILL", "bench-nspawn")
    quietly("systemctl", "reset-failed", "bench-nspawn")
    quietly("umount", "-l", f"/run/systemd/nspawn/unix-export/{os.path.basename(ROOT)}")
    quietly("rm", "-rf", "/run/systemd/nspawn/unix-export")

    before = Before()
    bench.time(
        "podman start", "podman", "run", "-d", "--name=bench", "--userns=auto", "--network=none", "bench", *ALWAYS
    )
    bench.time("podman exec", "podman", "exec", "bench", "true")
    bench.note_resident("podman", before)
    bench.time("podman stop", "podman", "rm", "-f", "-t", "0", "bench")


def many_at_once(bench, count):
    names = [f"bench{number}" for number in range(count)]
    bench.time(f"nsunit start of {count}", "nsunit", "start", *names)
    bench.time(f"nsunit stop of {count}", "nsunit", "stop", *names)
    script = 'for i in $(seq "$1"); do podman run -d --name=bench$i --userns=auto --network=none bench sleep 1000; done'
    bench.time(f"podman start of {count}", "sh", "-ec", script, "sh", str(count))
    bench.time(f"podman stop of {count}", "podman", "rm", "-f", "-t", "0", "-a")


RATIOS = (
    ("nsunit start", "podman start", 0.6),
    ("nsunit start", "nspawn start", 0.9),
    ("nsunit exec", "podman exec", 0.5),
)


def report(bench):
    medians = {deed: statistics.median(times) for deed, times in bench.times.items()}
    bare = medians["python3 -SI -c pass"]
    print(f"{'deed':28}{'median ms':>10}{'fastest':>10}{'/ bare python':>15}")
    for deed, median in medians.items():
        print(f"{deed:28}{median:10.0f}{min(bench.times[deed]):10.0f}{median / bare:15.1f}")
    print()
    for deed, other, goal in RATIOS:
        print(f"{deed} / {other}: {medians[deed] / medians[other]:.2f} (goal {goal})")
    print()
    for tool, (count, kib) in bench.resident.items():
        print(f"{tool}: {count} resident processes, {kib / 1024:.1f} MiB a container")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--many", type=int, default=50, help="containers started by one command; 0 leaves that out")
    parser.add_argument("--json", action="store_true", help="print all times instead of the table")
    arguments = parser.parse_args()
    bench = Bench()
    prepare(max(arguments.many, 1))
    one_round(Bench())  # caches
    for _ in range(arguments.rounds):
        one_round(bench)
    if arguments.many:
        many_at_once(bench, arguments.many)
    if arguments.json:
        json.dump({"times": bench.times, "resident": bench.resident}, sys.stdout)
    else:
        report(bench)


main()
