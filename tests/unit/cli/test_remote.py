import os
import shlex
import subprocess

import pytest

from nsunit.cli import remote
from nsunit.cli.main import main
from nsunit.cli.remote import Host, host_of, ssh_command, words_of
from nsunit.errors import UsageError

HOSTS = {
    "web1": Host("web1"),
    "root@web1": Host("root@web1"),
    "root@web1.example.net:2222": Host("root@web1.example.net", "2222"),
    "192.0.2.1:22": Host("192.0.2.1", "22"),
    "2001:db8::1": Host("2001:db8::1"),
    "root@[2001:db8::1]:22": Host("root@2001:db8::1", "22"),
    "[::1]": Host("::1"),
    "ssh://root@web1:22": Host("root@web1", "22"),
    "ssh://web1/": Host("web1"),
}


@pytest.mark.parametrize("text", HOSTS)
def test_a_host_may_have_a_user_and_a_port(text):
    assert host_of(text) == HOSTS[text]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-oProxyCommand=x",
        "root@-x",
        "-l@web1",
        "@web1",
        "root@",
        "a b",
        "web1:",
        "web1:0",
        "web1:x",
        "[::1]:",
        "ssh://",
    ],
)
def test_what_is_no_host_is_refused(text):
    with pytest.raises(UsageError, match="is not a host") as refused:
        host_of(text)
    assert "root@web1.example.net:2222" in (refused.value.hint or "")


def test_a_container_on_a_host_is_named_behind_the_verb():
    with pytest.raises(UsageError, match="has more than a host in it") as refused:
        host_of("web1/db")
    assert (
        refused.value.hint == "-H names a host; containers on it are named behind the verb: nsunit -H HOST status NAME"
    )


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """A stand-in for ssh that shows its options, and has a shell split its last word as sshd(8) does."""
    program = tmp_path / "ssh"
    program.write_text('#!/bin/sh\nwhile [ $# -gt 1 ]; do echo "ssh $1"; shift; done\neval "$1"\n')
    there = tmp_path / "nsunit"
    there.write_text('#!/bin/sh\nprintf "<%s>\\n" "$@"\n')
    for path in (program, there):
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def hand_over(*arguments):
        """What `main` becomes, in a process of its own."""
        code = "import sys; from nsunit.cli.main import main; sys.exit(main(sys.argv[1:]))"
        command = ["python3", "-c", code, *arguments]
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)

    return hand_over


def test_each_word_arrives_as_it_was_given(shell):
    words = ["a b", "'", '"$HOME"', "*", "; exit 1", "", "ü\n", "--x"]
    done = shell("-H", "root@web1:2222", "exec", "-i", "-u", "a b", "web", "--", *words)
    expected = ["ssh -T", "ssh -p", "ssh 2222", "ssh --", "ssh root@web1", "<exec>", "<--interactive>", "<--uid=a b>"]
    expected += ["<-->", "<web>", *(f"<{word}>" for word in words)]
    assert done.stdout == "".join(f"{line}\n" for line in expected)


def test_the_option_may_stand_behind_the_verb_and_the_last_counts(shell):
    done = shell("--json", "list", "--host=one", "-H", "two", "--tree")
    assert done.stdout.split() == "ssh -T ssh -- ssh two <list> <--json> <--tree>".split()


def test_verbs_of_two_words_and_of_other_tools(shell):
    assert shell("-H", "one", "image", "rm", "x").stdout.split()[6:] == ["<image>", "<rm>", "<-->", "<x>"]
    done = shell("-H", "one", "--user", "top", "-d", "1")
    assert done.stdout.split()[6:] == "<--user> <top> <-d> <1>".split()


def test_the_exit_status_is_the_command_s(shell):
    done = shell("-H", "one", "wait", "web")
    assert done.returncode == 0
    (wait,) = [line for line in done.stdout.splitlines() if line == "<wait>"]
    assert wait


def test_a_host_without_nsunit(shell, tmp_path):
    (tmp_path / "nsunit").unlink()
    done = shell("-H", "root@one", "list")
    assert done.returncode == 127
    assert done.stderr.startswith(
        "nsunit: root@one: nsunit is not installed there\n  hint: install it there, too, or see that it is in the PATH"
    )


def test_what_is_wrong_here_is_told_here(shell):
    done = shell("-H", "one", "stop")
    assert (done.returncode, done.stdout) == (2, "")
    assert "stop: a name is missing" in done.stderr


def test_a_signal_is_no_host(capsys):
    assert main(["kill", "-HUP", "web"]) == 2
    assert capsys.readouterr().err == (
        "nsunit: '-HUP' is -H UP, a host\n  hint: 'nsunit kill -s HUP NAME' sends the signal\n"
    )


def test_without_ssh(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["-H", "one", "list"]) == 1
    assert capsys.readouterr().err == (
        "nsunit: other hosts are reached by ssh, which is not installed\n  hint: install the package 'openssh-client'\n"
    )


def test_a_terminal_of_its_own_where_there_is_one():
    assert ssh_command(Host("one"), ["nsunit", "top"], terminal=True) == [
        *("ssh", "-t", "-o", "LogLevel=ERROR", "--", "one", "nsunit top")
    ]
    assert shlex.split(ssh_command(Host("one"), ["nsunit", "a b"], terminal=False)[-1]) == ["nsunit", "a b"]


def test_options_keep_their_values_and_their_number():
    values = {"host": ["one"], "env": ["A=1", "B=2"], "tty": []}
    assert words_of("exec", values, ["web"], foreign=False) == (
        ["nsunit", "exec", "--tty", "--env=A=1", "--env=B=2", "--", "web"]
    )
    assert words_of("list", {}, [], foreign=False) == ["nsunit", "list"]
    assert remote.words_of("list", {"host": ["one"]}, [], foreign=False) == ["nsunit", "list"]
