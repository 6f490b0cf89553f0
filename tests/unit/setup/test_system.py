"""The stand-in for os has what os has, as far as the helper uses it."""

import ast
import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nsunit.setup import system

SETUP = Path(system.__file__).parent
OWN = {"variables", "fsencode", "fsdecode"}
# Of os.path; they are held against these below.
PATHS = {"samestat", "lexists", "exists", "isfile", "isdir", "dirname", "abspath", "normpath"}


USERS = [path for path in sorted(SETUP.parent.rglob("*.py")) if "import system as os\n" in path.read_text()]


@pytest.mark.parametrize("path", USERS, ids=lambda path: str(path.relative_to(SETUP.parent)))
def test_it_has_what_the_helper_asks_os_for(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
            assert hasattr(system, node.attr), node.attr
            assert node.attr in OWN | PATHS or getattr(system, node.attr) == getattr(os, node.attr)


@pytest.mark.parametrize("encoding", ["utf-8", "iso8859-15"])
def test_names_become_bytes_as_with_os(encoding, monkeypatch):
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: encoding)
    text = system.fsdecode(b"caf\xe9 \xc3\xa9")
    assert system.fsencode(text) == b"caf\xe9 \xc3\xa9"
    assert system.fsdecode("\xe9".encode(encoding)) == "\xe9"


def test_variables_are_those_that_the_process_began_with():
    code = "from nsunit.setup import system; print(system.variables == dict(__import__('os').environ))"
    environment = {"PYTHONPATH": str(SETUP.parents[1]), "A": "b=c", "UMLAUT": "\xe4", "EMPTY": ""}
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert said.stdout == "True\n"


def test_files_are_compared_and_looked_for_as_os_does(tmp_path):
    file, other, link = tmp_path / "file", tmp_path / "other", tmp_path / "link"
    file.touch()
    other.touch()
    link.symlink_to(tmp_path / "nowhere")
    assert system.samestat(os.stat(file), os.lstat(file))
    assert not system.samestat(os.stat(file), os.stat(other))
    assert system.lexists(str(file)) and system.lexists(str(link))
    assert not system.lexists(str(tmp_path / "nowhere"))
    assert not system.lexists("with\0zero")
    assert system.isfile(str(file))
    assert not system.isfile(str(link)) and not system.isfile(str(tmp_path)) and not system.isfile("with\0zero")
    assert system.exists(str(file)) and system.exists(str(tmp_path))
    assert not system.exists(str(link)) and not system.exists("with\0zero")
    assert system.isdir(str(tmp_path))
    assert not system.isdir(str(file)) and not system.isdir(str(link)) and not system.isdir("with\0zero")


def test_paths_are_taken_apart_as_os_does(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for length in range(7):
        for letters in itertools.product("/.a", repeat=length):
            path = "".join(letters)
            for name in ("dirname", "normpath", "abspath"):
                assert getattr(system, name)(path) == getattr(os.path, name)(path), (name, path)
