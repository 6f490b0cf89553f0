"""From config.json to steps."""

import pytest

from nsunit.oci.cgroup.place import Place, group_of, parse
from nsunit.oci.errors import OciError, SpecError, UsageError
from nsunit.oci.options import GLOBAL, VERBS, find
from nsunit.oci.options import parse as parse_options
from nsunit.oci.spec import hooks, mounts, namespaces, process
from nsunit.oci.spec.plan import plan
from nsunit.oci.state import check_id
from nsunit.oci.verbs.kill import signal_number

RDONLY, NOSUID, NODEV, NOEXEC = 1, 2, 4, 8


def config(**changes):
    linux = {"namespaces": [{"type": kind} for kind in ("mount", "pid", "uts", "ipc", "network")]}
    made = {
        "ociVersion": "1.2.0",
        "root": {"path": "rootfs"},
        "process": {"cwd": "/", "args": ["sh"], "env": ["PATH=/bin"]},
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
        "linux": linux,
    }
    linux.update(changes.pop("linux", {}))
    made["process"].update(changes.pop("process", {}))
    return made | changes


def steps(**changes):
    return plan(config(**changes), "/bundle", "name", binds_devices=False).steps


def keywords(**changes):
    return [step.keyword for step in steps(**changes)]


# The order


def test_the_steps_are_in_the_order_that_the_specification_has():
    said = {kind: [{"path": "/bin/true"}] for kind in hooks.KINDS}
    found = keywords(
        hooks=said,
        hostname="x",
        domainname="y",
        linux={"sysctl": {"net.ipv4.ip_forward": "1"}, "maskedPaths": ["/a"], "readonlyPaths": ["/b"]},
        process={"noNewPrivileges": True},
    )
    found = [word for word in found if word != "oci-device"]
    assert found == [
        *("oci-root", "loopback", "oci-keyring", "oci-mount", "oci-links", "oci-runtime-hooks", "oci-container-hooks"),
        *("pivot", "oci-call", "oci-domainname", "oci-sysctl", "oci-read-only", "oci-mask"),
        *("oci-cwd", "oci-call", "oci-home", "oci-identity", "oci-cwd", "oci-find", "oci-call"),
        *("oci-wait", "oci-container-hooks", "oci-exec"),
    ]


def test_a_root_that_is_read_only_becomes_so_after_all_was_made_in_it():
    found = keywords(root={"path": "/r", "readonly": True})
    assert found.index("root-read-only") == found.index("pivot") - 1 > found.index("oci-links")


def test_relative_paths_are_below_the_bundle():
    assert steps()[0].path == "/bundle/rootfs"
    bind = {"destination": "x", "source": "y", "options": ["bind"]}
    step = next(step for step in steps(mounts=[bind]) if step.keyword == "oci-bind")
    assert (step.source, step.target) == ("/bundle/y", "/x")


@pytest.mark.parametrize(("said", "target"), [("/a/../b/./c//", "/b/c"), ("../../x", "/x"), ("//x", "/x")])
def test_a_destination_is_cleaned_as_text(said, target):
    bind = {"destination": said, "source": "y", "options": ["bind"]}
    step = next(step for step in steps(mounts=[bind]) if step.keyword == "oci-bind")
    assert step.target == target


def test_a_bound_dev_is_not_touched():
    found = keywords(mounts=[{"destination": "/dev", "source": "/dev", "options": ["rbind"]}])
    assert "oci-device" not in found and "oci-links" not in found


def test_home_is_looked_up_where_nobody_says_it():
    assert "oci-home" in keywords() and "oci-home" not in keywords(process={"env": ["HOME=/x"]})


