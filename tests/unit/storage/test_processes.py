import os
import subprocess

from nsunit.storage import processes
from nsunit.storage.processes import (
    ALL_BYTES,
    COMMAND_BYTES,
    SHORT_BYTES,
    Commands,
    UnitProcess,
    joined,
    unit_processes,
)


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
        command = Commands().of(process.pid)
        while command and not command.startswith("sh"):  # it is not yet what it will be
            command = Commands().of(process.pid)
        assert command
        assert len(command) == COMMAND_BYTES
        assert process.stdin
        process.stdin.close()


def test_one_that_has_no_command_line_any_more():
    with subprocess.Popen(["true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert Commands().of(process.pid) == "[true]"
    assert Commands().of(process.pid) is None


def test_of_many_long_command_lines_there_is_little(monkeypatch):
    monkeypatch.setattr(processes, "read_kernel_file", lambda path, most=0: "x" * most)
    commands = Commands()
    lengths = [len(commands.of(pid) or "") for pid in range(30_000)]
    assert lengths[0] == COMMAND_BYTES
    assert lengths[-1] == SHORT_BYTES
    assert sum(lengths) <= ALL_BYTES + 30_000 * SHORT_BYTES


def test_a_path_that_is_longer_than_any():
    assert joined(["/a", "b"]) == "/a/b"
    assert len(joined(["n" * 250] * 1000)) == 4096


def test_processes_in_deep_groups_take_little(tmp_path):
    """One in each of many, one in the other: their paths are cut."""
    names = ["n" * 250] * 60
    fd = os.open(tmp_path, os.O_RDONLY)
    for name in names:
        os.mkdir(name, dir_fd=fd)
        fd, parent = os.open(name, os.O_RDONLY, dir_fd=fd), fd
        os.close(parent)
        with open(os.open("cgroup.procs", os.O_WRONLY | os.O_CREAT, dir_fd=fd), "w") as file:
            file.write(f"{os.getpid()}\n")
    os.close(fd)
    found = unit_processes(str(tmp_path), "/.")
    assert len(found) == len(names)
    assert max(len(process.cgroup) for process in found) == 4096
