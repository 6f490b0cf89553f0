"""One release's system, booted as PID 1 of fresh namespaces on this host's kernel, and at its speed.

Its disk is a copy of the machine's, its mounts are in its own namespace, its processes in a cgroup of its own: nothing
of it stays on the host.
"""

import contextlib
import os
import select
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nsunit.storage.tree import remove_below

from . import owned
from .client import Commands, Lost, Sink, to_terminal

BOOT = Path(__file__).parent / "quick-boot"
BOOT_SECONDS = 120
END_SECONDS = 60
NAMESPACES = ("--mount", "--pid", "--uts", "--ipc", "--cgroup", "--net")
# What commands get that are run in it, the same as in a machine (guest/agent.py).
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "USER": "root",
    "LOGNAME": "root",
    "SHELL": "/bin/bash",
    "LANG": "C.UTF-8",
}
RAISED = [Path("/proc/sys/fs", name) for name in ("file-max", "nr_open")]
LEAF = "system.slice/test-agent.service"  # the cgroup of commands, as in a machine


def systems() -> Path:
    """Return the directory that holds one directory for every system."""
    return Path(os.environ.get("NSUNIT_SYSTEMS") or "/var/tmp/nsunit-systems")


def hierarchy() -> Path:
    """Return where cgroup2 is mounted.  Raises Lost where it is not."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        if after.split()[0] == "cgroup2":
            return Path(before.split()[4])
    raise Lost("no cgroup2 file system is mounted")


@contextmanager
def parameters_kept() -> Iterator[None]:
    """Have the kernel's parameters in the end that it has now: a systemd raises some, whose kernel it is or not."""
    before = {path: path.read_text() for path in RAISED}
    try:
        yield
    finally:
        for path, value in before.items():
            if path.read_text() != value:
                path.write_text(value)


class System:
    """A booted system by name; the object holds no state, all of it is in the system's directory."""

    def __init__(self, name: str):
        self.name = name
        self.directory = systems() / name

    @property
    def console(self) -> Path:
        """The file with what it printed on its console."""
        return self.directory / "console.log"

    @property
    def cgroup(self) -> Path:
        """Its cgroup.  Raises Lost where there is no cgroup2 file system."""
        return hierarchy() / f"nsunit-tests-{self.name}"

    def pid(self) -> int | None:
        """Return the process, as the host numbers it, that is PID 1 in there."""
        with contextlib.suppress(OSError, ValueError):
            if parent := owned.noted(self.directory / "pid"):
                return int(Path(f"/proc/{parent}/task/{parent}/children").read_text())
        return None

    def start(self, image: Path, *, tied: bool = False) -> None:
        """Start it from an image, which stays untouched; a tied one ends with this thread at the latest."""
        if self.pid():
            raise Lost(f"system {self.name} is running already")
        self.stop()
        owned.own(self.directory)
        self.directory.mkdir(parents=True, mode=0o700)
        disk = self.directory / "disk.ext4"
        subprocess.run(["cp", "--sparse=always", "--reflink=auto", image / "disk.ext4", disk], check=True)
        try:
            self.cgroup.mkdir()
        except OSError as error:
            raise Lost(f"no cgroup can be made: {error}") from error
        join = f'echo $$ > {shlex.quote(str(self.cgroup))}/cgroup.procs && exec "$@"'
        with self.console.open("wb") as console:
            process = subprocess.Popen(
                ["sh", "-c", join, "sh", "unshare", *NAMESPACES, "--fork", "--kill-child", BOOT, disk],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
                preexec_fn=owned.end_with_parent if tied else None,
            )
        owned.note(self.directory / "pid", process.pid)

    def wait_for_boot(self) -> None:
        """Return when systemd has finished starting. Raises Lost if it does not."""
        deadline, said = time.monotonic() + BOOT_SECONDS, "it never answered"
        while time.monotonic() < deadline:
            if self.pid():
                # Lost is one that is not inside of its own root yet, too.
                with contextlib.suppress(Lost), self.client() as client:
                    said = client.started(max(1.0, deadline - time.monotonic()))
                if said.startswith("running"):
                    return
            elif not owned.noted(self.directory / "pid"):  # whoever waits for its process 1
                break
            time.sleep(0.2)
        console = self.console.read_text(errors="replace")
        raise Lost(f"the system did not start properly: {' '.join(said.split())}: {' '.join(console.split()[-40:])}")

    @contextmanager
    def client(self, timeout: float = 0) -> Iterator[Commands]:
        """Have a way to run commands in it; it needs no time to answer."""
        yield Inside(self)

    def stop(self) -> None:
        """End it and remove what there is of it; without complaint if there is nothing."""
        pid = self.pid()
        if pid:
            owned.end(pid, END_SECONDS)
        with contextlib.suppress(Lost):  # without cgroup2 it never had one
            remove_cgroups(self.cgroup)
        shutil.rmtree(self.directory, ignore_errors=True)
        owned.disown(self.directory)


