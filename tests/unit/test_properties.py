"""What holds for any input: whatever comes, no traceback; what is accepted comes back as it was.

The examples are the same in each run (derandomize), and few: a failure stays found until it is mended.
"""

from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nsunit.bus.marshal import encode_properties
from nsunit.definition import syntax
from nsunit.definition.load import Host, load_properties, load_text, serialize
from nsunit.definition.setting import all_settings
from nsunit.definition.values import OfHost
from nsunit.definition.words import ValueProblem, split
from nsunit.errors import DefinitionError
from nsunit.features.environment_files.syntax import Reader
from nsunit.formats import cgroupfs, procfs
from nsunit.names import (
    container_of_listener,
    container_of_unit,
    escape,
    is_valid_name,
    pod_of_unit,
    printable,
    service_name,
    unescape,
)
from nsunit.setup.main import KINDS
from nsunit.setup.operation import Operation, PlanError, dump, parse

settings.register_profile("same", derandomize=True, deadline=None, database=None, max_examples=100)
settings.load_profile("same")
few = settings(max_examples=10)

HOST = Host(262, "alpha", "0123456789abcdef0123456789abcdef")
BASE = "[Container]\nRootfs=/srv/r\nExec=/bin/sh\n"
TAKEN = [setting for setting in all_settings() if setting.refused is None]
PIECES = (
    *("%", "%%", "%n", "%z", "\\", "\\x41", "\\n", '"', "'", "=", ":", "/", "..", "-", "~", "!", "@", ",", ";", "#"),
    *(
        " ",
        "\t",
        "0",
        "1",
        "-1",
        "65536",
        "18446744073709551616",
        "infinity",
        "max",
        "1K",
        "1.5G",
        "50%",
        "1min",
        "yes",
    ),
    *("no", "/dev/null", "/a b", "a.service", "127.0.0.1", "fe80::/64", "10.0.0.0/8", "é"),
)
WORDS = st.lists(st.sampled_from(PIECES), max_size=6).map("".join)
# What the parser of lines lets through.
TEXT = st.one_of(WORDS, st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=30))


@st.composite
def values(draw: st.DrawFn, example: str) -> str:
    """The example of a key with something put in, left out, or said twice; or any text."""
    if draw(st.booleans()):
        return draw(TEXT)
    first, last = sorted(draw(st.tuples(*[st.integers(0, len(example))] * 2)))
    return example[:first] + draw(WORDS) + example[last if draw(st.booleans()) else first :]


LINES = st.lists(st.one_of(WORDS, st.tuples(st.sampled_from(["Exec", "Bind"]), WORDS).map("=".join)), max_size=5)
FILES = LINES.map(lambda lines: "\n".join(("[Container]", *lines)).encode())


@given(st.one_of(FILES, FILES.flatmap(lambda data: st.binary(max_size=9).map(data.__add__)), st.binary(max_size=200)))
def test_any_bytes_are_assignments_or_problems(data: bytes) -> None:
    assignments, problems = syntax.parse("file", data)
    assert all(str(problem).isprintable() for problem in problems)
    for section, key, value, line in assignments:
        assert section in syntax.SECTIONS
        assert key
        assert line > 0
        assert not syntax.has_control(value.replace("\t", " "))


@pytest.mark.parametrize("setting", TAKEN, ids=lambda setting: f"{setting.section}-{setting.key}")
@few
@given(data=st.data())
def test_any_value_of_a_key_is_one_or_is_refused(setting, data: st.DataObject) -> None:
    text = data.draw(values(setting.example)).strip(" \t") or "x"
    try:
        value = setting.parse(text)
        if isinstance(value, OfHost):
            value.resolve(HOST)
    except ValueProblem as problem:
        assert problem.message


@pytest.mark.parametrize("section", ["Unit", "Container", "Service", "Slice", "Install"])
@given(data=st.data())
def test_what_is_accepted_comes_back(section: str, data: st.DataObject) -> None:
    """Definition, properties, text, definition."""
    of_section = [setting for setting in TAKEN if setting.section == section]
    chosen = data.draw(st.lists(st.sampled_from(of_section), min_size=1, max_size=3))
    lines = "".join(f"{item.key}={data.draw(values(item.example))}\n" for item in chosen)
    text = f"{BASE}[{section}]\n{lines}".encode("utf-8", "replace").decode()
    try:
        definition = load_text("web", text, "/etc/nsunit/web.nsunit", HOST)
    except DefinitionError as error:
        assert all(str(problem).isprintable() for problem in error.problems)
        return
    for properties in dict(definition.properties).values():
        encode_properties(properties)
    stored = serialize(definition)
    assert load_text("web", stored, "/run/stored", HOST) == definition
    assert serialize(load_text("web", stored, "/run/stored", HOST)) == stored


@pytest.mark.parametrize("key", ["Exec", "Unit.Description", "Bind", "DeviceAllow", "Environment"])
@few
@given(text=st.text())
def test_any_argument_is_an_assignment_or_is_refused(key: str, text: str) -> None:
    """On a command line may be what is no text at all."""
    try:
        load_properties("web", [("", "Rootfs", "/r", "-p"), ("", "Exec", "/bin/sh", "-p"), ("", key, text, "-p")], HOST)
    except DefinitionError as error:
        assert all(str(problem).isprintable() for problem in error.problems)


@given(TEXT)
def test_words(text: str) -> None:
    try:
        assert all(isinstance(word, str) for word in split(text, c_escapes=True))
    except ValueProblem as problem:
        assert problem.message


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_escaped_names_come_back(text: str) -> None:
    escaped = escape(text)
    assert unescape(escaped) == text
    assert set(escaped) <= set(string.ascii_letters + string.digits + ":_.\\")


