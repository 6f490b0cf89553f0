import json

import pytest

from nsunit.cli.delegate.delegate import told
from nsunit.features.delegation.deeds import Delegation

GIVEN = Delegation("app", 1000, "user@1000.service", "/etc/x/delegate.conf", ("cpu", "io"), ("cpu", "io"), ())
LATER = (
    "the change counts once user@1000.service starts anew: after app has logged out everywhere, "
    "or by 'nsunit delegate --now', which restarts all that runs in it"
)


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({}, ["/etc/x/delegate.conf delegates cpu io to app", "user@1000.service runs with cpu io"]),
        ({"changed": True, "restarted": True}, [..., "user@1000.service runs with cpu io"]),
        ({"changed": True}, [..., "user@1000.service runs with cpu io", LATER]),
        ({"present": (), "missing": ("cpu", "io")}, [..., "user@1000.service runs with no controller", LATER]),
        (
            {"present": None, "missing": ("cpu", "io"), "changed": True},
            [..., "user@1000.service is not running: it counts from app's next login on"],
        ),
        (
            {"controllers": ()},
            ["app has what systemd delegates by default", "user@1000.service runs with cpu io"],
        ),
    ],
)
def test_what_is_told(changes, lines):
    found = told(GIVEN.replace(**changes))
    assert [text for text in found if ... not in lines or text != found[0]] == [
        text for text in lines if text is not ...
    ]


@pytest.fixture
def calls(manager):
    made = []

    def note(kind, result=GIVEN):
        def call(context, user, *controllers, **options):
            made.append((kind, user, *controllers, options))
            return result

        return call

    missing = GIVEN.replace(missing=("io",))
    manager("features.delegation.deeds", delegate=note("delegate"), remove=note("remove"), look=note("look", missing))
    return made


def test_arguments(nsunit, calls):
    assert nsunit("delegate", "app", "io", "cpu", "--now")[0] == 0
    assert nsunit("delegate", "--remove", "app", "--quiet") == (0, "", "")
    status, out, _ = nsunit("delegate", "--check", "app", "--json")
    assert (status, json.loads(out)["missing"]) == (1, ["io"])
    assert calls == [
        ("delegate", "app", ["io", "cpu"], {"now": True}),
        ("remove", "app", {"now": False}),
        ("look", "app", {}),
    ]


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (("--remove", "app", "io"), "--remove takes no controllers", "nsunit delegate --remove USER"),
        (("--check", "app", "io"), "--check takes no controllers", "nsunit delegate --check USER"),
        (("--check", "--now", "app"), "--check changes nothing", "nsunit delegate --check USER"),
        (("--check", "--remove", "app"), "--check changes nothing", "nsunit delegate --check USER"),
    ],
)
def test_refused(nsunit, calls, arguments, message, hint):
    assert nsunit("delegate", *arguments) == (2, "", f"nsunit: delegate: {message}\n  hint: {hint}\n")


def test_not_for_users(nsunit):
    status, _out, err = nsunit("--user", "delegate", "alice")
    assert status == 2
    assert err == "nsunit: delegate: only root can give controllers to a user\n  hint: run it as root, without --user\n"
