"""What `nsunit --user doctor` says of a user."""

import os
from types import SimpleNamespace

from nsunit.deeds.host.doctor import Finding
from nsunit.features.rootless import doctor as doctor_user
from nsunit.features.rootless.deeds import when_enabled
from nsunit.features.rootless.doctor import UserFacts, ids_for, judge

GOOD = UserFacts(
    *("alice", 0, "", 65536, 65536, "", "", (), ("cpu", "cpuset", "io", "memory", "pids"), True),
    *("/usr/bin/pasta", True),
)


def test_all_is_well():
    assert list(judge(GOOD)) == [
        Finding("user namespace", "ok", "users can make them"),
        Finding("subordinate ids", "ok", "65536 users and 65536 groups for alice"),
        Finding("controllers", "ok", "cpu cpuset io memory pids"),
        Finding("network", "ok", "'/usr/bin/pasta'"),
        Finding("journal", "ok", "alice may read it"),
        Finding("linger", "ok", "alice's systemd runs without a login"),
    ]


def test_all_is_bad():
    facts = GOOD.replace(
        namespace=1,
        forbidding="/proc/sys/kernel/unprivileged_userns_clone",
        shortage="/etc/subuid has no ids for alice",
        remedy="root runs 'usermod …'",
        controllers=("memory", "pids"),
        lingers=False,
        pasta="",
        reads_journal=False,
    )
    assert list(judge(facts)) == [
        Finding(
            "user namespace",
            "error",
            "Operation not permitted: users may not make any here, so there are no containers without root",
            "root runs 'sysctl -w kernel.unprivileged_userns_clone=1'",
        ),
        Finding(
            "subordinate ids",
            "warning",
            "/etc/subuid has no ids for alice: only user 0 and group 0 exist in containers",
            "root runs 'usermod …'",
        ),
        Finding(
            "controllers",
            "warning",
            "memory pids; limits that need cpu, cpuset, io are refused",
            "root runs 'nsunit delegate alice'",
        ),
        Finding(
            "network",
            "warning",
            "pasta is missing: Network=pasta does not work, so containers have the host's network or none",
            "root runs 'apt install passt'",
        ),
        Finding(
            "journal",
            "warning",
            "alice may not read it, and it is not on disk: logs and status show no lines of containers",
            "root runs 'usermod -aG systemd-journal alice', then alice logs in anew",
        ),
        Finding("linger", "warning", "all containers end with alice's last login", "loginctl enable-linger"),
    ]


def test_the_ids_that_it_says_to_give_are_nobody_elses():
    """Else one user would reach what is another's, or come out of a container as a user of the host."""
    others = "bob:100000:65536\ncarl:165536:1000\n"
    assert ids_for("alice", 1000, others, others) == (
        "root runs 'usermod --add-subuids 166536-232071 --add-subgids 166536-232071 alice'"
    )
    assert ids_for("alice", 1000, "1000:100000:65536\n", "") == "root runs 'usermod --add-subgids 165536-231071 alice'"


def test_ids_that_others_have_too_or_that_are_few():
    def said(**changes):
        return [item for item in judge(GOOD.replace(**changes)) if item.subject == "subordinate ids"]

    assert said(sharers=("bob", "carl")) == [
        Finding(
            "subordinate ids",
            "warning",
            "bob, carl can reach the files of alice's containers, by ids that both have",
            "root gives each user others in /etc/subuid and /etc/subgid",
        )
    ]
    assert said(users=1000) == [
        Finding(
            "subordinate ids",
            "warning",
            "1000 users and 65536 groups for alice: there is no 65534, nobody, inside",
            "root gives alice 65536 in /etc/subuid and /etc/subgid, with no id of anybody else",
        )
    ]


def test_the_kernel_is_asked(monkeypatch):
    def refuse(_flags):
        raise PermissionError(1, "no")

    monkeypatch.setattr(doctor_user.linux, "unshare", lambda _flags: None)
    assert doctor_user._try_namespace() == 0
    monkeypatch.setattr(doctor_user.linux, "unshare", refuse)
    assert doctor_user._try_namespace() == 1


def test_when_enabled_ones_are_started(monkeypatch):
    context = SimpleNamespace(host=SimpleNamespace(user="alice"))
    for is_there, said in ((True, "at boot"), (False, "at alice's first login")):
        monkeypatch.setattr(os.path, "exists", lambda _path, is_there=is_there: is_there)
        assert when_enabled(context) == said


def test_who_reads_the_journal(tmp_path, monkeypatch):
    """A directory for it on disk says nothing where Storage=volatile has it in memory, as it may."""
    disk, memory, machine = (tmp_path / name for name in ("disk", "memory", "machine-id"))
    machine.write_text("5eed\n")
    for name, path in (("_ON_DISK", disk), ("_IN_MEMORY", memory), ("_MACHINE", machine)):
        monkeypatch.setattr(doctor_user, name, str(path))
    assert not doctor_user._reads_journal()
    disk.mkdir()
    memory.mkdir()
    assert doctor_user._reads_journal()
    (memory / "5eed").mkdir()
    assert not doctor_user._reads_journal()
    (memory / "5eed/system.journal").write_text("")
    assert doctor_user._reads_journal()
