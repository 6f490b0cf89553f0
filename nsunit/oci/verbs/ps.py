"""ps: the processes of a container, as the host numbers them."""

from __future__ import annotations

from nsunit.jsontext import dumps
from nsunit.oci.cgroup import fs, manager
from nsunit.oci.errors import OciError, UsageError
from nsunit.oci.state import is_alive
from nsunit.setup import system as os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.oci.context import Context
    from nsunit.oci.options import Given

_PLACES = ("/usr/bin/ps", "/bin/ps")


def run(context: Context, given: Given) -> tuple[int, str]:
    """See the module."""
    container = context.store.load(given.operands[0])
    if manager.is_own(container.place):
        pids = fs.processes(container.place.path)
    else:
        pids = [container.pid] if is_alive(container) else []
    form = given.one("format", "table")
    if form == "json":
        return 0, dumps(pids)
    if form != "table":
        raise UsageError("invalid format option")
    return 0, _table(pids, given.operands[1:] or ["-ef"])


def _table(pids: list[int], words: list[str]) -> str:
    path = next((place for place in _PLACES if os.exists(place)), None)
    if path is None:
        raise OciError("ps(1) is not there; --format json needs none")
    reader, writer = os.pipe()
    child = os.posix_spawn(path, ("ps", *words), os.variables, file_actions=[(os.POSIX_SPAWN_DUP2, writer, 1)])
    os.close(writer)
    with open(reader, "rb") as file:
        lines = file.read().decode("utf-8", "replace").split("\n")  # programs have a say in what else may end a line
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) or not lines[0]:
        raise OciError(f"ps {' '.join(words)} failed")
    head = lines[0].split()
    if "PID" not in head:
        raise OciError("couldn't find PID field in ps output")
    column, wanted = head.index("PID"), {str(pid) for pid in pids}
    kept = [line for line in lines[1:] if line.split()[column : column + 1] and line.split()[column] in wanted]
    return "\n".join([lines[0], *kept]) + "\n"
