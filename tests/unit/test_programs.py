"""What systemd starts in units beside the helper: programs, by one stub."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import nsunit
from nsunit.features import STARTER

PACKAGE = Path(nsunit.__file__).parent
REPOSITORY = PACKAGE.parent
# The helper and nsunit-oci are started so often that they have stubs of their own, which do less.
STUBS = ("nsunit/run.py", "nsunit/setup/run.py", "nsunit/oci/run.py")
PROGRAMS = sorted(
    {
        *(".".join(path.relative_to(PACKAGE).with_suffix("").parts) for path in PACKAGE.glob("features/*/program.py")),
        *("deeds.forward", "deeds.shown", "features.network.wire.server"),
    }
)


def test_nothing_but_stubs_is_started_by_path():
    """Python keeps bytecode of modules alone, not of what is started by path."""
    for path in STUBS:
        assert len((REPOSITORY / path).read_text().splitlines()) <= 28, path
    for path in PACKAGE.rglob("*.py"):
        assert "__main__" not in path.read_text() or path.parent == PACKAGE / "cli", path
    for path in (REPOSITORY / "packaging/debian").rglob("*"):
        started = re.findall(r"\S*/dist-packages/(nsunit/\S*\.py)", path.read_text()) if path.is_file() else []
        assert set(started) <= set(STUBS), path


READ = """
import posix, sys
end = posix._exit
def show(_status):
    print(*(path for path in sys.path_importer_cache if not path.startswith(sys.base_prefix + "/lib/python")))
    sys.stdout.flush()
    end(0)
posix._exit = show
text = open({stub!r}).read().replace("/usr/lib/python3/dist-packages", {top!r})
sys.argv[0] = {stub!r}
exec(compile(text, {stub!r}, "exec"), {{"__name__": "__main__", "__file__": {stub!r}}})
"""


@pytest.mark.parametrize(
    ("stub", "words"),
    [
        ("nsunit/run.py", ["deeds.shown", "/none"]),
        ("nsunit/setup/run.py", []),
        ("nsunit/oci/run.py", ["--version"]),
        ("packaging/debian/nsunit", ["--help"]),
    ],
)
def test_the_directory_that_the_package_is_in_is_not_read(stub, words):
    """Debian has hundreds of others there: to read all names takes half a millisecond, at each start of Python."""
    script = READ.format(stub=str(REPOSITORY / stub), top=str(REPOSITORY))
    command = [sys.executable, "-SI", "-c", script, *words]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    read = done.stdout.splitlines()[-1].split()
    assert str(PACKAGE) in read, done.stderr
    assert str(REPOSITORY) not in read


def test_what_units_of_the_package_start_is_there():
    for path in (REPOSITORY / "packaging/debian").rglob("*.service"):
        for module in re.findall(r"/nsunit/run\.py (\S+)", path.read_text()):
            assert module in PROGRAMS, path


@pytest.mark.parametrize("module", PROGRAMS)
def test_it_runs_what_is_imported(module):
    command = [sys.executable, "-SI", "-v", STARTER, module]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert f"import 'nsunit.{module}'" in done.stderr
