"""[Timer] and an empty WantedBy=: what they take, and what is started and linked."""

import re

import pytest

from nsunit.deeds.look.query import _with_timer
from nsunit.deeds.look.states import ContainerState
from nsunit.definition.host import Host
from nsunit.definition.load import load_text, serialize
from nsunit.errors import DefinitionError
from nsunit.features.timers.deeds import check
from nsunit.plan.units import entry_of, install_links

BASE = "[Container]\nRootfs=/srv/root\nVolatile=yes\nExec=/bin/sh\n"
TARGET = "multi-user.target"


def loaded(lines, version=257):
    return load_text("web", BASE + lines, "web.nsunit", Host(version))


@pytest.mark.parametrize(
    ("lines", "links"),
    [
        ("", ("multi-user.target.wants/nsunit-web.service",)),
        ("[Install]\nWantedBy=\n", ()),
        ("[Install]\nWantedBy=a.target\nWantedBy=\n", ()),
        ("[Install]\nWantedBy=\nWantedBy=a.target\n", ("a.target.wants/nsunit-web.service",)),
        ("[Timer]\nOnCalendar=daily\n", ("timers.target.wants/nsunit-web.timer",)),
        ("[Timer]\nOnBootSec=1h\n[Install]\nWantedBy=\n", ()),
    ],
)
def test_what_is_linked(lines, links):
    definition = loaded(lines)
    assert install_links(definition, TARGET) == links
    assert install_links(load_text("web", serialize(definition), "web.nsunit", Host(257)), TARGET) == links


def test_the_timer_is_started_in_place_of_the_container():
    assert entry_of(loaded("[Timer]\nOnCalendar=daily\n"), TARGET) == ("nsunit-web.timer", "timers.target")
    assert entry_of(loaded(""), TARGET) == ("nsunit-web.service", TARGET)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("[Timer]\nOnBootSec=soon\n", "[Timer] OnBootSec: 'soon'"),
        ("[Timer]\nOnCalendar=daily\nUnit=a.service\n", "[Timer] Unit: it starts its container, and nothing else"),
        ("[Timer]\nOnCalendar=daily\nRandomizedOffsetSec=1h\n", "RandomizedOffsetSec needs systemd 258"),
    ],
)
def test_what_is_refused(lines, message):
    with pytest.raises(DefinitionError) as refused:
        loaded(lines)
    assert any(message in problem.message for problem in refused.value.problems), refused.value.problems


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("[Timer]\nPersistent=yes\n", "[Timer] has no key that says when it is to be"),
        ("[Timer]\nOnClockChange=no\n", "[Timer] has no key that says when it is to be"),
        (
            "Network=bridge\nPublishPort=8080:80\nActivation=socket\n[Timer]\nOnBootSec=1h\n",
            "[Timer] and Activation= both start it",
        ),
    ],
)
def test_what_has_no_time(lines, message):
    with pytest.raises(DefinitionError, match=re.escape(message)):
        check(None, loaded(lines))


@pytest.mark.parametrize(
    ("active", "shown", "expected"),
    [
        ("inactive", {"timer": "x", "next_elapse_usec": 5}, ("waiting", 5)),
        ("failed", {"timer": "x", "next_elapse_usec": 5}, ("dead", 5)),
        ("inactive", {"timer": "x"}, ("dead", None)),  # it does not run
        ("inactive", {}, ("dead", None)),
    ],
)
def test_status_says_what_waits_as_list_does(active, shown, expected):
    """It was inactive (dead), and the JSON of its state had no time, where that of `list` has."""
    state = _with_timer(ContainerState("web", active, "dead", "nsunit-web.service", "nsunit-web.slice", ""), shown)
    assert (state.sub_state, state.next_elapse_usec) == expected
