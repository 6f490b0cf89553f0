"""What `doctor` says of namespaces that live on."""

from types import SimpleNamespace

from nsunit.core.findings import WARNING, Finding
from nsunit.features.namespaces import doctor
from nsunit.features.namespaces.ledger import Row

LEFT = Row("web", "net", 103, 107, 1, (), "left", ("process 9 (bash)", "a mount at '/x'"))


def test_each_is_told_with_what_keeps_it():
    assert list(doctor.judge([LEFT])) == [
        Finding(
            "namespaces",
            WARNING,
            "net 103 of web is alive without its container: process 9 (bash); a mount at '/x'",
            "see 'nsunit ns list --left'; what keeps it has to let go",
        )
    ]
    (finding,) = doctor.judge([LEFT.replace(kept_by=())])
    assert finding.text.endswith("something that /proc does not show")


def test_without_privileges_nothing_is_tried(monkeypatch):
    monkeypatch.setattr(doctor, "is_privileged", lambda: False)
    assert doctor.findings(SimpleNamespace()) == []


def test_in_a_container_nothing_is_found(monkeypatch):
    def refused(_paths):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(doctor, "is_privileged", lambda: True)
    monkeypatch.setattr(doctor, "scan", refused)
    assert doctor.findings(SimpleNamespace(paths=None)) == []
