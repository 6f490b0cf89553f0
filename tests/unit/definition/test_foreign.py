"""Keys of other tools, which a definition does not take but answers."""

from __future__ import annotations

import re

import pytest
from definitions import container, problems_of

from nsunit.definition import foreign
from nsunit.definition.explain import refusal
from nsunit.definition.load import Host, load_text
from nsunit.definition.setting import all_settings, lookup
from nsunit.definition.syntax import SECTIONS
from nsunit.errors import DefinitionError
from nsunit.features.network.definition import network_of_text

BASE = "[Container]\nRootfs=/srv/r\nExec=/bin/sh\n"
ROWS = [
    (name.replace("*", "0"), text)
    for table in (foreign.QUADLET, foreign.NSPAWN, foreign.COMPOSE, foreign.LXC, foreign.LIMITS)
    for name, text in table.items()
]


@pytest.mark.parametrize(("name", "text"), ROWS, ids=[name for name, _ in ROWS])
def test_a_key_of_another_tool_is_answered_with_what_there_is(name, text):
    reason, _, instead = text.partition("; ")
    assert instead
    (found,) = problems_of(lambda: container(f"[Container]\n{name}=x\n"))
    assert (found.message, found.hint) == (f"'{name}': {reason}", instead)
    with pytest.raises(DefinitionError) as caught:  # and the same by `run -p`
        load_text("web", BASE, "web.nsunit", Host(257), [("", name, "x", "-p")])
    assert caught.value.problems[0].hint == instead
    section = "Container"
    for word, key in re.findall(r"\[(\w+)\]|\b([A-Z]\w+)=", instead):
        section = word or section
        if key:
            setting = lookup(section, key)
            assert setting is not None and setting.refused is None, instead


def test_none_of_them_is_a_key():
    assert not {name for name, _ in ROWS} & {setting.key for setting in all_settings()}


def test_limits_of_lxc_are_the_kernels():
    (found,) = problems_of(lambda: container("[Container]\nlxc.cgroup2.memory.max=1G\n"))
    assert (found.message, found.hint) == ("'lxc.cgroup2.memory.max': it is the kernel's own name", "use MemoryMax=")


def test_pods_and_networks_have_keys_of_their_own():
    assert refusal("Pod", "Ulimit") is None
    assert refusal("Network", "Ulimit") is None


@pytest.mark.parametrize("key", foreign.NETWORK)
def test_a_key_of_another_tools_network_is_answered(key):
    reason, _, instead = foreign.NETWORK[key].partition("; ")
    (found,) = problems_of(lambda: network_of_text("lab", f"[Network]\n{key}=x\n", "lab.network.nsunit", Host(257)))
    assert (found.message, found.hint) == (f"'{key}': {reason}", instead)
    assert lookup("Network", key) is None
    for word in re.findall(r"\b([A-Z]\w+)=", instead):
        assert any(lookup(section, word) for section in ("Network", "Container")), instead


@pytest.mark.parametrize("section", ["Exec", "Files", "Kube", "Image", "Build", "Quadlet"])
def test_a_section_of_another_tool_is_answered(section):
    (found,) = problems_of(lambda: container(f"[{section}]\nKey=value\n"))
    assert found.message == f"unknown section '[{section}]'"
    assert found.hint.partition(" has it; ")[0] in ("systemd-nspawn", "Quadlet")
    assert section not in SECTIONS
