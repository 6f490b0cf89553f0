"""The bus room against a real systemd, as PID 1 of this machine."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from waiting import wait_until

from nsunit.bus import watch
from nsunit.bus.protocol import NO_SUCH_UNIT, TIMEOUT, UNIT_EXISTS
from nsunit.bus.systemd import Systemd
from nsunit.errors import BusError
from nsunit.storage.processes import unit_processes
from nsunit.units import Property, Unit

WAIT = 60.0


@pytest.fixture(params=["private", "bus"])
def systemd(request, monkeypatch):
    """A client: over systemd's private socket, as root has it, and over the system bus."""
    if request.param == "bus":
        monkeypatch.setattr("nsunit.bus.marshal._PRIVATE_SOCKET", b"/nonexistent")
    client = Systemd()
    yield client
    assert client._direct == (request.param == "private")
    client.close()


@pytest.fixture
def unit(systemd):
    """A name for a service; whatever bears it at the end is stopped and forgotten."""
    name = f"nsunit-bustest{os.getpid()}.service"
    yield name
    for other in (name, name.replace(".service", ".slice")):
        subprocess.run(["systemctl", "stop", "-q", other], check=False, stderr=subprocess.DEVNULL)
        subprocess.run(["systemctl", "reset-failed", "-q", other], check=False, stderr=subprocess.DEVNULL)


def command(*argv, **more):
    properties = {"ExecStart": ("a(sasb)", ((argv[0], argv, False),)), "Type": ("s", "exec"), **more}
    return tuple(Property(name, signature, value) for name, (signature, value) in properties.items())


def sleep(**more):
    return command("/bin/sleep", "1000", **more)


