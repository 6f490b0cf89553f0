"""What a verb knows of the command line around it."""

from __future__ import annotations

import time

from nsunit.jsontext import dumps
from nsunit.oci.cgroup.place import CGROUPFS, MANAGERS, SYSTEMD
from nsunit.oci.errors import UsageError
from nsunit.oci.rootless import is_users
from nsunit.oci.state import Store
from nsunit.setup import system as os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.oci.options import Given

_FORMATS = ("text", "json")


class Log:
    """The file of --log, which is there from the beginning: engines take its lack for an error of their own."""

    def __init__(self, path: str, form: str) -> None:
        if form not in ("", *_FORMATS):
            raise UsageError(f"invalid log-format: '{form}' is neither text nor json")
        self.json = form == "json"
        self.fd = -1
        if path.startswith("file:"):
            path = path.removeprefix("file:")
        if path:
            self.fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)

    def write(self, level: str, message: str) -> None:
        """Add a line, as logrus has it."""
        if self.fd < 0:
            return
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        if self.json:
            line = dumps({"level": level, "msg": message, "time": now})
        else:
            text = message.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
            line = f'time="{now}" level={level} msg="{text}"'
        try:
            os.write(self.fd, (line + "\n").encode("utf-8", "backslashreplace"))
        except OSError:
            pass  # a full disk: the status says it as well


class Context:
    """The global options."""

    def __init__(self, given: Given, log: Log) -> None:
        self.log = log
        self.store = Store(os.abspath(given.one("root") or default_root()))
        self.manager = given.one("cgroup-manager") or (SYSTEMD if given.has("systemd-cgroup") else CGROUPFS)
        if self.manager not in MANAGERS:
            raise UsageError(f"--cgroup-manager: '{self.manager}' is none of {', '.join(MANAGERS)}")

    def warn(self, message: str) -> None:
        """Log what is no reason to fail."""
        self.log.write("warning", message)


def default_root() -> str:
    """Where the state is: /run/nsunit-oci, or a user's own runtime directory."""
    runtime = os.variables.get("XDG_RUNTIME_DIR")
    if runtime and runtime.startswith("/") and is_users():
        return f"{runtime}/nsunit-oci"
    return "/run/nsunit-oci"
