import os
import subprocess

from nsunit.storage.processes import COMMAND_BYTES, UnitProcess, command_of, unit_processes


def test_of_a_unit_and_below_it(tmp_path):
    """This process, and one that is gone."""
    payload = tmp_path / "nsunit.slice/nsunit-web.service/payload"
    payload.mkdir(parents=True)
    (payload / "cgroup.procs").write_text(f"4194304\n{os.getpid()}\n")
    (process,) = unit_processes(str(tmp_path), "/nsunit.slice")
    assert (process.cgroup, process.pid) == ("/nsunit.slice/nsunit-web.service/payload", os.getpid())
    assert process.command
    assert unit_processes(str(tmp_path), "/gone.slice") == []
    assert unit_processes(str(tmp_path), "") == []


def test_names_that_are_no_text(tmp_path):
    group = os.fsencode(tmp_path) + b"/a.service/\xff"
    os.makedirs(group)
    with open(group + b"/cgroup.procs", "w") as file:
        file.write(f"{os.getpid()}\n")
    (process,) = unit_processes(str(tmp_path), "/a.service")
    assert isinstance(process, UnitProcess)
    assert process.cgroup == "/a.service/\udcff"


def test_the_beginning_of_a_long_command_line():
    with subprocess.Popen(["sh", "-c", "read line", *["x" * 60000] * 2], stdin=subprocess.PIPE) as process:
        command = command_of(process.pid)
        while command and not command.startswith("sh"):  # it is not yet what it will be
            command = command_of(process.pid)
        assert command
        assert len(command) == COMMAND_BYTES
        assert process.stdin
        process.stdin.close()


def test_one_that_has_no_command_line_any_more():
    with subprocess.Popen(["true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert command_of(process.pid) == "[true]"
    assert command_of(process.pid) is None
