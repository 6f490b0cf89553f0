"""Containers without root: maps, and what is refused."""

import pytest
from facts import MAPS, OF_ALICE

from nsunit.definition.host import Host
from nsunit.definition.load import load_text
from nsunit.features import operation_of
from nsunit.features.network.values import of
from nsunit.features.pasta.plan import forwards
from nsunit.features.rootless.plan import (
    CONTROLLER_OF,
    NEEDS_BPF,
    id_map,
    ids,
    privileged,
    refusals,
)
from nsunit.features.rootless.setup import OwnUsers
from nsunit.plan.operations import operations
from nsunit.plan.units import install_links, units
from nsunit.setup.main import KINDS
from nsunit.setup.operation import PlanError, dump, parse

BASE = "[Container]\nRootfs=/home/alice/root\nExec=/bin/app\n"


def definition(text=""):
    return load_text("web", BASE + text, "/x", Host(257))


def test_map():
    assert id_map(1000, ()) == "0:1000:1"
    entries = id_map(1000, ((100000, 65536), (300000, 10)))
    assert entries == "0:1000:1,1:100000:65536,65537:300000:10"
    lines = "0 1000 1\n1 100000 65536\n65537 300000 10"
    assert ids(OwnUsers("", entries, "0:1000:1")) == (lines, "0 1000 1")
    assert ids(OwnUsers("", entries, entries)) == (lines, lines)


def test_the_namespace_takes_the_place_of_the_ordinary_one():
    planned = operations(definition(), OF_ALICE)
    assert [item.keyword for item in planned[:3]] == ["subgroup", "own-users", "namespaces"]
    assert planned[1] == OwnUsers(*MAPS)
    assert planned[1].count == 65537
    assert not planned[1].keeps_groups
    assert OwnUsers("", "0:1000:1", "0:1000:1").keeps_groups
    assert "user.max_user_namespaces" in [item.key for item in planned if item.keyword == "sysctl"]


def test_the_plan_can_be_read_back():
    planned = operations(definition(), OF_ALICE)
    assert parse(dump(planned), KINDS, operation_of) == planned
    with pytest.raises(PlanError, match="unknown operation 'own-users'"):
        parse(dump(planned), KINDS)


def test_units_are_those_of_the_users_systemd():
    planned = {item.key: item.text for item in units(definition(), OF_ALICE).service_directives}
    assert planned["RuntimeDirectory"] == "nsunit/containers/web"
    assert install_links(definition(), "default.target") == ("default.target.wants/nsunit-web.service",)


def refused(text, *controllers):
    return [(item.message, item.hint) for item in refusals(definition(text), controllers, "alice")]


def test_limits_that_were_delegated():
    text = "[Slice]\nMemoryMax=64M\nCPUQuota=20%\nTasksMax=20\n[Service]\nCPUWeight=50\n"
    assert refused(text, "cpu", "memory", "pids") == []


def test_limits_that_were_not_delegated():
    text = "[Slice]\nMemoryMax=64M\nIOWeight=50\n[Service]\nAllowedCPUs=0\nMemoryHigh=infinity\n"
    hint = "root runs 'nsunit delegate alice cpuset io memory pids', then alice logs in anew"
    assert refused(text, "memory", "pids") == [
        ("[Slice] IOWeight= needs the controller 'io', which was not delegated to alice", hint),
        ("[Service] AllowedCPUs= needs the controller 'cpuset', which was not delegated to alice", hint),
    ]


def test_what_takes_a_program_in_the_kernel():
    for line in ("IPAddressDeny=any", "DeviceAllow=/dev/fuse rw"):
        (found,) = refused(f"[Service]\n{line}\n")
        assert found == (
            f"[Service] {line.partition('=')[0]}= cannot be enforced by a user's systemd",
            "leave it out, or have root run the container as one of the system's",
        )


def test_ids_cannot_be_chosen():
    for value in ("no", "100000:65536"):
        ((message, hint),) = refused(f"PrivateUsers={value}\n")
        assert message.startswith("[Container] PrivateUsers= cannot be chosen without root")
        assert hint == "leave it out"
    assert refused("PrivateUsers=yes\n") == []


def test_the_keys_exist():
    from nsunit.definition.setting import lookup

    for key in (*CONTROLLER_OF, *NEEDS_BPF):
        assert lookup("Slice", key) or lookup("Service", key), key


def test_pods_take_root():
    message = "[Container] Pod= takes root: only root can mount what its containers share, so that it outlives them"
    assert refused("Pod=shop\n") == [
        (message, "use Slice= for common limits, or have root run them as containers of the system")
    ]


def test_what_takes_roots_privileges():
    hint = "leave it out, or have root run the container as one of the system's"
    for line, message in (
        ("Network=container:db", "namespaces of others can be joined by root only"),
        ("UTSNamespace=host", "namespaces of others can be joined by root only"),
        ("TimeOffset=boottime 1d", "TimeOffset= takes root, as the clocks are the host's"),
        ("Tunnel=db:5432", "Tunnel= takes root, as a user's containers share no network and no namespace"),
        ("Ownership=chown", "Ownership=chown takes root, as a user cannot give files away"),
    ):
        assert refused(line + "\n") == [(f"[Container] {message}", hint)]


def test_pasta_publishes_ports():
    text = "Network=pasta\nPublishPort=8080:80 127.0.0.1:5353:53/udp [::1]:81:81\n"
    ports = of(definition(text).container).published_ports
    assert forwards(ports) == ("-t", "8080:80", "-u", "127.0.0.1/5353:53", "-t", "::1/81:81")
    assert privileged(ports, 81) == []
    assert privileged(ports, 1024) == [
        (
            "[Container] PublishPort=: only root may listen on ports below 1024, and here is 81",
            "use a higher one, or root runs 'sysctl net.ipv4.ip_unprivileged_port_start=81'",
        )
    ]
