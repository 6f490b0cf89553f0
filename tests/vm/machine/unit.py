"""The suite "unit": linters and unit tests on this system, in a virtual environment of their own."""

import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from . import cache, owned
from .result import Record, Result

# Linters are pinned: a new one must not fail a tree that has not changed.
PACKAGES = (
    "mypy==2.4.1",
    "ruff==0.17.6",
    "pytest==9.2.0",
    "hypothesis==6.170.17",
    "setuptools>=66",
    "wheel",
    "dbus-next>=0.2.3",
    "jinja2>=3.1",
    "pyroute2>=0.7",
    "pystemd>=0.11",
    "pyyaml>=6",
)
SETUP_SECONDS = 600
TIMEOUT = 1200


def environment_path() -> Path:
    """Return the virtual environment, made if missing; it is used where it was built, as its scripts have its path."""
    version = os.path.realpath("/usr/bin/python3")
    key = cache.key_of("1", version, *PACKAGES)
    path = cache.directory() / f"venv-{key}"
    with cache.locked(cache.directory() / ".venv.lock"):
        if not (path / "complete").exists():
            begun = time.monotonic()
            cache.say("unit: making the virtual environment")
            shutil.rmtree(path, ignore_errors=True)
            quiet(["/usr/bin/python3", "-m", "venv", str(path)])
            pip = [str(path / "bin/pip"), "install", "-q", "--disable-pip-version-check", "--no-input"]
            # What pystemd has in C is compiled in half of the time, and is not what takes the tests' time.
            quiet([*pip, "--cache-dir", str(cache.directory() / "pip"), *PACKAGES], CFLAGS="-O0 -g0")
            (path / "complete").touch()
            cache.say(f"unit: virtual environment made in {time.monotonic() - begun:.0f} s")
    return path


def quiet(command: list[str], **variables: str) -> None:
    """Run a command, with variables added to the environment; show what it printed only if it fails."""
    result = subprocess.run(
        command,
        env=os.environ | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SETUP_SECONDS,
        preexec_fn=owned.end_with_parent,
        check=False,
    )
    if result.returncode:
        raise RuntimeError(f"'{' '.join(command)}' failed:\n{result.stdout}{result.stderr}")


def run(result: Result, expression: str | None, extra: list[str], show: Callable[[bytes], None]) -> None:
    """Run tests/unit and take its outcome into the result."""
    venv = environment_path()
    with tempfile.TemporaryDirectory(prefix="nsunit-unit-") as scratch:
        outcome = Path(scratch) / "outcome"
        environment = os.environ | {
            "PATH": f"{venv}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "PYTHONPATH": f"{cache.REPOSITORY / 'tests'}:{cache.REPOSITORY}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PIP_CACHE_DIR": str(cache.directory() / "pip"),
            "NSUNIT_OUTCOME": str(outcome),
            "NSUNIT_MUST_WORK": "1",
        }
        command = [str(venv / "bin/pytest"), "-p", "outcome", "-p", "no:cacheprovider", "-q", "--durations=5"]
        command += ["-k", expression] if expression else []
        command += [*extra, "tests/unit"]
        with subprocess.Popen(
            command,
            cwd=cache.REPOSITORY,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            start_new_session=True,
            preexec_fn=owned.end_with_parent,
        ) as process:
            if not read(process, show):
                os.killpg(process.pid, signal.SIGKILL)  # its children have its output, too
                result.problems.append(f"took longer than {TIMEOUT} s")
        told = Record()
        told.take(outcome.read_text() if outcome.exists() else "")
        result.take(told, allow_empty=bool(expression or extra))


def read(process: subprocess.Popen[bytes], show: Callable[[bytes], None]) -> bool:
    """Pass on what a process prints; return whether it came to its end in time."""
    assert process.stdout
    deadline = time.monotonic() + TIMEOUT
    while select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
        data = process.stdout.read(65536)
        if not data:
            return True
        show(data)
    return False
