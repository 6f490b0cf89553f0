"""The linters, as tests: a tool that is missing skips on a person's machine and fails where everything must work."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
# Programs without a suffix, which the linters do not find by themselves.
PYTHON = (
    "nsunit",
    "tests",
    "packaging/build-deb",
    "packaging/man/generate",
    "packaging/debian/nsunit",
    "tests/vm/dev",
    "tests/vm/quick",
)
SHELL = (
    "nsunit/features/network/detach.sh",
    "tests/run",
    "tests/bench/run",
    "tests/vm/machine/quick-boot",
    ".ci/run",
    "packaging/debian/nsunit-setup",
    "packaging/debian/postinst",
    "packaging/debian/postrm",
    "packaging/debian/prerm",
    "packaging/try",
    "packaging/try.d/show",
)


def run(*command: str) -> None:
    if not shutil.which(command[0]):
        if os.environ.get("NSUNIT_MUST_WORK"):
            pytest.fail(f"{command[0]} is missing")
        pytest.skip(f"{command[0]} is missing")
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"


def test_ruff_check():
    run("ruff", "check", "--no-cache", *PYTHON)


def test_ruff_format():
    run("ruff", "format", "--no-cache", "--check", *PYTHON)


def test_mypy():
    run("mypy", "--cache-dir=/dev/null")


def test_mypy_of_the_test_machine():
    run("mypy", "--cache-dir=/dev/null", "--strict", *(map(str, (REPOSITORY / "tests/vm/machine").glob("*.py"))))


def test_shellcheck():
    run("shellcheck", *(name for name in SHELL if (REPOSITORY / name).exists()))


def test_man_pages_have_no_warnings(tmp_path):
    """What the formatter stumbles over, the reader does too."""
    if not shutil.which("go-md2man"):
        run("go-md2man")
    for source in sorted((REPOSITORY / "packaging/man").glob("*.md")):
        page = tmp_path / source.stem
        markdown = subprocess.run(
            ["packaging/man/generate", str(source)], cwd=REPOSITORY, capture_output=True, check=True
        ).stdout
        done = subprocess.run(["go-md2man"], input=markdown, capture_output=True, check=True)
        assert not done.stderr, f"{source.name}: {done.stderr.decode()}"
        page.write_bytes(done.stdout)
        shown = subprocess.run(
            ["man", "--warnings", "--local-file", str(page)],
            env=os.environ | {"MANWIDTH": "100", "LC_ALL": "C.UTF-8", "MANPAGER": "cat"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert not shown.stderr, f"{source.name}: {shown.stderr}"
