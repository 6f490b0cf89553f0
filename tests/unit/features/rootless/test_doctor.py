"""What `nsunit --user doctor` says of a user."""

from nsunit.deeds.host.doctor import Finding
from nsunit.features.rootless import doctor as doctor_user
from nsunit.features.rootless.doctor import UserFacts, judge

GOOD = UserFacts(
    "alice", 0, "", 65536, 65536, "", ("cpu", "cpuset", "io", "memory", "pids"), True, "/usr/bin/pasta", True
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
            "root runs 'usermod --add-subuids 100000-165535 --add-subgids 100000-165535 alice'",
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


def test_who_reads_the_journal(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor_user, "_ON_DISK", str(tmp_path / "disk"))
    monkeypatch.setattr(doctor_user, "_IN_MEMORY", str(tmp_path / "memory"))
    monkeypatch.setattr(doctor_user.os, "access", lambda path, _mode: path.endswith("/b/system.journal"))
    assert not doctor_user._reads_journal()
    (tmp_path / "memory/a").mkdir(parents=True)
    assert not doctor_user._reads_journal()
    (tmp_path / "memory/b").mkdir()
    assert doctor_user._reads_journal()
    (tmp_path / "memory/b").rmdir()
    (tmp_path / "disk").mkdir()
    assert doctor_user._reads_journal()


def test_the_kernel_is_asked(monkeypatch):
    def refuse(_flags):
        raise PermissionError(1, "no")

    monkeypatch.setattr(doctor_user.linux, "unshare", lambda _flags: None)
    assert doctor_user._try_namespace() == 0
    monkeypatch.setattr(doctor_user.linux, "unshare", refuse)
    assert doctor_user._try_namespace() == 1
