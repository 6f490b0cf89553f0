"""How values of others are written in definitions."""

import pytest

from nsunit.definition.values import size as read_size
from nsunit.definition.values import usec
from nsunit.definition.values_container import binds
from nsunit.definition.values_container import command as read_command
from nsunit.definition.words import split
from nsunit.imports import text
from nsunit.imports.model import NotCarried
from nsunit.names import is_valid_name


@pytest.mark.parametrize(
    "word", ["", "a", "a b", 'a"b', "a'b", "a\\b", "a\nb\t", "\x01", ";", "100", "ä€", "#x", "$x", "a:b", " ", "\\x41"]
)
def test_a_word_is_read_as_it_was(word):
    written = text.word(word)
    assert "\n" not in written
    assert split(written, c_escapes=True, controls=True) == [word]
    if word and word != "\x01" and "\n" not in word:
        assert read_command(text.command(["sh", word])) == ("sh", word)


@pytest.mark.parametrize(
    "path", ["/a", "/a b", "/a:b", "/a\\b", "/a\\:b c", '/a"b', "/a'b", "/a \"b' c", "/a%b", '/\\"']
)
def test_a_path_with_colons_is_read_as_it_was(path):
    written = text.word_of_parts(f"{text.path(path)}:{text.path(path)}:idmap")
    (bind,) = binds(written.replace("%%", "%"))
    assert (bind.source, bind.target) == (path, path)


def test_percent_signs():
    assert text.word("100%") == "100%%"
    assert text.word("%n", specifiers=True) == "%n"


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("5", 5), ("5s", 5), ("1m30s", 90), ("1h", 3600), ("1.5s", 1.5), ("100ms", 0.1), ("0s", 0), ("1h0m0s", 3600)],
)
def test_times(written, seconds):
    assert usec(text.seconds(written)) == seconds * 1_000_000


@pytest.mark.parametrize("written", ["", "x", "5x", "m", "1m5", "1.2.3s"])
def test_times_that_are_none(written):
    with pytest.raises(NotCarried):
        text.seconds(written)


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("512", 512),
        ("1k", 1024),
        ("512m", 512 << 20),
        ("1.5g", 3 << 29),
        ("1GB", 1 << 30),
        ("1GiB", 1 << 30),
        ("5b", 5),
    ],
)
def test_sizes(written, found):
    assert read_size(text.size(written)) == found


@pytest.mark.parametrize("written", ["", "m", "1x", "1.g", "-1"])
def test_sizes_that_are_none(written):
    with pytest.raises(NotCarried):
        text.size(written)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("web", "web"),
        ("Web_1", "web_1"),
        ("a b", "a-b"),
        ("--x", "x"),
        ("web@", "web@"),
        ("Web@1", "web@1"),
        ("x" * 99, "x" * 63),
    ],
)
def test_names(given, name):
    assert text.name_for(given) == name
    assert is_valid_name(name.removesuffix("@"))


@pytest.mark.parametrize("given", ["", "---", "@", "@1"])
def test_names_that_cannot_be(given):
    with pytest.raises(NotCarried):
        text.name_for(given)


def test_truth():
    assert text.truth("True")
    assert not text.truth("no")
    with pytest.raises(NotCarried):
        text.truth("maybe")
