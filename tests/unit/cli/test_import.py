"""The verb `import`: which of its meanings is meant."""

import pytest
from imports_corpus import FixedContext

from nsunit.cli.main import main
from nsunit.cli.verbs import Invocation


@pytest.fixture
def context(monkeypatch, tmp_path):
    """A machine without definitions; those that come in are in `out`."""
    found = FixedContext(str(tmp_path / "out"))
    monkeypatch.setattr(found, "connect", lambda: None)
    monkeypatch.setattr(Invocation, "context", lambda _self: found)
    (tmp_path / "web.container").write_text("[Container]\nImage=nginx\nRetry=5\n")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["kubernetes", "x"],
            "'kubernetes' is not a kind of files that can be imported\n  hint: there are quadlet, run,",
        ),
        (["web.tar", "--to=/x"], "--to is for definitions of another tool\n  hint: name its kind: quadlet, run,"),
        (
            ["web.tar", "--name=b"],
            "--name is for definitions of another tool\n  hint: an archive has its name; 'nsunit",
        ),
        (
            ["/q/ng.container"],
            "'/q/ng.container' is no archive of 'nsunit export'\n  hint: nsunit import quadlet /q/ng.",
        ),
        (
            ["./compose.yaml"],
            "'./compose.yaml' is no archive of 'nsunit export'\n  hint: nsunit import compose ./compo",
        ),
        (
            ["docker", "web"],
            "not a kind of files that can be imported\n  hint: nsunit import run -- docker run …, nsunit",
        ),
        (["run", "docker", "run", "-d"], "'-d' is not an option\n  hint: a command line stands behind two dashes: "),
        (["web.tar", "--dry-run"], "--dry-run is for definitions of another tool"),
        (["run", "docker run 'x"], "import: the command line cannot be read: No closing quotation"),
        (["run"], "import run: a command is missing\n  hint: e.g. nsunit import run -- docker run nginx"),
    ],
)
def test_what_is_refused(words, said, context, capsys):
    assert main(["import", *words]) == 2
    assert said in capsys.readouterr().err


def test_a_definition_is_written_and_remarks_are_told(context, capsys):
    assert main(["import", "quadlet", str(context)]) == 0
    out, err = capsys.readouterr()
    assert out == f"{context}/out/web.nsunit\n"
    assert err.startswith(f"nsunit: {context}/web.container:3: Retry: it is about how the image is fetched; ")
    assert main(["import", "quadlet", "--quiet", "--force", str(context)]) == 0
    assert capsys.readouterr().out == ""


def test_a_dry_run_prints_it(context, capsys):
    assert main(["import", "quadlet", "--dry-run", str(context / "web.container")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "# web.nsunit"
    assert "Image=nginx" in lines
    assert not (context / "out").exists()


def test_a_command_line_with_a_name(context, capsys):
    assert main(["import", "run", "--name=box", "--dry-run", "--", "docker", "run", "-d", "--name", "x", "nginx"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "# box.nsunit"


def test_a_command_line_in_one_word(context, capsys):
    text = "docker run -d \\\n --name x -e 'A=b c' nginx:1 sh -c 'echo \"$HOME\"'"
    assert main(["import", "run", "--dry-run", text]) == 0
    in_one = capsys.readouterr().out
    words = ["docker", "run", "-d", "--name", "x", "-e", "A=b c", "nginx:1", "sh", "-c", 'echo "$HOME"']
    assert main(["import", "run", "--dry-run", "--", *words]) == 0
    assert capsys.readouterr().out == in_one


def test_projects_need_a_directory_that_goes(context, capsys):
    (context / "compose.yaml").write_text("services: {a: {image: x}}")
    assert main(["up", str(context)]) == 2
    assert "there is no $XDG_RUNTIME_DIR for definitions" in capsys.readouterr().err
