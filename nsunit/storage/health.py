"""What the checks of a container have found: a small file in its directory in /run, written anew after each.

    STATUS STREAK RUN WAS-HEALTHY
    ENDED DURATION EXIT OUTPUT      one line for each of the last results, the newest last

RUN says which process was checked, so that what was found of an earlier one counts no more.
"""

from __future__ import annotations

from nsunit.names import printable
from nsunit.record import Record
from nsunit.storage import files

STARTING, HEALTHY, UNHEALTHY = "starting", "healthy", "unhealthy"
FILE = "health"  # in a container's directory
OUTPUT_MAX = 4096  # bytes of what a check has written that are kept
TIMED_OUT = -1  # in place of an exit status
_KEPT = 5
_SHOWN = 300  # characters of what was written, where a line has to do


class Result(Record):
    """One check: when it ended, in µs since 1970, how long it took, in µs, its exit status and what it wrote.

    The *status* is 128+N if signal N ended it, and `TIMED_OUT` if it was killed when its time was over.
    """

    ended_usec: int
    duration_usec: int
    status: int
    output: str

    def summary(self) -> str:
        """What was wrong, in a line: how it ended, and the last thing it wrote."""
        if self.status == TIMED_OUT:
            return "it took too long"
        said = next((line.strip() for line in reversed(self.output.splitlines()) if line.strip()), "")
        return f"status {self.status}" + (f": {printable(said[:_SHOWN])}" if said else "")


class Health(Record):
    """*failing_streak* is how many checks in a row have failed; *results* are the last ones, the newest last.

    *was_healthy*: whether one has passed since the start.
    """

    status: str = STARTING
    failing_streak: int = 0
    results: tuple[Result, ...] = ()
    was_healthy: bool = False

    def after(self, result: Result, retries: int, *, counts: bool) -> Health:
        """What is known after one more *result*; a failure that does not count leaves all but the results alone."""
        results = (*self.results, result)[-_KEPT:]
        if result.status == 0:
            return Health(HEALTHY, 0, results, was_healthy=True)
        if not counts:
            return self.replace(results=results)
        streak = self.failing_streak + 1
        return self.replace(
            status=UNHEALTHY if streak >= retries else self.status, failing_streak=streak, results=results
        )


def run_of(pid: int) -> str:
    """Which process *pid* is, among all since boot; empty if it is gone."""
    stat = files.read_kernel_file(f"/proc/{pid}/stat")
    return f"{pid}:{stat.rpartition(')')[2].split()[_START]}" if stat else ""


_START = 19  # field 22 of proc_pid_stat(5), counted after the name


def started_ticks(run: str) -> int:
    """When the process of *run* began, in clock ticks since boot."""
    return int(run.partition(":")[2])


def dump(health: Health, run: str) -> bytes:
    """The file's content."""
    lines = [f"{health.status} {health.failing_streak} {run} {int(health.was_healthy)}"]
    for result in health.results:
        output = result.output.encode("unicode_escape").decode("ascii")
        lines.append(f"{result.ended_usec} {result.duration_usec} {result.status} {output}")
    return ("\n".join(lines) + "\n").encode()


def read(directory: str, pid: int = 0) -> Health | None:
    """What is known of process *pid*, the payload of the container with *directory*; None where nobody checks it.

    Without *pid*, what is known of the process that was checked last, if that lives.
    """
    content = files.read_file(f"{directory}/{FILE}")
    if content is None:
        return None
    first, *lines = content.decode().splitlines()
    status, streak, run, was_healthy = first.split(" ")
    if run != run_of(pid or int(run.partition(":")[0])):
        return Health()  # it was started anew
    results = []
    for line in lines:
        ended, duration, exit_status, output = line.split(" ", 3)
        text = output.encode("ascii").decode("unicode_escape")
        results.append(Result(int(ended), int(duration), int(exit_status), text))
    return Health(status, int(streak), tuple(results), was_healthy == "1")


def write(directory: str, health: Health, run: str) -> None:
    """Replace the file.

    Raises:
        FileNotFoundError: the container has ended, and its directory is gone.
    """
    files.write_file(f"{directory}/{FILE}", dump(health, run))
