import os
import posix
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nsunit.cli import main, warn
from nsunit.errors import BusError, DefinitionError, NotFoundError, NsunitError, Problem

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


@pytest.mark.parametrize(
    ("argv", "message", "hint"),
    [
        ([], "a verb is missing", "see 'nsunit --help'"),
        (["strat"], "'strat' is not a verb of nsunit", "did you mean 'nsunit start'?"),
        (["ns"], "ns: its second word is missing", "there are 'ns list', 'ns same', 'ns pin', 'ns unpin'"),
        (["ns", "lst"], "'ns lst' is not a verb of nsunit", "did you mean 'nsunit ns list'?"),
        (["xyzzyxyzzy"], "'xyzzyxyzzy' is not a verb of nsunit", "see 'nsunit --help'"),
        (["--zzzzzzzz"], "'--zzzzzzzz' is not an option", "see 'nsunit --help'"),
        (["start"], "start: a name is missing", "nsunit start [OPTIONS] NAME…"),
        (["start", "--all", "web"], "start: --all and names exclude each other", "nsunit start [OPTIONS] NAME…"),
        (["import"], "import: FILE is missing", "nsunit import [OPTIONS] FILE|- | KIND [SOURCE…]"),
        (["set", "web"], "set: KEY=VALUE is missing", "nsunit set [OPTIONS] NAME [SECTION.]KEY=VALUE…"),
        (["exec", "web"], "exec: a command is missing", "nsunit exec [OPTIONS] NAME COMMAND…"),
        (["web", "start"], "'web' is not a verb of nsunit", "the verb comes first: 'nsunit start web'"),
        (["volume", "remove", "a"], "'volume remove' is not a verb of nsunit", "'nsunit volume rm'"),
        (
            ["image", "save"],
            "'image save' is not a verb of nsunit",
            "'nsunit image export IMAGE TARGET', or - for standard output",
        ),
        (["image", "build"], "'image build' is not a verb of nsunit", "'nsunit build'"),
        (["image", "lsit"], "'image lsit' is not a verb of nsunit", "did you mean 'nsunit image list'?"),
        (
            ["ns", "xyzzy"],
            "'ns xyzzy' is not a verb of nsunit",
            "there are 'ns list', 'ns same', 'ns pin', 'ns unpin'",
        ),
        (["container", "ls"], "'container' is not a verb of nsunit", "'nsunit list'"),
        (["container", "unpause", "web"], "'container' is not a verb of nsunit", "'nsunit resume NAME'"),
        (["web", "logs", "-f"], "'web' is not a verb of nsunit", "the verb comes first: 'nsunit logs web'"),
        (
            ["set", "MemoryMax=1G", "web"],
            "'MemoryMax=1G' is not a container name",
            "the name comes first: 'nsunit set web MemoryMax=1G'",
        ),
        (
            ["exec", "/bin/sh", "web"],
            "'/bin/sh' is not a container name",
            "the name comes first: 'nsunit exec web /bin/sh'",
        ),
        (
            ["reclaim", "10M", "web"],
            "'10M' is not a container name",
            "the name comes first: 'nsunit reclaim web 10M'",
        ),
        (
            ["update", "app:1", "web"],
            "'app:1' is not a container name",
            "the name comes first: 'nsunit update web app:1'",
        ),
        (
            ["kill", "web", "HUP"],
            "'HUP' is a signal, not a container's name",
            "'nsunit kill --signal=HUP web'",
        ),
        (["kill", "SIGTERM"], "'SIGTERM' is a signal, not a container's name", "'nsunit kill --signal=SIGTERM NAME'"),
        (["logs", "--since", "1h", "web"], "--since: '1h' is not a time", "--since='1h ago'"),
        (["logs", "--until=1h30m", "web"], "--until: '1h30m' is not a time", "--until='1h30m ago'"),
        (
            ["network", "remove"],
            "network: 'remove' is not one of list, inspect, create, rm, prune, check, repair",
            "'nsunit network rm NAME'",
        ),
        (["exec"], "exec: a name is missing", "nsunit exec [OPTIONS] NAME COMMAND…"),
        (["render", "a", "b"], "render: 'b' is one operand too many", "nsunit render [OPTIONS] NAME"),
        (["doctor", "x"], "doctor: 'x' is one operand too many", "nsunit doctor [OPTIONS]"),
        (["start", "--name"], "'--name' is not an option", "see 'nsunit start --help'"),
    ],
)
def test_usage_errors(nsunit, argv, message, hint):
    status, out, err = nsunit(*argv)
    own = 125 if argv[:1] in (["exec"], ["enter"], ["run"]) else 2  # which may be what the command ends with
    assert (status, out) == (own, "")
    assert err.splitlines()[:2] == [f"nsunit: {message}", f"  hint: {hint}"]


