import importlib.util
import os

import pytest

from nsunit.cli.verbs import GLOBAL_OPTIONS, GROUPS, all_verbs, find_verb

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
    module, _, function = verb.run.partition(":")
    spec = importlib.util.find_spec(module)
    assert spec is not None
    with open(spec.origin, encoding="utf-8") as file:
        assert f"def {function}(" in file.read()


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
