"""What each verb loads: engines call the runtime several times for each container."""

import subprocess
import sys
from pathlib import Path

import pytest

from nsunit.oci import main

REPOSITORY = Path(__file__).resolve().parents[3]
HEAVY = set(
    "argparse collections contextlib ctypes dataclasses enum functools json logging pathlib re shutil signal socket"
    " subprocess tempfile threading typing dbus_next jinja2 pystemd pyroute2".split()
)
# Modules of nsunit; each costs about 0.2 ms.
MOST = {"state": 19, "kill": 20, "delete": 22, "start": 19, "create": 65, "execute": 51}


@pytest.mark.parametrize("verb", MOST)
def test_a_verb_loads_little(verb):
    code = (
        f"import sys; sys.path.append({str(REPOSITORY)!r}); import nsunit.oci.main, nsunit.oci.verbs.{verb};"
        " print(*sys.modules)"
    )
    command = [sys.executable, "-SI", "-c", code]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert not HEAVY & set(loaded)
    assert len([name for name in loaded if name.startswith("nsunit")]) <= MOST[verb]


def test_an_interrupt_ends_it_without_a_word(monkeypatch, capsys):
    def interrupted(*_words, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(main, "parse", interrupted)
    assert (main.main(["list"]), capsys.readouterr()) == (130, ("", ""))
