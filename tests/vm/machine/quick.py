"""`tests/vm/quick`: the machine's system as PID 1 of fresh namespaces, on this host's kernel and at its speed.

It is up in seconds and 15 times as fast as the emulated machine: for work in a loop, and for large counts.  It proves
less: the kernel is the host's, with what that has of modules, and without controllers where the host has them in
cgroup version 1.  Nothing of it stays on the host: its mounts are in its own namespace, cgroup and disk go with it.
"""

import argparse
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

from . import cache, image, tree
from .dev import MODULES, working_tree
from .guest_suite import TESTS, pytest_command

HELP = """\
    tests/vm/quick up                      boot Debian 13's system (up bookworm: Debian 12's), with the working tree
    tests/vm/quick sh 'nsunit list'        a shell command in it: its output, its exit code
    tests/vm/quick test -k name            the working tree again, then pytest on tests/vm in it
    NSUNIT_TEST_CROWD=301 tests/vm/quick test -k crowd
    tests/vm/quick down
"""
BOOT = Path(__file__).parent / "quick-boot"
BOOT_SECONDS = 60
NAMESPACES = ("--mount", "--pid", "--uts", "--ipc", "--cgroup", "--net")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Refused(Exception):
    """It cannot be done here, or it failed."""


def state() -> Path:
    """The directory of what there is of it on the host."""
    return cache.directory() / "quick"


def cgroup() -> Path:
    """Its cgroup; raises Refused where there is no cgroup2 file system."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        if after.split()[0] == "cgroup2":
            return Path(before.split()[4]) / "nsunit-quick"
    raise Refused("no cgroup2 file system is mounted")


def init() -> int:
    """The process, as the host numbers it, that is PID 1 in there; 0 if there is none."""
    try:
        parent = int((state() / "pid").read_text())
        return int(Path(f"/proc/{parent}/task/{parent}/children").read_text())
    except (OSError, ValueError):
        return 0


def run(command: list[str], **options: object) -> "subprocess.CompletedProcess[bytes]":
    """Run a command in it.  Raises Refused if it is not up."""
    pid = init()
    if not pid:
        raise Refused("it is not up: tests/vm/quick up")
    enter = ["nsenter", f"--target={pid}", *NAMESPACES, "--root", "--wd", "env", "-i", f"PATH={PATH}", "HOME=/root"]
    passed = [f"{name}={value}" for name, value in os.environ.items() if name.startswith("NSUNIT_TEST_")]
    return subprocess.run([*enter, *passed, *command], check=False, **options)  # type: ignore[call-overload, no-any-return]


def up(release: str) -> None:
    """Boot it and put the working tree into it.  Raises Refused if it does not boot."""
    if state().exists():
        down()
    disk = state() / "disk.ext4"
    source = image.image(release) / "disk.ext4"
    state().mkdir(mode=0o700)
    subprocess.run(["cp", "--sparse=always", "--reflink=auto", source, disk], check=True)
    cgroup().mkdir(exist_ok=True)
    join = f'echo $$ > {shlex.quote(str(cgroup()))}/cgroup.procs && exec "$@"'
    with (state() / "console").open("wb") as console:
        process = subprocess.Popen(
            ["sh", "-c", join, "sh", "unshare", *NAMESPACES, "--fork", BOOT, disk],
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            start_new_session=True,
        )
    (state() / "pid").write_text(str(process.pid))
    deadline = time.monotonic() + BOOT_SECONDS
    while not init() or run(["systemctl", "is-system-running", "--wait"], capture_output=True).returncode:
        if time.monotonic() > deadline or process.poll() is not None:
            raise Refused(f"it does not boot: see '{state()}/console'")
        time.sleep(0.2)
    push()


def push() -> None:
    """Put the working tree into it."""
    # The directories above are its own.
    unpack = (
        f"rm -rf {MODULES} {TESTS} && tar -C / -xz --no-overwrite-dir && mkdir -p -m 700 /run/nsunit /var/lib/nsunit"
    )
    if run(["sh", "-c", unpack], input=working_tree()).returncode:
        raise Refused("the working tree cannot be put into it")


def down() -> None:
    """End it, and remove what there is of it."""
    pid = init()
    if pid:
        os.kill(pid, signal.SIGKILL)
    while init():
        time.sleep(0.1)
    for path in sorted(cgroup().rglob("*/"), key=lambda path: -len(path.parts)):
        remove_cgroup(path)
    if cgroup().exists():
        remove_cgroup(cgroup())
    for path in state().iterdir():
        path.unlink()
    state().rmdir()


def remove_cgroup(path: Path) -> None:
    """Remove it as soon as the last process in it is gone."""
    deadline = time.monotonic() + BOOT_SECONDS
    while True:
        try:
            return path.rmdir()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def act(arguments: argparse.Namespace, others: list[str]) -> int:
    """Do what the command line says and return the exit status."""
    match arguments.verb:
        case "up":
            up(arguments.release)
        case "down":
            down()
        case "sh":
            return run(["bash", "-c", " ".join([*arguments.command, *others])]).returncode
        case "test":
            push()
            command = pytest_command([*others, *arguments.arguments])
            return run(["sh", "-c", f'cd {TESTS} && exec "$@"', "sh", *command]).returncode
    return 0


def main() -> int:
    """Run; what cannot be done ends in one line."""
    parser = argparse.ArgumentParser(epilog=HELP, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser("up", help="boot it, with the working tree")
    verb.add_argument("release", nargs="?", default=tree.RELEASES[0], choices=tree.RELEASES)
    verb = verbs.add_parser("sh", help="run a shell command")
    verb.add_argument("command", nargs=argparse.REMAINDER)
    verb = verbs.add_parser("test", help="run tests/vm")
    verb.add_argument("arguments", nargs=argparse.REMAINDER)
    verbs.add_parser("down", help="end it")
    arguments, others = parser.parse_known_args()
    try:
        if os.geteuid():
            raise Refused("only root can make its namespaces")
        return act(arguments, others)
    except (Refused, OSError, subprocess.CalledProcessError) as error:
        print(f"quick: {error}", file=sys.stderr)
        return 125
    except KeyboardInterrupt:
        return 130
