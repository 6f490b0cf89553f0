"""Waiting for what the kernel or systemd does in its own time."""

import time
from collections.abc import Callable
from typing import TypeVar

import pytest
from counts import PATIENCE

Found = TypeVar("Found")


def wait_until(condition: Callable[[], Found], what: str = "what the test waits for", timeout: float = 100) -> Found:
    """Return what *condition* tells as soon as it is true; fail the test, naming *what*, after *timeout* seconds.

    Where all is slow, after as many times as long (counts.py).
    """
    timeout *= PATIENCE
    deadline = time.monotonic() + timeout
    while not (found := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {timeout:.0f} s: {what}")
        time.sleep(0.1)
    return found
