"""Runs inside the machine: takes commands from the ports org.nsunit.agent.N, or serial lines, and sends output back.

Both ways one JSON object a line, binary data in base64. A client opens with {"hello": TOKEN} and drops what it reads
until the same comes back, so nothing of a client that went away can be taken for an answer. Then, one at a time:

    {"op": "run", "argv": [...], "tty": false, "env": {...}, "cwd": "/"}  →  {"fd": 1, "data": ...}* {"exit": STATUS}
        while it runs: {"data": ...} standard input, {"eof": true}, {"size": [rows, columns]}
    {"op": "put", "path": "/", "tar": ..., "prune": [...]}  →  {"exit": 0}

Instead of "tar" there can be "file", a name in the directory that is shared with a user-mode kernel. A negative exit
status is the signal. Whoever hangs up has his command killed; on a serial line, the next one's hello tells that.
"""

import base64
import contextlib
import fcntl
import glob
import io
import json
import os
import pty
import select
import shutil
import signal
import struct
import subprocess
import tarfile
import termios
import threading
import traceback
import tty

CHUNK = 65536
LINES = range(6)  # of a user-mode kernel


class Gone(Exception):
    """The client hung up."""


class Port:
    """One virtio port or serial line, from the guest's side."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        if os.isatty(self.fd):
            tty.setraw(self.fd)
        # A port without a client polls as hung up all the time; edge-triggered that is one event.
        self.edge = select.epoll()
        self.edge.register(self.fd, select.EPOLLIN | select.EPOLLHUP | select.EPOLLET)
        self.buffer = b""

    def wait_for_client(self):
        while True:
            poll = select.poll()
            poll.register(self.fd, select.POLLIN)
            events = poll.poll(0)
            if not events or not events[0][1] & select.POLLHUP:
                return
            self.edge.poll(10)

    def pull(self):
        """Read what there is into the buffer; raise Gone at the end of the connection."""
        try:
            data = os.read(self.fd, CHUNK)
        except BlockingIOError:
            return
        if not data:
            self.buffer = b""
            raise Gone
        self.buffer += data

    def next(self):
        """Return the next message that is complete, or None."""
        line, newline, rest = self.buffer.partition(b"\n")
        if not newline:
            return None
        self.buffer = rest
        try:
            return json.loads(line)
        except ValueError:
            return {}

    def wait(self):
        while True:
            message = self.next()
            if message is not None:
                return message
            poll = select.poll()
            poll.register(self.fd, select.POLLIN)
            poll.poll()
            self.pull()

    def send(self, message):
        data = json.dumps(message).encode() + b"\n"
        while data:
            try:
                data = data[os.write(self.fd, data) :]
            except BlockingIOError:
                poll = select.poll()
                poll.register(self.fd, select.POLLOUT)
                events = poll.poll()
                if events and events[0][1] & select.POLLHUP:
                    self.buffer = b""
                    raise Gone from None


def serve(path):
    port = Port(path)
    while True:
        port.wait_for_client()
        try:
            while True:
                handle(port, port.wait())
        except Gone:
            pass


def handle(port, message):
    if "hello" in message:
        port.send({"hello": message["hello"]})
        return
    try:
        if message.get("op") == "run":
            port.send({"exit": run(port, message)})
        elif message.get("op") == "put":
            put(message)
            port.send({"exit": 0})
    except Gone:
        raise
    except Exception:
        port.send({"fd": 2, "data": base64.b64encode(traceback.format_exc().encode()).decode()})
        port.send({"exit": 125})


def put(message):
    path, wanted = message["path"], set()
    if "file" in message:
        with open(f"/usr/lib/nsunit-test/machine/{message['file']}", "rb") as file:
            data = file.read()
    else:
        data = base64.b64decode(message["tar"])
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        wanted = {os.path.normpath(os.path.join(path, name)) for name in archive.getnames()}
        # Without a filter 3.12 and later warn, early 3.11 does not know the word.
        options = {"filter": "fully_trusted"} if hasattr(tarfile, "fully_trusted_filter") else {}
        archive.extractall(path, **options)
    for top in message.get("prune", ()):
        for folder, folders, files in os.walk(top):
            folders[:] = [name for name in folders if name != "__pycache__"]
            for name in files:
                if os.path.join(folder, name) not in wanted:
                    os.unlink(os.path.join(folder, name))
            for name in list(folders):
                if not any(path.startswith(os.path.join(folder, name) + "/") for path in wanted):
                    shutil.rmtree(os.path.join(folder, name))
                    folders.remove(name)


def start(message):
    """Start the command; return (process, {fd to read: fd number to report}, fd to write)."""
    environment = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "USER": "root",
        "LOGNAME": "root",
        "SHELL": "/bin/bash",
        "LANG": "C.UTF-8",
        **message.get("env", {}),
    }

    def prepare():
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("0")
        if message.get("tty"):
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    options = {"cwd": message.get("cwd", "/root"), "env": environment, "preexec_fn": prepare, "start_new_session": True}
    if message.get("tty"):
        master, slave = pty.openpty()
        resize(master, message.get("size") or [24, 80])
        process = subprocess.Popen(message["argv"], stdin=slave, stdout=slave, stderr=slave, **options)
        os.close(slave)
        return process, {master: 1}, master
    pipe = subprocess.PIPE
    process = subprocess.Popen(message["argv"], stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0, **options)
    return process, {process.stdout.fileno(): 1, process.stderr.fileno(): 2}, process.stdin.fileno()


def resize(fd, size):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", size[0], size[1], 0, 0))


def run(port, message):
    process, readers, writer = start(message)
    watcher = os.pidfd_open(process.pid)
    try:
        attend(port, process, watcher, dict(readers), writer)
        return process.wait()
    except Gone:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    finally:
        os.close(watcher)
        if process.stdin:
            for stream in (process.stdin, process.stdout, process.stderr):
                with contextlib.suppress(OSError):
                    stream.close()
        else:
            os.close(writer)


def attend(port, process, watcher, readers, writer):
    """Pass data both ways until the command has ended and its output is drained.

    A daemon the command left behind may keep the pipes open: after the end only what is there at once is read.
    """
    poll = select.poll()
    poll.register(port.fd, select.POLLIN)
    poll.register(watcher, select.POLLIN)
    for fd in readers:
        poll.register(fd, select.POLLIN)
    ended = False
    writer = take_input(port, process, writer)  # what came together with the command
    while readers:
        events = poll.poll(0 if ended else None)
        busy = False
        for fd, _ in events:
            if fd == port.fd:
                port.pull()
                writer = take_input(port, process, writer)
            elif fd == watcher:
                ended = True
                poll.unregister(watcher)
                busy = True
            else:
                busy = True
                try:
                    data = os.read(fd, CHUNK)
                except OSError:  # a pseudo terminal whose last user is gone
                    data = b""
                if data:
                    port.send({"fd": readers[fd], "data": base64.b64encode(data).decode()})
                else:
                    poll.unregister(fd)
                    del readers[fd]
        if ended and not busy:
            return
    while not ended:
        for fd, _ in poll.poll():
            if fd == port.fd:
                port.pull()
                writer = take_input(port, process, writer)
            else:
                ended = True


def take_input(port, process, writer):
    while (message := port.next()) is not None:
        if "hello" in message:  # of another client
            port.buffer = json.dumps(message).encode() + b"\n" + port.buffer
            raise Gone
        if "data" in message and writer is not None:
            data = base64.b64decode(message["data"])
            with contextlib.suppress(BrokenPipeError):
                while data:
                    data = data[os.write(writer, data) :]
        elif "size" in message and process.stdin is None:
            resize(writer, message["size"])
        elif "eof" in message and process.stdin:
            process.stdin.close()
            writer = None
    return writer


def main():
    ports = []
    for name in sorted(glob.glob("/sys/class/virtio-ports/*/name")):
        with open(name) as file:
            if file.read().startswith("org.nsunit.agent."):
                ports.append(f"/dev/{name.split('/')[-2]}")
    ports += [f"/dev/ttyS{number}" for number in LINES] if os.path.ismount("/usr/lib/nsunit-test/machine") else []
    threads = [threading.Thread(target=serve, args=(path,)) for path in ports]
    for thread in threads:
        thread.start()


main()
