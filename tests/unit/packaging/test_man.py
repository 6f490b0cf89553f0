"""The manual pages name every verb, option and key the program has."""

import re
import runpy
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from nsunit.cli import verbs
from nsunit.definition.host import Host
from nsunit.definition.setting import all_settings, keys_of, lookup
from nsunit.features.network.definition import network_of_text
from nsunit.oci import options as oci

DIRECTORY = Path(__file__).resolve().parents[3] / "packaging/man"
THEMES = runpy.run_path(str(DIRECTORY / "themes.py"))["THEMES"]
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


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_a_terminal_of_80_columns_is_wide_enough(page):
    """man(1) indents examples by 14, and neither wraps them nor tables."""
    lines = page.read_text().splitlines()
    assert [line for line in lines if line.startswith("    ") and len(line) > 4 + 80 - 14] == []
    assert [line for line in lines if line.startswith("|")] == []


def test_verbs_and_options():
    text = generate("nsunit.1.md")
    for verb in verbs.all_verbs():
        for name in verb.names:
            assert f"**{name}**" in text
        for option in verb.options:
            assert f"**--{option.long}**" in text
    for option in verbs.GLOBAL_OPTIONS:
        assert f"**--{option.long}**" in text


def test_commands_of_the_runtime():
    text = generate("nsunit-oci.8.md")
    for verb in oci.VERBS:
        assert f"\n**{verb.name}**" in text
        for name, *_ in (*verb.options, *oci.GLOBAL):
            assert f"**--{name}**" in text


def test_engines_have_their_files():
    page = generate("nsunit-oci.8.md")
    for path in (DIRECTORY.parent / "engines").iterdir():
        assert path.name == "README" or f"`{path.name}`" in page


def test_keys():
    container, pod = generate("nsunit.container.5.md"), generate("nsunit.pod.5.md")
    for setting in all_settings():
        assert f"**{setting.key}=**" in (pod if setting.section == "Pod" else container)


def test_keys_of_networks():
    """All of the table are there, in its order, and nothing else."""
    page = generate("nsunit.network.5.md")
    keys, _, examples = page.partition("\n# KEYS\n")[2].partition("\n# EXAMPLES\n")
    assert re.findall(r"^\*\*(\w+)=\*\*", keys, re.M) == list(keys_of("Network"))
    entries = re.split(r"\n(?=\*\*\w+=\*\*)", keys)[1:]
    for key, entry in zip(keys_of("Network"), entries, strict=True):
        setting = lookup("Network", key)
        assert all(word in entry.replace("\\", "") for word in (setting.help, setting.example))
    shown = [textwrap.dedent(text) for text in re.findall(r"(?:^    .*\n)+", examples, re.M)]
    assert [text.splitlines()[0] for text in shown] == ["[Network]"] * 3
    found = [network_of_text(f"n{number}", text, "page", Host(257)) for number, text in enumerate(shown)]
    assert [bool(item.domain) + 2 * item.internal + 4 * bool(item.vlan) for item in found] == [1, 2, 4]


def test_usage():
    result = subprocess.run([sys.executable, str(DIRECTORY / "generate")], capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (1, "usage: packaging/man/generate PAGE.md\n")


def test_each_key_of_containers_has_one_theme():
    """A new key is put where it belongs, in packaging/man/themes.py."""
    keys = [key for _, words in THEMES.values() for key in words.split()]
    assert sorted(keys) == sorted(keys_of("Container"))
    page = generate("nsunit.container.5.md")
    own = page.partition("\n# [CONTAINER] SECTION\n")[2].partition("\n# GROUPS\n")[0]
    assert re.findall(r"^\*\*(\w+)=\*\*", own, re.M) == keys
    assert re.findall(r"^## (.+)$", own, re.M) == list(THEMES)
    headings = " ".join(re.findall(r"^# ([A-Z].*)$", page, re.M))
    told = " ".join(part.partition("\n**")[0] for part in own.split("\n## "))
    assert set(re.findall(r"\b[A-Z]{4,}\b", told)) <= set(headings.split())


def test_the_examples_of_the_page_about_backup_are_those_that_are_run():
    """tests/vm/test_backup.py runs them."""
    page = (DIRECTORY / "nsunit-backup.7.md").read_text()
    shown = [textwrap.dedent(text) for text in re.findall(r"(?:^    .*\n)+", page, re.M)]
    assert "\n".join(shown) == (DIRECTORY.parents[1] / "tests/vm/backup-examples.txt").read_text()
