"""Limits that systemd would leave out without an error."""

from __future__ import annotations

import os
import types

import pytest

from nsunit.core import limits
from nsunit.definition.load import Host, load_text
from nsunit.errors import DefinitionError, NsunitError
from nsunit.formats.disks import Mount
from nsunit.plan.facts import Facts
from nsunit.plan.units import GONE_LATER, may_be_ignored, units

BASE = "[Container]\nRootfs=/srv\nExec=/bin/sh\n"
BPF = "+PAM -BPF_FRAMEWORK +X"


def definition(text):
    return load_text("web", BASE + text, "f", Host(257))


def effective(text, features="+BPF_FRAMEWORK", gone=()):
    bus = types.SimpleNamespace(
        features=lambda: features, properties=lambda unit: {name: 0 for name in GONE_LATER if name not in gone}
    )
    context = types.SimpleNamespace(bus=bus)
    found = definition(text)
    changed = limits.made_effective(context, found, units(found, Facts(257, "", "", "/run/x")))
    return {item.name: item.value for item in (*changed.slice.properties, *changed.service.properties)}


@pytest.fixture
def mounts(tmp_path, monkeypatch):
    """A disk with the directories a and b, an overlay of both, and a tmpfs."""
    paths = {name: str(tmp_path / name) for name in ("a", "b", "merged", "memory")}
    for path in paths.values():
        os.mkdir(path)
    kinds = {paths["merged"]: Mount("", "overlay", (paths["a"], paths["b"])), paths["memory"]: Mount("", "tmpfs")}
    monkeypatch.setattr(limits, "mount_of", lambda path, text: kinds.get(path, Mount("", "ext4")))
    return types.SimpleNamespace(**paths)


def test_only_some_keys_are_looked_at():
    assert not may_be_ignored(definition("[Slice]\nMemoryMax=1G\nIOWeight=5\n"))
    for key in ("IOReadIOPSMax=/dev/sda 5", "SocketBindDeny=any", "RestrictNetworkInterfaces=lo"):
        assert may_be_ignored(definition(f"[Service]\n{key}\n"))


def test_an_overlay_becomes_what_is_below(mounts):
    found = effective(f"[Slice]\nIOReadBandwidthMax={mounts.merged} 1M\nIOWeight=5\n[Service]\nIOReadIOPSMax=/dev 5\n")
    # Both directories are on one file system.
    assert found["IOReadBandwidthMax"] == ((mounts.a, 1_000_000),)
    assert found["IOWeight"] == 5
    assert found["IOReadIOPSMax"] == (("/dev", 5),)


def test_a_path_without_a_disk_is_an_error(mounts):
    with pytest.raises(DefinitionError) as caught:
        effective(
            f"[Slice]\nIOReadBandwidthMax={mounts.memory} 1M\nIODeviceLatencyTargetSec=/nonexistent 5ms\n"
            "[Service]\nIODeviceWeight=/dev/null 5\n"
        )
    assert [str(problem) for problem in caught.value.problems] == [
        f"web: [Slice] IOReadBandwidthMax: '{mounts.memory}' is on no disk",
        "web: [Slice] IODeviceLatencyTargetSec: '/nonexistent' does not exist",
        "web: [Service] IODeviceWeight: '/dev/null' is on no disk",
    ]
    assert {problem.hint for problem in caught.value.problems} == {"name a block device, or a file or directory on one"}


def test_one_disk_by_two_paths_is_an_error(mounts):
    """Systemd writes all four limits of a disk for each path, so only those of the last one would hold."""
    text = (
        f"[Slice]\nIOReadBandwidthMax={mounts.a} 1M\nIOWriteIOPSMax={{}} 5\nIODeviceLatencyTargetSec={mounts.b} 5ms\n"
    )
    assert effective(text.format(mounts.a))["IOWriteIOPSMax"] == ((mounts.a, 5),)
    with pytest.raises(DefinitionError) as caught:
        effective(text.format(mounts.b))
    assert [(problem.message, problem.hint) for problem in caught.value.problems] == [
        (
            f"[Slice] IOWriteIOPSMax: '{mounts.b}' is on the same disk as '{mounts.a}'",
            f"name it by one path, '{mounts.a}': systemd keeps the limits of the last path only",
        )
    ]


def test_a_filter_that_systemd_was_built_without_is_an_error():
    assert effective("[Slice]\nSocketBindDeny=any\n")["SocketBindDeny"]
    with pytest.raises(DefinitionError) as caught:
        effective("[Slice]\nSocketBindDeny=any\n[Service]\nRestrictNetworkInterfaces=lo\n", BPF)
    assert [(problem.message, problem.hint) for problem in caught.value.problems] == [
        (f"[{section}] {key}= would be ignored: this systemd was built without BPF_FRAMEWORK", "leave it out")
        for section, key in (("Slice", "SocketBindDeny"), ("Service", "RestrictNetworkInterfaces"))
    ]


def test_a_limit_that_systemd_has_no_more_is_an_error():
    text = "[Slice]\nDefaultMemoryMin=1M\nMemoryMin=1M\n[Service]\nDefaultMemoryLow=1M\n"
    assert effective(text)["DefaultMemoryMin"] == 1 << 20
    with pytest.raises(DefinitionError) as caught:
        effective(text, gone=("DefaultMemoryMin", "DefaultMemoryLow"))
    assert [(problem.message, problem.hint) for problem in caught.value.problems] == [
        (f"[{section}] {key}= would be ignored: this systemd has it no more", "leave it out")
        for section, key in (("Slice", "DefaultMemoryMin"), ("Service", "DefaultMemoryLow"))
    ]


def test_unit_files_take_no_overlay(mounts):
    context = types.SimpleNamespace()
    limits.check_files(context, definition(f"[Slice]\nIOReadBandwidthMax={mounts.a} 1M\n"))
    with pytest.raises(NsunitError, match="web: a path of IOReadIOPSMax is on an overlay") as caught:
        limits.check_files(context, definition(f"[Service]\nIOReadIOPSMax={mounts.merged} 5\n"))
    assert caught.value.hint == f"name what is below it: {mounts.a}"
