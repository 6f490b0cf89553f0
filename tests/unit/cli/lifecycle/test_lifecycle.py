import json

import pytest

from nsunit.bus.watch import Ended
from nsunit.cli.lifecycle.wait import describe_end
from nsunit.definition.search import SearchPath
from nsunit.errors import NotFoundError, NsunitError


def test_start_says_nothing_when_all_is_well(nsunit, manager):
    seen = []

    def start(context, names):
        seen.append(names)
        return [manager.Outcome(name, "started") for name in names]

    manager("deeds.start", start=start)
    assert nsunit("start", "web", "db", "web") == (0, "", "")
    assert seen == [["web", "db"]]


def test_start_now_starts_those_that_wait_for_a_connection(nsunit, manager):
    outcomes = [manager.Outcome("web", "listening"), manager.Outcome("db", "running")]
    manager("deeds.start", start=lambda context, names: outcomes)
    manager("features.activation.deeds", start_now=lambda context, found: [found[0].replace(state="started")])
    assert nsunit("start", "web", "db")[1] == "web: listens for its first connection\ndb: is already running\n"
    assert nsunit("start", "--now", "web", "db") == (0, "db: is already running\n", "")


@pytest.mark.parametrize("verb", ["start", "stop", "exec"])
def test_the_connection_is_begun_before_the_verb_is_loaded(nsunit, manager, monkeypatch, verb):
    def connect():
        raise NsunitError("no connection")

    monkeypatch.setattr(manager.context, "connect", connect, raising=False)
    assert nsunit(verb, "web", *(["true"] if verb == "exec" else []))[2] == "nsunit: no connection\n"


def test_stop_says_who_was_killed(nsunit, manager):
    outcomes = [manager.Outcome("web", "stopped", deaf_to=15), manager.Outcome("os", "stopped", deaf_to=37)]
    manager("deeds.stop", stop=lambda context, names, *, kill_now: outcomes)
    assert nsunit("stop", "web", "os") == (
        0,
        "",
        "nsunit: web: killed, since its program has no handler for SIGTERM\n"
        "  hint: give it one, another StopSignal=, or Init=yes\n"
        "nsunit: os: killed, since its program has no handler for SIGRTMIN+3\n"
        "  hint: give it one, another StopSignal=, or Init=yes\n",
    )
    assert nsunit("-q", "stop", "web", "os") == (0, "", "")


def test_start_all_takes_what_is_defined(nsunit, manager, tmp_path):
    for name in ("web", "db"):
        (tmp_path / f"{name}.nsunit").write_text("")
    (tmp_path / "t@.nsunit").write_text("")
    manager.context.search = SearchPath((str(tmp_path),))
    seen = []
    manager("deeds.start", start=lambda context, names: seen.append(names) or [])
    assert nsunit("start", "--all")[0] == 0
    assert seen == [["db", "web"]]


def test_start_of_a_running_container(nsunit, manager):
    manager("deeds.start", start=lambda context, names: [manager.Outcome("web", "running")])
    assert nsunit("start", "web") == (0, "web: is already running\n", "")
    assert nsunit("-q", "start", "web") == (0, "", "")


def test_warnings_of_a_start(nsunit, manager):
    def start(context, names):
        context.warn("warning: web: MemoryMax= is \x1bmoot")
        return [manager.Outcome("web", "started")]

    manager("deeds.start", start=start)
    assert nsunit("start", "web") == (0, "", "nsunit: warning: web: MemoryMax= is \\x1bmoot\n")
    assert nsunit("-q", "start", "web") == (0, "", "")


def test_start_of_a_container_whose_definition_has_changed(nsunit, manager):
    outcome = manager.Outcome("web", "differs", ("[Slice] MemoryMax: '1G' -> '2\x1bG'",))
    manager("deeds.start", start=lambda context, names: [outcome])
    status, out, err = nsunit("start", "web")
    assert (status, out) == (0, "")
    assert err.splitlines() == [
        "nsunit: web: runs with another definition than it has now",
        "  [Slice] MemoryMax: '1G' -> '2\\x1bG'",
        "  hint: 'nsunit apply web' changes what can change while it runs",
    ]


