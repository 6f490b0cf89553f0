"""What README.md says is there."""

import re
from pathlib import Path

from nsunit.cli.verbs import family, find_verb
from nsunit.definition.load import Host, load_text

REPOSITORY = Path(__file__).resolve().parents[3]
TEXT = (REPOSITORY / "README.md").read_text()


def test_its_first_lines_are_two_commands():
    assert [line.split()[:2] for line in TEXT.splitlines()[:2]] == [
        ["sudo", "./packaging/try"],
        ["sudo", "./tests/run"],
    ]


def test_its_definition_is_right():
    (text,) = re.findall(r"```ini\n(.*?)```", TEXT, re.S)
    assert load_text("web", text, "web.nsunit", Host(252)).container.exec


def test_its_verbs_are_there():
    told = re.findall(r"(?:^# |`)nsunit (?:--user )?([a-z]+)(?: ([a-z]+))?", TEXT, re.M)
    assert len(told) > 20
    missing = [
        f"{first} {second}" for first, second in told if not (find_verb(first) or find_verb(f"{first} {second}"))
    ]
    assert [words for words in missing if not family(words.strip())] == []


def test_it_is_read_in_minutes():
    """What more there is to say has a page."""
    assert len(TEXT.split()) < 800


def test_its_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)", TEXT)
    assert links
    assert [link for link in links if not (REPOSITORY / link).exists()] == []
