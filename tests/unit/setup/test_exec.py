"""Which program a payload becomes."""

import errno
import os

import pytest

from nsunit.setup.build import Build
from nsunit.setup.process import Exec


@pytest.mark.parametrize("reaped", [False, True])
@pytest.mark.parametrize("path", ["bin", "empty:bin", "file:bin", "lib:bin", "missing:bin", "locked:bin"])
def test_the_first_of_a_path_that_can_be_executed(path, reaped, tmp_path):
    """As execvp(3): what is in PATH need not be a directory, and what has the name need not be a program."""
    for directory in ("empty", "bin", "lib/tool", "locked"):
        (tmp_path / directory).mkdir(parents=True)
    for program in ("bin/tool", "file", "locked/tool", "init"):
        (tmp_path / program).write_text(f"#!/bin/sh\n{'exec $2' if program == 'init' else 'echo $0 >$RESULT'}\n")
        (tmp_path / program).chmod(0o644 if program == "locked/tool" else 0o755)
    build = Build("")
    build.environment["PATH"] = ":".join(f"{tmp_path}/{part}" for part in path.split(":"))
    build.environment["RESULT"] = str(tmp_path / "result")
    child = os.fork()
    if child == 0:
        try:
            Exec(str(tmp_path / "init") if reaped else "", ("tool",)).execute(build)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert (tmp_path / "result").read_text() == f"{tmp_path}/bin/tool\n"


@pytest.mark.parametrize("reaped", [False, True])
@pytest.mark.parametrize(
    ("program", "number"), [("locked", errno.EACCES), ("directory", errno.EACCES), ("missing", errno.ENOENT)]
)
def test_why_a_program_cannot_be_executed(program, number, reaped, tmp_path):
    """The same with Init=yes as without: the exit status and the hint come from it."""
    (tmp_path / "directory").mkdir()
    (tmp_path / "locked").write_text("#!/bin/sh\n")
    for named, path in ((program, str(tmp_path)), (str(tmp_path / program), "/nowhere")):
        build = Build("")
        build.environment["PATH"] = path
        child = os.fork()
        if child == 0:
            try:
                Exec("/bin/true" if reaped else "", (named,)).execute(build)
            except OSError as error:
                os._exit(error.errno)
            finally:
                os._exit(255)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == number