@pytest.mark.parametrize(
    ("errors", "status"),
    [
        ([NotFoundError("a")], 3),
        ([NotFoundError("a"), NotFoundError("b")], 3),
        ([NotFoundError("a"), NsunitError("b")], 1),
    ],
)
def test_failures_give_the_exit_status(nsunit, manager, errors, status):
    outcomes = [manager.Outcome(str(index), "failed", error=error) for index, error in enumerate(errors)]
    manager("deeds.start", start=lambda context, names: [*outcomes, manager.Outcome("ok", "started")])
    found, out, err = nsunit("start", "a")
    assert (found, out) == (status, "")
    assert err == "".join(f"nsunit: {error.message}\n" for error in errors)


def test_outcomes_as_json(nsunit, manager):
    outcome = manager.Outcome("web", "failed", error=NsunitError("no", hint="yes"))
    manager("deeds.start", start=lambda context, names: [outcome])
    status, out, err = nsunit("start", "--json", "web")
    assert (status, err) == (1, "nsunit: no\n  hint: yes\n")
    error = {"message": "no", "hint": "yes", "problems": []}
    assert json.loads(out) == [{"name": "web", "state": "failed", "differences": [], "error": error, "deaf_to": 0}]


def test_a_name_is_checked_before_anything_is_done(nsunit, manager):
    manager("deeds.start", start=lambda context, names: pytest.fail("not to be called"))
    status, _out, err = nsunit("start", "../x\x1b")
    assert status == 2
    assert err.startswith("nsunit: '../x\\x1b' is not a container name\n  hint: ")
    assert nsunit("start", "/etc/nsunit/web.nsunit")[2].endswith("a file of that name, the container is 'web'\n")


def test_stop_restart_and_rm(nsunit, manager):
    seen = []

    def stop(context, names, *, kill_now):
        seen.append(("stop", names, kill_now))
        return [manager.Outcome(name, "inactive") for name in names]

    def restart(context, names):
        seen.append(("restart", names))
        return []

    def remove(context, names, *, force, definition):
        seen.append(("rm", names, force, definition))
        return [manager.Outcome("a", "absent")]

    states = [manager.ContainerState("up"), manager.ContainerState("down", active_state="inactive")]
    pods = [manager.ContainerState("shop.pod"), manager.ContainerState("idle.pod", active_state="inactive")]
    manager("deeds.look.states", list_containers=lambda *_, **_options: states, pod_states=lambda *_: pods)
    manager("deeds.stop", stop=stop)
    manager("deeds.restart", restart=restart)
    manager("deeds.remove", remove=remove)
    assert nsunit("stop", "-k", "a") == (0, "a: is not running\n", "")
    assert nsunit("stop", "--all") == (0, "up: is not running\n", "")  # a pod may have gone with its containers
    assert nsunit("restart", "a", "b")[0] == 0
    assert nsunit("restart", "--all")[0] == 0
    assert nsunit("rm", "a") == (0, "a: nothing was kept\n", "")
    assert nsunit("rm", "-f", "a")[0] == 0
    assert seen == [
        ("stop", ["a"], True),
        ("stop", ["up", "shop.pod"], False),
        ("restart", ["a", "b"]),
        ("restart", ["up"]),
        ("rm", ["a"], False, False),
        ("rm", ["a"], True, False),
    ]


def test_kill(nsunit, manager):
    seen = []
    manager("deeds.control", kill=lambda context, name, signal, whom: seen.append((name, signal, whom)))
    assert nsunit("kill", "a", "b") == (0, "", "")
    assert nsunit("kill", "-s", "HUP", "--kill-whom=main", "a") == (0, "", "")
    assert seen == [("a", 15, "all"), ("b", 15, "all"), ("a", 1, "main")]


