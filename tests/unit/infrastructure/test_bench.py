"""What is made of the times of tests/bench/native.py."""

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

import draw

RUN = {
    "date": "2026-01-02",
    "system": "Debian <13>",
    "kernel": "6.12",
    "processors": 2,
    "load": 0.5,
    "versions": {"nsunit": "0.1", "other": "7"},
    "notes": {"other": "no & layer"},
    "left_out": {"third": "third is not installed"},
    "times": {
        "start": {"other": [100.0, 120.0, 140.0], "nsunit": [59.0, 60.0, 61.0], "fast": [30.0, 30.0, 30.0]},
        "many": {"nsunit": [9.0]},
    },
}


def test_the_table_has_medians_quartiles_and_ratios():
    lines = [line.split() for line in draw.table(RUN).splitlines()]
    assert lines[1:4] == [
        ["start", "nsunit", "60.0", "60–60", "1.00"],
        ["start", "fast", "30.0", "30–30", "2.00"],
        ["start", "other", "120.0", "110–130", "0.50"],
    ]
    assert lines[4] == ["many", "nsunit", "9.0", "9–9", "1.00"]
    assert "third is left out: third is not installed" in draw.table(RUN)
    assert "medians and quartiles of 3 alternating rounds" in draw.table(RUN)


def test_the_picture_says_the_same():
    picture = ElementTree.fromstring(draw.picture(RUN))
    texts = [element.text for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[1:8] == ["start", "nsunit", "60 ms", "fast", "30 ms, 0.5 ×", "other", "120 ms, 2 ×"]
    assert "other 7: no & layer" in texts
    assert texts[-2:] == draw.headline(RUN)
    bars = [element.get("d") for element in picture.iter("{http://www.w3.org/2000/svg}path")]
    longest = max(float(bar.partition("H")[2]) for bar in bars if "H" in bar)
    assert longest == pytest.approx(draw.LEFT + draw.WIDTH)


def test_the_readmes_picture_is_made_by_it():
    repository = Path(__file__).resolve().parents[3]
    assert "(packaging/bench.svg)" in (repository / "README.md").read_text()
    picture = ElementTree.parse(repository / "packaging/bench.svg").getroot()
    texts = [element.text or "" for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert any(text.startswith("nsunit ") for text in texts)
    assert "alternating rounds" in texts[-1]
