import pytest

from nsunit.cli import help as cli_help
from nsunit.cli.verbs import GLOBAL_OPTIONS, VERBS


def test_global_help_names_every_verb_and_option(nsunit):
    status, out, _err = nsunit("--help")
    assert status == 0
    for verb in VERBS:
        assert f"\n  {verb.names[0]} " in out
    for option in GLOBAL_OPTIONS:
        assert f"--{option.long}" in out
    assert max(map(len, out.splitlines())) <= 100
    assert nsunit("-h")[1] == nsunit("help")[1] == out


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_help_of_a_verb(nsunit, verb):
    status, out, _err = nsunit(verb.names[0], "--help")
    assert status == 0
    assert out.startswith(f"nsunit {verb.names[0]} [OPTIONS]")
    for option in verb.options:
        assert f"--{option.long}" in out
    assert max(map(len, out.splitlines())) <= 100
    assert nsunit("help", verb.names[-1])[1] == out


def test_help_of_an_unknown_verb(nsunit):
    status, _out, err = nsunit("help", "nothing")
    assert (status, err.splitlines()[0]) == (2, "nsunit: 'nothing' is not a verb of nsunit")


def test_markdown_has_everything():
    text = cli_help.markdown()
    for verb in VERBS:
        for name in verb.names:
            assert f"**{name}**" in text
        for option in verb.options:
            assert f"--{option.long}**" in text
