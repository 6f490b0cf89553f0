"""What containers use, as nsunit tells it and as the kernel counts it."""

import json
import subprocess
import time
from pathlib import Path

import pytest
from waiting import wait_until

ANYWHERE = pytest.mark.anywhere("files of the kernel's")

CGROUPS = Path("/sys/fs/cgroup/nsunit.slice")
WORK = """
trap 'exit 0' TERM
echo end >/tmp/report
while :; do :; done
"""


@pytest.fixture(scope="module")
def busy(shared, program):
    """A container that uses a fifth of a CPU, and has a network of its own."""
    container = shared.start(program(WORK, "", "[Slice]", "CPUQuota=20%", "MemoryMax=40M", "MemorySwapMax=0"))
    container.report()
    return container


def is_set_up(scope):
    """Whether the session's command runs by itself: with the quota of its container its set-up takes a while."""
    pids = (scope / "cgroup.procs").read_text().split()
    return len(pids) == 1 and "sleep" in Path(f"/proc/{pids[0]}/comm").read_text()


@pytest.fixture
def session(busy):
    """The scope of a command that runs in it beside the payload."""
    command = subprocess.Popen(["nsunit", "exec", busy.name, "sleep", "1000"])
    scope = wait_until(lambda: next(filter(is_set_up, busy.cgroup.glob("*-exec-*.scope")), None), "the session")
    yield scope.name
    subprocess.run(["systemctl", "stop", "--", scope.name], check=True)
    command.wait(60)


def stats(nsunit, *words):
    return json.loads(nsunit("stats", "--json", *words).stdout)["usages"]


def counters(path):
    return {key: int(value) for key, value in (line.split() for line in path.read_text().splitlines())}


@pytest.mark.machine("controllers")
def test_numbers_are_the_kernels(busy, nsunit):
    before = counters(busy.cgroup / "cpu.stat")["usage_usec"]
    (usage,) = stats(nsunit, busy.name)
    after = counters(busy.cgroup / "cpu.stat")["usage_usec"]
    assert (usage["kind"], usage["name"], usage["unit"]) == ("container", busy.name, busy.slice)
    assert before <= usage["cpu"]["usage_usec"] <= after
    assert usage["cpu"]["quota_usec"] == 200_000
    # Of one moment: where other things run as well, it may not have had its turn in that.
    wait_until(lambda: 5 < stats(nsunit, busy.name)[0]["cpu"]["percent"] < 40, "it gets its share")
    assert usage["memory"]["max"] == 40 << 20
    assert 0 < usage["memory"]["current"] <= usage["memory"]["peak"] <= 40 << 20
    assert usage["memory"]["high"] is None
    assert usage["swap"] in ({"current": 0, "max": 0}, None)
    # Those of a session that is just ending are counted, too.
    wait_until(lambda: stats(nsunit, busy.name)[0]["tasks"]["current"] == int(busy.limit("pids.current")))
    assert set(usage["io"]) == {"read_bytes", "write_bytes", "read_operations", "write_operations", "devices"}


@ANYWHERE
@pytest.mark.machine("pressure")
def test_pressure(busy, nsunit):
    if not Path("/proc/pressure/cpu").exists():
        pytest.fail("the machine's kernel has no pressure information")
    deadline = time.monotonic() + 60
    while True:  # what the quota holds back waits; the averages are made every 2 s
        (usage,) = stats(nsunit, busy.name)
        if usage["pressure"]["cpu"]["some_avg10"] > 5:
            break
        assert time.monotonic() < deadline, usage["pressure"]
        time.sleep(1)
    assert usage["pressure"]["cpu"]["some_total_usec"] > 0
    assert usage["pressure"]["memory"]["full_avg10"] >= 0
    assert usage["pressure"]["io"]["some_avg300"] >= 0


@ANYWHERE
@pytest.mark.machine("controllers")
def test_sessions_have_rows_of_their_own(busy, session, nsunit):
    container, own = stats(nsunit, busy.name)
    assert (own["kind"], own["container"], own["unit"]) == ("session", busy.name, session)
    assert own["tasks"]["current"] == 1
    assert own["memory"]["current"] > 0
    assert container["tasks"]["current"] == int(busy.limit("pids.current")) == 2
    total = next(item for item in stats(nsunit) if item["kind"] == "total")
    assert total["tasks"]["current"] >= 2
    table = nsunit("stats", "--no-headings").stdout.splitlines()
    names = [line.split("\t")[0].strip() for line in table]
    assert names[0] == "nsunit.slice"
    assert names[names.index(busy.name) + 1] == session.removeprefix("nsunit-").removesuffix(".scope")


