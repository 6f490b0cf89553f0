"""Patterns among the names of a command."""

import json
from pathlib import Path

import pytest

from nsunit.cli.verbs import all_verbs
from nsunit.definition.search import SearchPath
from nsunit.storage.paths import Paths


@pytest.fixture
def some(manager, tmp_path):
    """Defined: web, db, shop.pod, shop.slice, t@; web, db, t@1 run, t@2 has failed, t@3 is enabled, old was run."""
    definitions, state = tmp_path / "definitions", tmp_path / "state"
    definitions.mkdir()
    for name in ("web", "db", "shop.pod", "shop.slice", "t@", "lan.network"):
        (definitions / f"{name}.nsunit").write_text("")
    for name in ("old", "t@3/boot"):
        (state / "containers" / name).mkdir(parents=True)
    manager.context.search = SearchPath((str(definitions),))
    manager.context.paths = Paths(str(tmp_path / "run"), str(state), str(tmp_path / "data"))
    manager.context.features = ()
    running = {"web": "nsunit-web.slice", "db": "nsunit-shop-db.slice", "t@1": "nsunit-t\\x401.slice"}
    states = [manager.ContainerState(name, slice=slice_) for name, slice_ in running.items()]
    states.append(manager.ContainerState("t@2", "failed"))
    states.append(manager.ContainerState("t@4", "inactive", "listening"))
    pods = [manager.ContainerState("shop.pod", slice="nsunit-shop.slice")]
    manager("deeds.look.states", list_containers=lambda _context: states, pod_states=lambda _context: pods)
    seen = []
    manager("deeds.start", start=lambda context, names: seen.extend(names) or [])
    manager("deeds.stop", stop=lambda context, names, *, kill_now: seen.extend(names) or [])
    manager("deeds.remove", remove=lambda context, names, **_options: seen.extend(names) or [])
    manager("deeds.enable", disable=lambda context, names, *, now: seen.extend(names) or [])
    manager("deeds.control", pause=lambda context, name: seen.append(name))
    manager("deeds.verify", verify=lambda context, names: seen.extend(names) or [], warnings=lambda *_: [])
    manager("features.groups.deeds", members=lambda context, name, *, running: ["db"])
    return seen


@pytest.mark.parametrize(
    ("command", "names"),
    [
        (("stop", "t@*"), ["t@1", "t@2", "t@4"]),
        (("stop", "w?b", "web", "[d]b"), ["web", "db"]),
        (("pause", "t@*"), ["t@1"]),
        (("stop", "*.pod"), ["shop.pod", "db"]),
        (("pause", "s*.slice"), ["db"]),
        (("start", "[ds]*"), ["db", "shop.pod", "db"]),
        (("disable", "*"), ["t@3"]),
        (("rm", "o*"), ["old"]),
        (("verify", "*.*"), ["lan.network", "shop.pod", "shop.slice"]),
        (("verify", "t*"), ["t@1"]),
    ],
)
def test_a_pattern_stands_for(nsunit, some, command, names):
    status, _, errors = nsunit(*command)
    assert (status, errors) == (0, "")
    assert some == list(dict.fromkeys(names))


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("stop", "x*"), "nsunit: 'x*' matches none of the containers that 'nsunit list' shows\n"),
        (("start", "old*"), "nsunit: 'old*' matches none of the containers that are defined\n"),
        (("rm", "x*.slice"), "nsunit: 'x*.slice' matches none of the groups\n"),
        (("plan", "x*"), "nsunit: 'x*' matches none of the containers that run\n"),
        (("--quiet", "verify", "x*"), ""),
    ],
)
def test_nothing_that_matches_is_told_and_no_failure_as_with_systemctl(nsunit, some, command, message):
    assert nsunit(*command) == (0, "", message)
    assert not some


def test_what_matches_nothing_does_not_keep_the_others_from_it(nsunit, some):
    assert nsunit("stop", "x*", "web")[0] == 0
    assert some == ["web"]
    assert nsunit("--json", "stop", "x*")[1] == "[]\n"


def test_show_prints_json_in_any_case(nsunit, some):
    """A program got an empty text where patterns matched nothing, unless it gave --json."""
    assert nsunit("show", "x*")[:2] == nsunit("show", "--json", "x*")[:2] == (0, "[]\n")
    assert nsunit("stats", "x*")[:2] == nsunit("logs", "x*")[:2] == (0, "")


def test_a_stopped_instance_that_a_pattern_leaves_out_is_told(nsunit, some, tmp_path):
    """As with systemctl a pattern stands for what is there; nothing was said of what `list --all` shows as stopped."""
    for name in ("t@5", "u@6"):  # there is no template u@ any more
        (tmp_path / "state/containers" / name).mkdir()
    status, _, errors = nsunit("start", "web", "[tu]@[56]", "t@5")
    assert (status, some) == (0, ["web", "t@5"])
    left_out = "nsunit: 't@5' is left out, as an instance that does not run has to be named\n"
    assert errors == "nsunit: '[tu]@[56]' matches none of the containers that are defined\n" + left_out
    assert nsunit("stop", "t@5*")[2].count("\n") == 1
    assert nsunit("--quiet", "start", "t@5*")[2] == ""


def test_verbs_for_one_container_take_no_pattern(nsunit, some):
    assert nsunit("why", "we*")[2].startswith("nsunit: 'we*' is not a container name\n")


def test_json_of_nothing_is_what_the_schema_has_for_the_verb(nsunit, some):
    """It was an empty list for each, where `stats` is an object, and `logs` one a line."""
    found = json.loads(nsunit("--json", "stats", "x*")[1])
    assert (found["usages"], sorted(found)) == ([], ["interval_usec", "time_usec", "usages"])
    assert nsunit("--json", "logs", "x*")[1] == ""
    schema = json.loads((Path(__file__).parents[3] / "packaging/schema.json").read_text())["properties"]
    others = [verb.names[0] for verb in all_verbs() if verb.patterns and not verb.nothing]
    assert "ps" in others
    kinds = {name: schema[name].get("type") for name in others if name in schema}
    assert set(kinds.values()) == {"array"}