# What is refused


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ociVersion": "0.9"}, "unsupported version 0.9"),
        ({"ociVersion": None}, "unsupported version of config.json"),
        ({"ociVersion": 1}, "unsupported version 1: ociVersion must be 1.x"),
        ({"root": {}}, "root.path: it is missing"),
        ({"process": {"args": []}}, "args must not be empty"),
        ({"process": {"args": "sh"}}, "process.args: expected a list"),
        ({"process": {"args": [1]}}, r"process.args\[0\]: expected a string, not 1"),
        ({"process": {"args": ["a\0b"]}}, "it contains a NUL byte"),
        ({"process": {"cwd": ""}}, "Cwd property must not be empty"),
        ({"process": {"user": {"uid": -1}}}, "process.user.uid: -1 is not between"),
        ({"process": {"user": {"uid": True}}}, "process.user.uid: expected a whole number"),
        ({"process": {"user": {"umask": 99999}}}, "process.user.umask: 99999 is out of range"),
        ({"process": {"env": ["A=1", "=x"]}}, r"process.env\[1\]: '=x' has no name"),
        ({"process": {"oomScoreAdj": 2000}}, "oomScoreAdj: 2000 is out of range"),
        ({"process": {"rlimits": [{"type": "RLIMIT_X"}]}}, "'RLIMIT_X' is none of RLIMIT_CPU"),
        ({"process": {"rlimits": [{"type": "RLIMIT_CPU"}] * 2}}, "'RLIMIT_CPU' is there twice"),
        ({"process": {"scheduler": {"policy": "SCHED_X"}}}, "'SCHED_X' is none of SCHED_OTHER"),
        ({"process": {"ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 8}}}, "8 is not from 0 to 7"),
        ({"linux": {"personality": {"domain": "X"}}}, "'X' is none of LINUX, LINUX32"),
        ({"linux": {"memoryPolicy": {"mode": "MPOL_X"}}}, "'MPOL_X' is none of MPOL_DEFAULT"),
        ({"linux": {"intelRdt": {"closID": "x"}}}, "linux.intelRdt"),
        ({"linux": {"namespaces": []}}, "no mount namespace"),
        ({"linux": {"rootfsPropagation": "x"}}, "linux.rootfsPropagation: 'x' is none of private"),
        ({"linux": {"sysctl": {"vm.x": "1"}}}, 'sysctl "vm.x" is not in a separate kernel namespace'),
        ({"linux": {"sysctl": {"net.//.kernel.core_pattern": "|/x"}}}, "is not in a separate kernel namespace"),
        ({"linux": {"sysctl": {"fs.mqueue.//.//.//.sysrq-trigger": "c"}}}, "is not in a separate kernel namespace"),
        ({"linux": {"sysctl": {"net/../kernel/core_pattern": "|/x"}}}, "is not in a separate kernel namespace"),
        ({"linux": {"sysctl": {"net.x": 1}}}, r"linux.sysctl\[.net.x.\]: expected a string"),
        ({"linux": {"devices": [{"path": "/dev/x", "type": "z"}]}}, "'z' is none of c, u, b, p"),
        ({"linux": {"devices": [{"path": "x", "type": "c"}]}}, "'x' is not absolute"),
        ({"mounts": [{"type": "bind", "destination": "/x"}]}, r"mounts\[0\].source: a bind mount has one"),
        ({"mounts": [{"source": "/x"}]}, r"mounts\[0\].destination: it is missing"),
        ({"mounts": [{"destination": "/x", "type": "tmpfs", "options": ["idmap"]}]}, "only bind mounts"),
        ({"hooks": {"prestart": [{"path": "x"}]}}, r"hooks.prestart\[0\].path: 'x' is not absolute"),
        ({"hooks": {"prestart": [{"path": "/x", "timeout": 0}]}}, "0 is not greater than zero"),
    ],
)
def test_what_cannot_be_is_told(changes, words):
    with pytest.raises(SpecError, match=words):
        steps(**changes)


def test_a_parameter_s_parts_are_joined_with_dots_or_as_a_path():
    said = {"net.ipv4.conf.eth0/100.forwarding": "1", "net/ipv4/conf/eth1.100/forwarding": "0", "kernel/msgmax": "9"}
    found = [(step.key, step.value) for step in steps(linux={"sysctl": said}) if step.keyword == "oci-sysctl"]
    assert found == [
        ("net.ipv4.conf.eth0/100.forwarding", "1"),
        ("net.ipv4.conf.eth1/100.forwarding", "0"),
        ("kernel.msgmax", "9"),
    ]


def test_any_version_one_will_do():
    assert steps(ociVersion="1.3.0") and steps(ociVersion="1.0.2-dev")


# Namespaces


def test_namespaces_are_made_or_joined():
    found = namespaces.parse({"namespaces": [{"type": "mount"}, {"type": "network", "path": "/n"}]})
    assert found.made == ("mnt",) and found.joined == (("net", "/n"),) and found.has("net") and not found.has("pid")


def test_maps_and_offsets_as_the_kernel_takes_them():
    entry = [{"containerID": 0, "hostID": 1000, "size": 10}, {"containerID": 10, "hostID": 5000, "size": 1}]
    found = namespaces.parse(
        {
            "namespaces": [{"type": "user"}, {"type": "time"}],
            "uidMappings": entry,
            "gidMappings": entry[:1],
            "timeOffsets": {"boottime": {"secs": -5, "nanosecs": 3}},
        }
    )
    assert found.uid_map == "0 1000 10\n10 5000 1\n" and found.gid_map == "0 1000 10\n"
    assert found.offsets == "boottime -5 3\n"
    assert not namespaces.has_hosts_root(found)


@pytest.mark.parametrize(
    ("linux", "words"),
    [
        ({"namespaces": [{"type": "foo"}]}, "namespace type 'foo' does not exist"),
        ({"namespaces": [{"type": "pid"}, {"type": "pid", "path": "/x"}]}, "duplicated ns pid"),
        ({"namespaces": [{"type": "pid", "path": "x"}]}, "path 'x' is not absolute"),
        ({"namespaces": [{"type": "user"}]}, "no uid and gid mappings"),
        ({"uidMappings": [{"containerID": 0, "hostID": 0, "size": 1}]}, "user namespace isn't enabled"),
        ({"timeOffsets": {"monotonic": {"secs": 1}}}, "no new time namespace"),
        ({"namespaces": [{"type": "time"}], "timeOffsets": {"x": {}}}, "neither monotonic nor boottime"),
    ],
)
def test_namespaces_that_cannot_be(linux, words):
    with pytest.raises(SpecError, match=words):
        namespaces.parse(linux)


# Options of mounts


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("ro nosuid", mounts.Options(set=RDONLY | NOSUID)),
        ("ro rw", mounts.Options(clear=RDONLY)),
        ("rro rnoexec", mounts.Options(set_all=RDONLY | NOEXEC)),
        ("noatime strictatime", mounts.Options(set=mounts.STRICTATIME)),
        ("rbind rprivate", mounts.Options(bind=True, recursive=True, propagation=(1 << 18 | 0x4000,))),
        ("size=1k mode=700", mounts.Options(data=("size=1k", "mode=700"))),
        ("tmpcopyup", mounts.Options(copy_up=True)),
        ("bind ridmap", mounts.Options(bind=True, idmap="ridmap")),
        ("defaults", mounts.Options()),
    ],
)
def test_options_of_mounts(words, said):
    assert mounts.parse(words.split()) == said


