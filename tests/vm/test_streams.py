"""Standard streams and terminals: of sessions, of foreground runs, and of payloads with `Output=pipe`."""

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path

import pytest
from waiting import wait_until

BUSYBOX = "/srv/roots/busybox"
SLEEPER = f"[Container]\nLayer={BUSYBOX}\nVolatile=yes\nExec=/bin/sleep 1000000\n"
BY_NAME = "echo out >/dev/stdout; cat /dev/stdin; echo err >/dev/stderr; stat -Lc %u /dev/stdin /dev/stdout"
SIZE = struct.pack("4H", 33, 77, 0, 0)


@pytest.fixture(scope="module")
def web(shared):
    return shared.start(SLEEPER, "streams-web")


@pytest.fixture
def shell(run):
    """Run a line, which may fail."""
    return lambda line, **options: run(line, check=False, **options)


@pytest.fixture(params=["exec", "run"])
def session(request, web):
    """The beginning of a command line with a command in a container that runs, or in one of its own."""
    own = f"nsunit run -i -p Layer={BUSYBOX} -p User=1000"
    return f"nsunit exec -i -u 1000 {web.name}" if request.param == "exec" else own


def test_they_can_be_opened_by_name(session, workplace, shell):
    """Whatever they are outside: pipes, files, or nothing that could be opened at all."""
    done = shell(f"{session} sh -c '{BY_NAME}'", input="in\n")
    assert (done.stdout, done.stderr) == ("out\nin\n1000\n1000\n", "err\n")
    file = workplace / "output"
    shell(f"echo in | {session} sh -c '{BY_NAME}' >{file} 2>&1")
    assert file.read_text() == "out\nin\nerr\n1000\n1000\n"  # in order, since both go to the same place
    before = file.stat()
    assert (before.st_uid, before.st_mode & 0o777) == (0, 0o644)
    shell(f"{session} sh -c 'echo more; chmod 777 /dev/stdout; cat' <{file} >>{file}")
    assert file.read_text().startswith("out\nin\nerr\n1000\n1000\nmore\n")
    assert (file.stat().st_uid, file.stat().st_mode & 0o777) == (0, 0o644)


def ignoring_and_blocking():
    """Be as some are who start others: they wait for no child, and have signals for other times."""
    for number in (signal.SIGCHLD, signal.SIGQUIT, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})


def test_signals_that_the_caller_ignores_and_blocks(session):
    """Neither keeps the command from waiting for its processes, nor gets into the container."""
    argv = [*session.split(), "grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"]
    done = subprocess.run(
        argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, preexec_fn=ignoring_and_blocking
    )
    assert (done.returncode, done.stderr, done.stdout.split()[1::2]) == (0, "", ["0" * 16] * 2)


def test_input_takes_asking_for(web, shell):
    done = shell(f"printf 'one\\ntwo\\n' | while read line; do nsunit exec {web.name} cat; echo $line; done")
    assert done.stdout == "one\ntwo\n"
    assert shell(f"nsunit exec -i {web.name} wc -c", input="x" * 300_000).stdout == "300000\n"


