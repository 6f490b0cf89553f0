"""How far the fetching of an image is, by the files that skopeo makes of it."""

from __future__ import annotations

import json
import os

from nsunit.features.images.fetch.work import COPY, LAYOUT, PLAN, UNDER_WAY
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context


class Watch:
    """Tells *context*, each time it is called, of what is fetched of the image *name* in the directory *place*.

    A line a layer, or where the caller can show it the bytes.
    """

    def __init__(self, context: Context, name: str, place: str) -> None:
        self.context, self.name, self.place = context, name, place
        self.waiting: dict[str, int] | None = None  # sizes of the blobs that are not here yet
        self.count = self.done = self.total = 0

    def __call__(self) -> None:
        """Look, and tell."""
        if self.waiting is None and not self._read_plan():
            return
        assert self.waiting is not None
        for digits in list(self.waiting):
            if os.path.exists(f"{self.place}/{LAYOUT}/blobs/sha256/{digits}"):
                size = self.waiting.pop(digits)
                self.done += size
                if self.context.progress is None:
                    number = self.count - len(self.waiting)
                    self.context.warn(f"{self.name}: layer {number} of {self.count} is fetched ({size} bytes)")
        if self.context.progress is not None:
            self.context.progress(self.name, self.done + self._under_way(), self.total)

    def _read_plan(self) -> bool:
        content = files.read_file(f"{self.place}/{PLAN}")
        if content is None:
            return False
        plan = json.loads(content)
        self.waiting, self.count = plan["needed"], len(plan["needed"])
        self.total = sum(plan["needed"].values())
        if self.context.progress is None and plan["there"]:
            self.context.warn(f"{self.name}: {plan['there']} of {plan['layers']} layers are here already")
        return True

    def _under_way(self) -> int:
        place = f"{self.place}/{COPY}"
        found = 0
        for name in files.list_directory(place):
            try:
                found += os.stat(f"{place}/{name}").st_size if name.startswith(UNDER_WAY) else 0
            except FileNotFoundError:
                continue  # it is whole, and has its name
        return found
