"""What a container is known to run with."""

from __future__ import annotations

import os

from definitions import definition

from nsunit.core.context import Context
from nsunit.core.stored import known, on_disk
from nsunit.definition.load import Host, serialize
from nsunit.definition.search import SearchPath
from nsunit.storage.paths import Paths


def test_what_runs_counts_and_not_what_is_defined_by_now(tmp_path):
    context = Context(SearchPath((), str(tmp_path)), Paths(str(tmp_path / "run"), str(tmp_path / "state")))
    context._host = Host(257, "alpha", "abc", "def")
    defined, changed = definition(name="web"), definition("[Container]", "Hostname=other", name="web")
    assert known(context, "web", defined) is None
    os.makedirs(context.paths.runtime_of("web"))
    with open(context.paths.runtime_of("web") + "/definition", "w") as file:
        file.write(serialize(defined))
    assert known(context, "web", defined) is defined
    for now in (changed, None):
        assert serialize(known(context, "web", now)) == serialize(defined)


def test_what_it_was_enabled_with_may_be_unreadable_by_now(tmp_path):
    """Whoever disables it, or enables it again, is not kept from that."""
    context = Context(SearchPath((), str(tmp_path)), Paths(str(tmp_path / "run"), str(tmp_path / "state")))
    context._host = Host(257, "alpha", "abc", "def")
    os.makedirs(context.paths.boot_of("web"))
    for text, is_known in ((serialize(definition(name="web")), True), ("", False), ("[Container]\nOld=x\n", False)):
        with open(context.paths.boot_of("web") + "/definition", "w") as file:
            file.write(text)
        assert (on_disk(context, "web") is not None) == is_known


def test_warnings_go_to_whoever_hears_them():
    said = []
    context = Context(warn=said.append)
    for line in ("careful", "look", "careful"):
        context.warn(line)
    Context().warn("nobody is there")
    assert said == ["careful", "look"]  # each once: a definition may be looked up twice
