import io
import json
import os
import sys
import types

import pytest

from nsunit.cli.look import status as status_verb
from nsunit.cli.look.status import describe_ids, describe_root, status_lines
from nsunit.cli.output import Style
from nsunit.deeds.look.root import Ids, Root
from nsunit.errors import BusError, NotFoundError, NsunitError
from nsunit.formats.procfs import IdRange
from nsunit.names import escape
from nsunit.oci.overview import OciContainer
from nsunit.setup.operation import PlanError
from nsunit.storage.processes import UnitProcess


def no_pods(context, **_options):
    return []


@pytest.fixture
def states(manager):
    found = [
        manager.ContainerState("db", "failed", "failed"),
        manager.ContainerState("idle", "inactive", "dead"),
        manager.ContainerState("web", pid=17, memory=1536, tasks=3, cpu_usec=62_000_000),
    ]
    manager("deeds.look.states", list_containers=lambda context, **_options: found, pod_states=no_pods)
    manager("deeds.look.timed", with_timers=lambda context, states: list(states))
    return found


def test_what_is_wrong_with_its_sockets(nsunit, states):
    states[0] = states[0].replace(sub_state="not-listening", note="db: systemd listens no more")
    status, told, noted = nsunit("list", "--no-headings")
    assert (status, noted) == (0, "nsunit: db: systemd listens no more\n")
    assert told.startswith("db\tfailed\tnot-listening\t-")


def test_list(nsunit, states):
    assert nsunit("list", "--no-headings") == (
        0,
        "db\tfailed\tfailed\t-\t-\t-\t-\t-\t-\t-\nweb\tactive\trunning\t17\t-\t1min 2s\t1.5K\t3\t-\t-\n",
        "",
    )


def test_a_list_of_all_tells_what_is_enabled(nsunit, states):
    states[1] = states[1].replace(enabled=True)
    rows = [line.split("\t") for line in nsunit("list", "--all")[1].splitlines()]
    assert [(row[0], row[-1]) for row in rows] == [("NAME", "ENABLED"), ("db", "-"), ("idle", "yes"), ("web", "-")]


def test_list_of_names(nsunit, states):
    everything = nsunit("list", "--all", "--json")[1]
    names = [state["name"] for state in json.loads(everything)]
    assert nsunit("list", "--all", "-q") == (0, "".join(f"{name}\n" for name in names), "")


def test_list_names(nsunit, manager):
    def container_names(context, *, everything):
        return ["db", "idle", "web"] if everything else ["db", "web"]

    manager("deeds.look.listing", container_names=container_names)
    assert nsunit("ls", "--names")[1] == "db\nweb\n"
    assert nsunit("list", "--names", "--all")[1] == "db\nidle\nweb\n"
    assert nsunit("list", "--names", "w*", "x")[1] == "web\n"


@pytest.fixture
def engines(monkeypatch):
    made = [
        OciContainer("a1", "running", 7, "docker-a1.scope", "/b/a1", None, "/run/nsunit-oci"),
        OciContainer("b2", "created", 8, None, "/b/b2", "web", "/run/containerd/runc/k8s.io"),
        OciContainer("c3", "stopped", None, None, "/b/c3", None, "/run/nsunit-oci"),
    ]
    monkeypatch.setattr("nsunit.cli.look.oci.overview", lambda _roots: made)


def test_list_what_engines_have(nsunit, engines):
    head = "NAME\tSTATE\tPID\tUNIT\tENGINE'S NAME\tBUNDLE\n"
    first, second = "a1\trunning\t7\tdocker-a1.scope\t-\t/b/a1\n", "b2\tcreated\t8\t-\tweb\t/b/b2\n"
    assert nsunit("list", "--oci") == (0, head + first + second, "")
    assert nsunit("list", "--oci", "web") == nsunit("list", "--oci", "b*") == (0, head + second, "")
    assert nsunit("list", "--oci", "--names", "--all") == (0, "a1\nb2\nc3\n", "")
    assert [item["name"] for item in json.loads(nsunit("list", "--oci", "--json")[1])] == ["a1", "b2"]


def test_list_has_no_tree_of_what_engines_have(nsunit, engines):
    status, _, err = nsunit("list", "--oci", "--tree")
    assert status == 2 and "--oci shows no groups: engines have their own" in err


def test_list_json(nsunit, states):
    assert nsunit("list", "--names", "--json") == nsunit("list", "--json")
    found = json.loads(nsunit("list", "--all", "--json")[1])
    assert [item["name"] for item in found] == ["db", "idle", "web"]
    assert found[2]["pid"] == 17


