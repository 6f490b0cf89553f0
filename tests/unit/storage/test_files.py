import os

from nsunit.setup.main import read_plan
from nsunit.storage.files import read_file, read_kernel_file


def test_a_long_file_is_read_whole(tmp_path):
    (tmp_path / "io.stat").write_text("8:0 rbytes=1\n" * 20_000)
    assert len(read_kernel_file(str(tmp_path / "io.stat"))) == 13 * 20_000
    assert read_kernel_file(str(tmp_path / "nothing")) is None


def test_a_list_that_comes_in_pieces_is_read_whole(tmp_path, monkeypatch):
    read = os.read
    monkeypatch.setattr(os, "read", lambda descriptor, size: read(descriptor, min(size, 4096)))
    (tmp_path / "cgroup.procs").write_text("12345\n" * 1_000)
    assert read_kernel_file(str(tmp_path / "cgroup.procs")).count("12345") == 1_000


def test_parameters_of_the_kernel_are_read_too():
    assert int(read_file("/proc/sys/net/ipv4/ip_unprivileged_port_start")) >= 0


def test_a_plan_that_is_a_pipe_is_an_empty_one(tmp_path):
    """Nobody is waited for."""
    os.mkfifo(tmp_path / "plan")
    assert read_plan(str(tmp_path)) == []
