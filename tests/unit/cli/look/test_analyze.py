import json
import xml.etree.ElementTree

import pytest

from nsunit.errors import NotFoundError
from nsunit.plan.timing import Span, Timing

WEB = Timing(
    "web",
    30_000,
    (
        Span("command", "interpreter, modules, connection to systemd", 0, 20_000),
        Span("helper", "prepare proc", 20_000, 50),
        Span("helper", "prepare dev", 20_050, 30),
        Span("helper", "execute pivot", 20_080, 1_000),
        Span("network", "waited for", 21_080, 8_920),
    ),
    ("network took 8.9 ms, the median of 3 is 1.0 ms; most of it: waited for",),
)


@pytest.fixture
def starts(manager):
    def missing(_context, name):
        raise NotFoundError(f"{name}: it is not running")

    manager(
        "deeds.look.analyze",
        analyze=lambda context, name: WEB if name == "web" else missing(context, name),
        analyze_last=lambda context: WEB,
        analyze_all=lambda context: [WEB],
    )


def test_a_table(nsunit, starts):
    status, out, _ = nsunit("analyze", "--no-headings", "web")
    assert status == 0
    assert out.splitlines() == [
        "0\t20000\tcommand\tinterpreter, modules, connection to systemd",
        "20000\t80\thelper\t2 steps below 0.1 ms each",
        "20080\t1000\thelper\texecute pivot",
        "21080\t8920\tnetwork\twaited for",
    ]
    assert nsunit("analyze", "--no-headings")[1] == out  # the last one


def test_json_has_every_step(nsunit, starts):
    (found,) = json.loads(nsunit("analyze", "--json", "web")[1])
    assert (found["name"], found["usec"], len(found["spans"])) == ("web", 30_000, 5)
    assert found["spans"][1] == {"part": "helper", "what": "prepare proc", "begin": 20_000, "usec": 50}


def test_all_are_compared(nsunit, starts):
    lines = nsunit("analyze", "--all")[1].splitlines()
    assert lines[0].split("\t")[:3] == ["NAME", "TOTAL µs", "COMMAND"]
    assert lines[1] == "web\t30000\t20000\t0\t0\t0\t0\t1080\t8920\t0"
    assert lines[2] == "note: web: network took 8.9 ms, the median of 3 is 1.0 ms; most of it: waited for"


def test_a_picture(nsunit, starts, tmp_path):
    path = tmp_path / "start.svg"
    assert nsunit("analyze", "web", f"--plot={path}")[:2] == (0, "")
    picture = xml.etree.ElementTree.fromstring(path.read_text())
    texts = [item.text for item in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert "web: 30.0 ms" in texts
    assert "network: waited for (8.92 ms)" in texts
    assert nsunit("analyze", "web", "--plot=-")[1] == path.read_text()


def test_what_is_refused(nsunit, starts, tmp_path):
    status, _, errors = nsunit("analyze", "other")
    assert (status, errors) == (3, "nsunit: other: it is not running\n")
    status, _, errors = nsunit("analyze", "--all", "web")
    assert (status, errors.splitlines()[0]) == (2, "nsunit: analyze --all takes no NAME")
    status, _, errors = nsunit("analyze", f"--plot={tmp_path}/none/start.svg", "web")
    assert status == 1
    assert f"{tmp_path}/none/start.svg" in errors
