"""A container that verbs are tried on: it says something, and goes on."""

import pytest

SPEAKER = """
trap 'echo got USR1' USR1
echo hello
echo end >/tmp/report
while :; do sleep 0.2; done
"""


@pytest.fixture(scope="module")
def web(request, shared, program):
    """That one, of which each file of tests has its own."""
    keys = ("Environment=OWN=definition", "WorkingDirectory=/usr", "", "[Slice]", "TasksMax=100", "MemoryMax=200M")
    keys += ("[Service]", "LimitNOFILE=700:900")
    name = request.path.stem.removeprefix("test_").replace("_", "-")
    container = shared.start(program(SPEAKER, *keys), f"{name}-web")
    container.report()
    return container
