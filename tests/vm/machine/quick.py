"""`tests/vm/quick`: the machine's system as PID 1 of fresh namespaces, on this host's kernel and at its speed.

It is up in seconds and 15 times as fast as the emulated machine: for work in a loop.  It proves less: the kernel is the
host's, with what that has of modules, and without controllers where the host has them in cgroup version 1.
"""

import argparse
import os
import subprocess
import sys

from . import cache, image, tree
from .client import Lost
from .dev import MODULES, working_tree
from .guest_suite import TESTS, pytest_command, test_variables
from .system import Inside, System, parameters_kept

HELP = """\
    tests/vm/quick up                      boot Debian 13's system (up bookworm, up sid), with the working tree
    tests/vm/quick sh 'nsunit list'        a shell command in it: its output, its exit code
    tests/vm/quick test -k name            the working tree again, then pytest on tests/vm in it
    NSUNIT_TEST_CROWD=301 tests/vm/quick test -k crowd
    tests/vm/quick down

Several at once: -n NAME (default: one for each clone of the repository, or $NSUNIT_SYSTEM). Counts: tests/vm/counts.py.
"""


def default_name() -> str:
    """Return the name of the system that belongs to this clone."""
    return os.environ.get("NSUNIT_SYSTEM") or f"quick-{cache.key_of(str(cache.REPOSITORY))[:4]}"


def up(system: System, release: str) -> None:
    """Boot it anew and put the working tree into it."""
    system.stop()
    disk = image.image(release)
    with parameters_kept():
        system.start(disk)
        system.wait_for_boot()
    push(system)


def push(system: System) -> None:
    """Put the working tree into it.  Raises Lost if it is not up."""
    with system.client() as client:
        client.put(working_tree(), prune=(MODULES, TESTS))
        client.output(f"mkdir -p -m 700 /run/nsunit /var/lib/nsunit; python3 -SI {MODULES}/run.py packs")


def attached(system: System, argv: list[str], cwd: str = "/root") -> int:
    """Run a command in it on this process's own streams."""
    env = test_variables() | {name: os.environ[name] for name in ("TERM",) if name in os.environ}
    return subprocess.run(Inside(system).words(argv, env, cwd), check=False).returncode


def parse() -> tuple[argparse.Namespace, list[str]]:
    """Return the parsed command line, and what of it is for others."""
    parser = argparse.ArgumentParser(epilog=HELP, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", "--name", default=default_name(), help="name of the system")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser("up", help="boot it, with the working tree")
    verb.add_argument("release", nargs="?", default=tree.RELEASES[0], choices=tree.RELEASES)
    verb = verbs.add_parser("sh", help="run a shell command")
    verb.add_argument("command", nargs=argparse.REMAINDER)
    verb = verbs.add_parser("test", help="run tests/vm")
    verb.add_argument("arguments", nargs=argparse.REMAINDER)
    verbs.add_parser("down", help="end it")
    arguments, others = parser.parse_known_args()
    if others and arguments.verb not in ("sh", "test"):
        parser.error(f"what is {' '.join(others)}?")
    return arguments, others


def act(arguments: argparse.Namespace, others: list[str]) -> int:
    """Do what the command line says and return the exit status."""
    system = System(arguments.name)
    match arguments.verb:
        case "up":
            up(system, arguments.release)
        case "down":
            system.stop()
        case "sh":
            return attached(system, ["bash", "-c", " ".join([*arguments.command, *others])])
        case "test":
            push(system)
            return attached(system, pytest_command([*others, *arguments.arguments]), cwd=TESTS)
    return 0


def main() -> int:
    """Run; what cannot be done ends in one line."""
    arguments, others = parse()
    try:
        if os.geteuid():
            raise Lost("only root can make its namespaces")
        return act(arguments, others)
    except (Lost, tree.Unavailable, OSError, subprocess.CalledProcessError) as error:
        print(f"quick: {error}", file=sys.stderr)
        return 125
    except KeyboardInterrupt:
        return 130
