"""The table as a whole: complete, documented, and in agreement with systemd's sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from nsunit.definition.load import Host, load_properties
from nsunit.definition.setting import Setting, all_settings, lookup
from nsunit.definition.values import Properties
from nsunit.errors import DefinitionError

BASE = [("Container", "Rootfs", "/srv/r", "-p"), ("Container", "Exec", "/bin/sh", "-p")]
SETTINGS = all_settings()
TAKEN = [setting for setting in SETTINGS if setting.refused is None]
REFUSED = [setting for setting in SETTINGS if setting.refused is not None]
CONTEXTS = {"Slice": {"cgroup"}, "Unit": {"unit"}, "Service": {"cgroup", "execute", "kill", "service"}}

RESOURCE_CONTROL = """
CPUAccounting CPUWeight StartupCPUWeight CPUQuota CPUQuotaPeriodSec AllowedCPUs StartupAllowedCPUs AllowedMemoryNodes
StartupAllowedMemoryNodes MemoryAccounting MemoryMin MemoryLow StartupMemoryLow DefaultMemoryMin DefaultMemoryLow
DefaultStartupMemoryLow MemoryHigh StartupMemoryHigh MemoryMax StartupMemoryMax MemorySwapMax StartupMemorySwapMax
MemoryZSwapMax StartupMemoryZSwapMax MemoryZSwapWriteback TasksAccounting TasksMax IOAccounting IOWeight
StartupIOWeight IODeviceWeight IOReadBandwidthMax IOWriteBandwidthMax IOReadIOPSMax IOWriteIOPSMax
IODeviceLatencyTargetSec IPAccounting IPAddressAllow IPAddressDeny SocketBindAllow SocketBindDeny
RestrictNetworkInterfaces NFTSet IPIngressFilterPath IPEgressFilterPath BPFProgram DeviceAllow DevicePolicy
DisableControllers ManagedOOMSwap ManagedOOMMemoryPressure ManagedOOMMemoryPressureLimit
ManagedOOMMemoryPressureDurationSec ManagedOOMPreference BindNetworkInterface CPUSetPartition OOMRules
""".split()


def accepted() -> dict[str, dict[str, int]]:
    """Context → property → first of 252 and 257 that accepts it."""
    found: dict[str, dict[str, int]] = {}
    for line in (Path(__file__).parent / "transient_properties.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            version, context, name = line.split()
            found.setdefault(context, {})[name] = int(version)
    return found


def name_of(setting: Setting) -> str:
    return f"{setting.section}.{setting.key}"


@pytest.mark.parametrize("setting", TAKEN, ids=name_of)
def test_every_setting_is_documented_and_its_example_parses(setting: Setting) -> None:
    assert setting.help.endswith(".")
    assert setting.help[0].isupper()
    assert setting.syntax
    assert setting.since >= 183
    assert setting.parse(setting.example) is not None


@pytest.mark.parametrize("setting", REFUSED, ids=name_of)
def test_every_refusal_says_why_and_what_to_do(setting: Setting) -> None:
    assert setting.refused is not None
    reason, separator, instead = setting.refused.partition("; ")
    assert reason
    assert separator
    assert instead
    if instead.startswith("use ["):
        section, _, rest = instead.removeprefix("use [").partition("] ")
        key = rest.split("=")[0]
        target = lookup(section, key)
        assert target is not None and target.refused is None, instead
    elif instead.startswith("use ") and "=" in instead:
        target = lookup(setting.section, instead.removeprefix("use ").split("=")[0])
        assert target is not None and target.refused is None, instead


@pytest.mark.parametrize("setting", [s for s in TAKEN if s.property], ids=name_of)
def test_systemd_accepts_the_property_for_transient_units(setting: Setting) -> None:
    value = setting.parse(setting.example)
    names = {item.name for item in value} if isinstance(value, Properties) else {setting.property}
    for name in {*names, setting.property}:
        versions = [
            table[name]
            for context, table in accepted().items()
            if context in CONTEXTS[setting.section] and name in table
        ]
        assert versions, f"{name} is no transient property of a {setting.section}"
        assert setting.since > 252 or min(versions) == 252, f"{name} is not in systemd 252"


@pytest.mark.parametrize("section", ["Slice", "Service"])
@pytest.mark.parametrize("key", RESOURCE_CONTROL)
def test_all_of_resource_control_is_taken(section: str, key: str) -> None:
    setting = lookup(section, key)
    assert setting is not None
    assert setting.refused is None


def test_keys_are_unique_and_found_by_lookup() -> None:
    names = [name_of(setting) for setting in SETTINGS]
    assert len(names) == len(set(names))
    for setting in SETTINGS:
        found = lookup(setting.section, setting.key)
        assert found is not None
        assert (found.key, found.refused) == (setting.key, setting.refused)


def test_unknown_keys_and_sections_are_not_found() -> None:
    assert lookup("Slice", "Restart") is None
    assert lookup("Scope", "MemoryMax") is None


@pytest.mark.parametrize("setting", [s for s in TAKEN if s.since > 252], ids=name_of)
def test_a_key_that_this_systemd_does_not_have_is_refused_with_the_version(setting: Setting) -> None:
    said = [*BASE, ("Container", "Notify", "yes", "-p"), (setting.section, setting.key, setting.example, "-p")]
    with pytest.raises(DefinitionError) as caught:
        load_properties("web", said, Host(252))
    expected = f"-p: [{setting.section}] {setting.key} needs systemd {setting.since}, this machine has 252"
    assert caught.value.message == expected
    load_properties("web", said, Host(setting.since))


def test_the_version_floor_knows_these() -> None:
    since = {name_of(setting): setting.since for setting in TAKEN}
    for name, version in {
        "Slice.MemoryZSwapMax": 253,
        "Slice.StartupMemoryMax": 254,
        "Slice.NFTSet": 255,
        "Slice.MemoryZSwapWriteback": 256,
        "Slice.ManagedOOMMemoryPressureDurationSec": 257,
        "Slice.ConcurrencyHardMax": 258,
        "Slice.BindNetworkInterface": 260,
        "Slice.OOMRules": 261,
        "Slice.ActivatingConcurrencyMax": 262,
        "Service.ExecReloadPost": 259,
        "Service.MemoryTHP": 260,
        "Service.CPUPressureWatch": 261,
        "Service.RestartRandomizedDelaySec": 262,
        "Unit.ConditionPathIsSocket": 260,
        "Service.RestartSteps": 254,
        "Service.ReloadSignal": 253,
        "Service.LogFilterPatterns": 253,
        "Service.CoredumpReceive": 255,
        "Service.MemoryKSM": 254,
        "Unit.WantsMountsFor": 256,
        "Unit.SurviveFinalKillSignal": 255,
        "Unit.Upholds": 249,
    }.items():
        assert since[name] == version, name


@pytest.mark.parametrize(
    ("section", "key", "value", "since"),
    [
        ("Service", "RestartMode", "debug", 257),
        ("Unit", "FailureAction", "soft-reboot", 254),
        ("Service", "CPUSchedulingPolicy", "ext", 260),
        ("Service", "NUMAPolicy", "preferred-many", 262),
        ("Unit", "OnFailureJobMode", "lenient", 258),
        ("Unit", "OnFailureJobMode", "restart-dependencies", 254),
    ],
)
def test_a_value_that_this_systemd_does_not_have_is_refused(section: str, key: str, value: str, since: int) -> None:
    assignment = (section, key, value, "-p")
    version = max(since - 1, 254) if key == "RestartMode" else since - 1
    with pytest.raises(DefinitionError) as caught:
        load_properties("web", [*BASE, assignment], Host(version))
    assert caught.value.message == f"-p: [{section}] {key}: '{value}' needs systemd {since}, this machine has {version}"
    more = [("Service", "NUMAMask", "0", "-p")] if key == "NUMAPolicy" else []
    load_properties("web", [*BASE, assignment, *more], Host(since))


def test_a_percentage_of_tasks_is_refused_where_a_reload_would_change_it() -> None:
    with pytest.raises(DefinitionError) as caught:
        load_properties("web", [*BASE, ("Slice", "TasksMax", "50%", "-p")], Host(252))
    (problem,) = caught.value.problems
    assert problem.message == "[Slice] TasksMax: '50%' becomes a tenth of that at a daemon-reload of systemd 252"
    assert problem.hint == "use a number"


def test_only_resource_control_can_change_while_running() -> None:
    live = {setting.key for setting in TAKEN if setting.live}
    assert {"MemoryMax", "CPUQuota", "DeviceAllow", "IPAddressDeny", "AllowedCPUs", "Description"} <= live
    assert not live & {"Delegate", "BPFProgram", "MemoryPressureWatch", "Nice", "Restart", "LimitNOFILE", "Exec"}
