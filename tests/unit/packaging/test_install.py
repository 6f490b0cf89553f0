"""`pip install .` into an empty virtual environment gives a command and a helper that work."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
SOURCES = ("nsunit", "templates", "pyproject.toml", "setup.py", "README.md", "LICENSE")


def call(*command: object) -> subprocess.CompletedProcess[str]:
    words = [str(word) for word in command]
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    return subprocess.run(words, capture_output=True, text=True, env=environment, cwd="/", check=False)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with this tree installed; the tree itself is left as it is."""
    if not os.environ.get("NSUNIT_MUST_WORK") and call("pkg-config", "libsystemd").returncode:
        pytest.skip("libsystemd-dev is missing, which pystemd is built with")
    top = tmp_path_factory.mktemp("install")
    source, venv = top / "source", top / "venv"
    source.mkdir()
    for name in SOURCES:
        path = REPOSITORY / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, source / name)
    pip = (sys.executable, "-m", "pip", "--python", venv / "bin/python3")
    for command in (
        ("/usr/bin/python3", "-m", "venv", "--without-pip", venv),
        (*pip, "install", "-q", "--no-compile", "--disable-pip-version-check", source),
    ):
        done = call(*command)
        assert done.returncode == 0, done.stdout + done.stderr
    return venv


@pytest.mark.install
def test_command_works(installed):
    done = call(installed / "bin/nsunit", "--version")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("nsunit ")


@pytest.mark.install
def test_every_module_and_template_is_installed(installed):
    (package,) = installed.glob("lib/python3*/site-packages/nsunit")
    for path in (*(REPOSITORY / "nsunit").rglob("*.py"), *(REPOSITORY / "nsunit").rglob("*.sh")):
        assert (package / path.relative_to(REPOSITORY / "nsunit")).exists()
    for path in (REPOSITORY / "templates").glob("*.j2"):
        assert (package / "templates" / path.name).exists()


@pytest.mark.install
def test_helper_starts_by_path(installed):
    (package,) = installed.glob("lib/python3*/site-packages/nsunit")
    done = call("/usr/bin/python3", "-SI", package / "setup/run.py")
    assert done.returncode != 0
    assert done.stderr == "<3>nsunit-setup: it is started by the units nsunit makes, see nsunit-setup(8)\n"
