"""Containers change while they run: set, plan, apply."""

import json

import pytest

ANYWHERE = pytest.mark.anywhere("refused before systemd hears of it")
BUSYBOX = "/srv/roots/busybox"
SLEEP = f"[Container]\nRootfs={BUSYBOX}\nVolatile=yes\nExec=sleep 1000\n"
LIMITS = SLEEP + "[Slice]\nMemoryMax=100M\nCPUQuota=40%\n[Service]\nTasksMax=60\n"


@pytest.fixture
def limited(containers):
    return containers.start(LIMITS)


def redefine(container, text):
    with open(f"/etc/nsunit/{container.name}.nsunit", "w") as file:
        file.write(text)


def service_limit(container, file):
    return (container.cgroup / container.service / file).read_text().strip()


def limits(container):
    files = ("memory.max", "cpu.max", "cpu.weight", "memory.low")
    return [*(container.limit(file) for file in files), service_limit(container, "pids.max")]


def planned(nsunit, container):
    return nsunit("plan", container.name).stdout.splitlines()


@pytest.mark.machine("controllers")
def test_set_changes_the_kernels_values_at_once(limited, nsunit):
    pid = limited.pid
    nsunit(
        "set", limited.name, "MemoryMax=150M", "CPUQuota=", "CPUWeight=30", "MemoryLow=20M", "Service.TasksMax=infinity"
    )
    assert limits(limited)[:4] == [str(150 << 20), "max 100000", "30", str(20 << 20)]
    assert service_limit(limited, "pids.max") == "max"
    assert limited.pid == pid
    nsunit("set", limited.name, "Service.TasksMax=70", "MemoryLow=")
    assert limits(limited) == [str(150 << 20), "max 100000", "30", "0", "70"]


def test_set_is_told_by_start_status_and_plan_and_ends_with_the_container(limited, nsunit, run):
    nsunit("set", limited.name, "MemoryMax=150M")
    difference = "[Slice] MemoryMax: '150M' -> '100M'"
    # It was meant, so nothing is said to be wrong; a plan is what 'apply' would do about it.
    started = nsunit("start", limited.name)
    assert (started.stdout, started.stderr) == (f"{limited.name}: is already running\n", "")
    status = nsunit("status", limited.name).stdout
    assert "'nsunit set' has changed it since it was started, until it stops: [Slice] MemoryMax=150M" in status
    assert planned(nsunit, limited) == [f"{limited.name}:", f"  {difference} (at once)"]
    run("systemctl", "daemon-reload")
    assert limited.limit("memory.max") == str(150 << 20)
    assert limited.show("MemoryMax", unit=limited.slice) == {"MemoryMax": str(150 << 20)}
    redefine(limited, LIMITS.replace("100M", "150M"))
    assert nsunit("start", limited.name).stdout == f"{limited.name}: is already running\n"
    assert planned(nsunit, limited) == [f"{limited.name}: runs as its definition says"]
    redefine(limited, LIMITS)
    nsunit("restart", limited.name)
    assert limited.limit("memory.max") == str(100 << 20)
    assert nsunit("start", limited.name).stdout == f"{limited.name}: is already running\n"


def test_set_adds_to_lists_and_resets_them(limited, nsunit):
    def denied():
        return limited.show("IPAddressDeny", unit=limited.slice)["IPAddressDeny"].split()

    nsunit("set", limited.name, "IPAddressDeny=10.0.0.0/8")
    nsunit("set", limited.name, "IPAddressDeny=192.0.2.0/24")
    assert sorted(denied()) == ["10.0.0.0/8", "192.0.2.0/24"]
    nsunit("set", limited.name, "IPAddressDeny=", "IPAddressDeny=198.51.100.0/24")
    assert denied() == ["198.51.100.0/24"]
    nsunit("set", limited.name, "IPAddressDeny=")
    assert denied() == []


@pytest.mark.anywhere("systemd keeps this list as the one of addresses")
@pytest.mark.machine("cpuset")
def test_set_adds_to_processors_and_resets_them(limited, nsunit):
    nsunit("set", limited.name, "AllowedCPUs=0", "AllowedCPUs=1")
    assert limited.limit("cpuset.cpus") == "0-1"
    nsunit("set", limited.name, "AllowedCPUs=", "AllowedCPUs=1")
    assert limited.limit("cpuset.cpus") == "1"


WRONG = [
    (["MemoryMax=150M", "MemoryMaxx=1"], 2, "'MemoryMaxx' is not a key"),
    (["CPUWeight=30", "MemoryMax=12Q"], 2, "[Slice] MemoryMax: '12Q' is not a size"),
    (["CPUWeight=0", "MemoryMax=150M"], 2, "[Slice] CPUWeight: '0' is not a weight"),
    (["MemoryMax=150M", "Service.TasksMax=1"], 2, "TasksMax: '1' is less than setting up a container takes"),
    (["MemoryMax=150M", "Service.Restart=no"], 1, "[Service] Restart= cannot change while the container runs"),
    (["MemoryMax=150M", "Restart=no"], 1, "[Service] Restart= cannot change while the container runs"),
    (["Rootfs=/srv", "CPUWeight=30"], 1, "[Container] Rootfs= cannot change while the container runs"),
    (["MemoryMax=150M", "MemoryLimit=1G"], 2, "use MemoryMax="),
    (["MemoryMax=150M", "CPUWeight"], 2, "'CPUWeight' is not a key with its value"),
]


