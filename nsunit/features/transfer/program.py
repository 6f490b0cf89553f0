"""The program of a unit that unpacks the archive of a container, or layers: `program.py STAGING`, as that of images."""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":  # started by path: the package stands three directories up
    sys.path.insert(0, os.path.abspath(__file__).rsplit("/", 4)[0])

from nsunit.features.images.program import main
from nsunit.features.transfer.deploy.unpack import unpack as unpack_layers
from nsunit.features.transfer.work import unpack

if __name__ == "__main__":
    status = main(sys.argv, {"layers": unpack_layers, "restore": unpack})
    os._exit(status)  # tearing the interpreter down takes a moment
