"""Values that are worked out on a thread of their own while others wait for them."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Later(Generic[Value]):
    """The value of a function, called at once on a thread that does not keep the process alive."""

    def __init__(self, function: Callable[[], Value], room: threading.Semaphore | None = None):
        self.function = function
        self.room = room or threading.Semaphore()
        self.values: list[Value] = []
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self) -> None:
        """Call the function as soon as there is room for it."""
        try:
            with self.room:
                self.values.append(self.function())
        except BaseException as error:  # whoever asks for the value gets it
            self.error = error

    def get(self) -> Value:
        """Wait for the value.  Raises what the function has raised."""
        self.thread.join()
        if self.error:
            raise self.error
        return self.values[0]
