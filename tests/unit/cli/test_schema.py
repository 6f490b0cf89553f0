"""packaging/schema.json: what --json prints.  That it does is shown in tests/vm/test_json.py."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from vm.schema import mistakes

import nsunit
from nsunit.cli.output import jsonable
from nsunit.cli.verbs import all_verbs
from nsunit.errors import DefinitionError, NsunitError, Problem
from nsunit.plan import events
from nsunit.record import Record
from nsunit.version import JSON_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = json.loads((Path(__file__).parents[3] / "packaging/schema.json").read_text())
DEFINITIONS = SCHEMA["$defs"]
# They print nothing for programs, or what another program prints.
WITHOUT = {
    *(
        "kill",
        "reload",
        "pause",
        "resume",
        "logs",
        "top",
        "exec",
        "enter",
        "run",
        "edit",
        "capture",
        "help",
        "cp",
    ),
    *("export", "volume export", "cgroup create", "cgroup exec", "cgroup classify", "cgroup set", "cgroup delete"),
}
# The records that are printed as they are.
RECORDS = {
    "nsunit.core.jobs": "Outcome",
    "nsunit.errors": "Problem",
    "nsunit.deeds.look.query": "Status",
    "nsunit.deeds.look.states": "ContainerState=Container",
    "nsunit.deeds.look.kept": "Kept",
    "nsunit.deeds.look.root": "Root Ids",
    "nsunit.formats.procfs": "IdRange",
    "nsunit.storage.processes": "UnitProcess",
    "nsunit.storage.health": "Health Result=CheckResult",
    "nsunit.features.network.values": "Port",
    "nsunit.deeds.look.tree": "Node",
    "nsunit.deeds.look.stats": "Sample",
    "nsunit.plan.usage": "Usage CPU Memory Swap Tasks IO PressureSet",
    "nsunit.formats.cgroupfs": "DeviceIO Pressure Traffic",
    "nsunit.deeds.look.processes": "Process",
    "nsunit.plan.hierarchy": "Explanation Step=Level",
    "nsunit.plan.timing": "Timing Span",
    "nsunit.plan.change": "Change",
    "nsunit.deeds.change": "Plan",
    "nsunit.core.findings": "Finding",
    "nsunit.deeds.host.leftovers": "Leftover",
    "nsunit.features.namespaces.ledger": "Row=Namespace Comparison",
    "nsunit.features.cgroup.deeds": "GroupState=CGroup",
    "nsunit.features.delegation.deeds": "Delegation",
    "nsunit.bus.watch": "Ended",
    "nsunit.features.images.bring": "Imported",
    "nsunit.features.images.collect": "Removed",
    "nsunit.features.images.look": "Usage=Store Step=HistoryStep",
    "nsunit.features.volumes.look": "Shown=Volume",
    "nsunit.deeds.mount.mounted": "Mounted",
    "nsunit.oci.overview": "OciContainer",
    "nsunit.features.images.out.compare": "Change=FileChange",
    "nsunit.features.images.out.lineage": "Entry=LayerEntry Verdict",
    "nsunit.features.images.out.send": "Sent",
    "nsunit.features.transfer.deploy.send": "Deployed",
}


def records() -> Iterator[tuple[str, type[Record]]]:
    for module, names in RECORDS.items():
        for name in names.split():
            own, _, described = name.partition("=")
            yield described or own, getattr(importlib.import_module(module), own)


def references(schema: Any) -> set[str]:
    if isinstance(schema, dict):
        own = {schema["$ref"].removeprefix("#/$defs/")} if "$ref" in schema else set()
        return own.union(*map(references, schema.values()))
    return set().union(*map(references, schema)) if isinstance(schema, list) else set()


def test_its_version() -> None:
    assert SCHEMA["version"] == JSON_SCHEMA


def test_every_verb_is_in_it() -> None:
    verbs = {verb.names[0] for verb in all_verbs()}
    described = [verb.split() for verb in SCHEMA["properties"]]
    found = {" ".join(words[:2]) if " ".join(words[:2]) in verbs else words[0] for words in described}
    assert found == verbs - WITHOUT
    assert verbs >= WITHOUT


def test_all_that_is_described_is_printed() -> None:
    assert references(SCHEMA) == DEFINITIONS.keys()


@pytest.mark.parametrize(("name", "record"), list(records()))
def test_records_are_described(name: str, record: type[Record]) -> None:
    described = DEFINITIONS[name]
    assert list(described["properties"]) == list(record._fields)
    assert described["required"] == list(record._fields)


def test_show_has_all_that_status_has() -> None:
    status, shown = DEFINITIONS["Status"]["properties"], DEFINITIONS["Shown"]["properties"]
    assert shown == {**status, **{key: shown[key] for key in ("definition", "setup", "properties")}}
    assert DEFINITIONS["Shown"]["required"] == list(shown)


def test_all_events_are_named() -> None:
    kinds = {
        value for name, value in vars(events).items() if name.isupper() and name[0] != "_" and isinstance(value, str)
    }
    described = set(DEFINITIONS["Event"]["properties"]["event"]["description"].split(", "))
    assert described == kinds - {events.ROOT_SLICE} | {"ready"}


def test_errors() -> None:
    problem = Problem("/etc/nsunit/web.nsunit", 3, "is wrong", "write it right")
    for error in (NsunitError("no", hint="yes"), DefinitionError([problem])):
        assert mistakes(jsonable(error), DEFINITIONS["Error"], DEFINITIONS) == []
    assert jsonable(DefinitionError([problem]))["problems"] == [jsonable(problem)]


def test_each_kind_of_what_is_left_is_named():
    """`doctor --json` has it, by the word that the code gives as the first of a `Leftover`, or by its `_KIND`."""
    sources = [path.read_text() for path in Path(nsunit.__path__[0]).rglob("*.py") if "Leftover(" in path.read_text()]
    kinds = {kind for text in sources for kind in re.findall(r'(?:Leftover\(|^_KIND = )"([^"]+)"', text, re.MULTILINE)}
    told = DEFINITIONS["Leftover"]["properties"]["kind"]["description"]
    assert {"unit", "rename", "pin", "network"} <= kinds
    assert kinds <= set(re.split(", | or ", told.replace(" (a command that was killed)", "")))
