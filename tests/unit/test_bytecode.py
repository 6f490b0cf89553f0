"""Modules from their cached bytecode: the same as importlib has them, and left to it where something is odd."""

import os
import py_compile
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SHOW = """
import sys
sys.path[:0] = ["{repository}", "{top}"]
import nsunit.bytecode, given
nsunit.bytecode.use("given")
import given.below.one as one, given.two as two
for module in (one, two, given.below):
    print(type(module.__loader__).__name__, module.VALUE)
    spec = module.__spec__
    print(*map(repr, (module.__name__, module.__file__, module.__package__, getattr(module, "__path__", None))))
    print(*map(repr, (spec.origin, spec.cached, spec.parent, list(spec.submodule_search_locations or []))))
"""


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A package with its cache."""
    (tmp_path / "given/below").mkdir(parents=True)
    for name in ("__init__", "two", "below/__init__", "below/one"):
        path = tmp_path / f"given/{name}.py"
        path.write_text("VALUE = 1\n")
        py_compile.compile(str(path), doraise=True)
    return tmp_path


def seen(top: Path, *options: str) -> list[str]:
    """What three modules are: pairs of who has loaded it and its value, and their attributes after each."""
    command = [sys.executable, "-SIB", *options, "-c", SHOW.format(repository=REPOSITORY, top=top)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def test_they_are_what_importlib_makes_of_them(top):
    found, usual = seen(top), seen(top, "-O")
    assert found[::3] == ["Finder 1"] * 3
    assert usual[::3] == ["SourceFileLoader 1"] * 3
    assert found[1::3] == usual[1::3]
    assert found[2::3] == [line.replace(".opt-1.pyc", ".pyc") for line in usual[2::3]]


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o022])
def test_no_cache_is_made_that_all_can_write_to(top, umask):
    shutil.rmtree(top / "given/below/__pycache__")
    command = [sys.executable, "-SI", "-c", SHOW.format(repository=REPOSITORY, top=top)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, umask=umask)
    made = [path.stat().st_mode & 0o002 for path in (top / "given/below").glob("__pycache__")]
    assert made == ([0] if umask else [])


@pytest.mark.parametrize("moment", [0, 1.5])
def test_a_source_that_has_changed_is_read(top, moment):
    source = top / "given/two.py"
    before = source.stat()
    source.write_text("VALUE = 2\n" if moment else "VALUE = 22\n")  # of the same size, or from the same moment
    os.utime(source, (before.st_atime, before.st_mtime + moment))
    assert seen(top)[::3] == ["Finder 1", f"SourceFileLoader {2 if moment else 22}", "Finder 1"]


@pytest.mark.parametrize("content", [b"", b"short", b"\0" * 40])
def test_a_cache_of_something_else_is_not_used(top, content):
    (cached,) = (top / "given/__pycache__").glob("two.*")
    cached.write_bytes(content)
    assert seen(top)[3] == "SourceFileLoader 1"


def test_one_that_is_checked_by_its_content_is_importlibs(top):
    source = top / "given/two.py"
    py_compile.compile(str(source), invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)
    assert seen(top)[3] == "SourceFileLoader 1"


def test_a_module_that_is_not_there_is_told_as_always(top):
    code = f"import sys; sys.path[:0] = ['{REPOSITORY}', '{top}']; import nsunit.bytecode, given"
    code += "; nsunit.bytecode.use('given'); import given.none"
    done = subprocess.run([sys.executable, "-SI", "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.endswith("ModuleNotFoundError: No module named 'given.none'\n")
