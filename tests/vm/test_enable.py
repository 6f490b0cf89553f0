"""Containers that systemd starts at boot, from unit files and without nsunit."""

import json
import os
import shutil
from pathlib import Path

import pytest
from waiting import wait_until

BUSYBOX = "/srv/roots/busybox"
SLEEP = f"[Container]\nRootfs={BUSYBOX}\nVolatile=yes\nExec=sleep 1000\nEnvironment=GREETING=hello\n"
# systemctl waits for programs that are deaf to SIGTERM, as sleep is for process 1.
LIMITS = SLEEP + "[Slice]\nMemoryMax=100M\n[Service]\nTasksMax=60\nTimeoutStopSec=1s\n"
SYSTEMD = Path("/etc/systemd/system")
BOOT = "multi-user.target.wants"


@pytest.fixture
def enabled(containers, nsunit):
    container = containers.of(containers.define(LIMITS))
    nsunit("enable", container.name)
    yield container
    nsunit("disable", "--now", container.name, check=False)


def test_enable_writes_what_render_shows(enabled, nsunit, run):
    shown = json.loads(nsunit("render", "--unit-files", "--json", enabled.name).stdout)
    for unit in (enabled.slice, enabled.service):
        assert (SYSTEMD / unit).read_text() == shown[unit]
    assert (SYSTEMD / BOOT / enabled.service).resolve() == SYSTEMD / enabled.service
    assert run("systemctl", "is-enabled", enabled.service).stdout == "enabled\n"
    assert run("systemd-analyze", "verify", "--man=no", enabled.service, check=False).stderr == ""
    assert nsunit("enable", enabled.name).stdout == f"{enabled.name}: was so already\n"
    assert "Enabled: started at boot" in nsunit("status", enabled.name, check=False).stdout
    assert enabled.name in nsunit("list", "--all", "--names").stdout.split()
    # What the helper is given alone, of which no unit file tells.
    path = Path(f"/etc/nsunit/{enabled.name}.nsunit")
    path.write_text(path.read_text() + "[Container]\nEnvironment=ONE=1\n")
    assert nsunit("enable", enabled.name).stdout == ""
    assert nsunit("enable", enabled.name).stdout == f"{enabled.name}: was so already\n"


@pytest.mark.kernel("nftables")
@pytest.mark.parametrize("verb", [("start",), ("enable", "--now")])
def test_what_runs_in_another_network_is_restarted_before_it_is_enabled(containers, nsunit, verb):
    """Else nothing would take its link and its port back when it stops."""
    text = f"{SLEEP}[Service]\nTimeoutStopSec=1s\n[Container]\n"
    name = containers.define(f"{text}Network=bridge\nPublishPort=8097:80\n")
    path = Path(f"/etc/nsunit/{name}.nsunit")
    nsunit(*verb, name)
    for other in ("Network=bridge\nPublishPort=8098:80\n", "Network=host\n"):
        path.write_text(text + other)
        done = nsunit("enable", name, check=False)
        assert (done.returncode, done.stderr.splitlines()[0]) == (
            1,
            f"nsunit: {name}: it runs with other networks or ports than its definition has, and would not lose them",
        )
        assert "8097" in nsunit("port", name).stdout
    nsunit("restart", name)
    nsunit("enable", name)
    nsunit("disable", "--now", name)
    assert "firewall" not in nsunit("network", "check", check=False).stdout


def test_it_starts_without_nsunit_and_without_runtime_state(enabled, nsunit, run):
    """As at boot: /run is empty, and systemd has read the files anew."""
    for directory in ("seccomp", "containers", "locks"):
        shutil.rmtree(f"/run/nsunit/{directory}", ignore_errors=True)
    run("systemd-tmpfiles", "--create", "nsunit.conf")
    run("mv /usr/bin/nsunit /usr/bin/nsunit.away")
    try:
        run("systemctl", "daemon-reload")
        run("systemctl", "start", enabled.service)
    finally:
        run("mv /usr/bin/nsunit.away /usr/bin/nsunit")
    status = enabled.status()
    assert (status["Seccomp"], status["NoNewPrivs"]) == ("2", "1")
    assert "GREETING=hello" in enabled.proc("environ").split("\0")
    assert enabled.limit("memory.max") == str(100 << 20)
    assert run("systemctl", "show", "-P", "Result", enabled.service).stdout == "success\n"
    assert "nsunit/setup" not in run("ps", "-eo", "args").stdout  # the helper is gone
    assert nsunit("start", enabled.name).stdout == f"{enabled.name}: is already running\n"
    assert nsunit("plan", enabled.name).stdout == f"{enabled.name}: runs as its definition says\n"
    assert nsunit("exec", enabled.name, "hostname").stdout == f"{enabled.name}\n"
    assert enabled.name in nsunit("list", "--names").stdout.split()
    run("systemctl", "restart", enabled.service)
    assert enabled.status()["Seccomp"] == "2"
    nsunit("stop", enabled.name)
    assert not enabled.cgroup.exists()


