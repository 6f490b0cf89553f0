"""Nesting=: what it opens, and for whom it does not."""

import pytest
from facts import FACTS, OF_SYSTEM

from nsunit.definition.host import Host
from nsunit.definition.load import load_text
from nsunit.errors import DefinitionError
from nsunit.features.nesting.plan import calls
from nsunit.features.nesting.setup import Whole
from nsunit.plan.operations import operations
from nsunit.plan.syscalls import NESTING
from nsunit.setup.build import Build
from nsunit.setup.root import Pivot

BASE = "[Container]\nRootfs=/srv/root\nVolatile=yes\nExec=/bin/sh\n"
HOST = Host(257)
BOTH = [("proc", "/run/host/proc"), ("sysfs", "/run/host/sys")]


def planned(lines, facts=FACTS):
    return operations(load_text("web", BASE + lines, "web.nsunit", HOST), facts)


def whole(operations):
    return [item.arguments() for item in operations if isinstance(item, Whole)]


@pytest.mark.parametrize(
    ("lines", "mounts"),
    [
        ("", []),
        ("Nesting=no\n", []),
        ("Nesting=yes\n", BOTH),
        ("Nesting=yes\nNetwork=host\n", BOTH[:1]),
        ("Nesting=yes\nUIDMap=0 300000 1000\n", BOTH),
    ],
)
def test_what_is_mounted_and_may_be_called(lines, mounts):
    found = planned(lines)
    assert whole(found) == mounts
    forbidden = [item.value for item in found if item.keyword == "sysctl" and item.key == "user.max_user_namespaces"]
    assert forbidden == ([] if mounts else ["0"])
    container = load_text("web", BASE + lines, "web.nsunit", HOST).container
    assert calls(container) == ((NESTING,) if mounts else ())


def test_a_whole_system_has_it_on_its_own_run():
    found = planned("Boot=yes\nNesting=yes\n", OF_SYSTEM)
    places = [item.target for item in found if item.keyword in ("tmpfs", "whole")]
    assert places == ["/run", "/run/host/proc", "/run/host/sys", "/tmp"]
    pivot = next(index for index, item in enumerate(found) if isinstance(item, Pivot))
    assert found[pivot + 1].keyword == "boot-shared"


@pytest.mark.parametrize(
    ("lines", "message", "hint"),
    [
        *(
            (
                line,
                "root inside must not be the host's root, who could change the host by a whole /proc",
                "leave out PrivateUsers=, UIDMap= and UserNamespace=, or name ids without 0 outside",
            )
            for line in (
                "PrivateUsers=no",
                "PrivateUsers=identity",
                "UIDMap=0 300000 9\nGIDMap=0 300000 9\nGIDMap=9 0 1",
            )
        ),
        *(
            (f"{key}={other}", f"it needs a namespace of its own, and {key}= says another", f"leave out {key}=")
            for key, other in (
                ("UserNamespace", "container:db"),
                ("PIDNamespace", "host"),
                ("MountNamespace", "container:db"),
            )
        ),
    ],
)
def test_what_is_refused(lines, message, hint):
    with pytest.raises(DefinitionError) as refused:
        planned(f"Nesting=yes\n{lines}\n")
    found = {problem.message: problem.hint for problem in refused.value.problems}
    assert found.get(f"[Container] Nesting: {message}") == hint


def test_the_helper_does_not_believe_it():
    build = Build("/nowhere")
    build.has_hosts_root = True
    with pytest.raises(OSError, match="the host's root is inside"):
        Whole("proc", "/run/host/proc").execute(build)
