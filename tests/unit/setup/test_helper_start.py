"""The helper is started for every container: what it loads, and how long that takes."""

import resource
import shutil
import subprocess
from pathlib import Path

import pytest

from nsunit.features import FEATURES

REPOSITORY = Path(__file__).resolve().parents[3]
PYTHON = "/usr/bin/python3"
BUDGET = 0.010
# The modules of test_rooms and what these load themselves; not os, which takes a fifth of a bare interpreter.
ALLOWED = {
    "__future__",
    "_ctypes",
    "_signal",
    "_socket",
    "_stat",
    "_struct",
    "errno",
    "fcntl",
    "gc",
    "select",
    "time",
}


@pytest.fixture(scope="module")
def helper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The helper as the package installs it, with its byte code."""
    top = tmp_path_factory.mktemp("helper")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "nsunit", top / "nsunit", ignore=ignored)
    subprocess.run([PYTHON, "-m", "compileall", "-q", top], check=True)
    return top / "nsunit/setup/run.py"


def loaded(*arguments: object) -> set[str]:
    """Return the modules that a run of Python loads."""
    command = [PYTHON, "-SI", "-X", "importtime", *map(str, arguments)]
    errors = subprocess.run(command, capture_output=True, text=True, check=False).stderr
    lines = [line for line in errors.splitlines() if line.startswith("import time:")]
    return {line.rsplit("|", 1)[1].strip() for line in lines[1:]}


def test_helper_loads_only_what_is_free(helper):
    new = loaded(helper) - loaded("-c", "pass")
    assert "nsunit.setup.main" in new
    assert {name for name in new if name.split(".")[0] != "nsunit"} <= ALLOWED
    others = {name for name in new if name.startswith("nsunit.") and not name.startswith("nsunit.setup")}
    assert others == {"nsunit.bytecode"}
    assert new & {f"nsunit.features.{feature.name}.setup" for feature in FEATURES} == set()


def processor_time(*arguments: object) -> float:
    """Return the processor time of one run of Python; what else the machine does counts little in it."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([PYTHON, "-SI", *map(str, arguments)], stderr=subprocess.DEVNULL, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_helper_keeps_its_budget(helper):
    runs = [(processor_time("-c", "pass"), processor_time(helper)) for _ in range(40)]
    bare, whole = (min(times) for times in zip(*runs, strict=True))
    assert whole - bare < BUDGET, f"{(whole - bare) * 1000:.1f} ms over {bare * 1000:.1f} ms"