def test_start_of_an_enabled_container_uses_its_definition_as_it_is_now(enabled, nsunit, run):
    definition = Path(f"/etc/nsunit/{enabled.name}.nsunit")
    nsunit("start", enabled.name)
    assert enabled.show("FragmentPath") == {"FragmentPath": str(SYSTEMD / enabled.service)}
    nsunit("set", enabled.name, "MemoryMax=150M")
    assert enabled.limit("memory.max") == str(150 << 20)
    definition.write_text(LIMITS.replace("sleep 1000", "sleep 2000").replace("100M", "120M"))
    nsunit("restart", enabled.name)
    assert enabled.limit("memory.max") == str(120 << 20)
    assert enabled.proc("cmdline").split("\0")[1] == "2000"
    assert "MemoryMax=120M" in (SYSTEMD / enabled.slice).read_text()
    assert nsunit("plan", enabled.name).stdout == f"{enabled.name}: runs as its definition says\n"
    nsunit("set", "--persist", enabled.name, "MemoryMax=130M")
    delta = run("systemd-delta", "--no-pager", "--type=extended").stdout
    assert f"{SYSTEMD}/{enabled.slice}.d/50-nsunit.conf" in delta
    run("systemctl", "stop", enabled.service)
    run("systemctl", "start", enabled.service)
    assert enabled.limit("memory.max") == str(130 << 20)


def test_disable_takes_all_away(enabled, nsunit, run):
    nsunit("start", enabled.name)
    refused = nsunit("disable", enabled.name, check=False)
    assert refused.returncode == 1
    assert f"hint: stop it first, or do both with 'nsunit disable --now {enabled.name}'" in refused.stderr
    kept = nsunit("rm", enabled.name, check=False)
    assert kept.returncode == 1
    nsunit("disable", "--now", enabled.name)
    assert list(SYSTEMD.rglob(f"*nsunit-{enabled.name}*")) == []
    assert not (enabled.state / "boot").exists()
    assert run("systemctl", "show", "-P", "LoadState", enabled.service).stdout == "not-found\n"
    assert nsunit("disable", enabled.name).stdout == f"{enabled.name}: was so already\n"

    # What runs is enabled and disabled as it runs.
    nsunit("start", enabled.name)
    pid = enabled.pid
    nsunit("enable", "--now", enabled.name)
    assert enabled.show("FragmentPath")["FragmentPath"].startswith("/run/systemd/transient/")
    nsunit("disable", enabled.name)
    assert enabled.pid == pid
    assert enabled.limit("memory.max") == str(100 << 20)
    assert list(SYSTEMD.rglob(f"nsunit-{enabled.name}*")) == []
    # Its next start is one from the files, though systemd still knows of the former one.
    run("systemctl", "kill", "--signal=KILL", enabled.service)
    nsunit("wait", enabled.name, check=False)
    assert enabled.show("ActiveState")["ActiveState"] == "failed"
    nsunit("enable", "--now", enabled.name)
    assert enabled.show("FragmentPath")["FragmentPath"] == str(SYSTEMD / enabled.service)


def test_disable_asks_no_definition(enabled, nsunit):
    """One that has become wrong is no reason to keep it enabled, nor to complain where it was not."""
    path = Path(f"/etc/nsunit/{enabled.name}.nsunit")
    path.write_text(path.read_text() + "[Container]\nNonsense=1\n")
    nsunit("disable", "--now", enabled.name)
    assert nsunit("disable", "--now", enabled.name).stdout == f"{enabled.name}: was so already\n"


def test_what_systemctl_disables_is_not_shown_as_enabled(enabled, nsunit, run):
    """It removes the links alone, so that nothing starts the container at boot."""

    def shown():
        states = json.loads(nsunit("list", "--all", "--json", enabled.name).stdout)
        lines = nsunit("status", enabled.name, check=False).stdout
        return states[0]["enabled"], "Enabled: started at boot" in lines, "but no link of [Install]" in lines

    assert shown() == (True, True, False)
    run("systemctl", "disable", enabled.service)
    assert shown() == (False, False, True)
    nsunit("enable", enabled.name)
    assert shown() == (True, True, False)
    assert run("systemctl", "is-enabled", enabled.service).stdout == "enabled\n"


