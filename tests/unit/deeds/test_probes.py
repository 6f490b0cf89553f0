"""The facts as gathered on the machine that runs the tests."""

import errno
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from nsunit.core.findings import is_privileged
from nsunit.deeds.host import probes
from nsunit.errors import BusError, NsunitError
from nsunit.setup import linux

needs_root = pytest.mark.skipif(not is_privileged(), reason="tries what only CAP_SYS_ADMIN may do")


def context(tmp_path, version=257):
    def answer():
        if isinstance(version, Exception):
            raise version
        return version

    paths = SimpleNamespace(runtime=str(tmp_path / "run"), state=str(tmp_path / "deep" / "state"))
    return SimpleNamespace(bus=SimpleNamespace(version=answer), paths=paths)


def test_gather(tmp_path):
    (tmp_path / "run").mkdir(mode=0o750)
    facts = probes.gather(context(tmp_path))
    assert facts.systemd == 257
    assert facts.kernel == os.uname().release
    assert facts.store == str(tmp_path)
    run, state = facts.directories
    assert (run.exists, run.mode, run.owner) == (True, 0o750, os.geteuid())
    assert not state.exists
    assert set(facts.namespaces) == set(os.listdir("/proc/self/ns")) & set(probes.NAMESPACES)
    assert facts.sysctls["kernel.pid_max"] > 0
    assert facts.libseccomp.startswith("2.")
    assert set(facts.features) == set(probes.FEATURES)


def test_unreachable_bus_is_a_fact(tmp_path):
    facts = probes.gather(context(tmp_path, BusError("org.freedesktop.DBus.Error.NoServer", "no bus", hint="boot")))
    assert (facts.systemd, facts.systemd_error, facts.systemd_hint) == (None, "no bus", "boot")


def test_unprivileged_tries_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(probes, "is_privileged", lambda: False)
    assert set(probes.gather(context(tmp_path)).features.values()) == {None}


@needs_root
def test_features_leave_nothing_behind(tmp_path):
    def state():
        with open("/proc/self/mountinfo") as mounts:
            return mounts.read(), sorted(os.listdir("/proc/self/fd")), sorted(os.listdir(tmp_path))

    before = state()
    probes._features(str(tmp_path))
    assert state() == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@needs_root
def test_failed_try_is_its_errno(tmp_path, monkeypatch):
    def refuse(flags):
        raise OSError(errno.ENOSPC, "clone")

    monkeypatch.setattr(linux, "sleeper", refuse)
    assert probes._features(str(tmp_path))["user namespace"] == errno.ENOSPC
    # procfs has no FS_ALLOW_IDMAP; in a chroot its mount may not be cloned to begin with
    monkeypatch.undo()
    assert probes._features("/proc")["idmap"] in (errno.EINVAL, errno.EPERM)


@pytest.mark.parametrize(
    ("directories", "cgroup2", "expected"),
    [
        ([""], {""}, "v2"),
        (["unified", "systemd"], {"unified"}, "hybrid"),
        (["cpu", "memory", "systemd"], set(), "v1"),
        ([""], set(), "none"),
        ([], set(), "none"),
    ],
)
def test_cgroup_hierarchy(tmp_path, monkeypatch, directories, cgroup2, expected):
    base = tmp_path / "cgroup"
    for name in directories:
        (base / name).mkdir(parents=True)
    magic = {str(base / name).rstrip("/"): linux.CGROUP2_SUPER_MAGIC for name in cgroup2}
    monkeypatch.setattr(probes, "_file_system", lambda path: magic.get(path, 0x01021994))
    assert probes.cgroup_hierarchy(str(base)) == expected


def test_mount_options():
    assert "rw" in probes._mount_options("/proc")
    assert probes._mount_options("/nonexistent") == ()


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("systemd 257 (257.13-1~deb13u1)\n+PAM +AUDIT\n", "257.13-1~deb13u1"),
        ("systemd 258 (258)\n+PAM\n", "258"),
        ("", ""),
        ("something else entirely", ""),
    ],
)
def test_installed_systemd(monkeypatch, output, expected):
    monkeypatch.setattr(subprocess, "run", lambda *_args, **_kwargs: SimpleNamespace(stdout=output))
    assert probes._systemd_installed() == expected


def test_no_systemctl(monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    assert probes._systemd_installed() == ""


def test_what_systemctl_says_in_another_encoding(monkeypatch, tmp_path):
    stand_in = tmp_path / "systemctl"
    stand_in.write_text("#!/bin/sh\nprintf '\\377' >&2\nprintf 'systemd 257 (257.13-1) \\377\\n'\n")
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert probes._systemd_installed() == "257.13-1"


def test_missing_libseccomp(monkeypatch):
    def missing(_library):
        raise NsunitError("cannot load", hint="install it")

    monkeypatch.setattr(probes, "library_version", missing)
    assert probes._libseccomp() == (None, "install it")


@needs_root
def test_a_mount_point_is_called_as_whoever_made_it_likes(tmp_path):
    """Users may mount, by fusermount(1) for one."""
    place = tmp_path / "a\rb\rc"
    place.mkdir()
    code = (
        "import sys; from nsunit.deeds.host import probes; from nsunit.setup import linux;"
        "linux.unshare(linux.CLONE_NEWNS); linux.mount_propagation('/', linux.MS_PRIVATE | linux.MS_REC);"
        "linux.mount('none', sys.argv[1], 'tmpfs', 0, ''); print(probes._mount_options('/nowhere'))"
    )
    done = subprocess.run([sys.executable, "-c", code, place], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("()\n", "")
