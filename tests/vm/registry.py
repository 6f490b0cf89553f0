"""A registry on the loopback device, by docker-registry, with a password, without TLS, that tells what it has sent."""

import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from waiting import wait_until

USER, PASSWORD = "web", "secret"
_HASH = "$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a"
_CONFIG = """version: 0.1
log: {{accesslog: {{disabled: true}}, level: info}}
storage: {{filesystem: {{rootdirectory: {place}/data}}, delete: {{enabled: true}}}}
http: {{addr: 127.0.0.1:{port}}}
auth: {{htpasswd: {{realm: tests, path: {place}/passwords}}}}
"""


class Registry:
    """One with its files in *place*; `host` is what images of it are called by."""

    def __init__(self, place: Path, port: int) -> None:
        self.place, self.port = place, port
        self.host = f"127.0.0.1:{port}"
        self.log = place / "log"
        self.settings = Path(f"/etc/containers/registries.conf.d/tests-{port}.conf")
        self._process: subprocess.Popen[bytes] | None = None
        (place / "passwords").write_text(f"{USER}:{_HASH}\n")
        (place / "config.yml").write_text(_CONFIG.format(place=place, port=port))

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with self.log.open("ab") as log:
            command = ["docker-registry", "serve", str(self.place / "config.yml")]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        self.settings.write_text(f'[[registry]]\nlocation = "{self.host}"\ninsecure = true\n')
        wait_until(self._answers, "the registry to answer")

    def stop(self) -> None:
        """End it; what it has stays."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    def login(self) -> None:
        """Have root's credentials there."""
        command = ["skopeo", "login", "--username", USER, "--password-stdin", self.host]
        subprocess.run(command, input=PASSWORD.encode(), check=True, capture_output=True)

    def logout(self) -> None:
        """Take them away."""
        subprocess.run(["skopeo", "logout", self.host], check=False, capture_output=True)

    def push(self, source: str, name: str, *options: str) -> str:
        """Put the image *source*, as skopeo calls it, there as *name*; returns its full name."""
        full = f"{self.host}/{name}"
        subprocess.run(["skopeo", "copy", "--quiet", *options, source, f"docker://{full}"], check=True)
        return full

    def sent(self) -> dict[str, int]:
        """Bytes of each blob, by its digest, that were sent since the last time."""
        content = self.log.read_text(errors="replace")
        self.log.write_text("")
        found: dict[str, int] = {}
        for line in content.splitlines():
            match = re.search(r"/blobs/(sha256:[0-9a-f]{64})", line)
            size = re.search(r"http\.response\.written=(\d+)", line)
            if match and size and "http.request.method=GET" in line:
                found[match[1]] = found.get(match[1], 0) + int(size[1])
        return found


@contextmanager
def registry(place: Path, port: int) -> Iterator[Registry]:
    """One that runs, with root's credentials; nothing is left of it."""
    made = Registry(place, port)
    try:
        made.start()
        made.login()
        yield made
    finally:
        made.logout()
        made.stop()
        made.settings.unlink(missing_ok=True)