def test_install_says_where(containers, nsunit, run):
    install = "[Install]\nWantedBy=a.target b.target\nRequiredBy=c.service\nAlias=web-alias.service\n"
    name = containers.define(LIMITS + install)
    container = containers.of(name)
    nsunit("enable", name)
    try:
        links = sorted(str(path.relative_to(SYSTEMD)) for path in SYSTEMD.rglob("*") if path.is_symlink())
        own = [link for link in links if link.endswith((container.service, "web-alias.service"))]
        service = container.service
        assert own == [
            f"a.target.wants/{service}",
            f"b.target.wants/{service}",
            f"c.service.requires/{service}",
            "web-alias.service",
        ]
        Path(f"/etc/nsunit/{name}.nsunit").write_text(LIMITS)
        nsunit("enable", name)
        assert not (SYSTEMD / "a.target.wants").exists()
        assert (SYSTEMD / BOOT / service).is_symlink()
    finally:
        nsunit("disable", name)
    assert not (SYSTEMD / "web-alias.service").is_symlink()


def test_enable_leaves_the_files_of_others_alone(containers, nsunit):
    name = containers.define(LIMITS)
    path = SYSTEMD / f"nsunit-{name}.service"
    path.write_text("[Service]\nExecStart=/bin/true\n")
    try:
        done = nsunit("enable", name, check=False)
        assert done.returncode == 1
        assert f"was not made by nsunit ('{path}')" in done.stderr
        assert path.read_text().startswith("[Service]")
        assert not (SYSTEMD / f"nsunit-{name}.slice").exists()
    finally:
        path.unlink()


def test_an_instance_of_a_template(containers, nsunit, run):
    containers.define(LIMITS, "boot@")
    name = containers.own("boot@a-b")
    nsunit("enable", "--now", name)
    try:
        unit = "nsunit-boot@a-b.service"
        assert run("systemctl", "is-enabled", unit).stdout == "enabled\n"
        assert run("systemctl", "show", "-P", "FragmentPath", unit).stdout.strip() == str(SYSTEMD / unit)
    finally:
        nsunit("disable", "--now", name)


MOUNT = "[Mount]\nWhat=tmpfs\nWhere={}\nType=tmpfs\n"
AUTOMOUNT = "[Automount]\nWhere={}\nTimeoutIdleSec=1\n"


@pytest.fixture
def mount(run):
    """Have systemd mount a tmpfs on a new directory, by itself or by an automount; returns path and unit."""
    made = []

    def maker(kind):
        path, unit = "/srv/needed", "srv-needed"
        texts = {"mount": MOUNT, "automount": AUTOMOUNT} if kind == "automount" else {"mount": MOUNT}
        for suffix, text in texts.items():
            Path(f"/run/systemd/system/{unit}.{suffix}").write_text(text.format(path))
            made.append(f"{unit}.{suffix}")
        run("systemctl", "daemon-reload")
        run("systemctl", "start", "--", f"{unit}.{kind}")
        return path, unit

    yield maker
    run("systemctl", "stop", "--", *reversed(made))
    for name in made:
        Path("/run/systemd/system", name).unlink()
    run("systemctl", "daemon-reload")
    Path("/srv/needed").rmdir()


@pytest.fixture
def both(containers, nsunit):
    """Start a container as it is, and one that is enabled, with more lines; returns both."""
    names = []

    def starter(lines):
        names[:] = [containers.define(f"{SLEEP}Init=yes\n{lines}\n") for _ in range(2)]
        nsunit("enable", names[1])
        nsunit("start", *names)
        return [containers.of(name) for name in names]

    yield starter
    nsunit("disable", "--now", names[1])


def states(run, *units):
    return run("systemctl", "is-active", "--", *units, check=False).stdout.split()


def test_it_comes_after_the_mounts_it_binds_from_and_goes_before(both, mount, run):
    path, unit = mount("mount")
    pair = both(f"Bind={path}:/needed -/srv/missing:/missing")
    for container in pair:
        shown = {key: value.split() for key, value in container.show("After", "Requires").items()}
        assert {f"{unit}.mount", "srv-missing.mount"} <= {*shown["After"]}
        assert f"{unit}.mount" in shown["Requires"]
        assert "srv-missing.mount" not in shown["Requires"]
    run("systemctl", "stop", "--", f"{unit}.mount")
    assert states(run, *(container.service for container in pair)) == ["inactive"] * 2


@pytest.mark.machine("kernel modules")
def test_an_automount_that_is_not_used_takes_nothing_along(both, mount, run):
    path, unit = mount("automount")
    pair = both(f"Bind={path}:/automatic")
    for container in pair:
        assert {f"{unit}.mount", f"{unit}.automount"} <= {*container.show("After")["After"].split()}
    wait_until(lambda: states(run, f"{unit}.mount") == ["inactive"], "its time-out")
    assert states(run, *(container.service for container in pair)) == ["active"] * 2


# What systemd starts again by itself


