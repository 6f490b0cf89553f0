"""Modules from packs: the same as imported ones, and none of other sources than there are now."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nsunit.packs import PACKS

REPOSITORY = Path(__file__).resolve().parents[2]
# What each module of nsunit is, by name; what it was loaded from last.
SHOW = """
import sys
sys.path.append("{top}")
from nsunit import bytecode
before, names = {what}
for name in before:
    __import__(name)
known = set(sys.modules)
if "{pack}":
    class Nobody:
        def find_spec(name, path=None, target=None):
            assert not name.startswith("nsunit"), f"{{name}} is imported"
    sys.meta_path.insert(0, Nobody)
    bytecode.preload("{pack}")
    assert {{*sys.modules}} > known
for name in names:
    __import__(name)
for name in sorted(sys.modules.keys() - known):
    if name.startswith("nsunit."):
        module, spec = sys.modules[name], sys.modules[name].__spec__
        print(name, module.__name__, module.__file__, module.__package__, getattr(module, "__path__", None))
        print(spec.origin, spec.parent, spec.has_location, spec.submodule_search_locations)
        print(*sorted(vars(module).keys() - {{"annotations"}}))
        package, _, own = name.rpartition(".")
        assert getattr(sys.modules[package], own) is module
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """nsunit with its packs, as after its installation."""
    top = tmp_path_factory.mktemp("installed")
    shutil.copytree(REPOSITORY / "nsunit", top / "nsunit", ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run([sys.executable, "-m", "compileall", "-q", top], check=True)
    subprocess.run([sys.executable, "-SI", top / "nsunit/run.py", "packs"], check=True)
    return top


def python(code: str, *options: str) -> str:
    """What *code* prints."""
    command = [sys.executable, "-SI", *options, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("pack", PACKS)
def test_its_modules_are_those_that_are_imported_without(installed, pack):
    packed = python(SHOW.format(top=installed, what=PACKS[pack], pack=pack))
    assert packed == python(SHOW.format(top=installed, what=PACKS[pack], pack=""))
    assert packed


KEPT = """
import sys, weakref
sys.path.append("{top}")
from nsunit import bytecode
codes = []
def see(frame, event, _argument):
    if event == "call" and frame.f_code.co_name == "<module>":
        print(frame.f_code.co_filename, [code() for code in codes if code()])
        codes.append(weakref.ref(frame.f_code))
sys.setprofile(see)
bytecode.preload("helper")
"""


def test_a_body_goes_when_it_has_been_executed(installed):
    """The code of all bodies together is a hundred KiB of the helper's memory, which it has twice forked."""
    told = python(KEPT.format(top=installed)).splitlines()
    assert len(told) > 10
    assert [line for line in told if not line.endswith(" []")] == []


def loaded(top: Path, *options: str) -> str:
    """The first words of what of nsunit is loaded after the pack `command` was asked for."""
    code = f"import sys; sys.path.append('{top}'); from nsunit import bytecode; bytecode.preload('command')"
    return python(f"{code}; print(*sorted(name for name in sys.modules if name.startswith('nsunit.')))", *options)


NOTHING = "nsunit.bytecode\n"


@pytest.fixture
def own(installed, tmp_path) -> Path:
    """A copy that may be changed, elsewhere."""
    return Path(shutil.copytree(installed, tmp_path / "own"))


def test_it_may_be_copied_with_its_sources(own):
    assert "nsunit.cli.main" in loaded(own)
    assert f"{own}/nsunit/names.py" in python(
        f"import sys; sys.path.append('{own}'); from nsunit import bytecode; bytecode.preload('command')"
        "; import nsunit.names; print(nsunit.names.__file__)"
    )


@pytest.mark.parametrize("change", ["size", "time", "gone"])
def test_one_of_other_sources_is_not_used(own, change):
    source = own / "nsunit/names.py"
    before = source.stat()
    if change == "gone":
        source.unlink()
    else:
        source.write_bytes(source.read_bytes() + b"\n" * (change == "size"))
        os.utime(source, (before.st_atime, before.st_mtime + (change == "time")))
    assert loaded(own) == NOTHING


@pytest.mark.parametrize("content", [None, b"", b"\0" * 40])
def test_one_that_is_of_another_python_or_not_there_is_not_used(own, content):
    (pack,) = (own / "nsunit/__pycache__").glob("command.*.pack")
    pack.unlink()
    if content is not None:
        pack.write_bytes(content)
    assert loaded(own) == NOTHING


@pytest.mark.parametrize("part", [5, 100, 0.5, -1])
def test_one_that_a_crash_has_cut_off_is_not_used(own, part):
    (pack,) = (own / "nsunit/__pycache__").glob("command.*.pack")
    content = pack.read_bytes()
    pack.write_bytes(content[: part if isinstance(part, int) else int(len(content) * part)])
    assert loaded(own) == NOTHING


@pytest.mark.parametrize("pack", [name for name, (before, _) in PACKS.items() if before])
def test_it_is_not_used_before_what_it_builds_on(installed, pack):
    code = f"import sys; sys.path.append('{installed}'); from nsunit import bytecode; bytecode.preload('{pack}')"
    assert python(f"{code}; print(*(name for name in sys.modules if name.startswith('nsunit.')))") == NOTHING


@pytest.mark.parametrize("options", [("-O",), ("-X", "pycache_prefix={}")])
def test_it_is_not_used_where_bytecode_is_another(installed, tmp_path, options):
    assert loaded(installed, *(word.format(tmp_path) for word in options)) == NOTHING


@pytest.mark.parametrize("keyword", ["network", "output-pipes", "make-directory", "volume", "health", "bind-owned"])
def test_the_helper_imports_nothing_for_a_step_of_a_feature(installed, keyword):
    python(f"""
import sys
sys.path.append("{installed}")
from nsunit import bytecode
bytecode.preload("helper")
class Nobody:
    def find_spec(name, path=None, target=None):
        assert not name.startswith("nsunit"), f"{{name}} is imported"
sys.meta_path.insert(0, Nobody)
from nsunit.setup.main import rare
assert rare("{keyword}").keyword == "{keyword}"
""")


@pytest.mark.parametrize("verb", [name for name in PACKS if name.startswith("oci.") and name != "oci.scope"])
def test_a_verb_of_the_runtime_comes_from_packs(installed, tmp_path, verb):
    words = [verb.removeprefix("oci.").replace("execute", "exec"), "nobody"]
    command = [sys.executable, "-SI", "-X", "importtime", installed / "nsunit/oci/run.py", "--root", tmp_path, *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert any(text in done.stderr for text in ("container does not exist", "config.json not found"))
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
    assert {name for name in imported if name.startswith("nsunit")} == {"nsunit.bytecode"}
