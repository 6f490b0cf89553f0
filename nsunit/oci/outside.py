"""The hooks around a container that runs or has ended, in the runtime's own namespaces; few containers have some."""

from __future__ import annotations

from nsunit.oci.errors import OciError
from nsunit.oci.killing import kill_all
from nsunit.oci.spec import hooks
from nsunit.oci.state import RUNNING, STOPPED, Container
from nsunit.setup.oci.hooks import run, run_all
from nsunit.setup.oci.step import HookError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from nsunit.oci.spec.fields import Json


def after_start(container: Container, config: Json) -> None:
    """Run the poststart hooks; one that fails ends the container.

    Raises:
        OciError: one has failed.
    """
    text = hooks.state(config, container.bundle, container.id, RUNNING, container.pid)
    try:
        run_all("poststart", hooks.parse(config).get("poststart", ()), text, container.bundle)
    except HookError as error:
        kill_all(container)
        raise OciError(str(error)) from None


def after_end(container: Container, config: Json, warn: Callable[[str], None]) -> None:
    """Run the poststop hooks; *warn* is told of those that fail, and the others run all the same."""
    text = hooks.state(config, container.bundle, container.id, STOPPED, 0)
    for number, hook in enumerate(hooks.parse(config).get("poststop", ())):
        try:
            run(hook, text, container.bundle)
        except HookError as error:
            warn(f"error running poststop hook #{number}: {error}")