def test_version(systemd):
    text = subprocess.run(["systemctl", "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert systemd.version() == int(text.split()[1])


def test_start_with_an_auxiliary_slice_and_stop(systemd, unit):
    slice_ = unit.replace(".service", ".slice")
    limits = (Property("MemoryMax", "t", 64 << 20), Property("TasksMax", "t", 20))
    job = systemd.start_transient(Unit(unit, sleep(Slice=("s", slice_))), (Unit(slice_, limits),))
    assert job.unit == unit
    assert systemd.wait(job, WAIT) == "done"
    found = systemd.properties(unit)
    assert (found["ActiveState"], found["Slice"], found["LoadState"]) == ("active", slice_, "loaded")
    assert found["ExecStart"][0][:2] == ("/bin/sleep", ["/bin/sleep", "1000"])
    assert systemd.get(slice_, "MemoryMax", "TasksMax", "ActiveState") == {
        "MemoryMax": 64 << 20,
        "TasksMax": 20,
        "ActiveState": "active",
    }
    processes = unit_processes("/sys/fs/cgroup", found["ControlGroup"])
    assert [(process.pid, process.command) for process in processes] == [(found["MainPID"], "/bin/sleep 1000")]
    assert processes[0].cgroup.endswith("/" + unit)
    assert [(row.name, row.active_state, row.job_path) for row in systemd.list_units([unit[:-8] + "*.service"])] == [
        (unit, "active", "")
    ]
    assert systemd.wait(systemd.stop(unit), WAIT) == "done"
    assert systemd.properties(unit)["LoadState"] == "not-found"


def test_every_signature_arrives(systemd, unit):
    """One property of each D-Bus type that the tables of settings use."""
    service = command(
        "/bin/sleep",
        "1000",
        Environment=("as", ("A=1", "B=ü")),
        Nice=("i", 5),
        OOMScoreAdjust=("i", 100),
        UMask=("u", 0o27),
        PrivateTmp=("b", True),
        RestartUSec=("t", 1_500_000),
        AllowedCPUs=("ay", b"\x01"),
        IPAddressDeny=("a(iayu)", ((2, bytes((10, 0, 0, 0)), 8),)),
        DeviceAllow=("a(ss)", (("/dev/null", "rw"), ("char-pts", "rw"))),
        DevicePolicy=("s", "closed"),
        IOReadBandwidthMax=("a(st)", (("/dev/vda", 1 << 20),)),
        SystemCallFilter=("(bas)", (False, ("reboot",))),
        RestrictAddressFamilies=("(bas)", (True, ("AF_UNIX",))),
        BindReadOnlyPaths=("a(ssbt)", (("/usr", "/mnt", True, 0),)),
        SuccessExitStatus=("(aiai)", ((42,), (signal.SIGUSR1,))),
        SetCredential=("a(say)", (("secret", b"\x00\xff"),)),
        CPUWeight=("t", 50),
    )
    assert systemd.wait(systemd.start_transient(Unit(unit, service)), WAIT) == "done"
    found = systemd.properties(unit)
    assert found["Environment"] == ["A=1", "B=ü"]
    assert (found["Nice"], found["UMask"], found["PrivateTmp"], found["CPUWeight"]) == (5, 0o27, True, 50)
    assert bytes(found["AllowedCPUs"]).rstrip(b"\0") == b"\x01"
    assert [(family, bytes(address), length) for family, address, length in found["IPAddressDeny"]] == [
        (2, bytes((10, 0, 0, 0)), 8)
    ]
    assert sorted(found["DeviceAllow"]) == [("/dev/null", "rw"), ("char-pts", "rw")]
    assert found["IOReadBandwidthMax"] == [("/dev/vda", 1 << 20)]
    assert found["SystemCallFilter"] == (False, ["reboot"])
    assert found["SuccessExitStatus"] == ([42], [signal.SIGUSR1])
    assert found["BindReadOnlyPaths"] == [("/usr", "/mnt", True, 0)]


def test_many_jobs_at_once(systemd, unit):
    names = [unit.replace(".service", f"-{number}.service") for number in range(10)]
    jobs = [systemd.start_transient(Unit(name, sleep())) for name in names]
    # waited for in another order than they were queued, and one by one as they finish
    assert systemd.wait(jobs[7], WAIT) == "done"
    left = set(jobs)
    while left:
        job, result = systemd.wait_any(left, WAIT)
        assert result == "done"
        left.remove(job)
    for job in [systemd.stop(name) for name in names]:
        assert systemd.wait(job, WAIT) == "done"
    assert systemd.list_units([unit[:-8] + "-*"]) == []


def test_failures(systemd, unit):
    job = systemd.start_transient(Unit(unit, command("/nonexistent")))
    assert systemd.wait(job, WAIT) == "failed"
    assert systemd.get(unit, "ActiveState", "Result") == {"ActiveState": "failed", "Result": "exit-code"}
    with pytest.raises(BusError) as caught:
        systemd.start_transient(Unit(unit, sleep()))
    assert caught.value.name == UNIT_EXISTS
    assert "reset-failed" in caught.value.hint
    systemd.reset_failed(unit)
    assert systemd.get(unit, "LoadState") == {"LoadState": "not-found"}
    with pytest.raises(BusError) as caught:
        systemd.stop(unit)
    assert caught.value.name == NO_SUCH_UNIT
    with pytest.raises(BusError, match="NoSuchProperty") as caught:
        systemd.start_transient(Unit(unit, sleep(NoSuchProperty=("s", "x"))))
    assert "too old" in caught.value.hint


def test_time_is_over(systemd, unit):
    """A start that takes longer than the caller waits; the job goes on and can be waited for again."""
    job = systemd.start_transient(Unit(unit, command("/bin/sleep", "2", Type=("s", "oneshot"))))
    with pytest.raises(BusError, match="was not finished after 0.5 s") as caught:
        systemd.wait(job, 0.5)
    assert caught.value.name == TIMEOUT
    assert systemd.wait(job, WAIT) == "done"


def test_what_has_ended_is_told_without_waiting(systemd, unit):
    job = systemd.start_transient(Unit(unit, command("/bin/sleep", "1000", Type=("s", "oneshot"))))
    assert systemd.ended([job]) == []
    systemd.stop(unit)
    wait_until(lambda: systemd.ended([job]) == [job], "the end of the start")
    assert systemd.wait(job, WAIT) == "canceled"


def test_a_stop_cancels_a_start(systemd, unit):
    started = systemd.start_transient(Unit(unit, command("/bin/sleep", "1000", Type=("s", "oneshot"))))
    time.sleep(0.5)
    assert systemd.wait(systemd.stop(unit), WAIT) == "done"
    assert systemd.wait(started, WAIT) == "canceled"


def test_kill_freeze_thaw_and_set_properties(systemd, unit):
    assert systemd.wait(systemd.start_transient(Unit(unit, sleep())), WAIT) == "done"
    systemd.freeze(unit)
    assert systemd.get(unit, "FreezerState") == {"FreezerState": "frozen"}
    systemd.thaw(unit)
    assert systemd.get(unit, "FreezerState") == {"FreezerState": "running"}
    systemd.set_properties(unit, True, (Property("TasksMax", "t", 7), Property("CPUQuotaPerSecUSec", "t", 300_000)))
    assert systemd.get(unit, "TasksMax", "CPUQuotaPerSecUSec") == {"TasksMax": 7, "CPUQuotaPerSecUSec": 300_000}
    systemd.kill(unit, "main", signal.SIGKILL)
    ended = watch.wait_inactive(unit, timeout=WAIT)
    assert ended == [watch.Ended(unit, "failed", "signal", 2, 9)]


def test_watching_a_unit_end_and_vanish(systemd, unit, tmp_path):
    other = unit.replace(".service", "-2.service")
    collect = {"CollectMode": ("s", "inactive-or-failed")}
    end = tmp_path / "end"
    for name, status in ((unit, 3), (other, 0)):
        argv = ("/bin/sh", "-c", f"until test -e {end}; do sleep 0.1; done; exit {status}")
        assert systemd.wait(systemd.start_transient(Unit(name, command(*argv, **collect))), WAIT) == "done"

    def reload_and_end():
        subprocess.run(["systemctl", "daemon-reload"], check=True)  # sends UnitRemoved for units that stay
        end.touch()

    meanwhile = threading.Timer(1, reload_and_end)
    meanwhile.start()
    ended = watch.wait_inactive(unit, other, timeout=WAIT)
    meanwhile.join()
    assert [(item.exec_main_code, item.exec_main_status) for item in ended] == [(1, 3), (1, 0)]
    assert [item.result for item in ended] == ["exit-code", "success"]
    assert watch.wait_inactive("nsunit-none.service", timeout=WAIT) == [watch.Ended("nsunit-none.service", "gone")]


def test_watching_gives_up_in_time(systemd, unit):
    assert systemd.wait(systemd.start_transient(Unit(unit, sleep())), WAIT) == "done"
    with pytest.raises(BusError, match=f"still running after 1 s: '{unit}'"):
        watch.wait_inactive(unit, timeout=1)


def test_systemd_executes_itself_anew_meanwhile(systemd, unit):
    """What an upgrade of systemd does; it closes its private connections."""
    oneshot = {"Type": ("s", "oneshot"), "RemainAfterExit": ("b", True)}  # the job may be over before we are back
    job = systemd.start_transient(Unit(unit, command("/bin/sleep", "2", **oneshot)))
    subprocess.run(["systemctl", "daemon-reexec"], check=True)
    assert systemd.wait(job, WAIT) == "done"
    assert systemd.version() >= 252


def test_reload(systemd):
    systemd.reload()


def test_the_import_is_light():
    script = (
        "import sys; sys.path.append('/usr/lib/python3/dist-packages');"
        "from nsunit.bus.systemd import Systemd; Systemd().version(); print(*sys.modules)"
    )
    found = subprocess.run([sys.executable, "-SI", "-c", script], stdout=subprocess.PIPE, text=True, check=True)
    modules = set(found.stdout.split())
    assert "pystemd.dbuslib" in modules
    assert not modules & {"lxml", "inspect", "dataclasses", "typing", "enum", "re", "pathlib", "pystemd", "pprint"}
