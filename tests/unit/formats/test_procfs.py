import pytest

from nsunit.formats import procfs
from nsunit.formats.procfs import IdRange, Stat

TAIL = "S 1 2 3 0 -1 4194304 100 0 0 0 150 50 0 0 20 0 3 0 7777 1000 200 18446744073709551615"


@pytest.mark.parametrize("comm", ["sh", "a b", ") R 1 (", "x) S 1 2\n3", ""])
def test_stat_with_any_name(comm):
    assert procfs.stat(f"12 ({comm}) {TAIL}\n") == Stat(comm, "S", 150, 50, 3, 7777)


def test_status():
    fields = procfs.status("Name:\tsh\nUid:\t0\t1000\t0\t0\nNSpid:\t900\t1\nVmRSS:\t     12 kB\nodd\n")
    assert fields["Uid"].split() == ["0", "1000", "0", "0"]
    assert fields["NSpid"].split() == ["900", "1"]
    assert fields["VmRSS"] == "12 kB"


@pytest.mark.parametrize("end", ["\r", "\v", "\f", "\x1c", "\x85", "\u2028"])
def test_no_name_is_another_field(end):
    """A process without memory, whose first thread has ended, has no VmRSS; by its name it would have one."""
    assert procfs.status(f"Name:\ta{end}VmRSS:\tx\nUid:\t0\n").keys() == {"Name", "Uid"}


RANGES = (IdRange(0, 524288, 65536), IdRange(100000, 0, 1))


def test_id_map():
    assert procfs.id_map("         0     524288      65536\n    100000 0 1\n") == RANGES


@pytest.mark.parametrize(
    ("outside", "inside"), [(524288, 0), (525288, 1000), (589823, 65535), (589824, None), (0, 100000), (1, None)]
)
def test_inside_id(outside, inside):
    assert procfs.inside_id(RANGES, outside) == inside


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("sleep\x0010\x00", "sleep 10"),
        ("", "[comm]"),
        ("\0\0", "[comm]"),
        ("a\0\0b\0", "a  b"),
        ("title: x", "title: x"),
    ],
)
def test_command_line(text, shown):
    assert procfs.command_line(text, "comm") == shown