@ANYWHERE
@pytest.mark.machine("controllers")
def test_a_wrong_key_changes_nothing(limited, nsunit):
    before = limits(limited)
    for words, status, said in WRONG:
        done = nsunit("set", limited.name, *words, check=False)
        assert (done.returncode, done.stdout) == (status, ""), words
        assert said in done.stderr, words
        assert limits(limited) == before, words
    assert planned(nsunit, limited) == [f"{limited.name}: runs as its definition says"]


def test_a_stopped_container_is_not_set(limited, nsunit):
    nsunit("stop", limited.name)
    done = nsunit("set", limited.name, "MemoryMax=150M", check=False)
    assert (done.returncode, done.stderr.splitlines()[0]) == (3, f"nsunit: {limited.name}: it is not running")
    assert nsunit("set", "--persist", limited.name, "MemoryMax=150M", check=False).returncode == 3
    assert planned(nsunit, limited) == [f"{limited.name}: is not running"]
    assert nsunit("apply", limited.name).stdout == f"{limited.name}: is not running\n"


@pytest.mark.machine("controllers")
def test_apply_follows_the_definition_without_a_restart(limited, nsunit):
    pid = limited.pid
    redefine(limited, SLEEP + "[Slice]\nMemoryMax=120M\nIPAddressDeny=10.0.0.0/8\nCPUWeight=20\n")
    assert planned(nsunit, limited) == [
        f"{limited.name}:",
        "  [Service] TasksMax: '60' -> '' (at once)",
        "  [Slice] CPUQuota: '40%' -> '' (at once)",
        "  [Slice] CPUWeight: '' -> '20' (at once)",
        "  [Slice] IPAddressDeny: '' -> '10.0.0.0/8' (at once)",
        "  [Slice] MemoryMax: '100M' -> '120M' (at once)",
    ]
    assert len(nsunit("apply", limited.name).stdout.splitlines()) == 5
    assert limits(limited) == [str(120 << 20), "max 100000", "20", "0", "max"]
    assert limited.pid == pid
    assert nsunit("start", limited.name).stdout == f"{limited.name}: is already running\n"
    assert nsunit("apply", limited.name).stdout == f"{limited.name}: runs as its definition says\n"


def test_apply_restarts_only_when_told_to(limited, nsunit):
    pid = limited.pid
    redefine(limited, LIMITS.replace("sleep 1000", "sleep 2000").replace("100M", "120M"))
    changes = json.loads(nsunit("plan", "--json", limited.name).stdout)[0]["changes"]
    assert [(change["key"], change["how"]) for change in changes] == [("Exec", "restart"), ("MemoryMax", "live")]
    done = nsunit("apply", limited.name)
    assert "[Container] Exec: 'sleep 1000' -> 'sleep 2000'" in done.stderr
    assert (limited.limit("memory.max"), limited.pid) == (str(120 << 20), pid)
    assert planned(nsunit, limited)[1:] == ["  [Container] Exec: 'sleep 1000' -> 'sleep 2000' (by a restart)"]
    assert nsunit("apply", "--restart", limited.name).stdout == f"{limited.name}: restarted\n"
    assert limited.proc("cmdline").split("\0")[1] == "2000"
    assert planned(nsunit, limited) == [f"{limited.name}: runs as its definition says"]


@pytest.mark.machine("controllers")
def test_apply_puts_old_values_back_when_a_step_fails(limited, nsunit, run):
    """The definition that runs cannot be recorded, which is the last step."""
    record = f"/run/nsunit/containers/{limited.name}/definition"
    before = limits(limited)
    redefine(limited, LIMITS.replace("100M", "120M").replace("=60", "=70").replace("CPUQuota=40%", "CPUWeight=30"))
    run("mount", "--bind", record, record)
    try:
        done = nsunit("apply", limited.name, check=False)
        failed = nsunit("set", limited.name, "MemoryMax=130M", check=False)
    finally:
        run("umount", record)
    assert (done.returncode, failed.returncode) == (1, 1)
    assert limits(limited) == before
    assert len(planned(nsunit, limited)) == 5
    nsunit("apply", limited.name)
    assert limits(limited) == [str(120 << 20), "max 100000", "30", "0", "70"]


def test_plan_finds_what_others_have_changed(limited, nsunit, run):
    run("systemctl", "set-property", "--runtime", limited.slice, "MemoryMax=90M", "IOWeight=77")
    lines = planned(nsunit, limited)
    assert lines[:2] == [f"{limited.name}:", "  [Slice] MemoryMax: '90M' -> '100M' (at once)"]
    drop_in = f"/run/systemd/transient/{limited.slice}.d/50-IOWeight.conf"
    assert lines[2:] == [f"  note: {limited.slice} has settings from '{drop_in}' as well"]
    nsunit("apply", limited.name)
    assert limited.limit("memory.max") == str(100 << 20)


def test_a_change_back_to_a_default_of_nsunits_is_nobody_elses(containers, nsunit):
    """TasksMax=1024 stands in no definition; `plan` told of the file that `apply` had systemd write."""
    container = containers.start(SLEEP)
    redefine(container, SLEEP + "[Slice]\nTasksMax=77\n")
    nsunit("apply", container.name)
    redefine(container, SLEEP)
    nsunit("apply", container.name)
    assert container.limit("pids.max") == "1024"
    assert planned(nsunit, container) == [f"{container.name}: runs as its definition says"]


def test_plan_and_apply_of_all_that_run(containers, nsunit):
    first, second = containers.start(LIMITS), containers.start(LIMITS)
    redefine(first, LIMITS.replace("100M", "120M"))
    assert f"{second.name}: runs as its definition says" in nsunit("plan").stdout.splitlines()
    assert f"{first.name}: [Slice] MemoryMax: '100M' -> '120M'" in nsunit("apply").stdout.splitlines()
    assert first.limit("memory.max") == str(120 << 20)
