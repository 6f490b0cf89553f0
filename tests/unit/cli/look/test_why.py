import json

import pytest

from nsunit.cli.look.why import format_value
from nsunit.plan.hierarchy import Explanation, Step

MEMORY = Explanation(
    key="MemoryMax",
    device="",
    file="memory.max",
    measure="bytes",
    asked=1 << 30,
    effective=1 << 20,
    tightest="nsunit.slice",
    kernel=f"{1 << 30}\n",
    steps=(
        Step("nsunit.slice", None, 1 << 20, f"{1 << 20}\n"),
        Step("nsunit-web.slice", 1 << 30, 1 << 30, f"{1 << 30}\n"),
        Step("nsunit-web.service", None, None, None),
    ),
    notes=("MemoryMax= has no effect: nsunit.slice has a tighter limit",),
)


def test_all_limits(nsunit, manager):
    manager("deeds.look.why", explain=lambda context, name, key: [MEMORY])
    status, out, _ = nsunit("why", "--no-headings", "web")
    assert status == 0
    assert out.splitlines() == [
        "MemoryMax\t1G\t1M\tnsunit.slice\t1073741824",
        "note: MemoryMax= has no effect: nsunit.slice has a tighter limit",
    ]


def test_one_limit(nsunit, manager):
    asked = []
    manager("deeds.look.why", explain=lambda context, name, key: asked.append((name, key)) or [MEMORY])
    out = nsunit("why", "--no-headings", "web", "MemoryMax")[1]
    assert asked == [("web", "MemoryMax")]
    assert out.splitlines() == [
        "MemoryMax",
        "nsunit.slice\t-\t1048576",
        "nsunit-web.slice\t1G\t1073741824",
        "nsunit-web.service\t-\t-",
        "effective: 1M, by nsunit.slice",
        "note: MemoryMax= has no effect: nsunit.slice has a tighter limit",
    ]


def test_nothing_to_tell(nsunit, manager):
    manager("deeds.look.why", explain=lambda context, name, key: [])
    assert nsunit("why", "web")[1] == "web: nothing has set a limit\n"
    assert nsunit("why", "web", "IOReadIOPSMax")[1] == "web: nothing has set a IOReadIOPSMax\n"
    assert json.loads(nsunit("why", "web", "--json")[1]) == []


@pytest.mark.parametrize(
    ("value", "measure", "text"),
    [
        (None, "bytes", "-"),
        (1 << 20, "bytes", "1M"),
        (200_000, "cpu", "20%"),
        (5, "tasks", "5"),
        ((0, 2), "list", "0,2"),
        (100, "weight", "100"),
    ],
)
def test_values(value, measure, text):
    assert format_value(value, measure) == text
