"""The pass over the cgroups, on a directory that looks like them."""

import os
import subprocess
import sys
import time

import pytest

from nsunit.deeds.look import stats
from nsunit.errors import NotFoundError, NsunitError
from nsunit.formats.cgroupfs import Traffic


@pytest.fixture
def cgroups(tmp_path):
    (tmp_path / "cgroup.controllers").write_text("cpu io memory pids\n")

    def make(path, usec=0, **files):
        directory = tmp_path / "nsunit.slice" / path
        directory.mkdir(parents=True, exist_ok=True)
        for parent in (directory, *directory.parents):
            if parent == tmp_path:
                break
            if not (parent / "cpu.stat").exists():
                (parent / "cpu.stat").write_text("usage_usec 0\n")
        (directory / "cpu.stat").write_text(f"usage_usec {usec}\n")
        for name, text in files.items():
            (directory / name.replace("_", ".")).write_text(text)

    make.root = str(tmp_path)
    return make


def names(sample):
    return [(item.kind, item.name) for item in sample.usages]


def test_one_pass(cgroups):
    cgroups("nsunit-web.slice/nsunit-web.service/payload")
    cgroups("nsunit-web.slice/nsunit-web-exec-1.scope", pids_current="2\n")
    cgroups("nsunit-web.slice", memory_current="4096\n")
    cgroups("nsunit-shop.slice/nsunit-shop-db.slice/nsunit-db.service")
    cgroups("nsunit-new.slice")
    cgroups("other.service")
    sample = stats.Sampler(cgroups.root).sample()
    assert names(sample) == [
        ("total", "nsunit.slice"),
        ("group", "shop.slice"),
        ("container", "db"),
        ("container", "web"),
        ("session", "nsunit-web-exec-1.scope"),
    ]
    web, session = sample.usages[3:]
    assert web.memory.current == 4096
    assert web.unit == "nsunit-web.slice"
    assert session.tasks.current == 2
    assert sample.interval_usec == 0
    assert abs(sample.time_usec / 1e6 - time.time()) < 10


def test_pods(cgroups, tmp_path):
    cgroups("nsunit-shop.slice/nsunit-shop-db.slice/nsunit-db.service")
    cgroups("nsunit-shop.slice/nsunit-shop-eu.slice/nsunit-shop-eu-web.slice/nsunit-web.service")
    (tmp_path / "pins/shop.pod").mkdir(parents=True)
    (tmp_path / "pins/web").mkdir()
    for name in ("shop.pod", "shop.slice"):
        sample = stats.Sampler(cgroups.root, namespaces=f"{tmp_path}/pins").sample([name])
        assert names(sample)[:2] == [("pod", "shop.pod"), ("container", "db")]
        assert sample.usages[1].groups == ("shop.pod",)
        assert sample.usages[-1].groups == ("shop.pod", "shop-eu.slice")


@pytest.mark.parametrize(
    ("wanted", "found"),
    [("web", ["web", "nsunit-web-exec-1.scope"]), ("db", ["db"]), ("shop.slice", ["shop.slice", "db"])],
)
def test_names(cgroups, wanted, found):
    cgroups("nsunit-web.slice/nsunit-web.service")
    cgroups("nsunit-web.slice/nsunit-web-exec-1.scope")
    cgroups("nsunit-shop.slice/nsunit-shop-db.slice/nsunit-db.service")
    sample = stats.Sampler(cgroups.root).sample([wanted])
    assert [item.name for item in sample.usages] == found


def test_a_name_that_does_not_run(cgroups):
    cgroups("nsunit-web.slice/nsunit-web.service")
    with pytest.raises(NotFoundError) as caught:
        stats.Sampler(cgroups.root).sample(["web", "db"])
    assert caught.value.message == "db: it is not running"
    assert caught.value.hint == "'nsunit stats' without a name shows what runs"
    absent = []
    sample = stats.Sampler(cgroups.root).sample(["web", "db"], absent)
    assert [item.name for item in sample.usages] == ["web"]
    assert [error.message for error in absent] == ["db: it is not running"]


def test_no_container_at_all(cgroups):
    assert stats.Sampler(cgroups.root).sample().usages == ()


def test_not_version_2(tmp_path):
    with pytest.raises(NsunitError) as caught:
        stats.Sampler(str(tmp_path)).sample()
    assert caught.value.message == f"{tmp_path} is not a cgroup version 2 file system"
    assert caught.value.hint == "see what 'nsunit doctor' says"


