#!/usr/bin/python3
"""Compare nsunit with its peers natively, in a system of `tests/vm/quick`: JSON of all times.

`tests/bench/run --native` brings it there, and makes table and picture of the JSON by `draw.py`.  The rounds go through
all tools in turn, forwards and backwards, so that a disturbance hits all of them.  A tool that is not there, or cannot
do its deeds here, is left out, and why is in the JSON.  Nothing here asserts a time: figures are for people.
"""

from __future__ import annotations

import argparse
import json
import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

from peers import EXEC_T, PEERS, PROGRAM, Deed, Peer, quietly, surroundings

MANY = 50
SECONDS = 120  # of a deed, at most
TOGETHER = f"{MANY} starts"
PACKAGES = ("docker.io", "lxc-templates")  # what waits in /srv/packages, see tests/vm/machine/tree.py
POLICY = Path("/usr/sbin/policy-rc.d")

Times = dict[str, dict[str, list[float]]]


def install() -> None:
    """Install the peers that are in no system otherwise; none of their services starts by that."""
    files = [str(file) for name in PACKAGES for file in Path("/srv/packages", name).glob("*.deb")]
    if not files or shutil.which("dockerd"):
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    quietly("dpkg", "--force-unsafe-io", "--install", *files)
    POLICY.unlink()


def timed(words: Deed, terminal: bool = False) -> float:
    """How long a deed takes, in milliseconds, with a terminal for all three streams if asked for.

    Raises:
        RuntimeError: it failed.
    """
    if callable(words):
        begun = time.monotonic()
        words()
        return (time.monotonic() - begun) * 1000
    ends = pty.openpty() if terminal else ()
    with open("/run/bench/said", "w+b") as errors, open(os.devnull, "r+b") as null:
        streams = (ends[1], ends[1], ends[1]) if ends else (null, null, errors)
        begun = time.monotonic()
        status = ended(subprocess.Popen(words, stdin=streams[0], stdout=streams[1], stderr=streams[2]))
        elapsed = (time.monotonic() - begun) * 1000
        errors.seek(0)
        told = errors.read().decode(errors="replace").strip()
    for end in ends:
        os.close(end)
    if status:
        raise RuntimeError(f"{' '.join(words)}: exit status {status}: {told[-300:]}")
    return elapsed


def ended(process: subprocess.Popen[bytes]) -> int:
    """The exit status of a process, at once when it ends: Popen.wait() of a time-out looks every now and then.

    Raises:
        RuntimeError: it does not end.
    """
    with open(os.pidfd_open(process.pid), "rb", 0) as pidfd:
        if not select.select([pidfd], [], [], SECONDS)[0]:
            process.kill()
            raise RuntimeError(f"it takes more than {SECONDS} s")
    return process.wait()


def one_round(peer: Peer, times: Times) -> None:
    """All deeds of *peer*, once each."""
    try:
        for deed, words in peer.deeds().items():
            times.setdefault(deed, {}).setdefault(peer.name, []).append(timed(words, deed == EXEC_T))
    finally:
        peer.clean()


def usable(left_out: dict[str, str]) -> list[Peer]:
    """The peers that do all of their deeds here, once; why not the others is noted in *left_out*."""
    found = []
    for peer in PEERS:
        try:
            if missing := [program for program in peer.wants if not shutil.which(program)]:
                raise RuntimeError(f"{missing[0]} is not installed")
            peer.prepare()
            one_round(peer, {})
            found.append(peer)
        except Exception as error:
            left_out[peer.name] = str(error)
    return found


def together(times: Times) -> None:
    """Fifty starts: one command of nsunit's, and as many of systemd-run's in a row."""
    names = [f"bench{number}" for number in range(MANY)]
    script = 'for i in $(seq "$1"); do systemd-run -q --unit=bench-plain$i sleep 1000; done'
    found = times.setdefault(TOGETHER, {})
    found.setdefault("nsunit", []).append(timed(("nsunit", "start", *names)))
    quietly("nsunit", "stop", *names)
    found.setdefault("systemd-run", []).append(timed(("sh", "-ec", script, "sh", str(MANY))))
    quietly("systemctl", "stop", *(f"bench-plain{number + 1}" for number in range(MANY)))


def main() -> None:
    """Measure, and print the JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--many-rounds", type=int, default=5, help=f"rounds of {MANY} starts; 0 leaves them out")
    arguments = parser.parse_args()
    Path("/run/bench").mkdir(exist_ok=True)
    install()
    left_out: dict[str, str] = {}
    peers = usable(left_out)
    times: Times = {}
    for number in range(arguments.rounds):
        for peer in peers if number % 2 else reversed(peers):
            one_round(peer, times)
    for _ in range(arguments.many_rounds):
        together(times)
    json.dump(
        {
            **surroundings(),
            "program": " ".join(PROGRAM),
            "versions": {peer.name: peer.version() for peer in peers},
            "notes": {peer.name: peer.note for peer in peers if peer.note},
            "left_out": left_out,
            "times": times,
        },
        sys.stdout,
    )


main()