def remove_cgroups(top: Path) -> None:
    """Kill what was left in a cgroup, and remove it with those below; without complaint if there is none."""
    if top.exists():
        kill = top / "cgroup.kill"
        if kill.exists():
            kill.write_text("1")
        deadline = time.monotonic() + END_SECONDS
        while top.exists():
            # As soon as the last process is gone; by descriptors, since a test nests them deeper than paths reach.
            try:
                remove_below(str(top))
                top.rmdir()
            except FileNotFoundError:  # the system, while it lived
                continue
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)


def is_systemd(pid: int) -> bool:
    """Return whether a process is systemd by now: before, the root it has is still the host's."""
    try:
        return Path(f"/proc/{pid}/comm").read_text() == "systemd\n"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Inside(Commands):
    """Runs commands in a system: they enter its namespaces and a cgroup of its own.  Raises Lost if it is not up."""

    def __init__(self, system: System):
        pid = system.pid()
        if not pid or not is_systemd(pid):
            raise Lost(f"system {system.name} is not up")
        leaf = system.cgroup / LEAF
        # Made here, not by systemd inside, which has that unit masked.
        leaf.mkdir(parents=True, exist_ok=True)
        enter = ["nsenter", f"--target={pid}", *NAMESPACES, "--root", "--wd"]
        self.enter = ["sh", "-c", f'echo $$ > {shlex.quote(str(leaf))}/cgroup.procs && exec "$@"', "sh", *enter]

    def words(self, argv: list[str], env: dict[str, str] | None = None, cwd: str = "/root") -> list[str]:
        """Return the command that runs a command in there."""
        variables = [f"{name}={value}" for name, value in (ENVIRONMENT | (env or {})).items()]
        return [*self.enter, "env", "-i", f"--chdir={cwd}", *variables, *argv]

    def run(
        self,
        argv: list[str],
        sink: Sink = to_terminal,
        *,
        timeout: float | None = None,
        silence: float | None = None,
        env: dict[str, str] | None = None,
        stdin: bytes = b"",
        cwd: str = "/root",
    ) -> int:
        """Run a command as Commands.run() says."""
        words, pipe = self.words(argv, env, cwd), subprocess.PIPE
        with tempfile.TemporaryFile() as file:  # a command that does not read it keeps nobody waiting
            file.write(stdin)
            file.seek(0)
            source = file if stdin else subprocess.DEVNULL
            process = subprocess.Popen(words, stdin=source, stdout=pipe, stderr=pipe, bufsize=0)
        assert process.stdout and process.stderr
        with process.stdout, process.stderr, contextlib.closing(Pidfd(process.pid)) as watcher:
            streams = {process.stdout.fileno(): 1, process.stderr.fileno(): 2}
            deadline = None if timeout is None else time.monotonic() + timeout
            try:
                pump(watcher.fd, streams, sink, deadline, silence)
            except Lost as error:
                process.kill()
                raise Lost(f"'{' '.join(argv[:3])} …': {error}") from None
            finally:
                process.wait()
        return process.returncode

    def put(self, archive: bytes, path: str = "/", prune: tuple[str, ...] = (), timeout: float = 120) -> None:
        """Unpack a tar file in it; what is below the `prune` directories is removed before."""
        script = f"rm -rf {' '.join(prune)} && tar -C {path} -xz --no-overwrite-dir"
        if self.run(["sh", "-c", script], stdin=archive, timeout=timeout):
            raise Lost("unpacking in the system failed")


class Pidfd:
    """A descriptor of a process, which can be read when it has ended."""

    def __init__(self, pid: int):
        self.fd = os.pidfd_open(pid)

    def close(self) -> None:
        """Close it."""
        os.close(self.fd)


def pump(watcher: int, streams: dict[int, int], sink: Sink, deadline: float | None, silence: float | None) -> None:
    """Pass output on until the process has ended.  Raises Lost when its time is over, or nothing comes for too long.

    A daemon that it left behind may keep the pipes open: after the end only what is there at once is read.
    """
    streams, heard, ended = dict(streams), time.monotonic(), False
    while True:
        limits = [heard + silence] if silence is not None else []
        limits += [deadline] if deadline is not None else []
        wait = 0.0 if ended else max(0.0, min(limits) - time.monotonic()) if limits else None
        ready = select.select([*streams, *([] if ended else [watcher])], [], [], wait)[0]
        if ended and not ready:
            return
        if deadline is not None and time.monotonic() >= deadline:
            raise Lost("it took longer than it may")
        if not ready:
            raise Lost(f"no word from it for {silence:.0f} s")
        for fd in ready:
            if fd == watcher:
                ended = True
            elif data := os.read(fd, 1 << 16):
                heard = time.monotonic()
                sink(streams[fd], data)
            else:
                del streams[fd]
