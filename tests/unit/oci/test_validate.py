"""config.json: the type of each field, and what does not fit together."""

import pytest

from nsunit.oci.errors import SpecError
from nsunit.oci.spec.check.shapes import FieldError, check
from nsunit.oci.spec.check.validate import check_config, check_process

CONFIG = {
    "ociVersion": "1.2.0",
    "process": {"args": ["sh"], "cwd": "/", "user": {"uid": 0, "gid": 0}},
    "root": {"path": "rootfs"},
    "mounts": [{"destination": "/proc", "type": "proc", "source": "proc", "options": None}],
    "linux": {"namespaces": [{"type": "mount"}, {"type": "pid"}]},
    "later": {"of": "another version"},
}


def changed(path, value):
    """CONFIG with *value* at *path*, which is made where it is not."""
    config = {**CONFIG}
    at = config
    *parents, last = path.split(".")
    for name in parents:
        at[name] = {**at.get(name, {})}
        at = at[name]
    at[last] = value
    return config


def test_what_is_right_is_taken():
    check_config(CONFIG)
    check_config({**CONFIG, "process": None, "hooks": None, "linux": None})


WRONG = [
    ("ociVersion", None, "ociVersion: it is missing"),
    ("ociVersion", 1, "ociVersion: expected a string, not 1"),
    ("root", "x", "root: expected an object, not the string 'x'"),
    ("root", {}, "root.path: it is missing"),
    ("mounts", {}, "mounts: expected a list, not an object"),
    ("mounts", [{"type": "x"}], "mounts[0].destination: it is missing"),
    ("mounts", [{"destination": "/x", "options": "ro"}], "mounts[0].options: expected a list, not the string 'ro'"),
    ("process.args", ["sh", 5], "process.args[1]: expected a string, not 5"),
    ("process.args", ["sh", None], "process.args[1]: it is null"),
    ("mounts", [None], "mounts[0]: it is null"),
    ("linux.sysctl", {"net.x": None}, "linux.sysctl['net.x']: it is null"),
    ("process.args", ["a\0b"], "process.args[0]: it contains a NUL byte"),
    ("process.user.uid", -1, f"process.user.uid: -1 is not between 0 and {(1 << 32) - 1}"),
    ("process.user.uid", True, "process.user.uid: expected a whole number, not true"),
    ("process.terminal", 1, "process.terminal: expected true or false, not 1"),
    ("process.oomScoreAdj", 1.5, "process.oomScoreAdj: expected a whole number, not 1.5"),
    ("process.rlimits", [{"soft": 1}], "process.rlimits[0].type: it is missing"),
    ("process.rlimits", [{"type": "RLIMIT_CPU", "soft": 2, "hard": 1}], "process.rlimits[0].soft: 2 is above hard, 1"),
    ("process.scheduler", {"nice": 5}, "process.scheduler.policy: it is missing"),
    (
        "process.scheduler",
        {"policy": "SCHED_OTHER", "nice": 20},
        "process.scheduler.nice: 20 is not between -20 and 19",
    ),
    ("process.scheduler", {"policy": "SCHED_OTHER", "priority": 1}, "process.scheduler.priority: 1 is not 0"),
    ("process.scheduler", {"policy": "SCHED_FIFO"}, "process.scheduler.priority: 0 is not between 1 and 99"),
    (
        "process.scheduler",
        {"policy": "SCHED_BATCH", "runtime": 5},
        "process.scheduler: runtime, deadline and period are for 'SCHED_DEADLINE'",
    ),
    (
        "process.execCPUAffinity",
        {"final": "all"},
        "process.execCPUAffinity.final: 'all' is no list of numbers, as 0-3,8 is",
    ),
    ("hostname", "h" * 65, f"hostname: '{'h' * 65}' is longer than 64 bytes"),
    ("annotations", {"a": 5}, "annotations['a']: expected a string, not 5"),
    ("hooks", {"poststop": [{"args": []}]}, "hooks.poststop[0].path: it is missing"),
    ("linux.namespaces", [{"path": "/x"}], "linux.namespaces[0].type: it is missing"),
    (
        "linux.uidMappings",
        [
            {"containerID": 1, "hostID": 0, "size": (1 << 32) - 1},
            {"containerID": 5, "hostID": 1, "size": (1 << 32) - 1},
        ],
        "linux.uidMappings[1].containerID: the ids go beyond the last one",
    ),
    ("linux.maskedPaths", ["proc/kcore"], "linux.maskedPaths[0]: 'proc/kcore' is no absolute path"),
    ("linux.readonlyPaths", ["/proc", ""], "linux.readonlyPaths[1]: '' is no absolute path"),
    (
        "linux.devices",
        [{"path": "/dev/x", "type": "c", "major": -1, "minor": 0}],
        "linux.devices[0].major: -1 is no number of a device",
    ),
    (
        "linux.intelRdt",
        {"closID": "x"},
        "linux.intelRdt: there are no classes of cache and bandwidth: they are the machine's, and a crash would leave"
        " them behind",
    ),
    ("linux.netDevices", {"eth0": {}}, "linux.netDevices: they would stay here"),
    ("linux.resources.cpu.shares", -1, f"linux.resources.cpu.shares: -1 is not between 0 and {(1 << 64) - 1}"),
    ("linux.resources.devices", [{"type": "x"}], "linux.resources.devices[0].type: 'x' is not known"),
    ("linux.resources.unified", {"a.b": 1}, "linux.resources.unified['a.b']: expected a string, not 1"),
    ("linux.seccomp", {"defaultAction": "x"}, "linux.seccomp.defaultAction: 'x' is not known"),
    (
        "linux.timeOffsets",
        {"boottime": {"secs": "5"}},
        "linux.timeOffsets['boottime'].secs: expected a whole number, not the string '5'",
    ),
]


