"""The units of a definition, the scopes of its sessions, and what a failure of theirs is told as."""

import pytest

from nsunit.definition.host import Host
from nsunit.definition.load import load_text
from nsunit.errors import UsageError
from nsunit.plan.facts import Facts
from nsunit.plan.foreground import run_scope
from nsunit.plan.scope import exec_scope
from nsunit.plan.units import exec_start, units
from nsunit.units import INFINITY

BASE = "[Container]\nRootfs=/srv/root\nExec=/bin/app $HOME %%n\n"


def planned(text=BASE, version=257, name="web", **more):
    host = Host(version)
    facts = Facts(version, "/usr/bin/python3", "/lib/run.py", f"/run/nsunit/containers/{name}", **more)
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
        "DevicePolicy": "closed", "RuntimeDirectoryMode": 0o700, "TimeoutStartUSec": 60_000_000, "IgnoreSIGPIPE": False,
        "DelegateSubgroup": "payload", "RuntimeDirectory": ("nsunit/containers/web",),
    }  # fmt: skip
    assert {key: service[key] for key in expected} == expected
    slice_ = values(planned().slice)
    assert slice_["StopWhenUnneeded"] is True


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("", []),
        ("Boot=yes\n", ["nsunit.slice/nsunit-web.slice"]),
        (
            "[Service]\nMemoryMax=1G\n",
            ["nsunit.slice/nsunit-web.slice", "nsunit.slice/nsunit-web.slice/nsunit-web.service"],
        ),
        (
            "Slice=shop-eu\n",
            [
                "nsunit.slice/nsunit-shop.slice",
                "nsunit.slice/nsunit-shop.slice/nsunit-shop-eu.slice",
                "nsunit.slice/nsunit-shop.slice/nsunit-shop-eu.slice/nsunit-shop-eu-web.slice",
            ],
        ),
    ],
)
def test_limits_elsewhere_are_watched(text, groups):
    """Only those: each watcher takes one of the instances of inotify(7) that root may have."""
    names = [group.replace("-", r"\x2d").replace("/", "-") for group in groups]
    units_ = tuple(f"nsunit-limits@{name}.path" for name in names)
    made = planned("[Container]\nRootfs=/srv/root\nExec=/bin/app\n" + text).service
    assert [item.value for item in made.properties if item.name in ("Wants", "Before")] == [units_] * 2 * bool(groups)


def test_a_name_that_is_too_long_is_not_watched():
    long = planned("[Container]\nRootfs=/srv/root\nExec=/bin/app\n[Service]\nMemoryMax=1G\n", name="a-" * 25 + "b")
    (wanted,) = (item.value for item in long.service.properties if item.name == "Wants")
    assert [unit.endswith(".slice.path") for unit in wanted] == [True]  # that of the service itself is one too long


@pytest.mark.parametrize(
    ("text", "of_slice", "of_service"),
    [
        ("", 1024, INFINITY),
        ("[Slice]\nTasksMax=4096", 4096, INFINITY),
        ("[Service]\nTasksMax=4096", None, 4096),
        ("Boot=yes", 16384, INFINITY),
    ],
)
def test_the_limit_of_tasks_is_the_containers(text, of_slice, of_service):
    """A limit in [Slice] is not cut by one of the service that nobody has asked for."""
    made = planned(f"{BASE}{text}\n")
    assert (values(made.slice).get("TasksMax"), values(made.service)["TasksMax"]) == (of_slice, of_service)


@pytest.mark.parametrize(("version", "sent"), [(257, True), (258, False)])
def test_the_cpu_is_always_counted_from_a_version_on(version, sent):
    made = planned(BASE + "[Slice]\nCPUAccounting=yes\n", version=version)
    assert ["CPUAccounting" in values(unit) for unit in (made.slice, made.service)] == [sent, sent]
    assert values(made.service)["MemoryAccounting"] is True


def test_definition_overrides_defaults_once():
    text = BASE + "[Service]\nOOMPolicy=continue\nTimeoutStartSec=5\nDelegate=no\n[Slice]\nMemoryMax=64M\n"
    made = planned(text)
    names = [item.name for item in made.service.properties]
    assert [names.count(name) for name in ("OOMPolicy", "TimeoutStartUSec", "Delegate")] == [1, 1, 1]
    service = values(made.service)
    assert (service["OOMPolicy"], service["TimeoutStartUSec"], service["Delegate"]) == ("continue", 5_000_000, False)
    assert "DelegateSubgroup" not in service
    assert values(made.slice)["MemoryMax"] == 64 << 20


def test_mounts_that_it_needs_are_there_first():
    """Those of an automount may go meanwhile, and those of what may be missing need not be there."""
    text = BASE.replace("Rootfs=", "Volatile=yes\nRootfs=")
    text += "Bind=/srv/a:/a /srv/auto/b:/b\nBindReadOnly=-/srv/c:/c\n[Unit]\nAfter=x.service\nRequiresMountsFor=/y\n"
    made = planned(text, automounts=("/srv/auto", "/proc/sys/fs/binfmt_misc")).service

    def said(key):
        return [item.value for item in made.properties if item.name == key]

    assert said("RequiresMountsFor") == [("/srv/root", "/srv/a"), ("/y",)]
    units = ("srv.mount", "srv-auto.mount", "srv-auto-b.mount", "srv-c.mount", "srv-auto.automount")
    assert said("After") == [units, ("x.service",)]
    blank = planned(f"{BASE}Bind='/my disk/a':/a\n").service  # whose RequiresMountsFor= a daemon-reload cuts
    (after,) = (item.value for item in blank.properties if item.name == "After")
    assert after == (r"my\x20disk.mount", r"my\x20disk-a.mount")
    deep = planned(f"{BASE}Bind=-/{'a/' * 130}:/a\n").service
    (after,) = (item.value for item in deep.properties if item.name == "After")
    assert max(map(len, after)) <= 255


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


# What failed


@pytest.mark.parametrize(
    "keys",
    [
        "Activation=socket\nNetwork=bridge\nPublishPort=8080:80",
        "Network=bridge\nPublishPort=[::1]:8080:80",
        "Network=bridge\nTunnel=db:5432\nLink=db",
        "Boot=yes\nRegister=yes",
        "Pod=shop",
        "PrivateUsers=yes\nOwnership=chown",
        "Network=pasta\nPublishPort=8080:80",
        "Slice=a",
        "MemorySwapHigh=1M",
        "IPCNamespace=container:db",
        "AddHost=a:10.0.0.1",
    ],
)
def test_what_changes_live_is_planned_without_the_facts_of_features(keys):
    text = BASE if "Boot" not in keys else "[Container]\nLayer=/srv/root\nVolatile=yes\n"
    assert planned(f"{text}{keys}\n[Slice]\nMemoryMax=1G\n").slice.name.endswith("web.slice")