def test_hints_of_users_have_what_they_have_typed(nsunit, monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    hint = "'nsunit stop a', 'nsunit --user rm a', 'nsunit delegate b'"
    monkeypatch.setattr(main, "_call", lambda invocation: main.report(NsunitError("a: x", hint=hint)))
    for words, told in ((["--user"], hint.replace("'nsunit stop", "'nsunit --user stop")), ([], hint)):
        assert nsunit(*words, "start", "a") == (1, "", f"nsunit: a: x\n  hint: {told}\n")


def test_so_have_warnings(nsunit, monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    text = "warning: a: it stays; 'nsunit update a' changes it"
    monkeypatch.setattr(main, "_call", lambda invocation: warn(text) or 0)
    for words, told in ((["--user"], text.replace("'nsunit update", "'nsunit --user update")), ([], text)):
        assert nsunit(*words, "start", "a") == (0, "", f"nsunit: {told}\n")


def test_user_is_for_users(nsunit, monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 0)
    status, _out, err = nsunit("--user", "list")
    assert status == 2
    assert err == (
        "nsunit: --user is for users without privileges\n  hint: leave it out for containers of the system\n"
    )


def test_version_option(nsunit):
    for argv in (["--version"], ["list", "--version"]):
        status, out, err = nsunit(*argv)
        assert (status, err) == (0, "")
        assert out.startswith("nsunit ")


def test_global_options_may_stand_after_the_verb(nsunit, manager):
    manager(
        "deeds.look.states", list_containers=lambda context, **_options: [], pod_states=lambda context, **_options: []
    )
    assert nsunit("--json", "list") == nsunit("list", "--json") == (0, "[]\n", "")


@pytest.mark.parametrize(
    ("error", "status", "err"),
    [
        (NsunitError("no good", hint="do better"), 1, "nsunit: no good\n  hint: do better\n"),
        (NotFoundError("nothing"), 3, "nsunit: nothing\n"),
        (BusError("x", "evil \x1b[2J"), 1, "nsunit: evil \\x1b[2J\n"),
        (
            DefinitionError([Problem("/a", 3, "wrong", "right"), Problem("/b", 0, "worse")]),
            1,
            "nsunit: /a:3: wrong\n  hint: right\nnsunit: /b: worse\n",
        ),
        (FileNotFoundError(2, "No such file", "/x"), 1, "nsunit: /x: No such file\n"),
        (
            PermissionError(13, "Permission denied"),
            1,
            "nsunit: Permission denied\n  hint: run it as root, or with --user for containers of your own\n",
        ),
        (
            ZeroDivisionError("division by zero"),
            1,
            "nsunit: internal error: ZeroDivisionError: division by zero\n"
            "  hint: this is a bug in nsunit; '--debug' shows where\n",
        ),
        (MemoryError(), 1, "nsunit: there is not enough memory\n"),
        (KeyboardInterrupt(), 130, ""),
        (main.Terminated(15), 143, ""),
    ],
)
def test_errors_become_lines_and_exit_statuses(nsunit, manager, error, status, err):
    def list_containers(_context, **_options):
        raise error

    manager("deeds.look.states", list_containers=list_containers)
    assert nsunit("list") == (status, "", err)


@pytest.mark.parametrize(
    ("path", "there", "hint"),
    [
        (
            "/home/joe/.config/nsunit",
            True,
            "with --user it uses what is the calling user's, 'ls -ld' shows whose",
        ),
        ("/run/user/1000", True, "with --user it uses what is the calling user's, 'ls -ld' shows whose"),
        ("/run/user/1000", False, "the user's systemd runs while they are logged in"),
        ("/run/user/0/nsunit", True, "$XDG_RUNTIME_DIR is not this user's, which is '/run/user/1000'"),
    ],
)
def test_who_has_typed_user_is_not_told_to(nsunit, manager, monkeypatch, path, there, hint):
    """Neither to type --user, nor to be root, who may not."""

    def list_containers(_context, **_options):
        raise PermissionError(13, "Permission denied", path)

    manager("deeds.look.states", list_containers=list_containers)
    manager("core.context", open_user_context=lambda _warn: manager.context)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(posix, "access", lambda _path, _mode: there)
    status, _out, err = nsunit("--user", "list")
    assert status == 1
    assert err.startswith(f"nsunit: {path}: Permission denied\n  hint: {hint}")
    assert "run it as root" not in err


def test_debug_prints_a_traceback(nsunit, manager):
    manager("deeds.look.states", list_containers=lambda context, **_options: 1 / 0)
    _status, _out, err = nsunit("list", "--debug")
    assert "Traceback" in err
    _status, _out, err = nsunit("list", "--", "--debug")
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "error", [NotFoundError("web does not run"), OSError(24, "Too many"), MemoryError(), KeyError()]
)
def test_errors_of_a_session_do_not_look_like_the_payload_s(nsunit, manager, error):
    def execute(*_arguments, **_options):
        raise error

    manager("deeds.session.execute", execute=execute)
    assert nsunit("exec", "web", "ls")[0] == 125


def test_a_missing_command_of_a_session_keeps_its_status(nsunit, manager):
    class Missing(NsunitError):
        exit_status = 127

    def execute(*_arguments, **_options):
        raise Missing("no such command")

    manager("deeds.session.execute", execute=execute)
    assert nsunit("exec", "web", "ls")[0] == 127


def command(*argv, **options):
    environment = {**os.environ, "PYTHONPATH": ROOT}
    return subprocess.Popen([sys.executable, "-m", "nsunit.cli.main", *argv], env=environment, **options)


def test_a_closed_pipe_is_quiet():
    process = command("--help", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert (process.wait(), err) == (141, b"")


SLEEPER = """
import sys, time
import nsunit.cli.main as main
def run(arguments):
    try:
        print("ready", flush=True)
        time.sleep(60)
    finally:
        print("undone", flush=True)
main._run = run
sys.exit(main.main(["start", "web"]))
"""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_signals_unwind(number, status):
    environment = {**os.environ, "PYTHONPATH": ROOT}
    process = subprocess.Popen([sys.executable, "-c", SLEEPER], env=environment, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    began = time.monotonic()
    process.send_signal(number)
    assert process.stdout.read() == b"undone\n"
    process.stdout.close()
    assert process.wait() == status
    assert time.monotonic() - began < 10


SWALLOWED = """
import os, sys, time
import nsunit.cli.main as main
class Late:
    def __del__(self):
        os.kill(os.getpid(), {number})
def run(arguments):
    try:
        {how}
        time.sleep(20)
        os.write(2, b"forgotten")
    finally:
        os.write(1, b"undone")
main._run = run
sys.argv = ["nsunit", "start", "web"]
main.run()
"""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("how", ["import late", "Late()"])
def test_signals_where_no_exception_gets_out(tmp_path, number, status, how):
    """PyYAML's module in C says so of a KeyboardInterrupt, and goes on; a destructor does the same."""
    late = (
        f"import os\ntry:\n    os.kill(os.getpid(), {int(number)})\nexcept BaseException as error:\n    print(error)\n"
    )
    (tmp_path / "late.py").write_text(late)
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{tmp_path}"}
    script = SWALLOWED.format(number=int(number), how=how)
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (status, b"undone", b"")


def test_an_interrupt_while_the_command_is_loaded(tmp_path):
    package = tmp_path / "nsunit/cli"
    package.mkdir(parents=True)
    (package.parent / "light.py").touch()
    shutil.copy(Path(ROOT, "nsunit/bytecode.py"), package.parent)
    (package / "main.py").write_text("import os\nos.kill(os.getpid(), 2)\n")
    script = Path(ROOT, "packaging/debian/nsunit").read_text().replace("/usr/lib/python3/dist-packages", str(tmp_path))
    done = subprocess.run([sys.executable, "-SIc", script], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, b"")


def test_ignored_signals_stay_so():
    """As of nohup(1)."""
    script = (
        "import signal; signal.signal(1, signal.SIG_IGN); import nsunit.cli.main as main; main.main(['--version']);"
    )
    script += "print(signal.getsignal(1) == signal.SIG_IGN)"
    environment = {**os.environ, "PYTHONPATH": ROOT}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("\nTrue\n")


def test_the_core_imports_nothing_heavy():
    """The start path's budget: what `nsunit start` imports before the verb's own modules."""
    script = (
        "import os, sys; before = set(sys.modules); import nsunit.cli.main as main;"
        "main.find_verb('start');"
        "print(*sorted(set(sys.modules) - before))"
    )
    environment = {**os.environ, "PYTHONPATH": ROOT}
    found = subprocess.run(
        ["/usr/bin/python3", "-S", "-c", script], env=environment, stdout=subprocess.PIPE, check=True, text=True
    ).stdout.split()
    own = {name for name in found if name.split(".")[0] == "nsunit"}
    assert own == {
        "nsunit",
        "nsunit.bytecode",
        "nsunit.cli",
        "nsunit.cli.lifecycle",
        "nsunit.cli.main",
        "nsunit.cli.verbs",
        "nsunit.errors",
        "nsunit.features",
        "nsunit.names",
        "nsunit.record",
    }
    assert set(found) - own <= {"__future__", "gc"}


@pytest.mark.parametrize(
    ("line", "status", "said"),
    [
        ("--version >/dev/full", 1, "nsunit: standard output: No space left on device\n"),
        ("--version >&-", 1, "nsunit: standard output: Bad file descriptor\n"),
        ("ns --help >/dev/full", 1, "nsunit: standard output: No space left on device\n"),
        ("--version <&- >/dev/null", 0, ""),
        ("strat 2>/dev/full", 2, ""),
        ("strat 2>&-", 2, ""),
        ("--version >&- 2>&-", 1, ""),
        ("strat <&- 2>&1 >&-", 2, None),
    ],
)
def test_standard_streams_that_are_closed_or_full(line, status, said):
    command = f"'{sys.executable}' -c 'from nsunit.cli.main import run; run()' {line}"
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == status
    assert said is None or done.stderr == said
