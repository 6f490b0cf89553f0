"""nsunit without the start of an interpreter: a process that has imported it forks for every command.

In an emulated machine the interpreter's start and the imports are most of what a command costs, and the tests run some
thousands of them.  A command is a process of its own all the same, with its own words, environment, directory and
descriptors, as root, against the same systemd; what is left out is what tests of single commands show, see
`test_start_path.py` and every test that gives a line to the shell.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import json
import os
import pkgutil
import select
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

PACKAGES = "/usr/lib/python3/dist-packages"
NO_MODULES = ("nsunit.oci.run", "nsunit.setup.run", "nsunit.run")  # these are programs
MESSAGE = 200_000  # bytes


class Warm:
    """The process that forks, seen from the tests.  It ends with them, when nobody can ask it any more.

    The words of *prefix* execute it, as another user for instance.
    """

    def __init__(self, prefix: Sequence[str] = ()) -> None:
        self.own, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = (*prefix, "/usr/bin/python3", "-SI", __file__, str(theirs.fileno()))
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()])
        theirs.close()

    def close(self) -> None:
        """End it."""
        self.own.close()
        self.process.wait()

    def run(
        self,
        words: Sequence[str],
        *,
        text: str,
        env: Mapping[str, str],
        cwd: str,
        timeout: float,
        hit: Sequence[int | str] = (),
    ) -> subprocess.CompletedProcess[str]:
        """Run `nsunit` with these *words*, and *text* on its standard input; as subprocess.run() does.

        *hit* says which signal comes where, see `interrupting.prepare`.
        """
        control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        stdin = _input(text)
        stdout_reader, stdout = os.pipe()
        stderr_reader, stderr = os.pipe()
        given = json.dumps({"words": words, "env": dict(env), "cwd": cwd, "hit": hit}).encode()
        socket.send_fds(self.own, [given], [theirs.fileno(), stdin, stdout, stderr])
        theirs.close()
        for fd in (stdin, stdout, stderr):
            os.close(fd)
        with control:
            said = _read_all((stdout_reader, stderr_reader), time.monotonic() + timeout)
            if said is None or not select.select([control], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(words, timeout)  # the end of *control* kills it
            status = json.loads(control.recv(100))
        return subprocess.CompletedProcess(words, status, *said)


def _input(text: str) -> int:
    """A descriptor from which *text* can be read, and then an end."""
    if not text:
        return os.open(os.devnull, os.O_RDONLY)
    reader, writer = os.pipe()
    data = text.encode()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, max(1 << 16, len(data)))
    os.write(writer, data)
    os.close(writer)
    return reader


def _read_all(fds: Sequence[int], deadline: float) -> list[str] | None:
    """Read *fds* to their ends and close them; None if the *deadline* passes before."""
    found = dict.fromkeys(fds, b"")
    with selectors.DefaultSelector() as selector:
        for fd in fds:
            selector.register(fd, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                break
            for key, _ in ready:
                data = os.read(key.fd, 65536)
                found[key.fd] += data
                if not data:
                    selector.unregister(key.fd)
        complete = not selector.get_map()
    for fd in fds:
        os.close(fd)
    return [found[fd].decode() for fd in fds] if complete else None


def serve(requests: socket.socket) -> None:
    """Import all of nsunit, and fork for every request until there can be no more and all have been answered."""
    sys.path.append(PACKAGES)
    prepare()
    with selectors.DefaultSelector() as selector:
        selector.register(requests, selectors.EVENT_READ)
        while selector.get_map():
            key, _ = selector.select()[0]  # what comes of it may be the end of the next one
            if key.data:
                finish(key.data, key.fd, selector)
            elif command := begin(requests):
                selector.register(command.control, selectors.EVENT_READ, command)
                selector.register(command.watcher, selectors.EVENT_READ, command)
            else:
                selector.unregister(requests)


def prepare() -> None:
    """Load what commands load, the modules and what these load when it is needed, and compile the templates."""
    import nsunit

    for module in pkgutil.walk_packages(nsunit.__path__, "nsunit."):
        if module.name not in NO_MODULES:
            __import__(module.name)
    from nsunit.bus import marshal
    from nsunit.dropins import render

    marshal.load_dbuslib()
    for escape in (False, True):
        environment = render._environment(escape)
        for template in environment.list_templates(extensions=["j2"]):
            environment.get_template(template)
    gc.collect()
    gc.freeze()  # a collection in a command would copy the pages of all this


class Command:
    """A command that runs: *control* is whom to tell its status, *watcher* is readable when it has ended."""

    def __init__(self, pid: int, control: socket.socket) -> None:
        self.pid = pid
        self.control = control
        self.watcher = os.pidfd_open(pid)


def begin(requests: socket.socket) -> Command | None:
    """Begin the command of the next request; None if there will be no more."""
    message, fds, _, _ = socket.recv_fds(requests, MESSAGE, 4)
    if not message:
        return None
    pid = os.fork()
    if pid == 0:
        become(json.loads(message), fds[1:])
    for fd in fds[1:]:
        os.close(fd)
    return Command(pid, socket.socket(fileno=fds[0]))


def become(given: dict[str, Any], streams: Sequence[int]) -> NoReturn:
    """Be the command from here on."""
    for number, fd in enumerate(streams):
        os.dup2(fd, number)
    os.closerange(3, 1 << 16)
    os.environ.clear()
    os.environ.update(given["env"])
    os.chdir(given["cwd"])
    sys.argv = ["nsunit", *given["words"]]
    sys.orig_argv = ["/usr/bin/python3", "-SI", "/usr/bin/nsunit", *given["words"]]
    if given["hit"]:
        sys.path.append(os.path.dirname(__file__))
        import interrupting

        interrupting.prepare(*given["hit"])
    from nsunit.cli.main import run

    run()
    os._exit(1)  # it does not return


def finish(command: Command, fd: int, selector: selectors.BaseSelector) -> None:
    """Say the status of a command that has ended as subprocess does; kill it when nobody wants to know any more."""
    if fd != command.watcher:
        os.kill(command.pid, signal.SIGKILL)
        selector.unregister(command.control)  # its end is waited for as that of others
        return
    status = os.waitstatus_to_exitcode(os.waitpid(command.pid, 0)[1])
    with contextlib.suppress(OSError):  # whoever asked may be gone by now
        command.control.send(json.dumps(status).encode())
    with contextlib.suppress(KeyError):
        selector.unregister(command.control)
    selector.unregister(command.watcher)
    command.control.close()
    os.close(command.watcher)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
