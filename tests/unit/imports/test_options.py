"""Options of 'podman run' and 'docker run': none is unknown, and each has its counterpart or a remark."""

from pathlib import Path

import pytest

from nsunit.cli import foreign_options
from nsunit.cli.session.borrowed import WITH_VALUE
from nsunit.definition.foreign import QUADLET
from nsunit.imports import find
from nsunit.imports.model import Draft, Given, Origin, Unusable
from nsunit.imports.podman.arguments import parse
from nsunit.imports.podman.table import ALIASES, FLAGS, HANDLERS, OF_CALL, SHORT, option
from nsunit.imports.podman.target import Target
from nsunit.imports.quadlet import container

HERE = Path(__file__).parent
# Options of 'run', as 'podman run --help' (5.4) and 'docker run --help' (28) list them.
LISTED = [(tool, line) for tool in ("podman", "docker") for line in (HERE / f"{tool}-run.txt").read_text().splitlines()]
# Such values that the option is neither left out as the default nor refused for being no such value.
VALUES = {
    "add-host": "printer:192.0.2.9",
    "blkio-weight": "300",
    "blkio-weight-device": "/dev/sda:300",
    "cgroup-conf": "memory.high=1G",
    "cgroupns": "host",
    "cgroups": "disabled",
    "cpu-shares": "512",
    "cpus": "1.5",
    "device": "/dev/fuse",
    "device-cgroup-rule": "c 10:200 rwm",
    "device-read-bps": "/dev/sda:1mb",
    "device-read-iops": "/dev/sda:100",
    "device-write-bps": "/dev/sda:1mb",
    "device-write-iops": "/dev/sda:100",
    "env": "A=b",
    "expose": "80",
    "gidmap": "0:1000:10",
    "health-interval": "5s",
    "health-on-failure": "kill",
    "health-retries": "5",
    "health-start-interval": "5s",
    "health-start-period": "5s",
    "health-startup-interval": "5s",
    "health-timeout": "5s",
    "image-volume": "tmpfs",
    "ipc": "host",
    "log-driver": "none",
    "log-opt": "tag=web",
    "memory-reservation": "64m",
    "mount": "type=bind,source=/a,target=/b",
    "network": "host",
    "oom-score-adj": "100",
    "passwd": "false",
    "pid": "host",
    "pids-limit": "100",
    "publish": "80:80",
    "pull": "always",
    "restart": "always",
    "sdnotify": "healthy",
    "security-opt": "no-new-privileges=false",
    "shm-size": "128m",
    "stop-timeout": "20",
    "timeout": "20",
    "uidmap": "0:1000:10",
    "ulimit": "nofile=1000",
    "umask": "0077",
    "userns": "host",
    "uts": "host",
    "volume": "/a:/b",
    "label-file": "/labels",
}


@pytest.mark.parametrize(("tool", "line"), LISTED, ids=[f"{tool} {line}" for tool, line in LISTED])
def test_an_option_of_run_is_known(tool, line):
    words = line.replace(",", "").split()
    short = words[0].lstrip("-") if not words[0].startswith("--") else ""
    name = next(word for word in words if word.startswith("--"))[2:]
    name = ALIASES.get(name, name)
    assert name in HANDLERS
    if short:
        assert SHORT[short] == name
    has_value = not words[-1].startswith("-")
    assert has_value == (name not in FLAGS) or (tool, name) in NO_WORD, line


# In the help of the tool they stand without a word for their value, or with one where it may be left out.
NO_WORD = set()


@pytest.mark.parametrize("name", sorted(HANDLERS))
def test_no_option_is_lost_silently(name):
    """It says something, is kept for what it means with others, or is remarked; or it is about the call."""
    target = Target(Draft("web"), base="/", read=lambda path: "a=b\n" if path == "/labels" else None)
    target.origin = Origin("run", 0, f"--{name}")
    option(target, name, VALUES.get(name, "true" if name in FLAGS else "x"))
    said = bool(target.draft.lines or target.pending or target.remarks)
    assert said != (name in OF_CALL)
    assert not [remark for remark in target.remarks if "does not know" in remark.reason]


def test_an_option_that_nobody_knows():
    target = Target(Draft("web"))
    target.origin = Origin("run", 0, "--new")
    option(target, "new", "x")
    assert [str(remark) for remark in target.remarks] == ["run: --new: nsunit does not know it; leave it out"]


