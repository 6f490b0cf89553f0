"""The stored copy: what is written reads back as the same definition."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from nsunit.definition.load import Host, load_properties, load_text, serialize, unit_text_value
from nsunit.definition.setting import all_settings, lookup

HOST = Host(262, "alpha", "0123456789abcdef0123456789abcdef")
TAKEN = [setting for setting in all_settings() if setting.refused is None]
BASE = "[Container]\nRootfs=/srv/r\nExec=/bin/sh\n"


@pytest.mark.parametrize(
    ("section", "key", "text", "expected"),
    [
        ("Unit", "Description", "50% off", "50%% off"),
        ("Container", "Exec", "/bin/date +%s", "/bin/date +%%s"),
        ("Slice", "CPUQuota", "30%", "30%"),
        ("Slice", "MemoryMax", "50%", "50%"),
        ("Service", "TasksMax", "50%", "50%"),
        ("Service", "LogFilterPatterns", "~%d", "~%d"),
        ("Unit", "ConditionMemoryPressure", "20%", "20%%"),
        ("Unit", "After", "a.service", "a.service"),
    ],
)
def test_percent_signs_are_doubled_where_systemd_looks_for_specifiers(
    section: str, key: str, text: str, expected: str
) -> None:
    setting = lookup(section, key)
    assert setting is not None
    assert unit_text_value(setting, text) == expected


def test_the_form_of_a_stored_copy() -> None:
    definition = load_text(
        "web", BASE + "Hostname=%p\n[Slice]\nCPUQuota=30%\n[Unit]\nDescription=5%%\n", "/e/web", HOST
    )
    assert serialize(definition) == (
        "[X-Nsunit]\nSource=/e/web\n\n"
        "[Unit]\nDescription=5%%\n\n"
        "[Container]\nRootfs=/srv/r\nExec=/bin/sh\nHostname=web\n\n"
        "[Slice]\nCPUQuota=30%\n"
    )


def test_the_example_comes_back() -> None:
    text = (Path(__file__).parent / "web.nsunit").read_text()
    definition = load_text("web", text, "/etc/nsunit/web.nsunit", HOST)
    assert load_text("web", serialize(definition), "/run/stored", HOST.replace(hostname="beta")) == definition


def test_several_sources_come_back() -> None:
    origins = [("", "Rootfs", "/r", "-p Rootfs=/r"), ("", "Exec", "/bin/sh", "command line")]
    definition = load_properties("web", origins, HOST)
    assert definition.sources == ("-p Rootfs=/r", "command line")
    assert load_text("web", serialize(definition), "/run/stored", HOST) == definition


# What needs another key, or excludes one.
LEFT_OUT = (
    "Rootfs Exec Layer Boot ReadOnly Network PublishPort HostPort PrivateUsers WatchdogSec Delegate CPUBurstSec "
    "Activation IdleStop Egress Ingress NetworkAlias DNS DNSSearch DNSOption Link Tunnel Pod "
    "Address MACAddress Gateway Route MTU CPUSchedulingPriority NUMAPolicy NUMAMask RestrictNetworkInterfaces "
    "CPUSetPartition Entrypoint ImageVolumes AutoUpdate Pull "
    "HealthInterval HealthTimeout HealthRetries HealthStartPeriod HealthStartInterval HealthOnFailure".split()
)


def _random_file(random_: random.Random) -> str:
    """Return a definition with a random choice of examples in random order, some lists repeated or reset."""
    lines = {"Container": ["Exec=/bin/sh -c 'echo %%s' \\x25"]}
    for setting in random_.sample(TAKEN, 60):
        if setting.key.endswith(("Namespace", "Map", "Ownership")):
            continue  # what most others exclude, or what cannot be repeated
        if setting.key in LEFT_OUT or setting.section == "Pod":
            continue
        text = setting.example.replace("%", "%%") if setting.specifiers else setting.example
        some = lines.setdefault(setting.section, [])
        some += [f"{setting.key}={text}"] * (
            1 if setting.key in ("Bind", "BindReadOnly", "Device", "Tmpfs", "Volume") else random_.randint(1, 2)
        )
        if random_.random() < 0.1:
            some.append(f"{setting.key}=")
    sections = list(lines)
    random_.shuffle(sections)
    parts = [f"[{section}]\n" + "\n".join(lines[section]) for section in sections]
    return "\n".join([*parts, "[Container]\nLayer=/l/b\nLayer=/l/a", ""])


@pytest.mark.parametrize("seed", range(60))
def test_random_definitions_come_back(seed: int) -> None:
    definition = load_text("web@1", _random_file(random.Random(seed)), "/etc/nsunit/web@.nsunit", HOST)
    stored = serialize(definition)
    assert load_text("web@1", stored, "/run/stored", HOST) == definition
    assert serialize(load_text("web@1", stored, "/run/stored", HOST)) == stored


CHARACTERS = "ab %$\"'\\;#=:,-+[]{}~!@äé€𝄞\u00a0\u200b\u202e`|&<>*?()/.0\t"


@pytest.mark.parametrize("seed", range(60))
def test_random_strings_come_back_exactly(seed: int) -> None:
    """Any text, quoted by the rules, arrives in the record as it was meant and survives being stored."""
    random_ = random.Random(1000 + seed)
    words = ["".join(random_.choices(CHARACTERS[:-1], k=random_.randint(0, 12))) for _ in range(5)]

    def quoted(word: str) -> str:
        return '"' + word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%") + '"'

    text = BASE + f"Exec=/bin/x {' '.join(quoted(word) for word in words)}\n"
    text += f"Environment={quoted('V=' + words[0])}\n[Unit]\nDescription=x{words[1].replace('%', '%%')}x\n"
    definition = load_text("web", text, "/etc/nsunit/web.nsunit", HOST)
    assert definition.container.exec == ("/bin/x", *words)
    assert definition.container.environment == (("V", words[0]),)
    assert definition.properties_of("Unit")[0].value == f"x{words[1]}x"
    assert load_text("web", serialize(definition), "/run/stored", HOST) == definition


@pytest.mark.parametrize("seed", range(40))
def test_garbage_is_refused_or_comes_back_but_never_crashes(seed: int) -> None:
    from nsunit.errors import DefinitionError

    random_ = random.Random(2000 + seed)
    for setting in random_.sample(TAKEN, 80):
        text = "".join(random_.choices(CHARACTERS + setting.example, k=random_.randint(1, 20)))
        try:
            base = [("", "Layer", "/l", "-p"), ("", "Exec", "/bin/sh", "-p")]
            definition = load_properties("web", [*base, (setting.section, setting.key, text, "-p")], HOST)
        except DefinitionError as error:
            assert all(problem.message.isprintable() for problem in error.problems)
            continue
        assert load_text("web", serialize(definition), "/run/stored", HOST) == definition
