"""The machine is what the other tests take it for, and the package is complete."""

import os
import platform
import subprocess
import time
from pathlib import Path

import pytest


@pytest.mark.machine("cpuset")
def test_cgroups_are_pure_version_2_with_all_controllers():
    controllers = Path("/sys/fs/cgroup/cgroup.controllers").read_text().split()
    assert {"cpuset", "cpu", "io", "memory", "pids"} <= set(controllers)


def test_systemd_runs_as_process_1_and_nothing_has_failed(run):
    # What fails and is collected by itself counts for a moment.
    deadline = time.monotonic() + 10
    while failed := run("systemctl", "list-units", "--failed", "--plain", "--no-legend").stdout:
        assert time.monotonic() < deadline, failed
        time.sleep(0.2)
    assert run("systemctl", "is-system-running").stdout == "running\n"


def test_container_roots_are_there():
    busybox = subprocess.run(
        ["chroot", "/srv/roots/busybox", "sh", "-c", "echo $0; ls /"], capture_output=True, text=True, check=True
    )
    assert "bin" in busybox.stdout
    assert Path("/srv/roots/debian/etc/debian_version").exists()
    assert Path("/srv/roots/debian/usr/bin/python3").exists()


@pytest.mark.machine("a disk")
def test_scratch_disk_is_empty(scratch_disk):
    with open(scratch_disk, "rb") as disk:
        assert disk.read(4096) == bytes(4096)
        assert disk.seek(0, os.SEEK_END) == 256 << 20


@pytest.fixture
def script(run, tmp_path):
    """A script of the package, without what it does to files; gives the lines of what it says."""
    for name in ("rm", "rmdir", "py3clean"):
        (tmp_path / name).symlink_to("/bin/true")
    yield lambda words: run(f"PATH={tmp_path}:$PATH sh /var/lib/dpkg/info/nsunit.{words}").stderr.splitlines()
    run("systemctl start nsunit-limits.path")


def test_who_removes_the_package_is_told_what_goes_on_and_what_ends_it(containers, nsunit, run, script):
    """By the script that dpkg runs before; a shell takes its commands as they stand."""
    text = "[Container]\nRootfs=/srv/roots/busybox\nVolatile=yes\nExec=sleep 1000\nInit=yes\n"
    first = containers.start(text).name
    escaped = containers.define(text, f"{first}-health")
    late = containers.define(f"{text}\n[Timer]\nOnCalendar=yearly\n", f"{first}-late")
    nsunit("enable", first)
    nsunit("enable", "--now", escaped, late)
    units = {f"nsunit-{first}.service", rf"'nsunit-{first}\x2dhealth.service'", f"nsunit-{late}.timer"}
    said = script("prerm remove")
    running, enabled = (line for line in said if "until: " in line)
    assert running.startswith("nsunit: still running, until: systemctl stop ")
    assert enabled.startswith("nsunit: still enabled, and fail without nsunit, until: systemctl disable --now ")
    assert units <= set(running.split())
    assert units <= set(enabled.split())
    assert not any(f"nsunit-{late}.service" in line for line in said)
    run(enabled.partition("until: ")[2])
    assert nsunit("list", "--quiet").stdout == ""
    assert not list(Path("/etc/systemd/system").glob(f"*.wants/nsunit-{first}*"))
    assert nsunit("disable", first, escaped, late).returncode == 0


@pytest.mark.kernel("nftables")
def test_ports_that_outlive_the_package_are_told_of_and_gone_with_a_purge(containers, nsunit, run, script):
    text = "[Container]\nRootfs=/srv/roots/busybox\nVolatile=yes\nExec=sleep 1000\nStopSignal=SIGKILL\n"
    name = containers.start(f"{text}Network=bridge\nPublishPort=8079:80\n").name
    assert any("published ports and networks stay when they stop" in line for line in script("prerm remove"))
    script("postrm purge")
    assert "8079" in run("nft list table inet nsunit").stdout
    nsunit("stop", name)
    assert "table inet nsunit" in run("nft list tables").stdout  # as a stop leaves it, for the next one
    script("postrm purge")
    assert "nsunit" not in run("nft list tables").stdout
    nsunit("start", name)
    assert nsunit("network", "check").returncode == 0


def test_a_timer_of_updates_ends_with_the_package(run, script):
    """Or it would go on, for a service that is not there any more."""
    run("systemctl start nsunit-auto-update.timer")
    script("prerm remove")
    assert run("systemctl is-active nsunit-auto-update.timer", check=False).stdout == "inactive\n"


def test_a_purge_tells_what_stays(containers, nsunit, script):
    container = containers.start("[Container]\nRootfs=/srv/roots/busybox\nVolatile=yes\nExec=sleep 1000\n")
    nsunit("enable", container.name)
    assert script("postrm purge") == [
        "nsunit: /var/lib/nsunit stays, with images, volumes and what containers have written",
        "nsunit: /etc/nsunit stays, with definitions of containers",
        "nsunit: /etc/systemd/system/nsunit-* stay, units and limits of containers",
    ]
    nsunit("disable", container.name)


def test_package_ships_everything_it_should(run):
    files = set(run("dpkg", "--listfiles", "nsunit").stdout.split())
    wanted = {
        "/etc/nsunit",
        "/usr/bin/nsunit",
        "/usr/lib/NetworkManager/conf.d/01-nsunit.conf",
        "/usr/lib/nsunit/nsunit-setup",
        "/usr/lib/python3/dist-packages/nsunit/setup/run.py",
        "/usr/lib/systemd/network/01-nsunit.link",
        "/usr/lib/systemd/network/01-nsunit.network",
        "/usr/lib/systemd/system/nsunit-limits-settled.service",
        "/usr/lib/systemd/system/nsunit-limits-shown.service",
        "/usr/lib/systemd/system/nsunit-limits.path",
        "/usr/lib/systemd/system/nsunit-limits@.path",
        "/usr/lib/systemd/system/nsunit.slice",
        "/usr/lib/systemd/user/nsunit-limits-settled.service",
        "/usr/lib/systemd/user/nsunit-limits-shown.service",
        "/usr/lib/systemd/user/nsunit-limits@.path",
        "/usr/lib/tmpfiles.d/nsunit.conf",
        "/usr/share/bash-completion/completions/nsunit",
        "/usr/share/doc/nsunit/copyright",
        "/usr/share/fish/vendor_completions.d/nsunit.fish",
        "/usr/share/man/man1/nsunit.1.gz",
        "/usr/share/man/man5/nsunit.container.5.gz",
        "/usr/share/man/man5/nsunit.network.5.gz",
        "/usr/share/man/man5/nsunit.pod.5.gz",
        "/usr/share/man/man7/nsunit-json.7.gz",
        "/usr/share/man/man8/nsunit-setup.8.gz",
        "/usr/share/doc/nsunit/examples/web.nsunit",
        "/usr/share/nsunit/schema.json",
        "/usr/share/zsh/vendor-completions/_nsunit",
    }
    assert wanted <= files
    assert not {path for path in files if not os.path.exists(path)}


def test_package_compiled_every_module():
    package = Path("/usr/lib/python3/dist-packages/nsunit")
    version = "".join(platform.python_version_tuple()[:2])
    missing = [
        module
        for module in package.rglob("*.py")
        if not (module.parent / f"__pycache__/{module.stem}.cpython-{version}.pyc").exists()
    ]
    assert not missing


def test_package_made_its_directories():
    for path in ("/run/nsunit", "/var/lib/nsunit"):
        status = os.stat(path)
        assert (status.st_mode & 0o7777, status.st_uid, status.st_gid) == (0o700, 0, 0)
