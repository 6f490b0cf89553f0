"""Whose drop-ins are taken, by which name of a unit."""

from __future__ import annotations

import os

import pytest
from definitions import definition

from nsunit.core.context import Context
from nsunit.core.dropin import drop_ins_of, forget_drop_ins, headline
from nsunit.definition.search import SearchPath
from nsunit.dropins import files

NAME, FORMER = "my-web", r"nsunit-my\x2dweb.service"


@pytest.fixture
def context(tmp_path):
    return Context(SearchPath((), str(tmp_path)))


def write(context, unit, name=NAME):
    path = files.drop_in_path(context.search.units, unit)
    os.makedirs(os.path.dirname(path))
    with open(path, "w") as file:
        file.write(f"# {headline(name)}\n[Service]\nNice=3\n")
    return path


def test_those_by_a_former_name_count_where_they_are(context):
    places = [path.split("/")[-2] for path in drop_ins_of(context, definition(name=NAME))]
    assert places == [r"nsunit-my\x2dweb.slice.d", "nsunit-my-web.service.d"]
    write(context, FORMER)
    assert drop_ins_of(context, definition(name=NAME))[1].split("/")[-2] == f"{FORMER}.d"


@pytest.mark.parametrize("undoes", [True, False])
def test_all_of_one_are_forgotten_and_no_one_else_s(context, undoes):
    own = [write(context, unit) for unit in ("nsunit-my-web.service", FORMER, r"nsunit-shop-my\x2dweb.slice")]
    other = write(context, "nsunit-web.service", "web")
    before = contents(own)
    undo = [] if undoes else None
    assert sorted(forget_drop_ins(context, NAME, undo)) == sorted(own)
    assert not any(map(os.path.exists, own))
    assert os.path.exists(other)
    for step in undo or ():
        step()
    assert contents(own) == (before if undoes else [None] * 3)


def contents(paths):
    return [files.read(path) for path in paths]