def test_traffic_of_its_own_network(busy, nsunit, run):
    (usage,) = stats(nsunit, busy.name)
    assert usage["network"] == dict.fromkeys(usage["network"], 0)
    inside = f"nsenter --net=/proc/{busy.pid}/ns/net"
    run(f"ip link add hostside type veth peer name inside netns {busy.pid}")
    try:
        run(f"ip link set hostside up && {inside} ip link set inside up")
        wait_until(lambda: stats(nsunit, busy.name)[0]["network"]["transmit_bytes"], "IPv6 looks for neighbours")
        first, usage, second = (_sent(busy), stats(nsunit, busy.name)[0], _sent(busy))
        assert first <= usage["network"]["transmit_bytes"] <= second
    finally:
        run("ip link delete hostside")


def _sent(container):
    line = next(line for line in container.proc("net/dev").splitlines() if "inside:" in line)
    return int(line.partition(":")[2].split()[8])


@ANYWHERE
@pytest.mark.machine("controllers")
def test_out_of_memory_is_counted(busy, nsunit):
    before = stats(nsunit, busy.name)[0]["memory"]["oom_kills"]
    assert busy.exec("tail", "/dev/zero", check=False).returncode == 137
    assert stats(nsunit, busy.name)[0]["memory"]["oom_kills"] == before + 1


@ANYWHERE
@pytest.mark.machine("controllers")
def test_high_events(containers, program, nsunit):
    script = "dd if=/dev/zero of=/big bs=1M count=60 2>/dev/null\necho end >/tmp/report\nexec sleep 1000\n"
    container = containers.start(program(script, "Volatile=no", "[Slice]", "MemoryHigh=20M", "MemorySwapMax=0"))
    container.report(timeout=200)
    (usage,) = stats(nsunit, container.name)
    assert usage["memory"]["high"] == 20 << 20
    assert usage["memory"]["high_events"] == counters(container.cgroup / "memory.events")["high"] > 0


@ANYWHERE
@pytest.mark.machine("controllers")
def test_prometheus(busy, nsunit):
    lines = nsunit("stats", "--prometheus").stdout.splitlines()
    samples = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert float(samples[f'nsunit_container_memory_max_bytes{{container="{busy.name}"}}']) == 40 << 20
    assert float(samples[f'nsunit_container_cpu_seconds_total{{container="{busy.name}"}}']) > 0
    assert float(samples["nsunit_total_tasks"]) >= 1
    assert f'nsunit_container_memory_high_bytes{{container="{busy.name}"}}' not in samples  # it has none


