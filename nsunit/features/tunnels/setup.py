"""A socket inside the container that leads to a port of another one, without a route between the two (`Tunnel=`).

The sockets are made in the container's namespaces, and systemd-socket-proxyd(8) accepts on them from the network
namespace of the other one.  It is a process of the unit, outside of the container, and ends with that.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C halves: the Python halves import enum
import _socket
import errno
import fcntl
import os
import stat
import struct

from nsunit.features.namespaces.setup import open_of_unit
from nsunit.setup import cgroup_of, linux, namespaces
from nsunit.setup.build import Build
from nsunit.setup.operation import Operation, failpoint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

BACKLOG = 128
NOBODY = 65534
LOOPBACK = ((_socket.AF_INET, "127.0.0.1"), (_socket.AF_INET6, "::1"))
MESSAGE_MAX = 1024
FIRST_PASSED = 3  # SD_LISTEN_FDS_START
_HIGH = 64  # above all that are open or will be passed
PLACE_VARIABLE = "NSUNIT_TUNNEL"  # in the proxy's environment: where its tunnel begins
_STARTED = b"."
KILLED = "its process was killed"


class Tunnel(Operation):
    """Have *proxy* lead *local*, a TCP port or the path of a UNIX socket, to *port* of the unit *service*.

    The proxy's control group is *subgroup* of the unit's, unless that is empty.
    """

    __slots__ = ("proxy", "subgroup", "service", "port", "local")
    keyword = "tunnel"
    leaves_process = True
    enters = True
    proxy: str
    subgroup: str
    service: str
    port: str
    local: str

    def describe(self) -> str:
        """See Operation."""
        return f"make the tunnel from '{self.local}' to port {self.port} of '{self.service}'"

    def open(self, build: Build) -> None:
        """Open the network namespace that it leads to."""
        build.keep(self, open_of_unit("net", self.service))

    def attach(self, payload: int, build: Build) -> None:
        """Make the sockets and start the proxy; whoever connects before that is ready waits."""
        target = build.take(self)
        sockets = self._listen(payload)
        failpoint(self, "listening")
        try:
            self._start(payload, target, sockets, attached=build.attached)
        finally:
            for fd in (target, *sockets):
                os.close(fd)

    def _listen(self, payload: int) -> tuple[int, ...]:
        """Descriptors of sockets that listen at `local` in the namespaces of process *payload*."""
        kinds = ("mnt", "user") if self.local.startswith("/") else ("net",)
        opened = [os.open(f"/proc/{payload}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in kinds]

        def make() -> list[_socket.socket]:
            failpoint(self, "listen")
            if self.local.startswith("/"):
                return _listen_at_path(opened[0], opened[1], self.local)
            return _listen_at_port(opened[0], int(self.local))

        try:
            return _from_child(make)
        finally:
            for fd in opened:
                os.close(fd)

    def _start(self, payload: int, target: int, sockets: tuple[int, ...], *, attached: bool) -> None:
        """Start the proxy: one that nobody here waits for, or that is *attached* to this process, as the payload is."""
        reader, writer = os.pipe()
        caller = os.getpid() if attached else 0
        child = os.fork()
        if child == 0:
            try:
                failpoint(self, "start")
                if attached or os.fork() == 0:
                    self._become_proxy(payload, target, sockets, writer, caller)
            except OSError as error:
                os.write(writer, str(error).encode())
            finally:
                os._exit(0)
        os.close(writer)
        if not attached:
            os.waitpid(child, 0)
        with open(reader, "rb") as stream:
            said = stream.read()
        if said != _STARTED:
            raise OSError(errno.EIO, said.lstrip(_STARTED).decode("utf-8", "replace") or KILLED)

    def _become_proxy(self, payload: int, target: int, sockets: tuple[int, ...], writer: int, caller: int) -> None:
        """Execute the proxy; it ends with the process *caller*, its parent, unless that is 0."""
        os.setsid()  # what a terminal sends is not for it
        _move_to_unit(payload, self.subgroup)
        linux.setns(target, linux.CLONE_NEWNET)
        host = os.open("/proc/1/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        linux.setns(host, linux.CLONE_NEWNS)  # of the helper's copy of the mounts none is to be kept from going away
        os.chdir("/")
        os.dup2(os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC), 0)
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _HIGH) for fd in sockets]
        for number, fd in enumerate(high):
            os.dup2(fd, FIRST_PASSED + number)
        linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        if caller:
            linux.prctl(linux.PR_SET_PDEATHSIG, _signal.SIGKILL)  # not earlier: other ids make the kernel forget it
            if os.getppid() != caller:
                return
        # Not a word of NOTIFY_SOCKET: the proxy would tell systemd that the container is ready.
        environment = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(sockets)), PLACE_VARIABLE: self.local}
        failpoint(self, "proxy")
        os.write(writer, _STARTED)
        os.execve(self.proxy, [self.proxy, f"127.0.0.1:{self.port}"], environment)


def _move_to_unit(payload: int, subgroup: str) -> None:
    """Into the unit of *payload*, beside the payload's own control group: that is the container's."""
    group = cgroup_of(str(payload))
    if subgroup:
        while group and not group.endswith((".service", ".scope")):
            group = group.rpartition("/")[0]
        group += f"/{subgroup}"
        try:
            os.mkdir(f"/sys/fs/cgroup{group}")
        except FileExistsError:
            pass  # made for another tunnel, or left from the run before a restart
    namespaces.write_file(f"/sys/fs/cgroup{group}/cgroup.procs", "0")


def _from_child(make: Callable[[], list[_socket.socket]]) -> tuple[int, ...]:
    """What *make* returns in a process of its own, since it enters namespaces for good."""
    ours, theirs = _socket.socketpair()
    child = os.fork()
    if child == 0:
        try:
            made = make()
            fds = struct.pack(f"{len(made)}i", *(item.fileno() for item in made))
            theirs.sendmsg([b"."], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, fds)])
        except OSError as error:
            theirs.send(f"{error.errno} {error.strerror}".encode())
        finally:
            os._exit(0)
    theirs.close()
    message, rights, _, _ = ours.recvmsg(MESSAGE_MAX, _socket.CMSG_SPACE(4 * len(LOOPBACK)), _socket.MSG_CMSG_CLOEXEC)
    ours.close()
    os.waitpid(child, 0)
    if rights:
        return tuple(struct.unpack(f"{len(rights[0][2]) // 4}i", rights[0][2]))
    number, _, text = message.decode("utf-8", "replace").partition(" ")
    raise OSError(int(number or errno.EIO), text or KILLED)


def _listen_at_port(net: int, port: int) -> list[_socket.socket]:
    linux.setns(net, linux.CLONE_NEWNET)
    found = []
    for family, address in LOOPBACK:
        try:
            item = _socket.socket(family, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
            if family == _socket.AF_INET6:
                item.setsockopt(_socket.IPPROTO_IPV6, _socket.IPV6_V6ONLY, 1)
            item.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
            item.bind((address, port))
        except OSError as error:
            if family == _socket.AF_INET6 and error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                continue  # the host has no IPv6
            raise
        item.listen(BACKLOG)
        found.append(item)
    return found


def _listen_at_path(mounts: int, users: int, path: str) -> list[_socket.socket]:
    """Made by the container's own root, so that it goes where that could put it, and belongs to it."""
    own = os.path.samestat(os.fstat(users), os.stat("/proc/self/ns/user"))
    linux.setns(mounts, linux.CLONE_NEWNS)
    if not own:
        namespaces.become_root_of(users)
    parent = ""
    for name in path.split("/")[1:-1]:
        parent += "/" + name
        try:
            os.mkdir(parent, 0o755)
        except FileExistsError:
            continue
    try:
        if stat.S_ISSOCK(os.lstat(path).st_mode):
            os.unlink(path)  # that of an earlier run
    except FileNotFoundError:
        pass
    item = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    item.bind(path)
    os.chmod(path, 0o666)
    item.listen(BACKLOG)
    return [item]
