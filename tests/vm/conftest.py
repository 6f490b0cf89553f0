"""What the tests in the machine share. They run as root, against the installed package."""

import os
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

DEFINITIONS = Path("/etc/nsunit")
Runner = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session", autouse=True)
def real_system() -> None:
    """Refuse to run anywhere but in the machine: the tests do as they please with the system."""
    if not Path("/usr/lib/nsunit-test/agent.py").exists() or Path("/proc/1/comm").read_text() != "systemd\n":
        pytest.exit("these tests run in the test machine only: tests/run, tests/vm/dev test", returncode=2)


@pytest.fixture
def run() -> Runner:
    """Run a command, given as words or as one line for the shell; `check=True` by default."""

    def runner(*words: str, check: bool = True, timeout: float = 120, **options: object) -> object:
        shell = len(words) == 1
        done = subprocess.run(
            words[0] if shell else words,
            shell=shell,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            **options,
        )
        if check and done.returncode:
            pytest.fail(f"{words} ended with status {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    return runner


@pytest.fixture
def nsunit(run: Runner) -> Runner:
    """Run nsunit with these arguments."""
    return lambda *words, **options: run("nsunit", *words, **options)


@pytest.fixture
def define(nsunit: Runner) -> Iterator[Callable[..., str]]:
    """Write a definition and return the container's name, a new one by default; at the end all of them are gone."""
    names: list[str] = []

    def definer(text: str, name: str | None = None, **drop_ins: str) -> str:
        name = name or f"t{uuid.uuid4().hex[:8]}"
        DEFINITIONS.mkdir(exist_ok=True)
        (DEFINITIONS / f"{name}.nsunit").write_text(text)
        for drop_in, content in drop_ins.items():
            directory = DEFINITIONS / f"{name}.nsunit.d"
            directory.mkdir(exist_ok=True)
            (directory / f"{drop_in}.conf").write_text(content)
        names.append(name)
        return name

    yield definer
    for name in names:
        nsunit("stop", name, check=False)
        nsunit("rm", name, check=False)
        for path in DEFINITIONS.glob(f"{name}.nsunit*"):
            if path.is_dir():
                for drop_in in path.iterdir():
                    drop_in.unlink()
                path.rmdir()
            else:
                path.unlink()


@pytest.fixture
def scratch_disk() -> str:
    """Return the path of a 256 MB disk that nothing uses."""
    return os.path.realpath("/dev/disk/by-id/virtio-scratch")
