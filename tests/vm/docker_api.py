"""A client of Docker's API, as far as the tests go: its command line is not in the systems."""

import http.client
import json
import socket
from urllib.parse import urlencode

SOCKET = "/run/docker.sock"


class _Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("docker", timeout=60)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Refused(Exception):
    """What the daemon says of a request that it does not do."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class Docker:
    """Requests; what comes back is what the JSON says, or the bytes of a stream."""

    def __init__(self, path=SOCKET):
        self._path = path

    def ask(self, method, path, body=None, /, *, raw=b"", **query):
        """Make one request."""
        connection = _Connection(self._path)
        content = raw or (b"" if body is None else json.dumps(body).encode())
        kind = "application/x-tar" if raw else "application/json"
        connection.request(method, f"{path}?{urlencode(query)}", content, {"Content-Type": kind})
        answer = connection.getresponse()
        said = answer.read()
        connection.close()
        if answer.status >= 400:
            raise Refused(answer.status, json.loads(said)["message"])
        is_json = answer.getheader("Content-Type", "") == "application/json" and said.count(b"\n") < 2
        return json.loads(said) if is_json and said else said

    def create(self, image, *command, tty=False, **host):
        """Make a container; *host* is of HostConfig. Returns its id."""
        said = {"Image": image, "Cmd": command, "Tty": tty, "HostConfig": host}
        return self.ask("POST", "/containers/create", said)["Id"]

    def start(self, image, *command, tty=False, **host):
        """Make a container and start it."""
        container = self.create(image, *command, tty=tty, **host)
        self.ask("POST", f"/containers/{container}/start")
        return container

    def run(self, image, *command, tty=False, **host):
        """What a container says, and its status."""
        container = self.start(image, *command, tty=tty, **host)
        status = self.ask("POST", f"/containers/{container}/wait")["StatusCode"]
        said = self.ask("GET", f"/containers/{container}/logs", stdout=1, stderr=1)
        self.remove(container)
        return (said if tty else unpacked(said)).decode(), status

    def execute(self, container, *command, tty=False):
        """What a command in a container says, and its status."""
        said = {"Cmd": command, "AttachStdout": True, "AttachStderr": True, "Tty": tty}
        name = self.ask("POST", f"/containers/{container}/exec", said)["Id"]
        output = self.ask("POST", f"/exec/{name}/start", {"Detach": False, "Tty": tty})
        status = self.ask("GET", f"/exec/{name}/json")["ExitCode"]
        return (output if tty else unpacked(output)).decode(), status

    def state(self, container):
        """State of a container as `inspect` has it."""
        return self.ask("GET", f"/containers/{container}/json")["State"]

    def remove(self, container):
        """Remove it, running or not."""
        self.ask("DELETE", f"/containers/{container}", force=1, v=1)


def unpacked(stream):
    """Both outputs in one, of a stream whose parts have heads of eight bytes."""
    found, place = b"", 0
    while place < len(stream):
        size = int.from_bytes(stream[place + 4 : place + 8])
        found += stream[place + 8 : place + 8 + size]
        place += 8 + size
    return found
