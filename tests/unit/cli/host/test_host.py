import json
import types

from nsunit.errors import BusError
from nsunit.record import Record


class Finding(Record):
    subject: str
    state: str
    text: str
    hint: str | None = None


def test_version(nsunit, manager):
    status, out, err = nsunit("version")
    assert (status, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == ["nsunit", "systemd", "linux", "python", "machine"]
    assert json.loads(nsunit("version", "--json")[1])["systemd"] == 257


def test_version_without_systemd(nsunit, manager):
    def version():
        raise BusError("x", "cannot reach systemd")

    manager.context.bus = types.SimpleNamespace(version=version)
    status, out, err = nsunit("version")
    assert (status, err) == (0, "nsunit: cannot reach systemd\n")
    assert "systemd not reachable\n" in out


def test_doctor(nsunit, manager):
    findings = [Finding("kernel", "ok", "Linux 6.1"), Finding("cgroup", "warning", "no io", "boot with x")]
    manager("deeds.host.doctor", examine=lambda context: findings)
    status, out, _err = nsunit("doctor")
    assert status == 0
    assert [line[2:] for line in out.splitlines()] == [
        "kernel  Linux 6.1",
        "cgroup  no io",
        "        hint: boot with x",
    ]
    assert "kernel" not in nsunit("doctor", "-q")[1]
    findings.append(Finding("systemd", "error", "not PID 1"))
    status, out, _err = nsunit("doctor", "--json")
    assert (status, json.loads(out)[2]["state"]) == (1, "error")
