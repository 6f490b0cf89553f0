"""How systemd-machined gets to know of a container, and by which name."""

import types

import pytest
from facts import HOST_ID, MACHINE_ID, OF_SYSTEM

from nsunit.definition.host import Host
from nsunit.definition.load import load_text
from nsunit.features import hooks
from nsunit.features.machined import deeds as machined
from nsunit.features.machined.plan import machine_name
from nsunit.plan.units import units

BASE = "[Container]\nLayer=/srv/os\nBoot=yes\n"


def define(text):
    return load_text("os", text, "/etc/nsunit", Host(257))


def service(text=BASE, facts=OF_SYSTEM):
    return {item.key: item for item in units(define(text), facts).service_directives}


def known(text, program="/bin/sh"):
    """The facts of a host where systemd-machined is *program*."""
    context, definition = types.SimpleNamespace(user=False, host=Host(257, "host", HOST_ID)), define(text)
    facts = OF_SYSTEM.replace(extras=())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machined, "PROGRAM", program)
        for add in hooks(definition.container.features, "deeds.facts"):
            facts = add(context, definition, facts)
    return facts


def test_registration():
    assert known(BASE) == OF_SYSTEM
    command = service()["ExecStartPost"]
    ((program, argv, ignored),) = command.property.value
    assert (program, argv[:2], ignored) == ("/bin/sh", ("/bin/sh", "-c"), True)
    assert command.text == f"-/bin/sh -c '{argv[2]}'"
    assert "$" not in command.text  # which counts until a daemon-reload only
    words = argv[2].split()
    position = words.index("sayssus")
    assert words[position + 1 : position + 3] == ["os", "16"]
    assert bytes(map(int, words[position + 3 : position + 19])).hex() == MACHINE_ID
    assert argv[2].endswith(" nsunit container `printenv MAINPID` /proc/`printenv MAINPID`/root")
    assert service()["ExecStopPost"].text.endswith(" UnregisterMachine s os 2>/dev/null'")
    plain = "[Container]\nLayer=/srv/os\nExec=/bin/app\n"
    for text in (plain, BASE + "Register=no\n"):
        assert "ExecStartPost" not in service(text, known(text))
    assert "ExecStartPost" in service(plain + "Register=yes\n", known(plain + "Register=yes\n"))
    assert "ExecStartPost" not in service(facts=known(BASE, "/missing"))


@pytest.mark.parametrize("name", ["os", "a.b-c", "a--b", "1" * 63])
def test_machine_name_as_it_is(name):
    assert machine_name(name) == name


@pytest.mark.parametrize(
    ("name", "start"),
    [
        *(("web@1", "web-1-"), ("web_1", "web-1-"), ("a-.b", "a.b-"), ("a..b.", "a.b-"), ("a-", "a-")),
        ("a_" + "b" * 61, "a-" + "b" * 54 + "-"),
        ("a" * 55 + "-_b_", "a" * 55 + "-"),
    ],
)
def test_machine_name_of_others(name, start):
    machine = machine_name(name)
    assert machine.startswith(start)
    assert len(machine) == len(start) + 6 <= 63
    assert machine_name("web@1") != machine_name("web_1")
