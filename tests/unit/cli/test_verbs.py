import os
import subprocess
import sys

import pytest

from nsunit.cli.network import ACTIONS
from nsunit.cli.verbs import GLOBAL_OPTIONS, GROUPS, TABLES, all_verbs, find_verb, load, table
from nsunit.features import FEATURES

FEATURE_TABLES = tuple(f"nsunit.cli.{feature.verbs}" for feature in FEATURES if feature.verbs)
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


def test_names_are_unique_and_found():
    names = [name for verb in all_verbs() for name in verb.names]
    assert len(names) == len(set(names))
    assert find_verb("inspect") is find_verb("show")
    assert find_verb("nothing") is None


@pytest.mark.parametrize("verb", all_verbs(), ids=lambda verb: verb.name)
def test_each_verb_is_whole(verb):
    assert verb.group in GROUPS
    assert not verb.summary.endswith(".")
    options = (*GLOBAL_OPTIONS, *verb.options)
    longs = [option.long for option in options]
    shorts = [option.short for option in options if option.short]
    assert len(longs) == len(set(longs))
    assert len(shorts) == len(set(shorts))
    for function in (verb.run, verb.words, *(option.run for option in verb.options)):
        assert not function or callable(load(function))
    assert not verb.before or find_verb(verb.before)


def test_what_network_does_is_there():
    assert all(callable(load(function)) for function in ACTIONS.values())


@pytest.mark.parametrize("module", TABLES)
def test_each_table_is_named_with_its_verbs(module):
    assert [name for verb in table(module) for name in verb.names] == TABLES[module].split()


def test_verbs_of_features_are_listed_where_they_belong():
    names = [verb.name for verb in all_verbs()]
    for verb in (verb for module in FEATURE_TABLES for verb in table(module) if verb.before):
        assert names.index(verb.name) < names.index(verb.before)
    assert names[-1] == "ns unpin"


@pytest.mark.parametrize(
    ("name", "loaded"),
    [("start", "lifecycle"), ("exec", "session"), ("list", "look"), ("doctor", "host"), ("port", None)],
)
def test_no_other_table_is_loaded(name, loaded):
    script = f"from nsunit.cli.verbs import find_verb; find_verb({name!r}); import sys; print(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": ROOT}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    found = {module for module in done.stdout.split() if module in (*TABLES, *FEATURE_TABLES)}
    assert found == ({f"nsunit.cli.{loaded}"} if loaded else set(FEATURE_TABLES))


def test_no_option_ends_with_a_full_stop():
    for verb in all_verbs():
        for option in (*GLOBAL_OPTIONS, *verb.options):
            assert not option.summary.endswith(".")


def test_all_verbs_of_the_plan_are_there():
    wanted = (
        "start stop restart status list show inspect render verify cat edit logs kill pause resume wait exec run rm"
        " version doctor"
    )
    assert all(find_verb(name) for name in wanted.split())
