"""What stands in for os where commands start."""

import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PYTHON = "/usr/bin/python3"
BEGIN = f"import sys; sys.path.append({str(REPOSITORY)!r}); import nsunit.light; import os; "


def said(code: str, **variables: str) -> str:
    """What a program prints that begins as commands do."""
    command = [PYTHON, "-SI", "-c", BEGIN + code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=variables)
    assert not done.stderr
    return done.stdout.strip()


def test_commands_load_the_real_os_when_they_ask_for_more() -> None:
    paths = "nsunit.cli.main nsunit.cli.lifecycle.start nsunit.deeds.stop nsunit.deeds.session.execute"
    more = "nsunit.features.network.deeds nsunit.features.network.program nsunit.features.network.foreign"
    code = f"[__import__(name) for name in '{paths} {more}'.split()]; print(*sys.modules)"
    assert {"_collections_abc", "posixpath", "genericpath", "stat"} & {*said(code).split()} == set()
    code = "light = os; print(os.environ['NAME'], os.environ.get('NONE')); import os; print(os is light)"
    assert said(code, NAME="value") == "value None\nFalse"


def test_both_are_the_same_afterwards() -> None:
    code = (
        "first = os; first.walk; import os, os.path, subprocess, pathlib; "
        "print([name for name in dir(os) if name[:2] != '__' and getattr(first, name) is not getattr(os, name)], "
        "os.path is first.path, first.environ is os.environ)"
    )
    assert said(code) == "[] True True"
    assert said("print(hasattr(os, 'no_such_thing'))") == "False"


@pytest.mark.parametrize(
    "code",
    [
        "os.getenv('NAME'), os.getenv('NONE'), os.getenv('NONE', 'other')",
        "ascii(os.fsencode('\\udcff')), ascii(os.fsdecode(b'\\xff')), os.fsencode(b'a'), os.fsdecode('a')",
        "[call(type('P', (), {'__fspath__': lambda self: given})()) for call in (os.fsencode, os.fsdecode)"
        " for given in ('a', b'a')]",
        "os.sep, os.pathsep, os.curdir, os.pardir, os.extsep, os.defpath, os.linesep, os.devnull, os.name",
        "os.fdopen(2, 'wb', 0, closefd=False).fileno(), os.fdopen(2, 'w', closefd=False).mode",
        "os.SEEK_SET, os.SEEK_CUR, os.SEEK_END",
        "[os.path.join(*parts) for parts in (['a'], ['a', 'b'], ['a/', 'b'], ['', 'b'], ['a', ''], ['a', '/b', 'c'])]",
        "os.path.join(b'a', b'b'), os.path.split(b'/a'), os.path.dirname(b'a/b'), os.path.basename(b'a/b')",
        "[(os.path.split(path), os.path.dirname(path), os.path.basename(path)) for path in"
        " ('', 'a', '/', '//', '///a', '/a', 'a/', 'a//b', '/a/b/', '//a/b')]",
        "[call(path) for path in ('/', '/dev/null', '/proc/self', '/proc/self/fd/99', '/etc/passwd', 'a', '', '\\0')"
        " for call in (os.path.exists, os.path.lexists, os.path.isdir, os.path.isfile, os.path.islink)]",
        "os.path.samestat(os.stat('/'), os.stat('/..')), os.path.samestat(os.stat('/'), os.stat('/proc'))",
        "os.path.normpath('a/../b'), __import__('os.path').path.sep, hasattr(os.path, 'no_such_thing')",
        "os.path.join('a', 'b'), os.path.dirname('/a/b'), os.path.exists('/'), os.path.realpath('/proc/self/..')",
    ],
)
def test_what_it_has_itself_is_as_in_the_real_one(code: str) -> None:
    light = said(f"print({code}, '_collections_abc' in sys.modules)", NAME="value")
    real = said(f"os.walk; import os; print({code}, False)", NAME="value")
    assert light == real


def made(name: str, *, exist_ok: bool, top: Path, real: bool) -> tuple[str, list[str]]:
    """What makedirs() of *name* raises below *top*, where a file and a lost link are, and what is there then."""
    top.mkdir()
    (top / "file").touch()
    (top / "lost").symlink_to("nowhere")
    code = "os.walk; import os; " if real else ""
    code += f"os.chdir({str(top)!r})\ntry: os.makedirs({name!r}, 0o700, {exist_ok})\n"
    code += "except OSError as error: print(type(error).__name__)"
    return said(f"exec({code!r})"), sorted(f"{path} {path.lstat().st_mode:o}" for path in Path(top).rglob("*"))


@pytest.mark.parametrize("exist_ok", [False, True])
@pytest.mark.parametrize("name", "a a/b/ a/b/. a/./b a//b . / lost/a lost file file/a file/a/b a/../b".split())
def test_directories_are_made_as_by_the_real_one(tmp_path: Path, name: str, exist_ok: bool) -> None:
    light, light_there = made(name, exist_ok=exist_ok, top=tmp_path / "top", real=False)
    (tmp_path / "top").rename(tmp_path / "light")
    real, real_there = made(name, exist_ok=exist_ok, top=tmp_path / "top", real=True)
    assert (light, light_there) == (real, real_there)


def test_directories_with_those_above(tmp_path: Path) -> None:
    where = f"{tmp_path}/a/b/c"
    code = (
        f"os.makedirs({where!r} + '/', 0o700); os.makedirs({where!r}, exist_ok=True); print(os.path.isdir({where!r}))"
    )
    assert said(code) == "True"
    assert (tmp_path / "a/b/c").stat().st_mode & 0o777 == 0o700
    code = f"os.makedirs({where!r})"
    with pytest.raises(AssertionError, match="FileExistsError"):
        said(code)
