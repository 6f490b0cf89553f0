"""The manual pages name every verb, option and key the program has."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from nsunit.cli import verbs
from nsunit.definition.setting import all_settings

DIRECTORY = Path(__file__).resolve().parents[3] / "packaging/man"
PAGES = sorted(DIRECTORY.glob("*.md"))


def generate(page: str) -> str:
    command = [sys.executable, str(DIRECTORY / "generate"), str(DIRECTORY / page)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_markers_are_filled(page):
    text = generate(page.name)
    name, section = page.stem.rsplit(".", 1)
    assert text.startswith(f"# {name.upper()} {section} ")
    assert "<!--" not in text
    assert not re.search(r"\n: *\n", text), "an entry says nothing"


def test_verbs_and_options():
    text = generate("nsunit.1.md")
    for verb in verbs.all_verbs():
        for name in verb.names:
            assert f"**{name}**" in text
        for option in verb.options:
            assert f"**--{option.long}**" in text
    for option in verbs.GLOBAL_OPTIONS:
        assert f"**--{option.long}**" in text


def test_keys():
    container, pod = generate("nsunit.container.5.md"), generate("nsunit.pod.5.md")
    for setting in all_settings():
        assert f"**{setting.key}=**" in (pod if setting.section == "Pod" else container)


def test_usage():
    result = subprocess.run([sys.executable, str(DIRECTORY / "generate")], capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (1, "usage: packaging/man/generate PAGE.md\n")
