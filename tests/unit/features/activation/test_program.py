"""What waits for a payload to listen."""

from nsunit.features.activation import program as listening
from nsunit.features.activation.program import listens

LINE = "   0: {}:0050 00000000:0000 {} 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0\n"


def test_nobody_listens(monkeypatch, capfd):
    monkeypatch.setattr(listening._signal, "signal", lambda *_: None)
    monkeypatch.setattr(listening, "_tables", lambda cgroup: "")
    assert listening.main(["listening.py", "/sys/fs/cgroup/web", "10.91.0.2", "80", "0"]) == 0
    text = (
        "nothing in the container listens on 10.91.0.2 port 80 after 0 s: connections are refused until something does"
    )
    assert capfd.readouterr().err == text + "\n"
    monkeypatch.setattr(listening, "_tables", lambda cgroup: None)
    assert listening.main(["listening.py", "/sys/fs/cgroup/web", "10.91.0.2", "80", "0"]) == 1
    assert "has no process that could listen on 10.91.0.2 port 80" in capfd.readouterr().err


def test_who_listens():
    ours = "02005B0A"  # 10.91.0.2, on a machine of little endian
    for where in ("00000000", ours, "0" * 32, "0000000000000000FFFF0000" + ours):
        assert listens(LINE.format(where, "0A"), "10.91.0.2", 80), where
    assert not listens(LINE.format("0100007F", "0A"), "10.91.0.2", 80)  # on 127.0.0.1 only
    assert not listens(LINE.format(ours, "01"), "10.91.0.2", 80)  # connected
    assert not listens(LINE.format(ours, "0A"), "10.91.0.2", 81)
    assert listens(LINE.format("000000FD000000000000000001000000", "0A"), "fd00::1", 80)
