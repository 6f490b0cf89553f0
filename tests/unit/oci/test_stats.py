"""What is told of a container's cgroup, and the config.json to begin with."""

from nsunit.jsontext import dumps, loads
from nsunit.oci.spec import example
from nsunit.oci.spec.check.validate import check_config
from nsunit.oci.spec.limits import stats

FILES = {
    "cpu.stat": "usage_usec 10\nuser_usec 7\nsystem_usec 3\nnr_periods 4\nnr_throttled 2\nthrottled_usec 5\n",
    "cpu.pressure": "some avg10=0.50 avg60=0.10 avg300=0.00 total=17\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=3\n",
    "memory.current": "4096\n",
    "memory.max": "8192\n",
    "memory.peak": "5000\n",
    "memory.swap.current": "100\n",
    "memory.swap.max": "max\n",
    "memory.stat": "anon 1000\nfile 2000\n",
    "memory.events": "low 0\nhigh 0\nmax 9\noom 1\noom_kill 1\n",
    "pids.current": "2\n",
    "pids.max": "max\n",
    "io.stat": "8:0 rbytes=512 wbytes=0 rios=1 wios=2 dbytes=0 dios=0\n",
    "hugetlb.2MB.current": "2097152\n",
    "hugetlb.2MB.events": "max 3\n",
}


def test_numbers_have_the_shape_that_runc_gives_them():
    found = stats.stats_of(lambda name: FILES.get(name, ""), FILES)
    assert loads(dumps(found)) == found
    assert found["cpu"] == {
        "usage": {"kernel": 3000, "user": 7000, "total": 10000},
        "throttling": {"periods": 4, "throttledPeriods": 2, "throttledTime": 5000},
        "psi": {
            "some": {"avg10": 0.5, "avg60": 0.1, "avg300": 0.0, "total": 17},
            "full": {"avg10": 0.0, "avg60": 0.0, "avg300": 0.0, "total": 3},
        },
    }
    assert found["memory"] == {
        "cache": 2000,
        "usage": {"limit": 8192, "usage": 4096, "max": 5000, "failcnt": 9},
        "swap": {"limit": (1 << 64) - 1, "usage": 4196, "failcnt": 0},
        "kernel": {"limit": 0, "failcnt": 0},
        "kernelTCP": {"limit": 0, "failcnt": 0},
        "raw": {"anon": 1000, "file": 2000},
        "event_count": {"max": 9, "oom": 1, "oom_kill": 1},
    }
    assert found["pids"] == {"current": 2}
    assert found["blkio"] == {
        "ioServiceBytesRecursive": [
            {"major": 8, "op": "Read", "value": 512},
            {"major": 8, "op": "Write"},
        ],
        "ioServicedRecursive": [
            {"major": 8, "op": "Read", "value": 1},
            {"major": 8, "op": "Write", "value": 2},
        ],
    }
    assert found["hugetlb"] == {"2MB": {"usage": 2097152, "failcnt": 3}}


def test_a_group_without_controllers_has_numbers_all_the_same():
    found = stats.stats_of(lambda name: "", ())
    assert found["pids"] == {}
    assert found["memory"]["usage"] == {"limit": (1 << 64) - 1, "failcnt": 0}
    assert found["cpu"] == {"usage": {"kernel": 0, "user": 0}, "throttling": {}}


def test_an_event_has_a_type_and_an_id():
    assert stats.event("c1", "oom") == {"type": "oom", "id": "c1"}
    assert stats.event("c1", "stats", {"pids": {}}) == {"type": "stats", "id": "c1", "data": {"pids": {}}}


def test_the_config_to_begin_with_is_one_that_can_be_had():
    check_config(example.config())
    assert {item["type"] for item in example.config()["linux"]["namespaces"]} >= {"mount", "network", "cgroup"}


def test_the_config_of_a_user_has_maps_and_no_network_of_its_own():
    config = example.config((1000, 100))
    check_config(config)
    linux = config["linux"]
    assert linux["uidMappings"] == [{"containerID": 0, "hostID": 1000, "size": 1}]
    assert linux["gidMappings"] == [{"containerID": 0, "hostID": 100, "size": 1}]
    assert "resources" not in linux
    kinds = [item["type"] for item in linux["namespaces"]]
    assert "user" in kinds
    assert "network" not in kinds
    sys = next(item for item in config["mounts"] if item["destination"] == "/sys")
    assert sys["options"][0] == "rbind"
    assert all("gid=5" not in item.get("options", ()) for item in config["mounts"])
