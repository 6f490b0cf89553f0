"""The verb `deploy`: its command line, and what it makes of an ssh that fails."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace

import pytest

from nsunit.cli import main as command
from nsunit.cli.transfer import deploy
from nsunit.cli.transfer import receive as other
from nsunit.core.context import Context
from nsunit.core.jobs import Outcome
from nsunit.definition.search import SearchPath
from nsunit.errors import DefinitionError, NsunitError, Problem
from nsunit.features.transfer.deploy import receive
from nsunit.features.transfer.deploy.offer import Offer
from nsunit.storage.paths import Paths


def refused(capsys, *words):
    """The exit status and what is said."""
    status = command.main(["deploy", *words])
    return status, capsys.readouterr().err


def test_what_is_missing_is_said(capsys):
    assert refused(capsys) == (
        2,
        "nsunit: what to deploy is missing\n  hint: nsunit deploy NAME [USER@]HOST[:PORT]|DIRECTORY\n",
    )
    status, said = refused(capsys, "web")
    assert (status, said.splitlines()[0]) == (2, "nsunit: where 'web' is to go is missing")
    status, said = refused(capsys, "web", "-x@")
    assert status == 2
    status, said = refused(capsys, "web", "root@")
    assert (status, said.splitlines()[0]) == (2, "nsunit: 'root@' is not a host")
    status, said = refused(capsys, "web", "root@web2:/srv")  # scp's; it was made as a directory, 'root@web2:', here
    assert (status, said) == (
        2,
        "nsunit: 'root@web2:/srv' is neither a host nor a directory\n"
        "  hint: 'nsunit deploy NAME root@web2' sends it to that host; './root@web2:/srv' is a directory\n",
    )
    status, said = refused(capsys, "web", "ssh://root@web2/srv")
    assert (status, said.splitlines()[0]) == (2, "nsunit: 'ssh://root@web2/srv' has more than a host in it")
    status, said = refused(capsys, "web", "a", "b")
    assert (status, said.splitlines()[0]) == (2, "nsunit: deploy: 'b' is one operand too many")


class _Invocation:
    def __init__(self):
        self.shared = type("Context", (), {"warn": print, "progress": None})()

    def flag(self, _name):
        return False

    def context(self):
        return self.shared


def to_host(monkeypatch, script):
    """What becomes of a deploy where ssh is *script*, of Python."""
    words = [sys.executable, "-c", script]
    monkeypatch.setattr(deploy, "ssh_command", lambda *_words, **_options: words)
    return deploy._to_host(_Invocation(), Offer("web", ()), deploy.Host("root@web2"), "root@web2", pause=True)


GREETS = "import json; print(json.dumps({'nsunit-deploy': 1, 'nsunit': 'x'}), flush=True);"


@pytest.mark.parametrize(
    ("script", "said", "status"),
    [
        ("exit(127)", "root@web2: nsunit is not installed there", 1),
        ("exit(255)", "root@web2: the connection by ssh has failed or was lost", 255),
        ("exit(2)", "root@web2: its nsunit has ended with status 2 before it was done", 1),
        (GREETS + "input(); exit(255)", "root@web2: the connection by ssh has failed or was lost", 255),
        (GREETS + "input(); print(json.dumps({'error': 'web: no', 'status': 3}))", "root@web2: web: no", 3),
    ],
)
def test_who_fails_over_there_is_named(monkeypatch, script, said, status):
    with pytest.raises(NsunitError) as caught:
        to_host(monkeypatch, script)
    assert (caught.value.message, caught.value.exit_status) == (said, status)


def test_what_became_of_it_is_told(monkeypatch):
    script = GREETS + "input(); print(json.dumps({'lacks': []})); print(json.dumps({'done': 'started'}))"
    found = to_host(monkeypatch, script)
    assert (found.name, found.to, found.state, found.layers, found.sent) == ("web", "root@web2", "started", 0, 0)
    assert found.bytes > 50


def test_without_ssh_it_is_told(monkeypatch):
    monkeypatch.setattr(deploy, "ssh_command", lambda *_words, **_options: ["/nonexistent/ssh"])
    with pytest.raises(NsunitError, match="other hosts are reached by ssh, which is not installed"):
        deploy._to_host(_Invocation(), Offer("web", ()), deploy.Host("web2"), "web2", pause=True)


def test_problems_of_a_definition_are_one_line():
    problems = [Problem("web", 0, "Bind=: '/a' does not exist"), Problem("web", 3, "no", "do so")]
    assert other._told(DefinitionError(problems)) == {
        "error": "web: Bind=: '/a' does not exist; web:3: no",
        "hint": "do so",
        "status": 1,
    }


def test_a_layer_that_is_missing_in_a_directory_is_named(monkeypatch, tmp_path):
    layer = type("Layer", (), {"chain": "a" * 64})()
    monkeypatch.setattr(deploy, "check", lambda *_words: None)
    monkeypatch.setattr(deploy, "lacking", lambda *_words: [layer])
    with pytest.raises(NsunitError, match=rf"'{tmp_path}/layers/a+\.tar' is missing"):
        deploy._one(_Invocation().context(), Offer("web", ()), os.fspath(tmp_path), enable=False)


def test_what_is_interrupted_as_it_starts_leaves_nothing(tmp_path, monkeypatch):
    """Its definition stayed, and so did a state, which an import of that name was refused for."""

    def interrupted(_context, _names):
        assert os.listdir(tmp_path / "etc") == ["web.nsunit"]
        raise KeyboardInterrupt

    (tmp_path / "etc").mkdir()
    context = Context(SearchPath((str(tmp_path / "etc"),), ""), Paths(str(tmp_path / "run"), str(tmp_path / "var")))
    monkeypatch.setattr(receive, "drop_ins_of", lambda *_words: [])
    monkeypatch.setattr(receive, "_refuse_another", lambda *_words: None)
    monkeypatch.setattr(other, "place", lambda *_words: None)
    monkeypatch.setattr(other, "_has_another_image", lambda *_words: False)
    monkeypatch.setattr(other, "start", interrupted)
    offer = Offer("web", (("definition/web.nsunit", "[Container]\nLayer=/srv\n"),))
    with pytest.raises(KeyboardInterrupt):
        other.take(context, offer, SimpleNamespace(name="web"))
    assert os.listdir(tmp_path / "etc") == []
    assert os.listdir(context.paths.states) == []


def test_why_it_was_not_started_is_told_also_where_the_definition_cannot_be_put_back(monkeypatch):
    """The other host said that its disk is full, and not what is wrong with the container."""

    def put_back():
        raise OSError(28, "No space left on device", "/etc/nsunit/web.nsunit")

    failed = Outcome("web", "failed", error=NsunitError("web: it ended with status 1", hint="see 'nsunit logs web'"))
    monkeypatch.setattr(other, "renewer", lambda _context: None)
    monkeypatch.setattr(other, "_has_another_image", lambda *_: False)
    monkeypatch.setattr(other, "start", lambda *_: [failed])
    with pytest.raises(NsunitError) as caught:
        other._run(None, SimpleNamespace(name="web"), None, [put_back])
    assert caught.value is failed.error
    assert caught.value.message == (
        "web: it ended with status 1; not all of it could be taken back:"
        " /etc/nsunit/web.nsunit: No space left on device"
    )
    assert caught.value.hint == "see 'nsunit logs web'"
