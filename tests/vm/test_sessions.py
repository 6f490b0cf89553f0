"""Commands in containers, and containers in the foreground: `exec` and `run`, with a terminal and without."""

import contextlib
import json
import os
import pty
import select
import signal
import subprocess
import time
from pathlib import Path

from speaking import web
from waiting import wait_until

__all__ = ["web"]  # a fixture

BUSYBOX = "/srv/roots/busybox"


# exec


def test_exec_status(web):
    assert web.exec("sh", "-c", "exit 7", check=False).returncode == 7
    assert web.exec("sh", "-c", "kill -TERM $$", check=False).returncode == 128 + signal.SIGTERM
    missing = web.exec("missing", check=False)
    assert missing.returncode == 127
    assert missing.stderr.splitlines()[0] == (
        f"nsunit: {web.name}: Failed to execute 'missing': No such file or directory"
    )
    assert web.exec("/etc/passwd", check=False).returncode == 126
    wait_until(lambda: not list(web.cgroup.glob("*.scope")))


def test_exec_where_no_more_processes_are_allowed(containers):
    """As after a fork bomb: it says what is in the way."""
    program = f"Rootfs={BUSYBOX}\nVolatile=yes\nExec=/bin/sh -c 'sleep 1000 & wait'\n"
    container = containers.start(f"[Container]\n{program}[Service]\nLimitNPROC=2\n")
    wait_until(lambda: "sleep" in programs_in(container.cgroup / container.service / "payload"), "both")
    refused = container.exec("true", check=False)
    assert (refused.returncode, refused.stderr) == (
        125,
        f"nsunit: {container.name}: Failed to make a process: TasksMax= or LimitNPROC= allows no more\n",
    )


def test_exec_streams(web):
    assert web.exec("cat", input="one\ntwo\n").stdout == "one\ntwo\n"
    assert web.exec("cat").stdout == ""  # standard input is /dev/null
    both = web.exec("sh", "-c", "echo out; echo err >&2")
    assert (both.stdout, both.stderr) == ("out\n", "err\n")
    size = 1 << 20
    assert len(web.exec("head", "-c", str(size), "/dev/zero").stdout) == size


