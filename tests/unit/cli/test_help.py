import pytest

from nsunit.cli import help as cli_help
from nsunit.cli.output import Style
from nsunit.cli.verbs import GLOBAL_OPTIONS, all_verbs, family


def test_global_help_names_every_verb_and_option(nsunit):
    status, out, _err = nsunit("--help")
    assert status == 0
    for verb in all_verbs():
        assert f"\n  {verb.names[0]} " in out
    for option in GLOBAL_OPTIONS:
        assert f"--{option.long}" in out
    assert max(map(len, out.splitlines())) <= 100
    assert nsunit("-h")[1] == nsunit("help")[1] == out


@pytest.mark.parametrize("verb", all_verbs(), ids=lambda verb: verb.name)
def test_help_of_a_verb(nsunit, verb):
    status, out, _err = nsunit(*verb.names[0].split(), "--help")
    assert status == 0
    assert out.startswith(f"nsunit {verb.names[0]} [OPTIONS]")
    for option in verb.options:
        assert f"--{option.long}" in out
    assert max(map(len, out.splitlines())) <= 100
    assert nsunit("help", *verb.names[-1].split())[1] == out


@pytest.mark.parametrize("columns", [80, 200])
def test_help_fits_into_the_terminal(monkeypatch, columns):
    style = Style()
    style.terminal = True
    monkeypatch.setattr(style, "width", lambda: columns)
    longest = max(len(line) for verb in all_verbs() for line in cli_help.verb_help(verb, style))
    assert 70 < max(longest, *map(len, cli_help.global_help(style))) <= min(columns, 100)


def test_help_of_an_unknown_verb(nsunit):
    status, _out, err = nsunit("help", "nothing")
    assert (status, err.splitlines()[0]) == (2, "nsunit: 'nothing' is not a verb of nsunit")


def test_help_of_a_family(nsunit):
    status, out, _err = nsunit("ns", "--help")
    assert status == 0
    assert out.startswith("nsunit ns VERB [OPTIONS] …\n")
    for verb in family("ns"):
        assert f"\n  {verb.names[0]} " in out
    assert nsunit("help", "ns")[1] == nsunit("ns", "-h")[1] == nsunit("-h", "ns")[1] == out


def test_markdown_has_everything():
    text = cli_help.markdown()
    for verb in all_verbs():
        for name in verb.names:
            assert f"**{name}**" in text
        for option in verb.options:
            assert f"--{option.long}**" in text
