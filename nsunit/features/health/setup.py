"""What the plan of a container says of its checks: read by their program, and by the helper for when it is ready."""

from __future__ import annotations

from nsunit.setup.operation import Operation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.setup.build import Build


class Health(Operation):
    """Check the payload by *command*; times in µs.  *ready* "yes": it is the first good check that tells of READY=1."""

    __slots__ = ("ready", "on_failure", "interval", "timeout", "retries", "start_period", "start_interval", "command")
    keyword = "health"
    rest = "command"
    ready: str
    on_failure: str
    interval: str
    timeout: str
    retries: str
    start_period: str
    start_interval: str
    command: tuple[str, ...]

    @property
    def tells_ready(self) -> bool:  # type: ignore[override]
        """See Operation."""
        return self.ready == "yes"

    def describe(self) -> str:
        """See Operation."""
        return f"have its health checked by '{self.command[0]}'"

    def execute(self, build: Build) -> None:
        """Nothing: a timer has the program of checks look into the plan."""