@ANYWHERE
def test_watch(busy):
    command = ["nsunit", "stats", "--watch=0.5", "--json", busy.name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watch:
        samples = [json.loads(watch.stdout.readline()) for _ in range(3)]
        watch.terminate()
    first, second = (sample["usages"][0]["cpu"]["usage_usec"] for sample in samples[1:])
    assert second > first
    assert samples[2]["interval_usec"] > 400_000


def test_what_does_not_run_hides_nothing_of_what_does(busy, nsunit):
    for verb in ("stats", "ps"):
        done = nsunit(verb, "nothing", busy.name, "--json", check=False)
        found = json.loads(done.stdout)
        names = {item["container"] for item in (found["usages"] if verb == "stats" else found)}
        assert (done.returncode, names, "nothing" in done.stderr) == (3, {busy.name}, True)
    command = ["nsunit", "stats", "--watch=0.5", "nothing", busy.name, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watch:
        seen = [json.loads(watch.stdout.readline())["usages"][0]["name"] for _ in range(3)]
        watch.terminate()
        assert watch.stderr.read() == "nsunit: nothing: it is not running\n"
    assert seen == [busy.name] * 3


def test_a_container_that_does_not_run(nsunit):
    done = nsunit("stats", "nothing", check=False)
    assert done.returncode == 3
    assert done.stderr.startswith("nsunit: nothing: it is not running\n")


@pytest.fixture
def many():
    """A thousand cgroups as containers have them, without a process."""
    made = []
    for number in range(1000):
        for path in (CGROUPS / f"nsunit-many{number}.slice", CGROUPS / f"nsunit-many{number}.slice/a.service"):
            path.mkdir(parents=True)
            made.append(path)
    yield
    for path in reversed(made):
        path.rmdir()


@ANYWHERE
def test_a_thousand_containers_in_one_pass(many, busy, nsunit):
    assert sum(item["name"].startswith("many") for item in stats(nsunit)) == 1000


def test_systemd_is_not_even_asked(busy, run, tmp_path):
    run("strace", "-f", "-e", "trace=connect", "-o", str(tmp_path / "calls"), "nsunit", "stats")
    assert "connect(" not in (tmp_path / "calls").read_text()


HOSTILE = r"""
sh -c 'sleep 1000; :' "$(printf 'x\033]0;owned\007\n1')" &
(printf 'a) R\033[31m\n1' >/proc/self/comm; sleep 1000; :) &
rm -f /bin/ps /usr/bin/ps
mkdir /sys/fs/cgroup/deeper 2>/dev/null && echo $! >/sys/fs/cgroup/deeper/cgroup.procs
sleep 1000 &
echo end >/tmp/report
wait
"""


@pytest.fixture(scope="module")
def hostile(shared, program):
    """A container whose processes have names that are to drive the reader's terminal."""
    container = shared.start(program(HOSTILE))
    container.report()
    return container


def test_processes(hostile, nsunit):
    processes = json.loads(nsunit("ps", "--json", hostile.name).stdout)
    by_inside = {process["inside_pid"]: process for process in processes}
    payload = by_inside[1]
    assert payload["pid"] == hostile.pid
    assert (payload["uid"], payload["inside_uid"]) == (int(hostile.status()["Uid"].split()[0]), 0)
    assert payload["uid"] >= 65536
    assert (payload["unit"], payload["command"]) == (hostile.service, "/bin/sh /program")
    assert payload["memory"] > 0
    for process in processes:
        status = Path(f"/proc/{process['pid']}/status").read_text()
        assert f"NSpid:\t{process['pid']}\t{process['inside_pid']}\n" in status
    assert any(process["command"] == "sleep 1000" for process in processes)
    assert all(process["state"] in "SRD" for process in processes)


def test_control_characters_of_processes_are_harmless(hostile, nsunit):
    done = nsunit("ps", "--no-headings", hostile.name)
    assert "\x1b" not in done.stdout
    assert "\x07" not in done.stdout
    assert len(done.stdout.splitlines()) == len(json.loads(nsunit("ps", "--json", hostile.name).stdout))
    assert r"x\x1b]0;owned\x07\n1" in done.stdout


def test_a_user_inside(hostile, nsunit):
    command = subprocess.Popen(["nsunit", "exec", "--uid=1000", hostile.name, "sleep", "999"])
    (process,) = wait_until(
        lambda: [p for p in json.loads(nsunit("ps", "--json", hostile.name).stdout) if p["command"] == "sleep 999"],
        "the session's process is shown",
    )
    try:
        assert process["inside_uid"] == 1000
        assert process["uid"] == 1000 + int(hostile.status()["Uid"].split()[0])
        assert process["unit"].endswith(".scope")
        assert process["inside_pid"] not in (None, 1)
    finally:
        subprocess.run(["kill", str(process["pid"])], check=True)
        command.wait(60)


def test_nothing_is_executed_in_the_container(hostile, run, tmp_path):
    run(
        "strace",
        "-f",
        "-o",
        str(tmp_path / "calls"),
        "-e",
        "trace=setns,execve,clone,fork,vfork",
        "nsunit",
        "ps",
        hostile.name,
    )
    calls = [line for line in (tmp_path / "calls").read_text().splitlines() if "exited with" not in line]
    assert len(calls) == 1, calls  # the execve of nsunit itself


def test_processes_of_nothing(nsunit):
    done = nsunit("ps", "nothing", check=False)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("nsunit: container 'nothing' is not defined\n")


def test_top_is_cgtop(busy, nsunit):
    shown = nsunit("top", "--batch", "--iterations=2", "--delay=1", "--raw", "--depth=2").stdout
    shown_groups = {line.split()[0].lstrip("/") for line in shown.splitlines() if line}
    assert shown_groups >= {"nsunit.slice", f"nsunit.slice/{busy.slice}"}
    assert all(group.startswith("nsunit.slice") for group in shown_groups)
    refused = nsunit("top", "--nonsense", check=False)
    assert refused.returncode == 1
    assert "--nonsense" in refused.stderr
