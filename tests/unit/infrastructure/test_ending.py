"""What a run has started, and what it has made, when it ends before its time."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from machine import cache, owned

VM = Path(__file__).resolve().parents[2] / "vm"
# A run that ends while it makes an image; mmdebstrap says when it is told to.
RUN = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from machine import image, owned, tree
from machine.later import Later
top = Path(sys.argv[2])
owned.SCRATCH = top / "scratch"
script = f"trap 'echo told >>{top}/told; exit' TERM; echo >>{top}/begun; while :; do sleep 0.1; done"
tree.command_for = lambda *arguments: ["sh", "-c", script]
making = Later(lambda: image.image("trixie"))
while not (top / "begun").exists() or (top / "begun").read_text() != "\\n" * 2:  # of both roots that trees are made of
    assert making.thread.is_alive()
    time.sleep(0.05)
"""


def wait_for(path: Path, text: str) -> None:
    deadline = time.monotonic() + 30
    while not path.exists() or path.read_text() != text:
        assert time.monotonic() < deadline, path
        time.sleep(0.05)


def test_a_run_that_ends_waits_for_no_tree_and_tells_its_makers_to_end(monkeypatch, tmp_path):
    env = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", RUN, str(VM), str(tmp_path)], env=env, timeout=60, check=True)
    wait_for(tmp_path / "told", "told\n" * 2)
    monkeypatch.setattr(owned, "SCRATCH", tmp_path / "scratch")
    owned.clean_up(owned.SCRATCH, lambda name: owned.remove(owned.SCRATCH / name))
    assert not [*owned.SCRATCH.iterdir()]


def test_a_directory_for_the_time_being_is_readable_and_goes(monkeypatch, tmp_path):
    monkeypatch.setattr(owned, "SCRATCH", tmp_path / "scratch")
    with owned.scratch("x") as scratch:
        assert scratch.stat().st_mode & 0o777 == 0o755
        (scratch / "file").touch()
    assert not [*owned.SCRATCH.iterdir()]


def test_what_a_killed_run_has_half_made_is_nobody_elses(monkeypatch, tmp_path):
    """It may still be written to."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    top = cache.directory()
    left, other = top / ".tree-0011223344556677.run-1-ffff", top / ".root-0011223344556677.run-1-ffff"
    for path in (left, other):
        path.mkdir()
    made: list[Path] = []
    path = cache.entry("tree", "0" * 16, made.append)
    assert path.is_dir()
    assert made[0].name == f".tree-{'0' * 16}.{owned.RUN}"
    assert (left.exists(), other.exists(), made[0].exists()) == (False, True, False)


def test_what_cannot_be_ended_keeps_nothing_else(tmp_path, capsys):
    for name in ("run-1-a", "run-1-b"):
        (tmp_path / f"{name}.owner").touch()
    ended: list[str] = []

    def end(name: str) -> None:
        ended.append(name)
        raise OSError("busy")

    owned.clean_up(tmp_path, end)
    assert ended == ["run-1-a", "run-1-b"]
    assert capsys.readouterr().err == "run-1-a is not gone: busy\nrun-1-b is not gone: busy\n"


def test_a_process_is_killed_and_none_is_no_complaint():
    with subprocess.Popen(["sleep", "60"]) as process:
        owned.end(process.pid, 10)
        assert process.wait() == -signal.SIGKILL
    owned.end(process.pid, 10)