def test_both_directions_at_once(web):
    """More than both pipes hold goes in and comes out while the reader is late."""
    words = ["nsunit", "exec", "-i", web.name, "cat"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        os.set_blocking(process.stdin.fileno(), False)
        sent = received = 0
        total = 3 << 20
        while received < total:
            wanted = [process.stdin] if process.stdin and sent < total else []
            readable, writable, _ = select.select([process.stdout], wanted, [], 60)
            assert readable or writable, (sent, received)
            if writable:
                sent += os.write(process.stdin.fileno(), b"x" * min(1 << 16, total - sent))
            else:
                received += len(os.read(process.stdout.fileno(), 1 << 16))
        process.stdin.close()
        assert process.wait(60) == 0


def test_streams_that_cannot_be_used(web, shell):
    done = shell(f"(nsunit exec {web.name} yes; echo status $? >&2) | head -n 1")
    assert (done.stdout, done.stderr) == ("y\n", "status 141\n")
    full = shell(f"nsunit exec {web.name} echo hello >/dev/full")
    assert (full.returncode, full.stderr) == (125, "nsunit: standard output: No space left on device\n")
    wrong = shell(f"nsunit exec -i {web.name} cat <&-")
    assert (wrong.returncode, wrong.stderr) == (125, "nsunit: standard input: Bad file descriptor\n")
    closed = shell(f"nsunit exec {web.name} sh -c 'cat; exit 3' <&- 2>&-")
    assert (closed.returncode, closed.stdout) == (3, "")


def test_what_is_left_behind_is_not_waited_for(web, shell):
    done = shell(f"nsunit exec {web.name} sh -c 'sleep 1000 & yes | head -c 150000; exit 4'")
    assert (done.returncode, len(done.stdout)) == (4, 150_000)
    status, seen = at_terminal("nsunit", "exec", "-t", web.name, "sh", "-c", "setsid sleep 1000 & seq 1000; exit 5")
    assert (status, seen.split()[-1]) == (5, "1000")
    endless = shell(f"(nsunit exec {web.name} sh -c 'yes & sleep 0.2; exit 6'; echo $?) | tail -n 1")
    assert endless.stdout == "6\n"


def test_a_reader_that_is_late_keeps_no_container_from_its_end(containers, nsunit):
    """A PID namespace lasts until the ended processes that have joined it from outside were waited for."""
    container = containers.start(SLEEPER)
    with subprocess.Popen(["nsunit", "exec", container.name, "yes"], stdout=subprocess.PIPE) as process:
        process.stdout.read(1)
        nsunit("kill", "--signal=SIGKILL", container.name)
        wait_until(lambda: container.show("ActiveState")["ActiveState"] == "failed", "it has ended")
        assert set(process.stdout.read()) == set(b"y\n")
        assert process.wait(60) == 128 + signal.SIGKILL


@pytest.mark.parametrize("verb", ["exec", "run"])
def test_the_terminal_has_its_size_from_the_beginning(web, verb):
    words = ("exec", web.name) if verb == "exec" else ("run", "-p", f"Layer={BUSYBOX}")
    for _ in range(5):
        assert at_terminal("nsunit", *words, "stty", "size") == (0, "33 77\r\n")


def test_a_user_of_the_container(web, run):
    assert run("nsunit", "exec", "--user", "1000", web.name, "id", "-u").stdout == "1000\n"
    assert run("nsunit", "exec", "--user=1000:7", web.name, "id", "-g").stdout == "7\n"


def at_terminal(*words):
    """Run a command at a terminal of 33 rows and 77 columns; returns its status, and what it has written there."""
    master, slave = pty.openpty()
    fcntl.ioctl(master, termios.TIOCSWINSZ, SIZE)
    process = subprocess.Popen(words, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    os.close(slave)
    seen = b""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if select.select([master], [], [], 1)[0]:
            try:
                seen += os.read(master, 65536)
            except OSError:  # EIO: nobody has it any more
                break
    os.close(master)
    return process.wait(60), seen.decode()


def logged(container, run):
    """What the container's unit has in the journal, from whatever program."""
    words = ("journalctl", "--sync"), ("journalctl", "-o", "cat", "-t", container.name, "-u", container.service)
    return [run(*command).stdout for command in words][-1]


TALKER = """
echo by name >/dev/stdout
echo error by name >/dev/stderr
echo '<3>plain'
stat -Lc %u /dev/stdout
exec sleep 1000000
"""


def carriers(container, count=1):
    """The processes that carry its output, as soon as there are so many."""

    def find():
        found = []
        for path in (container.cgroup / container.service).rglob("cgroup.procs"):
            for pid in members(path):
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # the helper ends in that moment
                    found += [int(pid)] if Path(f"/proc/{pid}/comm").read_text() == "cat\n" else []
        return found if len(found) == count else None

    return wait_until(find)


def members(path):
    return path.read_text().split()


@pytest.mark.parametrize("lines", [(), ("User=1000",), ("", "[Service]", "Delegate=no", "KillMode=control-group")])
def test_output_of_a_payload(containers, program, run, lines):
    # The carrier shall hear signals as well, so the program is one that is deaf to them.
    soon = ("[Service]", "TimeoutStopSec=500ms")
    container = containers.start(program(TALKER, "Output=pipe", *lines, *soon))
    user = "1000" if "User=1000" in lines else "0"
    said = f"by name\nerror by name\nplain\n{user}\n"
    wait_until(lambda: logged(container, run) == said, said)
    (carrier,) = carriers(container)
    inside = container.exec("cat", "/sys/fs/cgroup/cgroup.procs").stdout.split()
    assert "0" not in inside or "Delegate=no" in lines  # what is not of the container's PID namespace
    if lines:
        return
    memory = Path(f"/proc/{carrier}/smaps_rollup").read_text()
    own = [int(line.split()[1]) for line in memory.splitlines() if line.startswith("Private_")]
    assert sum(own) <= 300, memory  # KiB; the rest is the C library, which all programs share
    run("systemctl", "kill", "--signal=USR1", "--kill-whom=all", container.service)
    run("systemctl", "restart", container.service)
    wait_until(lambda: logged(container, run) == said * 2, said * 2)
    assert carriers(container) != [carrier]


@pytest.mark.parametrize("status", [0, 3])
def test_the_last_words_are_heard(containers, program, run, status):
    """However slow the carrier is, the unit has not ended before they are in the journal."""
    script = (
        f"trap 'echo last words >/dev/stderr; exit {status}' USR1; echo >/tmp/report end; while :; do sleep 0.1; done"
    )
    container = containers.start(program(script, "Output=pipe"))
    container.report()
    (carrier,) = carriers(container)
    os.kill(carrier, signal.SIGSTOP)
    os.kill(container.pid, signal.SIGUSR1)
    wait_until(lambda: container.show("ActiveState")["ActiveState"] != "active")
    os.kill(carrier, signal.SIGCONT)
    ended = "failed" if status else "inactive"
    wait_until(lambda: container.show("ActiveState")["ActiveState"] == ended, ended)
    assert logged(container, run) == "last words\n"


@pytest.mark.parametrize("words", [("kill", "-s", "KILL"), ("stop", "--now")])
def test_the_last_words_of_who_is_killed_are_heard(containers, program, nsunit, run, words):
    script = "until [ -e /tmp/go ]; do sleep 0.1; done; echo last words; echo >/tmp/report end; exec sleep 1000"
    container = containers.start(program(script, "Output=pipe"))
    (carrier,) = carriers(container)
    os.kill(carrier, signal.SIGSTOP)
    container.exec("touch", "/tmp/go")
    container.report()
    with subprocess.Popen(["nsunit", *words, container.name]) as process:
        wait_until(lambda: container.show("ActiveState")["ActiveState"] != "active")
        os.kill(carrier, signal.SIGCONT)
        assert process.wait(60) == 0
    wait_until(lambda: logged(container, run) == "last words\n")


def test_carriers_do_not_add_up(containers, program, run):
    """Somebody else was given the pipe, and has it over a restart."""
    text = program("trap exit TERM; sleep 1000 & wait", "Output=pipe")
    some = [containers.start(text), containers.start(text + "[Service]\nDelegate=no\n")]
    before = [carriers(container) for container in some]
    with contextlib.ExitStack() as stack:
        for container in some:
            stack.enter_context(open(f"/proc/{container.show('MainPID')['MainPID']}/fd/1", "w"))
        run("systemctl", "restart", *(container.service for container in some))
        for container, old in zip(some, before, strict=True):
            assert carriers(container) != old


def test_where_it_goes(containers, program, run, workplace):
    """Elsewhere as the unit says; a foreground run has its own; a container that does not ask has no carrier."""
    file = workplace / "out"
    script = "echo out >/dev/stdout; echo err >/dev/stderr; exec sleep 1000"
    lines = ("Output=pipe", "", "[Service]", f"StandardOutput=append:{file}", "StandardError=journal")
    container = containers.start(program(script, *lines))
    wait_until(lambda: file.exists() and file.read_text() == "out\n" and logged(container, run) == "err\n")
    carriers(container, 2)
    words = ("-p", f"Layer={BUSYBOX}", "-p", "Output=pipe", "sh", "-c", "echo by name >/dev/stdout")
    assert run("nsunit", "run", *words).stdout == "by name\n"
    plain = containers.start(SLEEPER)
    wait_until(lambda: members(plain.cgroup / plain.service / "payload/cgroup.procs") == [str(plain.pid)])
    wait_until(lambda: members(plain.cgroup / plain.service / "cgroup.procs") == [], "the end of the helper")


def test_a_program_that_needs_a_pipe_is_told_so(containers, program, nsunit, run):
    container = containers.start(program("echo hello >/dev/stdout; exec sleep 1000"))
    wait_until(lambda: "No such device or address" in logged(container, run))
    hint = "  hint: a program that opens /dev/stdout or /dev/stderr by name needs Output=pipe in [Container]\n"
    assert nsunit("status", container.name).stdout.endswith(hint)


def test_where_a_program_that_has_failed_has_said_why(containers, program, nsunit, workplace):
    """To open a file of the host's by name is refused, and that is said in the file."""
    file = workplace / "output"
    lines = ("", "[Service]", f"StandardOutput=append:{file}")
    container = containers.start(program("echo hello >/dev/stdout; exit 3", *lines))
    wait_until(lambda: container.show("ActiveState")["ActiveState"] == "failed")
    assert "Permission denied" in file.read_text()
    by_name = "a program that opens /dev/stdout or /dev/stderr by name needs Output=pipe in [Container]"
    shown = nsunit("status", container.name, check=False).stdout
    assert f"Note: what it has said of that is in '{file}' (StandardOutput=); {by_name}\n" in shown