def test_exec_surroundings(web):
    seen = "id; pwd; hostname; echo $OWN $MORE; env | grep -c ^HOME=; ulimit -n; ulimit -Hn"
    printed = web.exec("sh", "-c", seen).stdout.splitlines()
    assert printed == ["uid=0(root) gid=0(root)", "/usr", web.name, "definition", "1", "700", "900"]
    words = ("nsunit", "exec", "-u", "app", "-w", "/tmp", "-e", "OWN=mine", "-e", "MORE", web.name)
    script = "id; pwd; echo $OWN $MORE $HOME; grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status"
    environment = {**os.environ, "MORE": "passed on", "SECRET": "kept"}
    done = subprocess.run([*words, "sh", "-c", script], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.splitlines() == [
        "uid=1000(app) gid=1000(app) groups=4(adm)",
        "/tmp",
        "mine passed on /tmp",
        "CapEff:\t0000000000000000",
        "CapBnd:\t00000000800405fb",
        "NoNewPrivs:\t1",
        "Seccomp:\t2",
    ]
    leaked = subprocess.run([*words, "env"], capture_output=True, text=True, env=environment, check=True).stdout
    assert "SECRET" not in leaked


def test_exec_is_in_every_namespace_and_in_the_slice(web):
    script = "for kind in cgroup ipc mnt net pid time user uts; do readlink /proc/self/ns/$kind; done; cat /proc/1/comm"
    lines = web.exec("sh", "-c", script).stdout.splitlines()
    kinds = ("ipc", "mnt", "net", "pid", "time", "user", "uts")
    assert lines[1:-1] == [os.readlink(f"/proc/{web.pid}/ns/{kind}") for kind in kinds]
    wait_until(lambda: not list(web.cgroup.glob("*.scope")))  # of the session before
    with subprocess.Popen(["nsunit", "exec", web.name, "sleep", "1000"], stdin=subprocess.DEVNULL) as session:
        wait_until(lambda: list(web.cgroup.glob("*-exec-*.scope")))
        (scope,) = web.cgroup.glob("*-exec-*.scope")
        described = {"Description": f"sleep in container {web.name}"}
        wait_until(lambda: web.show("Description", unit=scope.name) == described)
        # A signal to the command reaches what it runs.
        wait_until(lambda: "sleep" in programs_in(scope))
        session.terminate()
        assert session.wait(60) == 128 + signal.SIGTERM
    wait_until(lambda: not list(web.cgroup.glob("*.scope")))


def members(cgroup):
    return (cgroup / "cgroup.procs").read_text().split()


def programs_in(cgroup):
    """The names of its processes, but for those that have just ended."""
    found = set()
    for pid in members(cgroup):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found.add(Path(f"/proc/{pid}/comm").read_text().strip())
    return found


class Terminal:
    """A command at a terminal of its own."""

    def __init__(self, *words):
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.execvp(words[0], words)
        self.seen = ""

    def expect(self, text, timeout=60):
        deadline = time.monotonic() + timeout
        while text not in self.seen:
            ready, _, _ = select.select([self.master], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"{text!r} did not come, only {self.seen!r}"
            self.seen += os.read(self.master, 4096).decode()

    def type(self, text):
        os.write(self.master, text.encode())

    def close(self):
        _, status = os.waitpid(self.pid, 0)
        os.close(self.master)
        return os.waitstatus_to_exitcode(status)


def test_exec_with_a_terminal(web):
    terminal = Terminal("sh", "-c", f"stty rows 33 cols 77; exec nsunit exec -t {web.name} sh")
    terminal.type("echo $((40+2)); tty; stty size\n")
    terminal.expect("42\r\n")
    terminal.expect("/dev/pts/0\r\n")  # of the container's own devpts
    terminal.expect("33 77\r\n")
    terminal.type("sleep 1000\n")
    wait_until(lambda: any("sleep" in programs_in(scope) for scope in web.cgroup.glob("*.scope")))
    terminal.type("\x03")  # Ctrl-C ends the sleep, not the session
    terminal.type("echo after $?\n")
    terminal.expect("after 130\r\n")
    terminal.type("exit 9\n")
    assert terminal.close() == 9


def test_an_unknown_container_in_exec(nsunit):
    done = nsunit("exec", "nobody-knows-it", "true", check=False)
    assert (done.returncode, done.stderr.splitlines()[0]) == (125, "nsunit: container 'nobody-knows-it' is not defined")


# run


def test_run_in_the_foreground(containers, nsunit):
    name = containers.own("verbs-run")
    words = ("run", "-i", "--name", name, "-p", f"Rootfs={BUSYBOX}", "-p", "Environment=A=1")
    words += ("-p", "Slice.TasksMax=20")
    done = nsunit(
        *words, "sh", "-c", 'read line; echo "$line" $A $$; grep ^0 /proc/self/cgroup; exit 4', input="x\n", check=False
    )
    assert (done.returncode, done.stdout) == (4, "x 1 1\n0::/\n")
    assert nsunit(*words, "sh", "-c", "kill -9 1; sleep 1; exit 3", check=False).returncode == 3
    assert nsunit(*words, "missing", check=False).returncode == 127
    refused = nsunit(*words, "-p", "Restart=always", "true", check=False)
    assert refused.returncode == 125
    assert refused.stderr.splitlines()[1] == "  hint: run it in the background with --detach"
    assert containers.left() == []
    with subprocess.Popen(["nsunit", *words, "sh", "-c", "trap 'exit 5' TERM; while :; do sleep 0.1; done"]) as session:
        container = containers.of(name)
        wait_until(lambda: list(container.cgroup.glob("*-run-*.scope")))
        assert container.limit("pids.max") == "20"
        wait_until(lambda: container.exec("true", check=False).returncode == 0)
        assert json.loads(nsunit("list", "--json", name).stdout)[0]["active_state"] == "active"
        time.sleep(1)
        session.terminate()
        assert session.wait(60) == 5
    assert containers.left() == []


def test_run_with_a_terminal():
    terminal = Terminal("nsunit", "run", "-t", "-p", f"Rootfs={BUSYBOX}", "sh")
    terminal.type("tty; echo pid $$\n")
    terminal.expect("/dev/pts/0\r\n")
    terminal.expect("pid 1\r\n")
    terminal.type("exit 6\n")
    assert terminal.close() == 6


def test_run_in_the_background(containers, nsunit):
    name = nsunit("run", "-d", "-p", f"Rootfs={BUSYBOX}", "-p", "MemoryMax=50M", "sleep", "1000").stdout.strip()
    container = containers.of(containers.own(name))
    assert name.startswith("run-")
    assert container.limit("memory.max") == str(50 << 20)
    again = nsunit("run", "-d", "--name", name, "-p", f"Rootfs={BUSYBOX}", "true", check=False)
    assert again.returncode == 125
    assert again.stderr.splitlines()[0] == f"nsunit: {name}: it is already running"
    nsunit("stop", name)
    assert containers.left() == []