@pytest.mark.parametrize("primed", [True, False])
def test_percent(cgroups, primed):
    cgroups("nsunit-web.slice/nsunit-web.service")
    cgroups("nsunit-web.slice", 1_000_000)
    sampler = stats.Sampler(cgroups.root)
    sampler.prime() if primed else sampler.sample()
    cgroups("nsunit-web.slice", 1_100_000)
    time.sleep(0.05)
    total, web = sampler.sample().usages
    assert total.cpu.percent == 0
    assert 0 < web.cpu.percent <= 200


def test_traffic_of_a_group(cgroups, monkeypatch):
    cgroups("nsunit-shop.slice/nsunit-shop-db.slice/nsunit-db.service")
    cgroups("nsunit-shop.slice/nsunit-shop-web.slice/nsunit-web.service")
    inodes = iter((7, 8))
    monkeypatch.setattr(stats.Sampler, "_network", lambda self, directory: (next(inodes), Traffic(1, 2, 3, 4)))
    sample = stats.Sampler(cgroups.root).sample()
    traffic = {item.name: item.network for item in sample.usages}
    assert traffic["web"] == Traffic(1, 2, 3, 4)
    assert traffic["shop.slice"] == traffic["nsunit.slice"] == Traffic(2, 4, 6, 8)


def test_a_network_of_several_counts_once(cgroups, monkeypatch):
    """What the containers of a pod share was summed up for each of them."""
    for name in ("shop-db", "shop-web", "other"):
        above = "nsunit-shop.slice/" if name.startswith("shop") else ""
        cgroups(f"{above}nsunit-{name}.slice/nsunit-{name}.service")

    def network(_self, directory):
        return (7 if "shop" in directory else 8), Traffic(1, 2, 3, 4)

    monkeypatch.setattr(stats.Sampler, "_network", network)
    traffic = {item.name: item.network for item in stats.Sampler(cgroups.root).sample().usages}
    assert traffic["web"] == traffic["db"] == traffic["shop.slice"] == Traffic(1, 2, 3, 4)
    assert traffic["nsunit.slice"] == Traffic(2, 4, 6, 8)


def test_no_traffic_in_the_network_of_the_host(cgroups):
    own = f"{os.getpid()}\n"
    cgroups("nsunit-web.slice/nsunit-web.service/payload", cgroup_procs=own)
    assert stats.first_process(f"{cgroups.root}/nsunit.slice/nsunit-web.slice") == os.getpid()
    assert stats.Sampler(cgroups.root).sample(["web"]).usages[0].network is None


def test_sessions_have_no_first_process(cgroups):
    cgroups("nsunit-web.slice/nsunit-web-exec-1.scope", cgroup_procs=f"{os.getpid()}\n")
    assert stats.first_process(f"{cgroups.root}/nsunit.slice/nsunit-web.slice") == 0


def test_a_thousand_containers(cgroups):
    files = {
        "memory_current": "1\n",
        "memory_events": "oom_kill 0\n",
        "io_stat": "8:0 rbytes=1\n",
        "pids_current": "1\n",
    }
    for number in range(1000):
        cgroups(f"nsunit-c{number}.slice/nsunit-c{number}.service", **files)
        cgroups(f"nsunit-c{number}.slice", **files)
    began = time.process_time()
    assert len(stats.Sampler(cgroups.root).sample().usages) == 1001
    assert time.process_time() - began < 3


WITHOUT_ITS_FIRST_THREAD = """
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(1000,)).start()
ctypes.CDLL(None).pthread_exit(None)
"""


def test_traffic_of_a_program_whose_first_thread_has_ended(monkeypatch):
    """It was as that of one which has the host's network: none."""
    with subprocess.Popen([sys.executable, "-c", WITHOUT_ITS_FIRST_THREAD]) as process:
        try:
            deadline = time.monotonic() + 60
            while os.path.exists(f"/proc/{process.pid}/ns/net") and time.monotonic() < deadline:
                time.sleep(0.02)
            monkeypatch.setattr(stats, "first_process", lambda _directory: process.pid)
            monkeypatch.setattr(stats, "host_namespace", lambda _kind: 1)
            found = stats.Sampler()._network("/")
        finally:
            process.kill()
    assert found is not None
    assert found[0] == os.stat("/proc/self/ns/net").st_ino
