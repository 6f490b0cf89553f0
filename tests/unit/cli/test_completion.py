import os
import re
import shutil
import subprocess

import pytest

from nsunit.cli import completion
from nsunit.cli.network import ACTIONS
from nsunit.cli.verbs import all_verbs

DRIVER = """
nsunit() {
    [[ $1 == cp ]] && { [[ $3 == web:/* ]] && printf 'web:/etc/\nweb:/echo\n' || printf 'web:etc/\n'; return; }
    [[ $COMP_LINE == *stop*job* ]] && printf 'job@1\njob@2\n'
    [[ $* == *--tree* ]] && echo shop.slice; [[ $* == *--all* ]] && printf 'web\\ndb\\n' || echo web
}
compopt() { :; }
source /dev/stdin <<'SCRIPT'
%s
SCRIPT
COMP_WORDS=(%s)
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
COMP_LINE='%s'
_nsunit
printf '%%s\\n' "${COMPREPLY[@]}"
"""


def complete(*words, cwd=None):
    """What bash offers for the last of *words*."""
    line = re.sub("(?<=[^ ]) ([@:=])( |$)", r"\1", " ".join(words))
    script = DRIVER % (completion.bash(), " ".join(f"'{word}'" for word in words), line)
    found = subprocess.run(["bash", "-c", script], stdout=subprocess.PIPE, text=True, check=True, cwd=cwd).stdout
    return set(found.splitlines()) - {""}


def test_bash_completes_verbs():
    assert {"start", "stop", "status"} <= complete("nsunit", "st")
    assert complete("nsunit", "--json", "sto") == {"stop"}


def test_bash_completes_names():
    assert complete("nsunit", "start", "") == {"web", "db", "shop.slice"}
    assert complete("nsunit", "stop", "") == {"web", "shop.slice"}
    assert complete("nsunit", "ps", "") == {"web", "shop.slice"}
    assert complete("nsunit", "analyze", "") == {"web"}
    assert complete("nsunit", "start", "web", "d") == {"db"}
    assert complete("nsunit", "help", "wai") == {"wait"}


def test_bash_completes_networks():
    assert complete("nsunit", "network", "") == {*ACTIONS, "ls"}
    assert complete("nsunit", "network", "rm", "") == {"web"}
    assert complete("nsunit", "network", "prune", "") == set()


def test_bash_completes_images():
    assert {"import", "pull", "list", "rm"} <= complete("nsunit", "image", "")
    assert complete("nsunit", "image", "rm", "w") == {"web"}
    assert {"-", "docker-archive:"} <= complete("nsunit", "image", "export", "web", "")


def test_bash_completes_options_and_their_values():
    assert complete("nsunit", "logs", "--fo") == {"--follow"}
    assert complete("nsunit", "kill", "--signal", "SIGK") == {"SIGKILL"}
    assert complete("nsunit", "kill", "--signal", "=", "SIGK") == {"SIGKILL"}
    assert "main" in complete("nsunit", "kill", "--kill-whom", "=")
    assert complete("nsunit", "logs", "--since", "") == set()


def test_bash_completes_commands_after_the_name():
    assert complete("nsunit", "exec", "") == {"web"}
    assert "bash" in complete("nsunit", "exec", "web", "bas")
    assert "bash" in complete("nsunit", "run", "bas")
    assert "bash" in complete("nsunit", "exec", "web", "--", "bas")
    assert complete("nsunit", "exec", "--", "w") == {"web"}


def test_bash_completes_verbs_of_two_words():
    assert "ns" in complete("nsunit", "")
    assert {"list", "same", "pin", "unpin"} <= complete("nsunit", "ns", "")
    assert complete("nsunit", "ns", "li") == {"list"}
    assert complete("nsunit", "ns", "list", "") == {"web"}
    assert "--json" in complete("nsunit", "ns", "same", "--")


def test_bash_completes_the_verbs_of_cgroup():
    assert complete("nsunit", "cgroup", "cl") == {"classify"}
    assert complete("nsunit", "cgroup", "create", "--dp") == {"--dperm"}
    assert complete("nsunit", "cgroup", "create", "-g", "") == set()
    assert "bash" in complete("nsunit", "cgroup", "exec", "bas")