def test_kill_refuses(nsunit, manager):
    manager("deeds.control", kill=lambda *_a, **_k: pytest.fail("not to be called"))
    status, _out, err = nsunit("kill", "-s", "SIGNOPE", "a")
    assert (status, err.splitlines()[0]) == (2, "nsunit: 'SIGNOPE' is not a signal")
    status, _out, err = nsunit("kill", "--kill-whom=x", "a")
    assert (status, err) == (2, "nsunit: 'x' is not one of main, all\n  hint: --kill-whom=main\n")
    # An empty word, as of a variable that is not set, is not SIGTERM to all.
    for option, said in (("--signal=", "'' is not a signal"), ("--kill-whom=", "'' is not one of main, all")):
        status, _out, err = nsunit("kill", option, "a")
        assert (status, err.splitlines()[0]) == (2, f"nsunit: {said}")


def test_one_that_fails_does_not_keep_the_others(nsunit, manager):
    seen = []

    def pause(_context, name):
        seen.append(name)
        if name == "a":
            raise NotFoundError("a: it is not running")

    manager("deeds.control", pause=pause, resume=pause)
    assert nsunit("pause", "a", "b") == (3, "", "nsunit: a: it is not running\n")
    assert nsunit("resume", "b")[0] == 0
    assert seen == ["a", "b", "b"]


def test_wait(nsunit, manager):
    seen = []

    def wait(context, names, timeout):
        seen.append((names, timeout))
        return [Ended("nsunit-a.service", "inactive", "success", 1, 0), Ended("b", "failed", "oom-kill", 2, 9)]

    manager("deeds.wait", wait=wait)
    status, out, _err = nsunit("wait", "a", "b", "--timeout=1min 30s")
    assert (status, out) == (1, "a: exited with status 0\nb: was killed by SIGKILL (oom-kill)\n")
    assert json.loads(nsunit("wait", "--json", "a", "b")[1])[1]["ended"]["result"] == "oom-kill"
    nsunit("wait", "a", "b", "--timeout=infinity")
    assert seen == [(["a", "b"], 90.0), (["a", "b"], None), (["a", "b"], None)]
    status, _out, err = nsunit("wait", "a", "--timeout=soon")
    assert (status, err.splitlines()[0]) == (2, "nsunit: 'soon' is not a time span")


def test_wait_for_health(nsunit, manager):
    seen = []

    def wait_for_health(context, names, wanted, timeout):
        seen.append((names, wanted, timeout))
        return [wanted, None]

    manager("deeds.wait", wait_for_health=wait_for_health)
    status, out, _err = nsunit("wait", "a", "b", "--condition=healthy", "--timeout=2")
    assert (status, out) == (1, "a: healthy\nb: has ended\n")
    found = json.loads(nsunit("wait", "--json", "a", "b", "--condition=unhealthy")[1])
    assert found == [{"name": "a", "health": "unhealthy"}, {"name": "b", "health": None}]
    assert seen == [(["a", "b"], "healthy", 2.0), (["a", "b"], "unhealthy", None)]
    status, _out, err = nsunit("wait", "a", "--condition=well")
    hint = "  hint: there are healthy and unhealthy; without one it waits for the end"
    assert (status, err.splitlines()) == (2, ["nsunit: 'well' is no condition", hint])


def test_update_without_or_with_too_much(nsunit, manager):
    status, _out, err = nsunit("update")
    assert (status, err.splitlines()[0]) == (2, "nsunit: there is no container to update")
    status, _out, err = nsunit("update", "--auto", "web")
    assert (status, err.splitlines()[0]) == (2, "nsunit: --auto is about all containers with AutoUpdate=")


@pytest.mark.parametrize(
    ("ended", "text"),
    [
        (Ended("u", "gone"), "is not running"),
        (Ended("u", "failed", "exit-code", 1, 3), "exited with status 3"),
        (Ended("u", "failed", "timeout", 1, 0), "exited with status 0 (timeout)"),
        (Ended("u", "failed", "core-dump", 3, 11), "was killed by SIGSEGV and dumped core"),
        (Ended("u", "failed", "signal", 2, 99), "was killed by signal 99"),
        (Ended("u", "inactive", "success"), "ended"),
        (Ended("u", "failed", "resources"), "ended (resources)"),
    ],
)
def test_describe_end(ended, text):
    assert describe_end(ended) == text
