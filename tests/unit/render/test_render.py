"""`nsunit render`, `nsunit verify` and `--help` print what they always did, to the byte: see tests/unit/corpus.py."""

import difflib

import corpus
import pytest
from fixed_host import fixed_host

from nsunit.cli.verbs import all_verbs, families

DEFINITIONS_LEAST = 400
FAULTY_LEAST = 300


@pytest.fixture
def host():
    with corpus.empty_directory() as directory, fixed_host(directory) as host:
        yield host


@pytest.mark.parametrize("topic", corpus.topics())
def test_what_is_printed_is_what_was_printed(host, topic):
    printed, expected = corpus.print_all(host, topic), corpus.expected(topic)
    assert list(printed) == list(expected)
    wrong = []
    for command, text in printed.items():
        if text != expected[command]:
            lines = (expected[command].splitlines(True), text.splitlines(True))
            wrong += ["".join(difflib.unified_diff(*lines, f"{command}, as it was", f"{command}, as it is"))]
    assert not wrong, f"{len(wrong)} of {len(printed)} differ\n" + "\n".join(wrong[:5])


def test_it_is_a_large_corpus():
    files = {(topic, title) for topic in corpus.topics() for title in corpus.definitions(topic)}
    faulty = {(topic, title) for topic, title in files if topic.startswith(corpus.FAULTY)}
    assert len(files - faulty) >= DEFINITIONS_LEAST
    assert len(faulty) >= FAULTY_LEAST


def test_the_help_of_every_verb_is_in_it():
    shown = set(corpus.commands("help"))
    assert {(*verb.names[0].split(), "--help") for verb in all_verbs()} <= shown
    assert {(name, "--help") for name in families()} | {("--help",)} <= shown


def test_a_change_is_seen(host):
    """Not one byte is lost on the way into the files and out again."""
    texts = ["", "a\n", "a\nb\nc\n", "b\n", "a\nc\n", "x\na\nb\nb\nc\ny\n", "c\nb\na\n"]
    for base in texts:
        for text in texts:
            assert corpus.patched(base, corpus.difference(base, text)) == text
    host.write("/etc/nsunit/web.nsunit", "[Container]\nRootfs=/srv/roots/busybox\nExec=/bin/sh\n")
    before = host.run("render", "web")
    host.write("/etc/nsunit/web.nsunit", "[Container]\nRootfs=/srv/roots/busybox\nExec=/bin/sh\n[Slice]\nCPUWeight=7\n")
    assert host.run("render", "web") != before


def test_another_systemd(host):
    """What it would get, and what it would not know."""
    text = "[Container]\nRootfs=/srv/roots/busybox\nExec=/bin/sh\n[Service]\nRestartMode=direct\n"
    host.write("/etc/nsunit/web.nsunit", text)
    new, old = (host.run("render", "--json", f"--for={version}", "web") for version in (262, 254))
    for key, in_new, in_old in (("DelegateSubgroup", True, True), ("CPUAccounting", False, True)):
        assert [f'"{key}"' in shown for shown in (new, old)] == [in_new, in_old]
    assert "CPUAccounting" not in host.run("render", "--unit-files", "--for=262", "web")
    assert "[Service] RestartMode needs systemd 254, it is for 252" in host.run("render", "--for=252", "web")
    host.write("/etc/nsunit/web.nsunit", text.replace("RestartMode=direct", "MemoryTHP=madvise"))
    assert "MemoryTHP" in host.run("render", "--for=260", "web")
    assert "MemoryTHP needs systemd 260, this machine has" in host.run("render", "web")
    for version in ("251", "new", "-1", "1000000"):
        shown = host.run("render", f"--for={version}", "web")
        assert f"--for: '{version}' is no version of systemd that nsunit works with" in shown