@pytest.fixture
def unit(run):
    """Have a unit of the host with these lines of [Unit], started or not; returns its name."""
    names = []

    def maker(lines, *, start=True):
        names.append(f"keeper{len(names)}.service")
        text = f"[Unit]\n{lines}\n[Service]\nExecStart=/bin/sleep 1000\n"
        Path("/run/systemd/system", names[-1]).write_text(text)
        run("systemctl", "daemon-reload")
        if start:
            run("systemctl", "start", names[-1])
        return names[-1]

    yield maker
    run("systemctl", "stop", *names)
    for name in names:
        Path("/run/systemd/system", name).unlink()
    run("systemctl", "daemon-reload")


@pytest.mark.kernel("nftables")
def test_what_others_need_comes_back_also_if_it_is_not_enabled(containers, nsunit, run, unit):
    """It keeps what it is started from, and the address that it has, as long as it is not stopped by nsunit."""
    name = containers.define(SLEEP + "Init=yes\nNetwork=bridge\n")
    container = containers.of(name)
    wants, upholds = (unit(f"{key}={container.service}\nAfter={container.service}") for key in ("Wants", "Upholds"))
    nsunit("start", name)

    def address():
        return container.exec("ip", "-4", "-o", "address", "show", "eth0").stdout.split()[3]

    before, first = address(), container.show("InvocationID")
    run("systemctl", "stop", container.service)
    wait_until(lambda: states(run, container.service) == ["active"], "its return")
    assert (address(), container.show("InvocationID") != first) == (before, True)
    run("systemctl", "stop", upholds)
    run("systemctl", "kill", "--signal=KILL", container.service)
    wait_until(lambda: states(run, container.service) == ["failed"], "its end")
    run("systemctl", "restart", wants)
    assert (address(), states(run, container.service)) == (before, ["active"])
    nsunit("stop", name)
    assert states(run, container.service) == ["inactive"]
    assert not [place for place in ("containers", "network") if Path("/run/nsunit", place, name).exists()]


def test_what_shares_a_network_comes_back_where_it_is_upheld(containers, nsunit, run):
    """The other one has a new network namespace then, which it joins."""
    service = "[Service]\nRestart=always\nRestartSec=100ms\n"
    one = containers.of(containers.define(SLEEP + service, "vpn1"))
    other = containers.of(containers.define(SLEEP + "Init=yes\nNetwork=container:vpn1\n"))
    said = nsunit("verify", other.name).stderr
    assert said.endswith(f"it comes back only where vpn1 has '[Unit] Upholds={other.service}'\n")
    containers.files[0].write_text(f"[Unit]\nUpholds={other.service}\n{SLEEP}{service}")
    assert nsunit("verify", other.name).stderr == ""
    nsunit("start", one.name, other.name)
    first = other.show("InvocationID")
    run("systemctl", "kill", "--signal=KILL", one.service)

    def returned():
        return other.show("InvocationID") != first and states(run, one.service, other.service) == ["active"] * 2

    wait_until(returned, "their return")
    assert os.stat(f"/proc/{one.pid}/ns/net").st_ino == os.stat(f"/proc/{other.pid}/ns/net").st_ino


def test_what_nobody_referred_to_says_how_to_start_it_again(containers, nsunit, run, unit):
    """It has kept nothing, and nsunit starts it as it is now, though systemd still has what it was."""
    name = containers.define(SLEEP)
    container = containers.of(name)
    nsunit("start", name)
    needs = unit(f"Requires={container.service}\nAfter={container.service}")
    run("systemctl", "kill", "--signal=KILL", container.service)
    wait_until(lambda: states(run, container.service) == ["failed"], "its end")
    assert run("systemctl", "restart", needs, check=False).returncode == 1
    said = "Failed to read its plan: it has ended, so only 'nsunit start' can start it again, unless it is enabled"
    assert container.show("StatusText")["StatusText"] == said
    containers.files[-1].write_text(SLEEP.replace("hello", "again"))
    nsunit("start", name)
    assert nsunit("exec", name, "sh", "-c", "echo $GREETING").stdout == "again\n"
    run("systemctl", "restart", needs)
    assert states(run, container.service) == ["active"]


def test_other_units_to_enable_are_refused(containers, nsunit):
    """`Also=` of a unit file: nothing of it is enabled, and the container is not either."""
    name = containers.define(f"{SLEEP}[Install]\nAlso=getty@tty9.service\n")
    done = nsunit("enable", name, check=False)
    assert done.returncode == 1
    assert "[Install] Also: nsunit enables what it is told by name, and no other units" in done.stderr
    assert "hint: use [Unit] Wants=" in done.stderr
    assert nsunit("verify", name, check=False).stderr == done.stderr
    assert not list(SYSTEMD.glob(f"**/*{name}*"))
