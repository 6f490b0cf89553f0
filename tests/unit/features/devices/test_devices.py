"""Device=: what it takes, and what becomes of it."""

import os
import stat

import pytest
from facts import FACTS, OF_ALICE

from nsunit.definition.host import Host
from nsunit.definition.load import load_text
from nsunit.errors import DefinitionError
from nsunit.features.devices import deeds
from nsunit.features.devices.keys import Device, of
from nsunit.features.devices.setup import outside
from nsunit.plan.change import live_properties
from nsunit.plan.foreground import run_scope
from nsunit.plan.operations import operations
from nsunit.plan.units import units
from nsunit.units import Property

BASE = "[Container]\nRootfs=/srv/root\nVolatile=yes\nExec=/bin/sh\n"
HOST = Host(257)


def read(lines):
    return load_text("web", BASE + lines, "web.nsunit", HOST)


def problems(lines):
    with pytest.raises(DefinitionError) as refused:
        read(lines)
    return {problem.message: problem.hint for problem in refused.value.problems}


@pytest.mark.parametrize(
    ("text", "devices"),
    [
        ("/dev/kvm", [Device("/dev/kvm", "/dev/kvm", "rwm")]),
        ("/dev/kvm:wr", [Device("/dev/kvm", "/dev/kvm", "rw")]),
        ("/dev/ttyUSB0:/dev/modem", [Device("/dev/ttyUSB0", "/dev/modem", "rwm")]),
        (
            "/dev/sdb:/srv/disk:r -/dev/fuse",
            [Device("/dev/sdb", "/srv/disk", "r"), Device(*["/dev/fuse"] * 2, "rwm", True)],
        ),
        ("/dev/char/10\\:200:/dev/net/tun", [Device("/dev/char/10:200", "/dev/net/tun", "rwm")]),
        ("/dev/kvm\nDevice=\nDevice=/dev/fuse", [Device("/dev/fuse", "/dev/fuse", "rwm")]),
    ],
)
def test_what_it_takes(text, devices):
    assert list(of(read(f"Device={text}\n").container)) == devices


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("/etc/passwd", "'/etc/passwd' is not a device node", "use a path below /dev"),
        ("kvm", "'kvm' is not an absolute path", None),
        (
            "/dev/kvm:x",
            "'x' is neither a path nor rights to a device",
            "use SOURCE[:TARGET][:RIGHTS], e.g. /dev/ttyUSB0:/dev/modem:rw",
        ),
        ("/dev/kvm:rr", "'rr' is neither a path nor rights to a device", None),
        ("/dev/kvm:/dev/a:/dev/b", "'/dev/kvm:/dev/a:/dev/b' is not a device", None),
        ("/dev/kvm:/proc/a", "'/proc/a' is in /proc, which nsunit sets up itself", None),
        ("/dev/kvm /dev/fuse:/dev/kvm", "'/dev/kvm' is mounted on twice", "the second mount would hide the first"),
        ("/dev/kvm\nBind=/srv:/dev/kvm", "'/dev/kvm' is mounted on twice", None),
        (
            "/dev/kvm\nMountNamespace=host",
            "nothing is mounted with MountNamespace=host, its file systems are there already",
            "leave it out, or use MountNamespace=private",
        ),
    ],
)
def test_what_is_refused(text, message, hint):
    found = problems(f"Device={text}\n")
    assert f"[Container] Device: {message}" in found
    assert hint in (None, found[f"[Container] Device: {message}"])


def test_a_step_and_a_rule():
    """The right to make the node is the helper's; the rule goes before those of the definition, and stays with them."""
    definition = read("Device=/dev/net/tun:r -/dev/fuse\n[Service]\nDeviceAllow=/dev/full r\n")
    found = [item for item in operations(definition, FACTS) if item.keyword == "device"]
    assert [item.arguments() for item in found] == [
        ("/dev/fuse", "/dev/fuse", ("optional",)),
        ("/dev/net/tun", "/dev/net/tun", ()),
    ]
    rules = [
        Property("DeviceAllow", "a(ss)", ((path, rights),))
        for path, rights in (("/dev/net/tun", "rm"), ("/dev/fuse", "rwm"), ("/dev/full", "r"))
    ]
    service = units(definition, FACTS).service
    assert [item for item in service.properties if item.name == "DeviceAllow"] == rules
    assert [item for item in run_scope(definition, "x").properties if item.name == "DeviceAllow"] == rules
    empty = Property("DeviceAllow", "a(ss)", ())
    assert live_properties(service, "Service", [("Service", "DeviceAllow")]) == (empty, *rules)


def test_a_user_has_them_as_well():
    found = [item.keyword for item in operations(read("Device=/dev/fuse\n"), OF_ALICE)]
    assert "device" in found


@pytest.mark.parametrize(("inside", "found"), [(0, 300_000), (20, 300_020), (999, 300_999), (1000, 9), (1001, 300_000)])
def test_the_owner_outside(inside, found):
    assert outside([(0, 300_000, 1000), (1000, 9, 1)], inside) == found


def test_there_is_an_owner():
    with pytest.raises(OSError, match="its id 0 is not mapped"):
        outside([(1, 300_000, 1000)], 1001)


@pytest.mark.parametrize(
    ("text", "user", "reasons"),
    [
        ("/dev/null -/dev/not-there", 0, []),
        ("/dev/not-there", 0, ["'/dev/not-there' does not exist"]),
        ("/dev/null/x", 0, ["'/dev/null/x' cannot be used: Not a directory"]),
        ("/dev/shm", 0, ["'/dev/shm' is a directory without a device in it"]),
        ("/dev/null", 1000, []),
        (
            "/dev/own /dev/all /dev/group:r",
            1000,
            ["'/dev/group' cannot be opened by user 1000, without the groups that a user's containers do not have"],
        ),
    ],
)
def test_what_is_there(monkeypatch, text, user, reasons):
    character = 0o020000
    fake = {"own": (1000, 0o600), "all": (0, 0o666), "group": (0, 0o664 & ~0o004)}

    def stat(path):
        owner, mode = fake.get(path.removeprefix("/dev/"), (-1, 0))
        return os.stat_result((character | mode, 0, 0, 1, owner, 0, 0, 0, 0, 0)) if owner >= 0 else os_stat(path)

    os_stat = os.stat
    monkeypatch.setattr(deeds.os, "stat", stat)
    monkeypatch.setattr(deeds.os, "geteuid", lambda: user)
    container = read(f"Device={text}\n").container
    assert deeds.missing_sources(container) == [f"Device=: {reason}" for reason in reasons]


def test_a_directory_stands_for_what_is_below_it(tmp_path, monkeypatch):
    (tmp_path / "deep").mkdir()
    for name in ("two", "deep/one", "deep/named"):
        (tmp_path / name).touch()
    monkeypatch.setattr(deeds, "_is_device", stat.S_ISREG)
    definition = read("")
    said = (Device(str(tmp_path), "/dev/those", "rw"), Device(f"{tmp_path}/deep/named", "/dev/those/deep/named", "r"))
    found = deeds.expand(definition.replace(container=definition.container.with_extra("devices", said)))
    assert of(found.container) == (
        Device(f"{tmp_path}/deep/one", "/dev/those/deep/one", "rw", optional=True),
        Device(f"{tmp_path}/two", "/dev/those/two", "rw", optional=True),
        said[1],
    )
