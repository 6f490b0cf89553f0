"""What fish and zsh themselves offer, of names above all; bash is asked in test_completion.py.

`nsunit` is a function here that lists other names for other questions, as the real one does.
"""

import fcntl
import os
import pty
import select
import shutil
import subprocess
import termios
import time

import pytest

from nsunit.cli import completion

SECONDS = 30

NSUNIT = """
case "$*" in
    'network list --no-headings') printf 'bridge\\tx\\nlab\\ty\\n' ;;
    'list --all --tree --names') printf 'web\\ndb\\nshop.slice\\n' ;;
    'list --all --names') printf 'web\\ndb\\n' ;;
    'list --tree --names') printf 'web\\nshop.slice\\n' ;;
    'list --names') echo web ;;
    'cp --offer web:/et .') echo web:/etc/ ;;
    'cp --offer'*) exit 1 ;;
esac
"""
ZSH = """
PS1= RPS1=
setopt no_prompt_cr no_beep
fpath=({folder} $fpath)
autoload -U compinit
compinit -u -D
compadd() {{
    local -a hits
    # what is asked for with these is not what is offered
    if (( ! ${{*[(I)-[OAD]]}} )); then
        builtin compadd -O hits "$@"
        print -rl -- $hits >>{answer}
    fi
    builtin compadd "$@"
}}
told() {{ print END >>{answer} }}
zle -N told
bindkey '^D' list-choices '^E' told '^U' kill-buffer
zle-line-init() {{ told }}
zle -N zle-line-init
"""


def present(shell):
    if shutil.which(shell) is None:
        if os.environ.get("NSUNIT_MUST_WORK"):
            pytest.fail(f"{shell} is missing")
        pytest.skip(f"{shell} is not installed")


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory):
    """The directory of an `nsunit` that only lists."""
    folder = tmp_path_factory.mktemp("bin")
    program = folder / "nsunit"
    program.write_text(f"#!/bin/sh{NSUNIT}")
    program.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def fish(stand_in, tmp_path_factory):
    """Ask fish what it offers for the last word of a line."""
    present("fish")
    home = tmp_path_factory.mktemp("fish")
    script = home / "nsunit.fish"
    script.write_text(completion.fish())
    environment = os.environ | {"HOME": str(home), "PATH": f"{stand_in}:{os.environ['PATH']}"}

    def ask(line):
        command = ["fish", "--private", "-c", 'source $argv[1]; complete -C "$argv[2]"', str(script), line]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return {offered.partition("\t")[0] for offered in done.stdout.splitlines()}

    return ask


class Zsh:
    """An interactive zsh, which completes only where somebody types."""

    def __init__(self, folder, environment):
        self.answer = folder / "answer"
        (folder / "_nsunit").write_text(completion.zsh())
        driver = folder / "driver"
        driver.write_text(ZSH.format(folder=folder, answer=self.answer))
        self.terminal, inner = pty.openpty()
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, b"\xff\x00\xff\x00" + bytes(4))  # no question of too many
        options = {"stdin": inner, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        # It completes on the terminal that controls it.
        self.process = subprocess.Popen(["setsid", "--wait", "--ctty", "zsh", "-f", "-i"], env=environment, **options)
        os.close(inner)
        os.write(self.terminal, f"source {driver}\n".encode())
        self.wait()

    def wait(self):
        deadline = time.monotonic() + SECONDS
        while not self.answer.exists() or "END\n" not in self.answer.read_text():
            assert time.monotonic() < deadline, "zsh does not answer"
            if select.select([self.terminal], [], [], 0.01)[0]:
                os.read(self.terminal, 65536)  # what it draws
        offered = self.answer.read_text().split("\n")[:-2]
        self.answer.unlink()
        return set(filter(None, offered))

    def ask(self, line):
        os.write(self.terminal, b"\x15" + line.encode() + b"\x04\x05")
        return self.wait()

    def end(self):
        self.process.kill()
        self.process.wait()
        os.close(self.terminal)


@pytest.fixture(scope="module")
def zsh(stand_in, tmp_path_factory):
    """Ask zsh what it offers for the last word of a line."""
    present("zsh")
    environment = {"PATH": f"{stand_in}:{os.environ['PATH']}", "TERM": "dumb", "HOME": "/", "LC_ALL": "C.UTF-8"}
    shell = Zsh(tmp_path_factory.mktemp("zsh"), environment)
    yield shell.ask
    shell.end()


OFFERED = {
    "nsunit sto": {"stop"},
    "nsunit --json st": {"start", "stop", "status", "stats"},
    "nsunit start ": {"web", "db", "shop.slice"},
    "nsunit stop ": {"web", "shop.slice"},
    "nsunit ps ": {"web", "shop.slice"},
    "nsunit analyze ": {"web"},
    "nsunit exec ": {"web"},
    "nsunit ns list ": {"web"},
    "nsunit start web d": {"db"},
    "nsunit --json status sh": {"shop.slice"},
    "nsunit cat ": {"web", "db", "shop.slice", "lab.network"},
    "nsunit network rm ": {"bridge", "lab"},
    "nsunit network ": {"list", "inspect", "create", "rm", "prune", "check", "repair", "ls"},
    "nsunit network prune ": set(),
    "nsunit image export web do": {"docker-archive:"},
    "nsunit image import pyproj": {"pyproject.toml"},
    "nsunit delegate root cpus": {"cpuset"},
    "nsunit why web MemoryM": {"MemoryMax", "MemoryMin"},
    "nsunit set web MemoryM": {"MemoryMax=", "MemoryMin="},
    "nsunit run -p Laye": {"Layer="},
    "nsunit create web Laye": {"Layer="},
    "nsunit import quadl": {"quadlet"},
    "nsunit help wai": {"wait"},
    "nsunit cgroup cl": {"classify"},
    "nsunit kill --signal SIGK": {"SIGKILL"},
    "nsunit cp we": {"web:"},
    "nsunit cp web:/et": {"web:/etc/"},
    "nsunit logs --fol": {"--follow"},
}


# Values of keys: fish has them with the key.
VALUES = {
    "nsunit set web CPUSchedulingPolicy=": {"other", "fifo", "rr", "batch", "idle", "ext"},
    "nsunit run -p Restart=on-a": {"on-abnormal", "on-abort"},
    "nsunit run --property=ReadOnly=": {"yes", "no"},
    "nsunit create web Network=h": {"host"},
}


@pytest.mark.parametrize("line", OFFERED)
def test_fish_offers(fish, line):
    assert fish(line) == OFFERED[line]


@pytest.mark.parametrize("line", VALUES)
def test_fish_offers_values(fish, line):
    assert {offered.rpartition("=")[2] for offered in fish(line)} - {""} == VALUES[line]  # "": the key itself


@pytest.mark.parametrize("line", VALUES)
def test_zsh_offers_values(zsh, line):
    assert zsh(line) == VALUES[line]


@pytest.mark.parametrize("line", OFFERED)
def test_zsh_offers(zsh, line):
    assert zsh(line) == OFFERED[line]