def test_what_run_answers_is_known_here():
    """The tables of hints for 'nsunit run' and for definitions are about options and keys that imports know."""
    not_of_docker = {"image", "directory", "D", "boot", "b", "bind", "bind-ro", "ephemeral", "x", "network-veth", "n"}
    not_of_docker |= {"machine", "M", "private-users", "U"}  # systemd-nspawn's
    not_of_docker |= {name for name in foreign_options.RUN if name.startswith(("on-", "timer-"))}  # systemd-run's
    names = {SHORT.get(name, ALIASES.get(name, name)) for name in foreign_options.RUN} - not_of_docker
    assert names <= HANDLERS.keys()
    others = {"setenv", "uid", "working-directory"}  # words of nsunit's
    assert {ALIASES.get(long, long) for long, _, _ in WITH_VALUE} - others <= HANDLERS.keys()


def test_the_keys_that_definitions_answer_are_known_here():
    known = {*container.ONE, *container.EACH, *container.WORDS, *container._SECURITY, *container._SPECIAL}
    assert QUADLET.keys() <= known


@pytest.mark.parametrize(
    ("words", "options", "rest"),
    [
        (["-dit", "--name=web", "nginx", "-x"], "detach interactive tty name", ["nginx", "-x"]),
        (["-p80:80", "-e", "A=b", "--rm", "--", "-nginx"], "publish env rm", ["-nginx"]),
        (["--net", "host", "--init=false", "x"], "network init", ["x"]),
        (["-m=1g", "x"], "memory", ["x"]),
        (["-d"], "detach", []),
        (["--memory"], "memory", []),
        (["-m"], "memory", []),
    ],
)
def test_command_lines(words, options, rest):
    found, operands = parse(words)
    assert [name for name, _ in found] == options.split()
    assert operands == rest


@pytest.mark.parametrize(
    ("words", "where", "reason"),
    [
        (["docker", "ps"], "docker: run", "there is no 'run' in it"),
        (["podman", "run", "-d"], "podman run: IMAGE", "there is no image in it"),
        (
            ["docker", "run", "--name", "---", "nginx"],
            "docker run: --name",
            "'---' cannot be made the name of a container",
        ),
    ],
)
def test_what_is_no_container(words, where, reason):
    with pytest.raises(Unusable) as caught:
        find("run").convert(Given(arguments=tuple(words)))
    remark = caught.value.remark
    assert (str(remark.origin), remark.reason) == (where, reason)


@pytest.mark.parametrize("text", ["no JSON", "[]", "[{}]"])
def test_what_is_not_of_inspect(text):
    with pytest.raises(Unusable):
        find("run").convert(Given((("podman inspect web", text),)))


def test_a_variable_of_a_file_and_by_itself():
    words = ("docker", "run", "--env-file", "/v", "-e", "A=1", "-e", "B=2", "--network=none", "x")
    made = find("run").convert(Given(arguments=words, read={"/v": "A=3\nC=4\n"}.get))
    assert [remark.reason for remark in made.remarks] == ["'A' in '/v' counts before this one here"]


def test_percent_signs_of_devices():
    words = ("docker", "run", "--device-read-bps", "/dev/mapper/a%b:1mb", "--blkio-weight-device", "/dev/a%b:300", "x")
    (draft,) = find("run").convert(Given(arguments=words)).drafts
    assert draft.values("Slice", "IOReadBandwidthMax") == ("/dev/mapper/a%%b 1048576",)
    assert draft.values("Slice", "IODeviceWeight") == ("/dev/a%%b 2930",)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--cap-add=all", "--cap-drop=net_raw"], ("+ALL", "-NET_RAW")),
        (["--cap-drop=CAP_NET_RAW", "--cap-add=ALL"], ("+ALL", "-NET_RAW")),
        (["--cap-add=kill", "--cap-drop=all"], ("-ALL", "+KILL")),
        (["--cap-add=all", "--cap-drop=all"], ("-ALL", "+ALL")),
    ],
)
def test_what_is_dropped_is_none_of_all(words, found):
    """As podman's MergeCapabilities() and docker's TweakCapabilities() have it."""
    (draft,) = find("run").convert(Given(arguments=("docker", "run", "--name=web", *words, "nginx"))).drafts
    assert draft.values("Container", "Capability") == found
