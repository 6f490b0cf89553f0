"""image bisect: each candidate runs the command as `nsunit run` does, in a process and a container of its own."""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]  # as in the rest of the command line
import os
import sys

from nsunit.cli import say, warn
from nsunit.cli.image.look import ID_SHOWN
from nsunit.cli.main import main
from nsunit.cli.output import plural, print_json
from nsunit.features.images.out.lineage import SKIP, bisect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation
    from nsunit.features.images.out.lineage import Entry


def bisect_images(invocation: Invocation) -> int:
    """`nsunit image bisect`."""
    good, bad, *command = invocation.operands
    is_told = not invocation.flag("quiet") and not invocation.flag("json")
    context = invocation.context()
    of_whom = ["--user"] if context.user else []

    def test(identity: str, entry: Entry) -> int:
        status = _run([*of_whom, "run", "--property", f"Image=sha256:{identity}", "--", *command])
        if is_told:
            word = {0: "good", SKIP: "skipped"}.get(status, f"bad ({status})")
            warn(f"{entry.layer[:ID_SHOWN]} is {word}")
        return status

    found = bisect(context, good, bad, test)
    if invocation.flag("json"):
        print_json(found)
        return 0
    first = "the first bad layer" if len(found.layers) == 1 else f"one of {plural(len(found.layers), 'layer')}"
    say(f"{first}, after {plural(found.tried, 'try', 'tries')}:")
    for item in found.layers:
        say(f"{item.layer[:ID_SHOWN]}  {item.created[:19] or '-'}  {item.message or item.by or '-'}")
    return 0


def _run(arguments: list[str]) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        status = SKIP
        try:
            status = main(arguments)
        finally:
            os._exit(status)
    try:
        _, status = os.waitpid(child, 0)
    except BaseException:
        os.kill(child, signal.SIGTERM)  # it takes its container along
        os.waitpid(child, 0)
        raise
    return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