@pytest.mark.parametrize(("path", "value", "text"), WRONG)
def test_what_is_wrong_is_named_by_its_place(path, value, text):
    with pytest.raises(SpecError) as refused:
        check_config(changed(path, value))
    assert str(refused.value) == text


@pytest.mark.parametrize(
    ("links", "text"),
    [
        ({"eth0": {"name": "a" * 16}}, f"linux.netDevices['eth0']: '{'a' * 16}' is no name of a link"),
        ({"a/b": {}}, "linux.netDevices['a/b']: 'a/b' is no name of a link"),
        ({"eth0": {}, "eth1": {"name": "eth0"}}, "linux.netDevices['eth1']: two links cannot both be 'eth0'"),
    ],
)
def test_links_have_names_of_links(links, text):
    config = changed("linux.netDevices", links)
    config["linux"]["namespaces"] = [{"type": "mount"}, {"type": "network"}]
    with pytest.raises(FieldError) as refused:
        check_config(config)
    assert str(refused.value) == text


def test_another_systems_container_is_told_apart():
    with pytest.raises(FieldError) as refused:
        check_config({"ociVersion": "1.0.0", "windows": {"layerFolders": []}})
    assert str(refused.value) == "windows: that is a container of another system"
    with pytest.raises(FieldError) as refused:
        check_config([])
    assert str(refused.value) == "config.json holds no object"


def test_a_process_for_exec_is_checked_the_same():
    check_process(CONFIG["process"])
    with pytest.raises(FieldError) as refused:
        check_process([])
    assert str(refused.value) == "process: it holds no object"
    with pytest.raises(FieldError) as refused:
        check_process({"args": "sh"})
    assert str(refused.value) == "process.args: expected a list, not the string 'sh'"


def test_a_word_that_is_nearly_right_is_told():
    with pytest.raises(FieldError) as refused:
        check("SCMP_ACT_ALOW", ("one", ("SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO")), "here")
    assert refused.value.hint == "did you mean 'SCMP_ACT_ALLOW'?"
    with pytest.raises(FieldError) as refused:
        check("xyz", ("one", ("b", "c")), "here")
    assert refused.value.hint == "known: b, c"
