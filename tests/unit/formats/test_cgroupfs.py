import pytest

from nsunit.formats import cgroupfs
from nsunit.formats.cgroupfs import DeviceIO, Traffic

NET_DEV = """\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier
    lo: 99999     9    0    0    0     0          0         0    99999     9    0    0    0     0       0          0
  eth0:  1000    10    0    0    0     0          0         0      200     2    0    0    0     0       0          0
eth1:5 1 0 0 0 0 0 0 7 2 0 0 0 0 0 0
"""
PRESSURE = """\
some avg10=1.50 avg60=0.22 avg300=0.03 total=12345
full avg10=0.50 avg60=0.10 avg300=0.01 total=2345
"""


@pytest.mark.parametrize(("text", "value"), [("max\n", None), ("", None), ("0\n", 0), ("4096\n", 4096)])
def test_number(text, value):
    assert cgroupfs.number(text) == value


def test_flat_keyed():
    assert cgroupfs.flat_keyed("low 0\nhigh 3\nodd line here\n") == {"low": 0, "high": 3}


@pytest.mark.parametrize(
    ("text", "devices"),
    [
        ("", ()),
        (
            "254:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n7:0 rbytes=1 wbytes=0 rios=1 wios=0\n",
            (DeviceIO("254:0", 10, 20, 1, 2), DeviceIO("7:0", 1, 0, 1, 0)),
        ),
        # Some kernels leave out the line end of a device without values.
        ("7:1 7:0 254:0 rbytes=10 wbytes=20 rios=1 wios=2\n", (DeviceIO("254:0", 10, 20, 1, 2),)),
        ("254:0 cost.usage=5\n", ()),
    ],
)
def test_io_stat(text, devices):
    assert cgroupfs.io_stat(text) == devices


def test_nested_keyed():
    assert cgroupfs.nested_keyed("8:0 rbps=max wbps=1000\n") == {"8:0": {"rbps": "max", "wbps": "1000"}}


def test_pressure():
    found = cgroupfs.pressure(PRESSURE)
    assert (found.some_avg10, found.some_avg60, found.some_avg300, found.some_total_usec) == (1.5, 0.22, 0.03, 12345)
    assert (found.full_avg10, found.full_avg60, found.full_avg300, found.full_total_usec) == (0.5, 0.1, 0.01, 2345)


def test_pressure_without_full():
    assert cgroupfs.pressure(PRESSURE.splitlines()[0]).full_total_usec == 0


def test_traffic_leaves_lo_out():
    assert cgroupfs.net_dev(NET_DEV) == Traffic(1005, 11, 207, 4)


@pytest.mark.parametrize(
    ("text", "value"), [("max 100000\n", (None, 100000)), ("30000 50000\n", (30000, 50000)), ("5\n", (5, 100000))]
)
def test_cpu_max(text, value):
    assert cgroupfs.cpu_max(text) == value


@pytest.mark.parametrize(("text", "value"), [("\n", ()), ("0-2,5\n", (0, 1, 2, 5)), ("3", (3,))])
def test_cpu_list(text, value):
    assert cgroupfs.cpu_list(text) == value


@pytest.mark.parametrize("name", ["x\x1clo", "\x1clo", "\u2028lo"])
def test_no_interface_of_a_containers_passes_for_lo(name):
    """The kernel takes such names, and Python such characters for the end of a line, or for blanks."""
    assert cgroupfs.net_dev(f"{name}: 5 1 0 0 0 0 0 0 7 2 0 0 0 0 0 0\n") == Traffic(5, 1, 7, 2)
