#!/usr/bin/python3
"""Tables, or with --svg a picture, of the JSON of `native.py` on standard input."""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

OWN = "nsunit"
LEFT, WIDTH, ROW = 130, 400, 16  # pixels: where bars begin, the longest of a deed, from one to the next


def summary(times: list[float]) -> tuple[float, float, float]:
    """Lower quartile, median and upper quartile."""
    if len(times) < 2:
        return times[0], times[0], times[0]
    low, middle, high = statistics.quantiles(times, n=4, method="inclusive")
    return low, middle, high


def table(run: dict[str, Any]) -> str:
    """One table for people, with nsunit's time over each other's."""
    lines = [f"{'deed':24}{'tool':16}{'median ms':>10}{'quartiles':>14}{'nsunit / it':>12}"]
    for deed, tools in run["times"].items():
        own = summary(tools[OWN])[1]
        for tool in order(tools):
            low, middle, high = summary(tools[tool])
            spread = f"{low:.0f}–{high:.0f}"
            lines.append(f"{deed:24}{tool:16}{middle:10.1f}{spread:>14}{own / middle:12.2f}")
    lines += ["", *headline(run), "  ".join(f"{tool} {version}" for tool, version in run["versions"].items())]
    lines += [f"{tool}: {note}" for tool, note in run["notes"].items()]
    lines += [f"{tool} is left out: {why}" for tool, why in run["left_out"].items()]
    return "\n".join(lines)


def headline(run: dict[str, Any]) -> list[str]:
    """Where and when it was measured, and what is shown."""
    rounds = max(len(tools[OWN]) for tools in run["times"].values())
    where = f"{run['system']}, Linux {run['kernel']}, {run['processors']} processors, load {run['load']}"
    return [f"{run['date']}, {where}", f"medians and quartiles of {rounds} alternating rounds"]


def order(tools: dict[str, list[float]]) -> list[str]:
    """Nsunit first, then the quickest."""
    return sorted(tools, key=lambda tool: (tool != OWN, summary(tools[tool])[1]))


def picture(run: dict[str, Any]) -> str:
    """The SVG: for each deed a bar a tool, on a scale of its own."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # the table needs none

    groups = []
    for deed, tools in run["times"].items():
        figures = {tool: summary(tools[tool]) for tool in order(tools)}
        scale = WIDTH / max(high for _, _, high in figures.values())
        bars = [
            {
                "tool": tool,
                "own": tool == OWN,
                "width": round(middle * scale),
                "low": round(low * scale),
                "high": round(high * scale),
                "text": f"{middle:.0f} ms" if tool == OWN else f"{middle:.0f} ms, {middle / figures[OWN][1]:.2g} ×",
            }
            for tool, (low, middle, high) in figures.items()
        ]
        groups.append({"deed": deed, "bars": bars})
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True
    )
    notes = [
        f"{tool} {version}: {run['notes'].get(tool, '')}".rstrip(": ") for tool, version in run["versions"].items()
    ]
    template = environment.get_template("bench.svg.j2")
    return template.render(groups=groups, notes=notes, headline=headline(run), left=LEFT, row=ROW, width=WIDTH)


if __name__ == "__main__":
    found = json.load(sys.stdin)
    print(picture(found) if sys.argv[1:] == ["--svg"] else table(found))
