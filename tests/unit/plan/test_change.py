from pathlib import Path

import pytest

from nsunit.definition.load import Host, load_text, serialize
from nsunit.definition.setting import keys_of, lookup
from nsunit.plan.change import compare, how_to_change, live_properties, unset, with_keys_of
from nsunit.plan.facts import Facts
from nsunit.plan.units import units
from nsunit.units import INFINITY, Property

CONTAINER = "[Container]\nRootfs=/srv\nExec=/bin/sh\n"


@pytest.fixture
def host():
    return Host(257, "host", "abc", "def", "6.12", "x86-64")


@pytest.fixture
def read(host):
    return lambda text: load_text("web", CONTAINER + text, "web.nsunit", host)


def planned(definition):
    return units(definition, Facts(257, "", "", "/run/nsunit/containers/web"))


def test_the_same_is_no_change(read):
    assert compare(read("[Slice]\nMemoryMax=1G\n"), read("[Slice]\n# more\nMemoryMax=2G\nMemoryMax=1G\n")) == ()


def test_changes_tell_how(read):
    old = read(
        "User=a\n[Slice]\nMemoryMax=1G\nIPAddressDeny=10.0.0.0/8\n[Service]\nRestart=no\n[Install]\nWantedBy=a.target\n"
    )
    new = read("[Slice]\nMemoryMax=2G\nIPAddressDeny=10.0.0.0/8\nIPAddressDeny=any\n[Service]\nDelegate=no\n")
    assert [(change.section, change.key, change.old, change.new, change.how) for change in compare(old, new)] == [
        ("Container", "User", "a", "", "restart"),
        ("Install", "WantedBy", "a.target", "", "live"),
        ("Service", "Delegate", "", "no", "restart"),
        ("Service", "Restart", "no", "", "restart"),
        ("Slice", "IPAddressDeny", "10.0.0.0/8", "10.0.0.0/8; any", "live"),
        ("Slice", "MemoryMax", "1G", "2G", "live"),
    ]
    assert str(compare(old, new)[-1]) == "[Slice] MemoryMax: '1G' -> '2G'"


def test_lists_that_a_reload_would_bring_back_only_grow_live():
    assert how_to_change("Slice", "RestrictNetworkInterfaces", [], ["lo"]) == "live"
    assert how_to_change("Slice", "RestrictNetworkInterfaces", ["lo"], ["lo", "eth0"]) == "live"
    assert how_to_change("Slice", "RestrictNetworkInterfaces", ["lo"], ["eth0"]) == "restart"
    assert how_to_change("Service", "DisableControllers", ["cpu"], []) == "restart"


def test_live_properties_empty_a_list_first_and_give_defaults(read):
    new = planned(read("[Slice]\nIPAddressDeny=10.0.0.0/8\nMemoryMax=50%\nRestrictNetworkInterfaces=lo\n"))
    keys = [
        ("Slice", key) for key in ("MemoryMax", "MemoryLow", "CPUWeight", "IPAddressDeny", "RestrictNetworkInterfaces")
    ]
    assert live_properties(new.slice, "Slice", keys) == (
        Property("IPAddressDeny", "a(iayu)", ()),
        Property("IPAddressDeny", "a(iayu)", ((2, b"\n\0\0\0", 8),)),
        Property("MemoryMaxScale", "u", 1 << 31),
        Property("RestrictNetworkInterfaces", "(bas)", (False, ())),
        Property("RestrictNetworkInterfaces", "(bas)", (True, ("lo",))),
        Property("MemoryLow", "t", 0),
        Property("CPUWeight", "t", INFINITY),
    )
    assert live_properties(new.service, "Service", keys) == ()


def test_a_key_that_is_taken_away_gets_the_default_of_nsunit(read):
    new = planned(read(""))
    keys = [("Service", "TasksMax"), ("Slice", "TasksMax"), ("Service", "DevicePolicy")]
    assert live_properties(new.service, "Service", keys) == (
        Property("TasksMax", "t", INFINITY),
        Property("DevicePolicy", "s", "closed"),
    )
    assert live_properties(new.slice, "Slice", keys) == (Property("TasksMax", "t", 1024),)


@pytest.mark.parametrize("section", ["Slice", "Service"])
def test_each_live_key_has_a_default_of_its_type(section):
    kinds = {"t": int, "u": int, "b": bool, "s": str, "ay": bytes}
    for key in keys_of(section):
        setting = lookup(section, key)
        if setting.live:
            value = unset(setting.property, setting.signature).value
            assert isinstance(value, kinds.get(setting.signature, tuple)), key


def test_some_keys_of_another_definition(read, host):
    base = read("User=a\n[Slice]\nMemoryMax=1G\nCPUWeight=20\n")
    other = read("User=b\n[Slice]\nMemoryMax=2G\nTasksMax=5\n")
    mixed = with_keys_of(base, other, [("Slice", "MemoryMax"), ("Slice", "CPUWeight"), ("Slice", "TasksMax")])
    again = load_text("web", serialize(mixed), "stored", host)
    assert [(item.key, item.text) for item in again.assignments][2:] == [
        ("User", "a"),
        ("MemoryMax", "2G"),
        ("TasksMax", "5"),
    ]
    assert again.container.user == "a"
    assert Path(again.sources[0]).name == "web.nsunit"
