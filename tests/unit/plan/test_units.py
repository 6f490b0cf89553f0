"""The units of a definition, the scopes of its sessions, and what a failure of theirs is told as."""

import pytest

from nsunit.definition.host import Host
from nsunit.definition.load import load_text
from nsunit.errors import UsageError
from nsunit.manager.failure import JOBS, RESULTS, explain_failure
from nsunit.names import check_name, container_of_unit, is_valid_name, scope_name, service_name, slice_name, slice_path
from nsunit.plan.facts import Facts
from nsunit.plan.foreground import run_scope
from nsunit.plan.scope import exec_scope
from nsunit.plan.units import exec_start, units

BASE = "[Container]\nRootfs=/srv/root\nExec=/bin/app $HOME %%n\n"


def planned(text=BASE, version=257, name="web"):
    host = Host(version)
    facts = Facts(version, "/usr/bin/python3", "/lib/run.py", f"/run/nsunit/containers/{name}")
    return units(load_text(name, text, "/etc/nsunit", host), facts)


def values(unit):
    """Properties as systemd takes them: a later one overrides."""
    return {item.name: item.value for item in unit.properties}


def test_payload_never_reaches_a_unit():
    """Nothing there expands `$` or `%`: the helper's own command line is all that systemd sees."""
    facts = Facts(257, "/usr/bin/python3", "/lib/run.py", "/run/nsunit/containers/web")
    argv = ("/usr/bin/python3", "-SI", "/lib/run.py", "/run/nsunit/containers/web")
    assert exec_start(facts) == argv
    assert values(planned().service)["ExecStart"] == ((argv[0], argv, False),)
    secret = BASE + "Environment=KEY=sentinel\n"
    assert "sentinel" not in repr(planned(secret))


def test_defaults():
    service = values(planned().service)
    expected = {
        "Type": "notify", "Slice": "nsunit-web.slice", "KillMode": "mixed", "OOMPolicy": "kill", "Delegate": True,
        "DevicePolicy": "closed", "RuntimeDirectoryMode": 0o700, "TimeoutStartUSec": 60_000_000, "TasksMax": 1024,
        "DelegateSubgroup": "payload", "RuntimeDirectory": ("nsunit/containers/web",),
    }  # fmt: skip
    assert {key: service[key] for key in expected} == expected
    assert values(planned().slice)["StopWhenUnneeded"] is True


def test_definition_overrides_defaults_once():
    text = BASE + "[Service]\nOOMPolicy=continue\nTimeoutStartSec=5\nDelegate=no\n[Slice]\nMemoryMax=64M\n"
    made = planned(text)
    names = [item.name for item in made.service.properties]
    assert [names.count(name) for name in ("OOMPolicy", "TimeoutStartUSec", "Delegate")] == [1, 1, 1]
    service = values(made.service)
    assert (service["OOMPolicy"], service["TimeoutStartUSec"], service["Delegate"]) == ("continue", 5_000_000, False)
    assert "DelegateSubgroup" not in service
    assert values(made.slice)["MemoryMax"] == 64 << 20


def test_older_systemd_gets_no_subgroup():
    assert "DelegateSubgroup" not in values(planned(version=252).service)


def test_session_has_the_service_s_access_rules():
    service = {"DevicePolicy": "closed", "DeviceAllow": [["/dev/sda", "r"]], "IPAddressDeny": [], "MemoryMax": 5}
    scope = values(exec_scope("s.scope", "nsunit-web.slice", "words", 42, service))
    assert scope["DevicePolicy"] == "closed"
    assert scope["DeviceAllow"] == (("/dev/sda", "r"),)
    assert scope["PIDs"] == (42,)
    assert not {"IPAddressDeny", "MemoryMax"} & set(scope)


def test_foreground_run_takes_what_scopes_have():
    definition = load_text("web", BASE + "[Service]\nMemoryMax=64M\nKillMode=mixed\n", "/etc/nsunit", Host(257))
    scope = run_scope(definition, "0a")
    assert scope.name == "nsunit-web-run-0a.scope"
    assert values(scope)["MemoryMax"] == 64 << 20
    definition = load_text("web", BASE + "[Service]\nRestart=always\n", "/etc/nsunit", Host(257))
    with pytest.raises(UsageError, match=r"^\[Service\] Restart= needs a service$"):
        run_scope(definition, "0a")


# Names

