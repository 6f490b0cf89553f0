"""Standard streams and terminals: of sessions, of foreground runs, and of payloads with `Output=pipe`."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time

import pytest

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


def test_a_reader_that_has_gone_ends_the_command(web, shell):
    done = shell(f"(nsunit exec {web.name} yes; echo status $? >&2) | head -n 1")
    assert (done.stdout, done.stderr) == ("y\n", "status 141\n")
    full = shell(f"nsunit exec {web.name} echo hello >/dev/full")
    assert (full.returncode, full.stderr) == (125, "nsunit: standard output: No space left on device\n")
    closed = shell(f"nsunit exec {web.name} sh -c 'cat; exit 3' <&- 2>&-")
    assert (closed.returncode, closed.stdout) == (3, "")


def test_what_is_left_behind_is_not_waited_for(web, shell):
    done = shell(f"nsunit exec {web.name} sh -c 'sleep 1000 & yes | head -c 150000; exit 4'")
    assert (done.returncode, len(done.stdout)) == (4, 150_000)
    status, seen = at_terminal("nsunit", "exec", "-t", web.name, "sh", "-c", "setsid sleep 1000 & seq 1000; exit 5")
    assert (status, seen.split()[-1]) == (5, "1000")


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