@given(
    st.one_of(TEXT, st.from_regex(r"nsunit-([a-z.@-]|\\x[0-9a-f]{2}|\\){1,12}\.(service|scope|socket)", fullmatch=True))
)
def test_any_unit_is_somebodys_or_nobodys(unit: str) -> None:
    unescape(unit)
    container = container_of_unit(unit)
    assert container is None or is_valid_name(container)
    if container and unit.endswith(".service"):
        assert service_name(container) == unit
    for name in (container_of_listener(unit), pod_of_unit(unit)):
        assert name is None or is_valid_name(name)


@given(st.text())
def test_nothing_drives_a_terminal(text: str) -> None:
    assert printable(text).isprintable()


NAMES = st.from_regex(r"[A-Z_][A-Z0-9_]{0,5}", fullmatch=True)


@given(st.text(), st.booleans())
def test_any_text_is_an_environment_file(text: str, comments_continue: bool) -> None:
    reader = Reader(text, comments_continue)
    assert all(0 < item.line <= text.count("\n") + 1 for item in reader.assignments)
    assert all(0 < line <= text.count("\n") + 1 for line in reader.others)


@given(st.lists(st.tuples(NAMES, st.text(st.characters(exclude_characters="'")))))
def test_quoted_variables_come_back(pairs: list[tuple[str, str]]) -> None:
    reader = Reader("".join(f"{name}='{value}'\n" for name, value in pairs))
    assert [(item.name, item.value) for item in reader.assignments] == pairs
    assert reader.others == []


KEYS = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
NUMBERS = st.integers(0, 2**64 - 1)
# Of an interface and of a process; the kernel lets whoever names them say anything else.
LINKS = st.text(
    st.characters(exclude_characters=":/\0 \t\n\r\v\f\x1c\x1d\x1e\x1f\x85\xa0", max_codepoint=255), min_size=1
)


@given(st.dictionaries(KEYS, NUMBERS))
def test_files_of_keys(pairs: dict[str, int]) -> None:
    assert cgroupfs.flat_keyed("".join(f"{key} {value}\n" for key, value in pairs.items())) == pairs


@given(st.dictionaries(KEYS, st.dictionaries(KEYS, KEYS), max_size=4))
def test_files_of_keys_in_keys(found: dict[str, dict[str, str]]) -> None:
    lines = [" ".join([key, *(f"{name}={value}" for name, value in values.items())]) for key, values in found.items()]
    assert cgroupfs.nested_keyed("\n".join(lines)) == found


@given(st.sets(st.integers(0, 300)))
def test_lists_of_cpus(cpus: set[int]) -> None:
    assert cgroupfs.cpu_list(",".join(map(str, cpus))) == tuple(sorted(cpus))
    if cpus:
        first, last = min(cpus), max(cpus)
        assert cgroupfs.cpu_list(f"{first}-{last}\n") == tuple(range(first, last + 1))


@given(st.lists(st.tuples(LINKS, st.lists(NUMBERS, min_size=16, max_size=16))))
def test_traffic_of_interfaces_of_any_name(links: list[tuple[str, list[int]]]) -> None:
    text = "".join(f"{name:>6}: {' '.join(map(str, fields))}\n" for name, fields in links)
    others = [fields for name, fields in links if name != "lo"]
    expected = [sum(fields[index] for fields in others) for index in (0, 1, 8, 9)]
    assert cgroupfs.net_dev(text) == cgroupfs.Traffic(*expected)


@given(st.text(st.characters(exclude_characters="\0"), max_size=15), st.lists(NUMBERS, min_size=30, max_size=30))
def test_processes_of_any_name(comm: str, numbers: list[int]) -> None:
    text = f"17 ({comm}) S {' '.join(map(str, numbers))}\n"
    expected = (comm, "S", numbers[10], numbers[11], numbers[16], numbers[18])
    assert procfs.stat(text) == procfs.Stat(*expected)


@given(st.text(), st.text())
def test_command_lines(text: str, comm: str) -> None:
    assert isinstance(procfs.command_line(text, comm), str)
    procfs.status(text)


BY_KEYWORD = {kind.keyword: kind for kind in KINDS}
ARGUMENTS = st.binary(max_size=8).map(lambda raw: raw.replace(b"\0", b"0").decode("utf-8", "surrogateescape"))


@st.composite
def operations(draw: st.DrawFn) -> Operation:
    kind = draw(st.sampled_from(KINDS))
    fixed = [draw(ARGUMENTS) for _ in kind.__slots__[: len(kind.__slots__) - bool(kind.rest)]]
    return kind(*fixed, *([tuple(draw(st.lists(ARGUMENTS, max_size=3)))] if kind.rest else []))


@given(st.lists(operations(), max_size=5))
def test_plans_come_back(plan: list[Operation]) -> None:
    assert parse(dump(plan), KINDS) == plan


@given(
    st.one_of(
        st.binary(),
        st.lists(st.sampled_from([*BY_KEYWORD, "\0", "\n", "\\", "x"])).map(lambda words: "".join(words).encode()),
        st.tuples(st.lists(operations(), max_size=3), st.binary(max_size=4)).map(lambda pair: dump(pair[0]) + pair[1]),
    )
)
def test_any_bytes_are_a_plan_or_none(content: bytes) -> None:
    try:
        assert all(isinstance(item, Operation) for item in parse(content, KINDS))
    except PlanError as error:
        assert str(error)