GOOD = [
    "a",
    "0",
    "web",
    "my-app",
    "a.b",
    "a_b",
    "a--b",
    "a-",
    "a.",
    "w@b",
    "w-1@b.2",
    "9" * 63,
    "a" + "-" * 50,
    "app-exec-1",
]
BAD = [
    "", ".", "..", "-a", "_a", ".a", "A", "wEb", "a/b", "/a", "a b", " a", "a ", "a\n", "\na", "a\0", "a\t", "a%n",
    "a\\b", "a@", "@a", "a@b@c", "a@-b", "a:b", "a,b", "a;b", "a$b", "a*", "a?", "a[b]", "~a", "ä", "\uff41", "\u0661",
    "a\u200b", "a\x1b[2J", "9" * 64, "a" + "-" * 51, "x" * 32 + "@" + "y" * 32, "a'b", 'a"b', "a\u2028", "a\x85",
]  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_good_names(name):
    assert check_name(name) == name
    longest = max(service_name(name), slice_name(name), scope_name(name, "exec", "0" * 8), key=len)
    assert len(longest) <= 255
    assert container_of_unit(service_name(name)) == name
    assert container_of_unit(scope_name(name, "run", "0a1b")) == name
    assert container_of_unit(scope_name(name, "exec", "0a1b")) is None
    assert "/" not in service_name(name)
    # A dash of the name must not nest slices: below nsunit.slice there is exactly one level.
    assert slice_name(name).count("-") == 1


@pytest.mark.parametrize("name", BAD, ids=ascii)
def test_bad_names(name):
    assert not is_valid_name(name)
    with pytest.raises(UsageError) as caught:
        check_name(name)
    assert caught.value.message.isprintable()


def test_names_give_different_units():
    assert len({service_name(name) for name in GOOD}) == len(GOOD)
    assert len({slice_name(name) for name in GOOD}) == len(GOOD)
    assert slice_name("w@b") != slice_name("w-b")


@pytest.mark.parametrize(
    "unit",
    [
        "web.service",
        "nsunit-.service",
        "nsunit-A.service",
        "nsunit-a-b.service",
        "nsunit-a\\x2d.slice",
        "nsunit-x.scope",
    ],
)
def test_units_of_somebody_else(unit):
    assert container_of_unit(unit) is None


# What failed


class Bus:
    def __init__(self, **state):
        self.state = state

    def get(self, unit, *names):
        return {name: self.state[name] for name in names if name in self.state}


@pytest.mark.parametrize("result", RESULTS)
def test_service_results_are_told(result):
    error = explain_failure(Bus(Result=result, ExecMainStatus=9), "web", "nsunit-web.service", "failed")
    assert error.message == f"web: {RESULTS[result].text.format(status='9')}"
    assert "{" not in error.message + error.hint


@pytest.mark.parametrize("result", JOBS)
def test_job_results_are_told(result):
    error = explain_failure(Bus(Result="success"), "web", "nsunit-web.service", result)
    assert error.message == f"web: {JOBS[result].text}"
    assert error.result == result
    assert "{" not in error.hint


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("Failed to execute '/x': No such file or directory", "check Exec= against what is in the root"),
        ("Failed to execute '/x': Permission denied", "make the file executable, or run it through its interpreter"),
        ("Failed to find user 'u': user 'u' is not", "check User=, Group= and SupplementaryGroups=, or give a number"),
        ("Failed to do something new", None),
    ],
)
def test_words_of_the_helper_come_first(said, hint):
    bus = Bus(StatusText=said, Result="exit-code", ExecMainStatus=127)
    error = explain_failure(bus, "web", "nsunit-web.service", "failed")
    assert (error.message, error.hint) == (f"web: {said}", hint)


def test_words_of_a_payload_are_not_believed():
    error = explain_failure(Bus(StatusText="serving", Result="timeout"), "web", "nsunit-web.service", "failed")
    assert error.message == "web: it was not ready in time"


def test_unknown_results_are_shown():
    error = explain_failure(Bus(Result="odd"), "web", "nsunit-web.service", "strange")
    assert error.message == "web: the job ended as 'strange' (odd)"


@pytest.mark.parametrize(
    ("slice_", "path"),
    [
        ("nsunit.slice", "/nsunit.slice"),
        ("nsunit-web.slice", "/nsunit.slice/nsunit-web.slice"),
        ("nsunit-shop-web.slice", "/nsunit.slice/nsunit-shop.slice/nsunit-shop-web.slice"),
        (r"nsunit-my\x2dapp.slice", r"/nsunit.slice/nsunit-my\x2dapp.slice"),
    ],
)
def test_slice_path(slice_, path):
    assert slice_path(slice_) == path
