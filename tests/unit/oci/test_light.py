"""What each verb loads: engines call the runtime several times for each container."""

import subprocess
import sys
from pathlib import Path

import pytest

from nsunit.oci import main
from nsunit.oci.options import VERBS

REPOSITORY = Path(__file__).resolve().parents[3]
HEAVY = set(
    "argparse collections contextlib ctypes dataclasses enum functools json logging os pathlib re shutil signal socket"
    " stat subprocess tempfile threading typing dbus_next jinja2 pystemd pyroute2".split()
)
# Modules of nsunit; each costs about 0.1 ms.
MOST = {
    "create": 58,
    "delete": 22,
    "events": 22,
    "execute": 43,
    "kill": 20,
    "pause": 20,
    "ps": 20,
    "resume": 19,
    "start": 19,
    "state": 19,
    "update": 32,
}
# What engines do not call, or not while somebody waits for each: nothing is said of what these load.
SELDOM = {"checkpoint", "features", "listing", "restore", "run", "spec"}


def loaded(code: str) -> set[str]:
    """The modules that *code* loads."""
    command = [
        sys.executable,
        "-SI",
        "-c",
        f"import sys; sys.path.append({str(REPOSITORY)!r}); {code}; print(*sys.modules)",
    ]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return set(said.split()) - {"nsunit.bytecode"}  # the command begins with it


def test_each_verb_has_its_count():
    assert {verb.module for verb in VERBS} == MOST.keys() | SELDOM


@pytest.mark.parametrize("verb", MOST)
def test_a_verb_loads_little(verb):
    found = loaded(f"import nsunit.oci.main, nsunit.oci.verbs.{verb}")
    assert not HEAVY & found
    assert len([name for name in found if name.startswith("nsunit")]) <= MOST[verb]


def test_a_scope_takes_little_more():
    """What --systemd-cgroup adds: sd-bus, by the library that is there."""
    code = "import nsunit.oci.main, nsunit.oci.verbs.create"
    more = loaded(f"{code}, nsunit.oci.cgroup.scope") - loaded(code)
    assert not HEAVY & more
    assert len([name for name in more if name.startswith("nsunit")]) <= 9


def test_an_interrupt_ends_it_without_a_word(monkeypatch, capsys):
    def interrupted(*_words, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(main, "parse", interrupted)
    assert (main.main(["list"]), capsys.readouterr()) == (130, ("", ""))