# Names


def test_capabilities_by_name():
    assert process.mask(["CAP_CHOWN", "CAP_CHECKPOINT_RESTORE", "CAP_NONE"]) == 1 | 1 << 40


@pytest.mark.parametrize(("text", "numbers"), [("0-2,5", {0, 1, 2, 5}), ("3", {3})])
def test_lists_of_processors(text, numbers):
    assert process.cpu_set(text, "x") == numbers


@pytest.mark.parametrize("text", ["", "a", "2-1", "1-", "99999"])
def test_what_is_no_list_of_processors(text):
    with pytest.raises(SpecError):
        process.cpu_set(text, "x")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *(("9", 9), ("KILL", 9), ("sigterm", 15), ("SIGUSR1", 10)),
        *(("SIGRTMIN+3", 37), ("RTMAX-1", 63), ("RTMIN", 34), ("SIGRTMAX", 64), ("rtmin+0", 34)),
    ],
)
def test_signals(text, number):
    assert signal_number(text) == number


@pytest.mark.parametrize("text", ["0", "65", "NOPE", "-9", "RTMIN+99", "RTMIN-3", "RTMAX+1", "RTMIN3", "RTMIN+"])
def test_what_is_no_signal(text):
    with pytest.raises(OciError, match="unknown signal"):
        signal_number(text)