def test_bash_completes_what_comes_after_the_first_operand():
    assert "root" in complete("nsunit", "delegate", "")
    assert complete("nsunit", "delegate", "root", "cp") == {"cpu", "cpuset"}
    assert complete("nsunit", "delegate", "--re") == {"--remove"}
    assert complete("nsunit", "why", "") == {"web", "db", "shop.slice"}
    assert complete("nsunit", "why", "web", "MemoryM") == {"MemoryMax", "MemoryMin"}


def test_bash_completes_keys():
    """A path may follow them: a value that is one is a file's."""
    assert complete("nsunit", "set", "web", "MemoryM") == {"MemoryMax=", "MemoryMin="}
    assert complete("nsunit", "create", "web", "Laye") == {"Layer="}
    assert complete("nsunit", "run", "-p", "PublishP") == {"PublishPort="}
    assert "tests" in complete("nsunit", "run", "-p", "Layer", "=", "test")
    assert "bash" not in complete("nsunit", "run", "-p", "Network", "=", "")
    assert "tests" in complete("nsunit", "create", "web", "Layer", "=", "test")
    assert complete("nsunit", "create", "web", "--image", "w") == {"web"}


def test_bash_completes_values_of_keys():
    """Those that the table of settings knows, by the parser or the syntax of a key."""
    assert complete("nsunit", "set", "web", "CPUSchedulingPolicy", "=", "") == set(
        "other fifo rr batch idle ext".split()
    )
    assert complete("nsunit", "run", "-p", "Restart", "=", "on-a") == {"on-abort", "on-abnormal"}
    assert complete("nsunit", "create", "web", "Network", "=", "") == set("none host bridge pasta".split())
    assert complete("nsunit", "dropin", "web", "ReadOnly", "=") == {"yes", "no"}
    assert complete("nsunit", "set", "web", "MemoryMax", "=", "") == {"infinity"}
    assert complete("nsunit", "set", "shop.slice", "IPAddressDeny", "=", "l") == {"localhost", "link-local"}


def test_bash_completes_files_of_containers():
    """A colon breaks words, unless somebody has taken it out of $COMP_WORDBREAKS."""
    assert complete("nsunit", "cp", "we") == {"web:"}
    assert {"tests", "web:", "db:"} <= complete("nsunit", "cp", "")
    assert complete("nsunit", "cp", "pyproject.t") == {"pyproject.toml"}
    assert complete("nsunit", "cp", "web", ":") == {"etc/"}
    assert complete("nsunit", "cp", ".", "web", ":", "/e") == {"/etc/", "/echo"}
    assert complete("nsunit", "cp", ".", "web:/ec") == {"web:/echo"}
    assert complete("nsunit", "cp", "web:", "pyproject.t") == {"pyproject.toml"}


def test_bash_completes_files_with_blanks(tmp_path):
    for name in ("my file.tar", "a dir"):
        (tmp_path / name).mkdir()
    for words in (("import", "my"), ("cp", "my"), ("create", "web", "Layer", "=", "my"), ("run", "./my")):
        assert {item.removeprefix("./") for item in complete("nsunit", *words, cwd=tmp_path)} == {"my file.tar"}, words
    assert complete("nsunit", "import", "--to", "a", cwd=tmp_path) == {"a dir"}


def test_bash_completes_instances():
    """Words break at an '@', and what stands behind it is replaced."""
    assert {"1", "2"} <= complete("nsunit", "stop", "job", "@")
    assert complete("nsunit", "stop", "job", "@", "2") == {"2"}
    assert complete("nsunit", "stop", "job@2") == {"job@2"}
    assert complete("nsunit", "stop", "job", "@", "1", "we") == {"web"}


def test_bash_completes_kinds_and_files():
    assert {"quadlet", "compose", "tests"} <= complete("nsunit", "import", "")


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_each_script_names_every_verb_and_option(shell, capsys):
    assert completion.main([shell]) == 0
    script = capsys.readouterr().out
    for verb in all_verbs():
        assert all(word in script for word in verb.names[-1].split())
        for option in verb.options:
            assert option.long in script


@pytest.mark.parametrize(("shell", "check"), [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")])
def test_each_script_is_accepted_by_its_shell(shell, check, tmp_path):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    path = tmp_path / "script"
    path.write_text(completion.SHELLS[shell]())
    subprocess.run([shell, check, os.fspath(path)], check=True)


def test_usage(capsys):
    assert completion.main(["csh"]) == 2
    assert capsys.readouterr().err == "usage: python3 -m nsunit.cli.completion bash|zsh|fish\n"
