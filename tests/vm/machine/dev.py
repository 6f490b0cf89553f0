"""`tests/vm/dev`: machines that stay, for people at work. Boot once, push the tree, run commands, again and again."""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from . import cache, image, tree
from .client import Client, Lost, packed
from .guest_suite import EVERYTHING, TESTS, pytest_command, test_variables
from .qemu import Machine, machines
from .user_mode import UserMode

HELP = """\
    tests/vm/dev up                    boot a Debian 13 machine (up bookworm, up sid) and push the tree
    tests/vm/dev up --user-mode        the same of a user-mode kernel: five times as fast, without nftables
    tests/vm/dev push                  the working tree into the machine: code, commands, templates, tests
    tests/vm/dev sh 'nsunit list'      a shell command in it: its output, its exit code
    tests/vm/dev -p sh 'nsunit list'   the same after a push
    tests/vm/dev test -k name          push, then pytest on tests/vm in it
    tests/vm/dev shell                 a root shell on this terminal
    tests/vm/dev reboot                reboot it; what is on its disks stays
    tests/vm/dev test -k reboot        what the tests after a reboot need; reboot, then: test -m after_reboot
    tests/vm/dev console|list|down

Several machines at once: -m NAME (default: dev, or $NSUNIT_MACHINE). Up to six commands at a time in each.
In the machine: /srv/roots/{debian,busybox} to run containers on, tests in /srv/nsunit/tests, a scratch disk /dev/vdb.
"""
MODULES = "/usr/lib/python3/dist-packages/nsunit"


def working_tree() -> bytes:
    """Return a tar file of the code, the commands, the templates and the tests, by where a machine has them."""
    with tempfile.TemporaryDirectory(prefix="nsunit-push-") as stage:
        command = [sys.executable, str(cache.REPOSITORY / "packaging/build-deb"), "--stage-code", stage]
        subprocess.run(command, check=True)
        files = {path.name: path for path in Path(stage).iterdir()}
        return packed({**files, TESTS: cache.REPOSITORY / "tests"})


def push(client: Client) -> None:
    """Put the working tree over what is installed in the machine; files that are gone here are removed there."""
    client.put(working_tree(), "/", prune=(MODULES, TESTS))
    compile_all = f"python3 -m compileall -q {MODULES} && python3 -SI {MODULES}/run.py packs"
    prepare = "mkdir -p -m 700 /run/nsunit /var/lib/nsunit; systemctl daemon-reload"
    stamp = "/run/nsunit-pushed"
    status, said = client.output(
        f"{compile_all}; s=$?; [ -e {stamp} ] || {{ {prepare}; touch {stamp}; }}; exit $s", timeout=300
    )
    if status:
        raise Lost(f"byte-compiling in the machine failed:\n{said}")


def named(name: str) -> Machine | UserMode:
    """Return the machine of that name, by what there is of it; qemu's if there is nothing."""
    machine = UserMode(name)
    return machine if machine.exists() else Machine(name)


def up(machine: Machine | UserMode, release: str, memory: int) -> None:
    """Boot a machine unless it runs, and push."""
    if machine.pid():
        cache.say(f"{machine.name} runs already")
    else:
        machine.start(image.image(release), memory=memory)
        cache.say(f"{machine.name}: {release} is booting")
        machine.wait_for_boot()
    with machine.client() as client:
        push(client)
    cache.say(f"{machine.name} is ready")


def list_machines() -> None:
    """Print the machines there are."""
    for directory in sorted(machines().glob("*/")):
        machine = Machine(directory.name)
        state = f"pid {machine.pid()}" if machine.pid() else "dead"
        print(f"{machine.name:12} {(directory / 'image').read_text():36} {state}")


def parse() -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(epilog=HELP, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-m", "--machine", default=os.environ.get("NSUNIT_MACHINE", "dev"), help="name of the machine")
    parser.add_argument("-p", "--push", action="store_true", help="push the tree first")
    parser.add_argument("-i", "--stdin", action="store_true", help="pass standard input to the command of sh")
    parser.add_argument("-t", "--timeout", type=float, help="seconds until a command is killed")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser("up", help="boot and push")
    verb.add_argument("release", nargs="?", default=tree.RELEASES[0], choices=tree.RELEASES)
    verb.add_argument("--memory", type=int, default=2048, help="in MiB")
    verb.add_argument("--user-mode", action="store_true", help="a user-mode kernel, as far as that goes")
    verb = verbs.add_parser("sh", help="run a shell command")
    verb.add_argument("command", nargs=argparse.REMAINDER)
    verb = verbs.add_parser("test", help="push and run tests/vm")
    verb.add_argument("arguments", nargs=argparse.REMAINDER)
    verb = verbs.add_parser("put", help="copy a file or directory into the machine")
    verb.add_argument("source", type=Path)
    verb.add_argument("target")
    for name, text in (
        ("push", "push the tree"),
        ("shell", "a shell on this terminal"),
        ("reboot", "reboot the machine"),
        ("console", "show the console's log"),
        ("list", "list machines"),
        ("down", "end the machine"),
    ):
        verbs.add_parser(name, help=text)
    arguments, others = parser.parse_known_args()
    if others and arguments.verb != "test":
        parser.error(f"what is {' '.join(others)}?")
    if arguments.verb == "test":
        arguments.arguments = [*others, *arguments.arguments]
    return arguments


def act(arguments: argparse.Namespace) -> int:
    """Do what the command line says and return the exit status."""
    machine = named(arguments.machine)
    match arguments.verb:
        case "up":
            if arguments.user_mode and not machine.pid():
                machine = UserMode(arguments.machine)
            up(machine, arguments.release, arguments.memory)
            return 0
        case "list":
            list_machines()
            return 0
        case "reboot":
            machine.reboot()
            return 0
        case "down":
            machine.stop()
            return 0
        case "console":
            sys.stdout.write(machine.console.read_text(errors="replace"))
            return 0
    with machine.client() as client:
        if arguments.push or arguments.verb in ("push", "test"):
            push(client)
        match arguments.verb:
            case "sh":
                stdin = sys.stdin.buffer.read() if arguments.stdin else b""
                return client.run(["bash", "-c", " ".join(arguments.command)], timeout=arguments.timeout, stdin=stdin)
            case "test":
                command = pytest_command(["-o", f"timeout={EVERYTHING.timeout}", *arguments.arguments])
                env = {"NSUNIT_TEST_PATIENCE": str(EVERYTHING.patience), **test_variables()}
                return client.run(command, timeout=arguments.timeout, env=env, cwd=TESTS)
            case "shell":
                return client.interact(["bash", "-l"])
            case "put":
                client.put(packed({arguments.target: arguments.source}))
    return 0


def main() -> int:
    """Run; a lost machine ends in one line."""
    try:
        status = act(parse())
    except (Lost, tree.Unavailable, OSError, subprocess.CalledProcessError) as error:
        print(f"dev: {error}", file=sys.stderr)
        return 125
    except KeyboardInterrupt:
        return 130
    return status if status >= 0 else 128 - status
