"""The program of a unit that unpacks the archive of a container, or layers: as that of images."""

from __future__ import annotations

from nsunit.features.images import program
from nsunit.features.transfer.deploy.unpack import unpack as unpack_layers
from nsunit.features.transfer.work import unpack


def main(argv: list[str]) -> int:
    """Do it, and return the exit status."""
    return program.main(argv, {"layers": unpack_layers, "restore": unpack})
