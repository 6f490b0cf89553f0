"""`stats --plot` and `top --full`, as they draw, and what their keys do."""

import pytest

from nsunit.cli.look.live import board as boards
from nsunit.cli.look.live import full
from nsunit.cli.look.live import plot as plots
from nsunit.cli.look.live.board import Board, moved
from nsunit.cli.look.live.graph import ASCII, graph, top_of
from nsunit.deeds.look.stats import Sample
from nsunit.errors import NotFoundError, UsageError
from nsunit.formats.cgroupfs import Pressure
from nsunit.plan.usage import CPU, Memory, PressureSet, Swap, Tasks, Usage


def usage(name, percent, memory, waiting=0.0, kind="container", quota=None):
    pressure = Pressure(waiting, 0.0, 0.0, 0, 0.0, 0.0, 0.0, 0)
    return Usage(
        kind=kind,
        name=name,
        container=name,
        groups=() if kind == "total" else ("nsunit",),
        unit=f"nsunit-{name}.slice",
        control_group=f"/nsunit.slice/nsunit-{name}.slice",
        cpu=CPU(1, 1, 0, 0, quota, percent),
        memory=Memory(memory, None, None, 4 << 20, 0, 0, 0, 0),
        swap=Swap(memory // 2, 1 << 30),
        tasks=Tasks(3, 100),
        io=None,
        network=None,
        pressure=PressureSet(pressure, None, None),
    )


WEB, DB = usage("web", 12.5, 1 << 20, quota=500_000), usage("db", 3.0, 3 << 20, waiting=7.5)
TOTAL = usage("nsunit.slice", 15.5, 4 << 20, kind="total")
USAGES = (TOTAL, DB, WEB)


def test_a_graph():
    assert graph([0, 25, 50, 100, None], 6, 2, 100.0) == ["    █ ", "  ▄█" + "█ "]
    assert graph([0.01], 1, 1, 100.0) == ["▁"]
    assert graph([100.0, 200.0], 2, 1, 100.0, blocks=ASCII) == ["@@"]
    assert graph([], 3, 1, 100.0) == ["   "]
    assert graph([1.0], 0, 1, 1.0) == [""]


def test_how_high_a_graph_is():
    assert top_of([10.0, None], 100.0) == 100.0
    assert top_of([150.0], 100.0) == 200.0
    assert top_of([10.0], 100.0, 50.0) == 50.0
    assert top_of([60.0], 100.0, 50.0) == 100.0


def test_a_plot():
    histories = {}
    for _ in range(3):
        plots.note(histories, Sample(1, 2, USAGES), ())
    plots.note(histories, Sample(1, 2, (TOTAL, WEB)), ())
    lines = [line.text for line in plots.drawn(histories, (30, 90), 2.0)]
    assert len(lines) <= 30
    assert max(map(len, lines)) <= 90
    assert lines[0] == "nsunit.slice"
    assert "db  (does not run)" in lines
    at = lines.index("web")
    assert lines[at + 1].split("  ")[0].rstrip() == "CPU 12.5% of 50% (limit)"
    assert "memory 1M of 4M (limit)" in lines[at + 1]
    assert "waiting 0.0% of the time" in lines[at + 1]
    assert lines[-1] == "q quits; 56s from left to right"


def test_a_plot_of_names_only_and_of_more_than_fits():
    histories = {}
    plots.note(histories, Sample(1, 2, USAGES), ("web",))
    assert list(histories) == ["web"]
    plots.note(histories, Sample(1, 2, tuple(usage(f"c{index}", 1.0, 1) for index in range(9))), ())
    lines = [line.text for line in plots.drawn(histories, (12, 40), 2.0)]
    assert len(lines) <= 12
    assert lines[-1].endswith("; 8 more have no room")


@pytest.mark.parametrize(
    ("order", "names"),
    [("c", ["web", "db"]), ("m", ["db", "web"]), ("s", ["db", "web"]), ("p", ["db", "web"]), ("n", ["db", "web"])],
)
def test_sorting(order, names):
    assert [item.name for item in boards.sorted_usages(USAGES, order) if item.kind == "container"] == names


def test_the_board():
    lines = boards.drawn(Board(marked="web"), USAGES, {"db"}, (10, 120), "now")
    texts = [line.text for line in lines]
    assert len(lines) == 10
    assert texts[0] == "now  by CPU"
    assert texts[1].split()[:4] == ["NAME", "STATE", "CPU%", "MEMORY"]
    rows = {text.split()[0]: text.split() for text in texts[2:5]}
    assert rows["web"] == ["web", "running", "12.5/50", "1M/4M", "512K/1G", "3/100", "0.0", "-", "-", "-", "-"]
    assert rows["db"][1] == "paused"
    assert [line.look for line in lines if line.text.startswith("web")] == ["reverse"]
    assert texts[-1] == boards.HELP and len(boards.HELP) < 80


@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_narrow_board_leaves_columns_out(width):
    lines = boards.drawn(Board(), USAGES, (), (10, width))
    assert {"NAME", "STATE", "CPU%", "MEMORY"} <= set(lines[1].text.split())
    assert max(len(line.text) for line in lines[1:-1]) <= max(width, 40)


def test_keys():
    board = Board()
    assert moved(board, USAGES, "KEY_UP").marked == "web"
    board = moved(board, USAGES, "KEY_DOWN")
    assert board.marked == "web"
    assert moved(board, USAGES, "KEY_DOWN").marked == "db"
    assert moved(moved(board, USAGES, "KEY_END"), USAGES, "KEY_DOWN").marked == "db"
    assert moved(board, (), "KEY_DOWN") == board
    assert moved(board, USAGES, "m").order == "m"
    assert moved(board, USAGES, "?") == board
    asked = boards.drawn(board.replace(asking="web"), USAGES, (), (5, 80))
    assert asked[-1].text == "kill all processes of 'web'? y)es, any other key: no"


@pytest.mark.parametrize("words", [("stats", "--plot"), ("top", "--full")])
def test_without_a_terminal(nsunit, manager, words):
    class Sampler:
        def __init__(self, above="", namespaces=""):
            pass

        def prime(self):
            pass

        def sample(self, names, absent):
            return Sample(1, 2, USAGES)

    manager("deeds.look.stats", Sampler=Sampler)
    status, out, err = nsunit(*words)
    assert (status, out) == (2, "")
    hint = "  hint: 'nsunit stats --watch --json' is for programs\n"
    assert err == f"nsunit: 'nsunit {' '.join(words)}' needs a terminal\n{hint}"


def test_what_does_not_go_with_full(nsunit):
    _status, _out, err = nsunit("top", "--full", "--order=memory")
    assert err.startswith("nsunit: '--order=memory' does not go with --full\n  hint: without --full")
    _status, _out, err = nsunit("top", "--full", "--delay=x")
    assert "'x' is not a number of seconds" in err
    with pytest.raises(UsageError):
        from nsunit.cli.look.live.full import _arguments

        _arguments(["--delay=0"])


@pytest.mark.parametrize("words", [("stats", "--plot"), ("top", "--full")])
@pytest.mark.parametrize("names", [("web", "gone"), ("gone",)])
def test_one_that_does_not_run_is_told_and_keeps_no_other_from_it(nsunit, manager, monkeypatch, words, names):
    shown = []

    class Sampler:
        def __init__(self, above="", namespaces=""):
            pass

        def prime(self):
            pass

        def sample(self, names, absent=None):
            error = NotFoundError("gone: it is not running")
            if absent is None:
                raise error
            absent.append(error)
            return Sample(1, 2, (WEB,) if "web" in names else ())

    manager("deeds.look.stats", Sampler=Sampler)
    for module in (plots, full):
        monkeypatch.setattr(module, "with_screen", lambda _view, of: shown.append(of) or 0)
    status, _out, err = nsunit(*words, *names)
    assert (status, err) == (3, "nsunit: gone: it is not running\n")
    assert len(shown) == ("web" in names)