# Where the cgroup is


@pytest.mark.parametrize(
    ("manager", "text", "place"),
    [
        ("systemd", "machine.slice:libpod:abc", Place("systemd", "", "libpod-abc.scope", "machine.slice")),
        ("systemd", "::abc", Place("systemd", "", "abc.scope", "system.slice")),
        ("systemd", "", Place("systemd", "", "nsunit-oci-id.scope", "system.slice")),
        ("systemd", "foo.slice", Place("systemd", "", "nsunit-oci-id.scope", "foo.slice")),
        ("cgroupfs", "/a/b", Place("cgroupfs", "/a/b")),
        ("cgroupfs", "a", Place("cgroupfs", "/system.slice/a")),
        ("cgroupfs", "", Place("cgroupfs", "/system.slice/id")),
        ("disabled", "/a", Place("disabled", "/system.slice/x.service")),
    ],
)
def test_places_of_cgroups(manager, text, place):
    assert parse(manager, text, "id", "/system.slice/x.service", user=False) == place


@pytest.mark.parametrize(("manager", "text"), [("systemd", "/a/b"), ("systemd", "a:b/c:d"), ("cgroupfs", "/a/../b")])
def test_places_that_are_none(manager, text):
    with pytest.raises(SpecError):
        parse(manager, text, "id", "/x", user=False)


@pytest.mark.parametrize(
    ("place", "path"),
    [
        (Place("systemd", "", "x.scope", "a-b.slice"), "/a.slice/a-b.slice/x.scope"),
        (Place("systemd", "", "x.scope", "-.slice"), "/x.scope"),
        (Place("cgroupfs", "/a/b"), "/a/b"),
        (Place("disabled", "/own"), ""),
    ],
)
def test_the_cgroup_is_known_before_it_is_made(place, path):
    assert group_of(place) == path


@pytest.mark.parametrize("text", ["", ".", "..", "a/b", "a b", "ä"])
def test_what_is_no_id(text):
    with pytest.raises(OciError):
        check_id(text)


# The command line


def test_a_command_line_as_docker_has_it():
    words = "--root /r --log /l --log-format json --systemd-cgroup kill --all ID 9".split()
    given, taken = parse_options(words, GLOBAL, stops=True)
    assert (given.one("root"), given.one("log-format"), given.has("systemd-cgroup")) == ("/r", "json", True)
    verb = find(words[taken])
    mine, _ = parse_options(words[taken + 1 :], verb.options, stops=verb.command)
    assert mine.has("all") and mine.operands == ["ID", "9"]


def test_both_forms_of_a_value_and_one_dash():
    for words in (["--bundle=/b"], ["--bundle", "/b"], ["-b", "/b"], ["-bundle", "/b"]):
        assert parse_options(words, find("create").options, stops=False)[0].one("bundle") == "/b"
    assert not parse_options(["--detach=false"], find("run").options, stops=False)[0].has("detach")


@pytest.mark.parametrize(("words", "text"), [(["--nope"], "unknown option"), (["--bundle"], "requires an argument")])
def test_options_that_are_none(words, text):
    with pytest.raises(UsageError, match=text):
        parse_options(words, find("create").options, stops=False)


def test_each_verb_has_its_module():
    import importlib

    for verb in VERBS:
        assert callable(importlib.import_module(f"nsunit.oci.verbs.{verb.module}").run)
    with pytest.raises(UsageError, match="there is no command 'nope'"):
        find("nope")
