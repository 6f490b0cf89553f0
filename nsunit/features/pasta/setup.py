"""The network of a container without root: pasta(1) carries its connections as the user's own.

pasta configures a tap device in the container's network namespace and is the other end of it.  It is a process beside
the payload in the unit, and systemd ends it with that.  A scope does not end with its payload: of a container in the
foreground the command ends it, and where that is killed, the process that has started pasta.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C halves: the Python halves import enum
import _socket
import os
import select
import struct

from nsunit.setup import linux
from nsunit.setup.build import Build
from nsunit.setup.operation import Operation

# Nothing of the host's loopback is to be reached.
OPTIONS: tuple[str, ...] = ("--config-net", "--netns-only", "--no-netns-quit", "--no-map-gw", "--quiet")
OPTIONS += ("-T", "none", "-U", "none")
FORWARDS = ("-t", "-u")  # ports of the host that lead in, by TCP and UDP; all that are listened to unless it is told
# pasta takes the link with the first route for a model, and sets none of a link that is down.  Another one may lead
# somewhere; if none does, the container gets what pasta itself gives where there is no route at all.
ROUTES_REFUSED = (b"Couldn't set IPv4 route", b"Couldn't set IPv6 route")
ALONE = ("-4", "-a", "169.254.2.1", "-n", "16", "-g", "169.254.2.2")
MESSAGE_MAX = 1024


class Pasta(Operation):
    """Connect the container's network namespace by *program*; *forwards* are its options for what leads in and out."""

    __slots__ = ("program", "forwards")
    keyword = "pasta"
    leaves_process = True
    rest = "forwards"
    enters = True
    program: str
    forwards: tuple[str, ...]

    def describe(self) -> str:
        """See Operation."""
        return f"connect the network by '{self.program}'"

    def join(self, build: Build) -> None:
        """Fork the process that starts pasta: in the unit's cgroup, but outside of the container's namespaces."""
        ours, theirs = _socket.socketpair()
        child = os.fork()
        if child == 0:
            try:
                ours.close()
                self._assist(theirs)
            finally:
                os._exit(0)
        build.assistant = ours

    def _assist(self, link: _socket.socket) -> None:
        linux.close_range(0, link.fileno() - 1)
        linux.close_range(link.fileno() + 1)
        _, rights, _, _ = link.recvmsg(1, _socket.CMSG_SPACE(8))
        if not rights:
            return  # the set-up has failed before
        netns, *payload = (fd for (fd,) in struct.iter_unpack("i", rights[0][2]))
        if payload:
            linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)  # pasta stays its child when it goes to the background
        # Else pasta could not open the descriptor there: it may have given up its own capabilities by then.
        linux.capset(0)
        linux.prctl(linux.PR_SET_DUMPABLE, 1)
        closed = [word for option in FORWARDS if option not in self.forwards for word in (option, "none")]
        argv = ("pasta", *OPTIONS, *self.forwards, *closed, "--netns", f"/proc/{os.getpid()}/fd/{netns}")
        try:
            status, said = _run(self.program, argv)
            if status and any(refused in said for refused in ROUTES_REFUSED):
                status, said = _run(self.program, (*argv, *_other_way()))
        except OSError as error:
            link.send(f"failed {error.strerror}".encode())
            return
        lines = [line for line in said.splitlines() if line.strip()]
        link.send(b"ready" if status == 0 else b"failed " + (lines[-1] if lines else b"it gave no reason"))
        if status == 0 and payload:
            link.close()
            _end_with(payload[0])

    def execute(self, build: Build) -> None:
        """Hand it the namespace, and wait until that has a network."""
        fds = [os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)]
        if build.attached:
            fds.append(os.pidfd_open(os.getpid()))
        rights = struct.pack(f"{len(fds)}i", *fds)
        build.assistant.sendmsg([b"."], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)])
        for fd in fds:
            os.close(fd)
        answer = build.assistant.recv(MESSAGE_MAX)
        build.assistant.close()
        if answer != b"ready":
            raise OSError(5, answer.removeprefix(b"failed ").decode("utf-8", "replace") or "it was killed")


def _end_with(payload: int) -> None:
    """Wait until the process of the pidfd *payload* has ended, and end this one's children, which is pasta."""
    os.setsid()  # what a terminal sends is for the command
    poll = select.poll()
    poll.register(payload, select.POLLIN)
    poll.poll()
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
        for pid in file.read().split():
            os.kill(int(pid), _signal.SIGKILL)


def _other_way() -> tuple[str, ...]:
    """The options that name the link of a default route that leads somewhere, by proc_net(5); else those for none."""
    with open("/proc/net/route", encoding="ascii") as file:
        routes = [line.split() for line in file]
    for link, destination, *_ in routes[1:]:
        if destination == "00000000":
            with open(f"/sys/class/net/{link}/operstate", encoding="ascii") as file:
                if file.read() in ("up\n", "unknown\n"):  # some drivers never tell
                    return "-i", link
    return ALONE


def _run(program: str, argv: tuple[str, ...]) -> tuple[int, bytes]:
    """Execute pasta; its status, and what it has said, once it has gone to the background or has failed."""
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    reader, writer = os.pipe()
    actions = [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate((null, null, writer))]
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    try:
        # The pasta of Debian 12 takes an ignored SIGPIPE, which is Python's, for an error.
        pid = os.posix_spawn(program, argv, environment, file_actions=actions, setsigdef=(_signal.SIGPIPE,))
    finally:
        os.close(writer)
        os.close(null)
    said = b""
    while chunk := os.read(reader, 4096):  # it closes its streams once the network is there
        said += chunk
    os.close(reader)
    return os.waitpid(pid, 0)[1], said
