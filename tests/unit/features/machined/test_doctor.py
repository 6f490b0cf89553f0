"""What `doctor` says of systemd-machined."""

from nsunit.core.findings import OK, WARNING, Finding
from nsunit.features.machined import doctor


def test_it_is_there_or_not(monkeypatch):
    monkeypatch.setattr(doctor, "PROGRAM", "/bin/sh")
    assert doctor.findings(None) == [Finding("machined", OK, "installed")]
    monkeypatch.setattr(doctor, "PROGRAM", "/missing")
    text = "systemd-machined is missing: 'machinectl' cannot show containers"
    assert doctor.findings(None) == [Finding("machined", WARNING, text, "apt install systemd-container")]