def make_status(manager, **values):
    state = manager.ContainerState("web", pid=17, memory=1536, tasks=3, cpu_usec=62_000_000, since_usec=1_000_000)
    return manager.Status(
        **{
            "state": state,
            "description": "The \x1bweb",
            "sources": ("/etc/nsunit/web.nsunit", "/etc/nsunit/web.nsunit.d/a.conf"),
            "main_command": "nginx",
            "memory_limit": 2**30,
            "memory_peak": 2048,
            "tasks_limit": 100,
            "cpu_quota": 300_000,
            "io_read": 1024,
            "io_write": 0,
            "control_group": "/nsunit.slice/nsunit-web.slice",
            "root": Root("overlay", None, ("/a", "/b")),
            "ids": Ids((IdRange(0, 524288, 65536),), (IdRange(0, 524288, 65536),)),
            "namespaces": {"pid": 1, "net": 2},
            "processes": (
                UnitProcess("/nsunit.slice/nsunit-web.slice/nsunit-web.service/payload", 17, "nginx\x1b"),
                UnitProcess("/nsunit.slice/nsunit-web.slice/nsunit-web.service/payload", 18, "nginx: worker"),
                UnitProcess("/nsunit.slice/nsunit-web.slice/nsunit-web-exec-1.scope", 19, "sh"),
            ),
            "notes": ("its definition has changed",),
            **values,
        }
    )


def test_status_lines(manager, monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    import time

    time.tzset()
    stream = types.SimpleNamespace(isatty=lambda: False, encoding="utf-8")
    image = {"image": "localhost/a:1", "image_id": "0123456789abcdef"}
    lines = status_lines(make_status(manager, frozen=True, **image), Style(stream), now=63.0)
    assert lines == [
        "● web - The \\x1bweb",
        "  Definition: /etc/nsunit/web.nsunit",
        "     Drop-in: /etc/nsunit/web.nsunit.d/a.conf",
        "      Active: active (running) (paused) since Thu 1970-01-01 00:00:01 UTC; 1min 2s ago",
        "       Units: nsunit-web.service in nsunit-web.slice",
        "    Main PID: 17 (nginx)",
        "       Image: localhost/a:1 (0123456789ab)",
        "        Root: overlay of /a, /b below a tmpfs",
        "         Ids: 0-65535 inside are 524288-589823 outside",
        "  Namespaces: pid:1 net:2",
        "       Tasks: 3 (limit: 100)",
        "      Memory: 1.5K (max: 1G, peak: 2K)",
        "         CPU: 1min 2s (limit: 30%)",
        "          IO: 1K read, 0B written",
        "        Note: its definition has changed",
        "      CGroup: /nsunit.slice/nsunit-web.slice",
        "              ├─nsunit-web-exec-1.scope",
        "              │ └─19 sh",
        "              └─nsunit-web.service/payload",
        "                ├─17 nginx\\x1b",
        "                └─18 nginx: worker",
    ]


def test_ids_and_root_in_words():
    own = (IdRange(0, 1000, 1), IdRange(1, 100000, 65536))
    host = (IdRange(0, 0, 4294967295),)
    assert describe_ids(Ids(own, own)) == "0 inside is 1000 outside, 1-65536 are 100000-165535"
    assert describe_ids(Ids(own, own[:1])).endswith("100000-165535; groups: 0 inside is 1000 outside")
    assert describe_ids(Ids(host, host)) == "the host's own"
    assert describe_ids(Ids(own[1:], own[1:], reserved=True)) == "100000-165535 are reserved for it"
    assert describe_root(Root("directory", "/srv/web")) == "/srv/web"
    assert describe_root(Root("overlay", None, ("/a", "/b"), "/up")) == "overlay of /a, /b below /up"


def test_status_of_a_failed_container(manager):
    state = manager.ContainerState("web", "failed", "failed")
    connected = {"networks": ("shop", "macvlan:eth0"), "addresses": ("10.20.0.2/24", "192.0.2.9/24")}
    later = status_lines(
        manager.Status(state=state.replace(enabled=True)), Style(io.StringIO()), boot="at alice's first login"
    )
    assert "     Enabled: started at alice's first login" in later
    shown = status_lines(manager.Status(state=state, **connected), Style(io.StringIO()))
    assert "     Network: 10.20.0.2/24 192.0.2.9/24 (shop, macvlan:eth0)" in shown
    lines = status_lines(manager.Status(state=state, result="exit-code", exit_status=3), Style(io.StringIO()))
    assert lines[0].endswith("web")
    assert "      Active: failed (failed) (Result: exit-code, status 3)" in lines
    assert not any("Memory" in line or "CGroup" in line for line in lines)
    lines = status_lines(manager.Status(state=state, result="oom-kill", signal="SIGKILL"), Style(io.StringIO()))
    assert "      Active: failed (failed) (Result: oom-kill, SIGKILL)" in lines


def test_status_exit_codes(nsunit, manager, monkeypatch):
    monkeypatch.setattr(status_verb, "_begin_last_lines", lambda *_arguments, **_options: None)
    web, db = manager.ContainerState("web"), manager.ContainerState("db", "failed", "failed")

    def status(_context, name):
        if name == "none":
            raise NotFoundError("container 'none' is not defined")
        return manager.Status(state={"web": web, "db": db}[name])

    manager("deeds.look.states", present=lambda context: ["db", "web"])
    manager("deeds.look.query", status=status)
    assert nsunit("status", "web")[0] == 0
    assert nsunit("status", "web", "db")[0] == 3
    assert nsunit("status")[0] == 0
    monkeypatch.setattr(status_verb, "present", lambda context: [])
    assert nsunit("status") == (0, "", "")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert "0 containers run; 'nsunit list --all' shows those that do not" in nsunit("status")[1]
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False)
    code, out, err = nsunit("status", "none", "web")
    assert (code, err) == (3, "nsunit: container 'none' is not defined\n")
    assert "web" in out
    assert json.loads(nsunit("status", "--json", "web")[1])[0]["state"]["name"] == "web"


