"""The command lines of tests/vm/quick and tests/vm/dev."""

import subprocess
import sys

import pytest
from machine import dev, quick


@pytest.mark.parametrize(("tool", "words"), [(quick, ["up", "sid", "-n", "zz"]), (dev, ["up", "sid", "-m", "zz"])])
def test_words_that_mean_nothing_are_refused(monkeypatch, capsys, tool, words):
    monkeypatch.setattr(sys, "argv", ["tool", *words])
    with pytest.raises(SystemExit):
        tool.parse()
    assert f"what is {words[2]} zz?" in capsys.readouterr().err


def test_options_for_a_command_are_passed_on(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["quick", "test", "-k", "name"])
    arguments, others = quick.parse()
    assert [*others, *arguments.arguments] == ["-k", "name"]


def test_what_fails_in_dev_ends_in_one_line(monkeypatch, capsys):
    def fail(arguments: object) -> int:
        raise subprocess.CalledProcessError(1, "build-deb")

    monkeypatch.setattr(sys, "argv", ["dev", "push"])
    monkeypatch.setattr(dev, "act", fail)
    assert dev.main() == 125
    assert capsys.readouterr().err.startswith("dev: Command 'build-deb' returned")