def test_status_shows_the_last_lines_of_the_journal(nsunit, manager, monkeypatch, tmp_path):
    script = tmp_path / "journalctl"
    script.write_text("#!/bin/sh\nprintf 'line \\033[2J\\n'; echo \"$@\"\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    state = manager.ContainerState("web")
    manager("deeds.look.query", status=lambda context, name: manager.Status(state=state, invocation="5f"))
    out = nsunit("status", "-n", "5", "web")[1]
    assert "line \\x1b[2J\n" in out
    assert "--lines=5 --no-pager --quiet _SYSTEMD_INVOCATION_ID=5f + INVOCATION_ID=5f" in out
    assert "line" not in nsunit("status", "-n", "0", "web")[1]


def test_of_many_that_nobody_has_named_the_journal_is_shown_on_demand(nsunit, manager, monkeypatch):
    asked = []
    monkeypatch.setattr(status_verb, "_begin_last_lines", lambda status, lines, **_options: asked.append(lines))
    names = [f"c{number}" for number in range(26)]
    manager("deeds.look.states", present=lambda context: list(names))
    manager("deeds.look.query", status=lambda context, name: manager.Status(state=manager.ContainerState(name)))
    note = "nsunit: of 26 containers the last lines of their logs are shown with --lines=N only\n"
    assert (nsunit("status")[::2], asked) == ((0, note), [])
    assert (nsunit("status", "--json")[::2], asked) == ((0, ""), [])
    assert (nsunit("status", "-n", "3")[::2], asked) == ((0, ""), [3] * 26)
    asked.clear()
    assert (nsunit("status", *names)[::2], asked) == ((0, ""), [10] * 26)
    asked.clear()
    names.pop()
    assert (nsunit("status")[::2], asked) == ((0, ""), [10] * 25)


def test_show(nsunit, manager):
    manager("deeds.look.query", inspect=lambda context, name: {"name": name, "pid": 5})
    assert json.loads(nsunit("show", "shop.slice")[1]) == {"name": "shop.slice", "pid": 5}
    assert json.loads(nsunit("show", "web")[1]) == {"name": "web", "pid": 5}
    assert json.loads(nsunit("show", "web", "-p", "pid,name")[1]) == {"pid": 5, "name": "web"}
    assert json.loads(nsunit("inspect", "web", "db", "-p", "pid")[1]) == [{"pid": 5}, {"pid": 5}]
    status, _out, err = nsunit("show", "web", "-p", "pdi")
    assert (status, err) == (2, "nsunit: 'pdi' is not something 'show' knows\n  hint: did you mean 'pid'?\n")
    manager("deeds.look.query", inspect=lambda context, name: {"state": {"enabled": True, "pid": 5}, "name": name})
    assert json.loads(nsunit("show", "web", "-p", "enabled,name")[1]) == {"enabled": True, "name": "web"}
    hint = "'nsunit show -p properties web' has what systemd knows by such names"
    assert hint in nsunit("show", "web", "-p", "MemoryMax")[2]
    assert "there are state, name" in nsunit("show", "web", "-p", "something")[2]


@pytest.fixture
def slices(manager):
    manager("core.running", slice_of=lambda context, name: f"nsunit-shop-{escape(name)}.slice")
    manager("core.stored", journal_of=lambda context, name: {"own": "own", "other": "other"}.get(name, ""))
    manager("features.groups.deeds", members=lambda context, name, running: ["db", "web"])


def test_logs_becomes_journalctl(nsunit, monkeypatch, slices):
    seen = []
    monkeypatch.setattr(os, "execvp", lambda file, argv: seen.append((file, argv)))
    nsunit("logs", "-f", "-n", "20", "--until=-1h", "-o", "cat", "web@blue")
    assert seen == [
        (
            "journalctl",
            [
                "journalctl",
                "--unit=nsunit-web@blue.service",
                "--unit=nsunit-shop-web\\x40blue.slice",
                "--follow",
                "--lines=20",
                "--until=-1h",
                "--output=cat",
            ],
        )
    ]


def test_the_last_lines_since_a_time_begin_where_they_end_in_reverse(nsunit, monkeypatch, slices, tmp_path):
    script = tmp_path / "journalctl"
    script.write_text(f"#!/bin/sh\necho \"$@\" >{tmp_path}/asked\nprintf 'a line\\n-- cursor: s=1;i=2\\n'\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    seen = []
    monkeypatch.setattr(os, "execvp", lambda file, argv: seen.extend(argv))
    nsunit("logs", "-f", "-n", "2", "--since=-1h", "-o", "json", "web@blue")
    assert seen[3:] == ["--cursor=s=1;i=2", "--follow", "--lines=2", "--output=json"]
    asked = (tmp_path / "asked").read_text().split()
    assert asked[2:] == ["--lines=2", "--since=-1h", "--output=cat", "--reverse", "--show-cursor", "--no-pager"]
    script.write_text("#!/bin/sh\nexit 1\n")
    seen.clear()
    nsunit("logs", "-n", "2", "--since=nonsense", "web@blue")
    assert seen[3:] == ["--lines=2", "--since=nonsense"]
    seen.clear()
    os.unlink(f"{tmp_path}/asked")
    script.write_text(f"#!/bin/sh\n>{tmp_path}/asked\n")
    nsunit("logs", "-n", "all", "--since=-1h", "web@blue")
    assert seen[3:] == ["--lines=all", "--since=-1h"]
    assert not (tmp_path / "asked").exists()


@pytest.mark.parametrize("time", ["1 hour ago", "2 days left", "2026-11-30 10:00", "2026-11-30T10:00Z", "@12", "today"])
def test_times_that_journalctl_takes(nsunit, monkeypatch, slices, time):
    seen = []
    monkeypatch.setattr(os, "execvp", lambda file, argv: seen.append(argv))
    nsunit("logs", f"--since={time}", "web@blue")
    assert f"--since={time}" in seen[0]


def test_logs_of_a_group_are_those_of_its_containers(nsunit, monkeypatch, slices):
    seen = []
    monkeypatch.setattr(os, "execvp", lambda file, argv: seen.append(argv))
    nsunit("logs", "shop.slice")
    units = ["nsunit-db.service", "nsunit-shop-db.slice", "nsunit-web.service", "nsunit-shop-web.slice"]
    assert seen == [["journalctl", *(f"--unit={unit}" for unit in units)]]


def test_logs_as_json(nsunit, monkeypatch, slices):
    seen = []
    monkeypatch.setattr(os, "execvp", lambda file, argv: seen.append(argv))
    nsunit("-q", "logs", "web", "--json")
    assert seen[0][-2:] == ["--output=json", "--quiet"]


@pytest.mark.parametrize(
    ("names", "namespace"),
    [(["web", "own"], ["--namespace=+own"]), (["own", "other"], ["--namespace=*"]), (["web"], [])],
)
def test_logs_of_a_journal_of_its_own(nsunit, monkeypatch, slices, names, namespace):
    """LogNamespace=: systemd's own messages are in the usual journal as well."""
    seen = []
    monkeypatch.setattr(os, "execvp", lambda file, argv: seen.append(argv))
    nsunit("logs", *names)
    assert [word for word in seen[0] if word.startswith("--namespace")] == namespace


def test_logs_without_journalctl(nsunit, monkeypatch, slices):
    monkeypatch.setenv("PATH", "/nonexistent")
    status, _out, err = nsunit("logs", "web")
    assert (status, err.splitlines()[0]) == (1, "nsunit: journalctl is not there")


def test_logs_of_a_user(nsunit, manager, monkeypatch, slices):
    seen = []
    monkeypatch.setattr(os, "execvp", lambda file, argv: seen.append(argv))
    manager("core.context", open_user_context=lambda warn: manager.context)
    nsunit("--user", "logs", "web")
    assert seen == [
        ["journalctl", "--quiet", "--user-unit=nsunit-web.service", "--user-unit=nsunit-shop-web.slice"],
    ]


@pytest.mark.parametrize(("encoding", "expected"), [("utf-8", "1234567…"), ("ascii", "12345678>")])
def test_a_line_is_cut_on_a_terminal_only(monkeypatch, encoding, expected):
    monkeypatch.setattr(Style, "width", lambda self: len(expected))
    text = expected[:-1] + "more"
    assert Style(types.SimpleNamespace(isatty=lambda: True, encoding=encoding)).cut(text) == expected
    assert Style(types.SimpleNamespace(isatty=lambda: True, encoding=encoding)).cut(expected) == expected
    assert Style(types.SimpleNamespace(isatty=lambda: False, encoding=encoding)).cut(text) == text


@pytest.mark.parametrize("options", [(), ("--full",)])
def test_long_lines_of_status_and_logs(nsunit, manager, monkeypatch, tmp_path, slices, options):
    script = tmp_path / "journalctl"
    script.write_text(f"#!/bin/sh\necho {'line' * 100}\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(Style, "width", lambda self: 40)
    processes = (UnitProcess("/a/b", 17, "nginx" * 100),)
    status = manager.Status(
        state=manager.ContainerState("web"), control_group="/a", processes=processes, invocation="0" * 32
    )
    manager("deeds.look.query", status=lambda context, name: status)
    lines = nsunit("status", *options, "web")[1].splitlines()
    lengths = {max(len(line) for line in lines if word in line) for word in ("lineline", "nginxnginx")}
    assert lengths == ({400, 521} if options else {40})
    seen = []
    monkeypatch.setattr(os, "execvp", lambda _file, argv: seen.append(argv))
    nsunit("logs", *options, "web")
    assert ("--no-full" in seen[0]) == (not options)


def test_words_of_a_field_take_as_many_lines_as_the_terminal_needs():
    style = Style(types.SimpleNamespace(isatty=lambda: True, fileno=lambda: -1, encoding="utf-8"))
    words = [f"{kind}:402653{number}" for number, kind in enumerate(("cgroup", "ipc", "net", "mnt", "pid", "time"))]
    lines = status_verb._words("Namespaces", words, style)
    assert [len(line) <= 80 for line in lines] == [True, True]
    assert " ".join(line[13:].strip() for line in lines) == " ".join(words)


def test_damage_of_one_keeps_nobody_from_seeing_the_others(nsunit, manager):
    states = {name: manager.ContainerState(name) for name in ("a", "b", "c", "d", "e")}
    errors = {"a": PlanError("unknown operation 'x'"), "b": OSError(22, "is not a regular file", "/run/b")}
    errors["c"] = NsunitError("c: it is damaged")
    errors["e"] = PermissionError(13, "Permission denied", "/run/e")

    def status(_context, name):
        if name in errors:
            raise errors[name]
        return manager.Status(state=states[name])

    manager("deeds.look.states", present=lambda context: list(states))
    manager("deeds.look.query", status=status)
    code, out, err = nsunit("status", "--lines=0")
    assert code == 1
    assert "d" in out
    assert err.splitlines() == [
        "nsunit: a: what is kept of it cannot be read: unknown operation 'x'",
        "nsunit: b: what is kept of it cannot be read: /run/b: is not a regular file",
        "nsunit: c: it is damaged",
        "nsunit: e: what is kept of it cannot be read: /run/e: Permission denied",
        "  hint: run it as root, or with --user for containers of your own",
    ]
    errors["c"] = BusError("x.NoReply", "systemd does not answer")
    assert nsunit("status", "--json")[1] == ""
