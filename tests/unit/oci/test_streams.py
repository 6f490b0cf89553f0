"""Standard streams that are closed, and text that is none."""

import subprocess
import sys
from pathlib import Path

import pytest

from nsunit.oci.errors import SpecError
from nsunit.oci.spec.fields import parse_object

REPOSITORY = Path(__file__).resolve().parents[3]
SHOW = """
import posix, sys
sys.path.append(sys.argv[1])
from nsunit.oci import main
def streams(_words):
    found = [posix.readlink(f"/proc/self/fd/{fd}") for fd in (0, 1, 2)]
    open(sys.argv[2], "w").write(" ".join(found))
    main._say("said")
    return 0
main.main = streams
main.run()
"""


@pytest.mark.parametrize(("closed", "found"), [("<&-", 1), (">&-", 1), ("<&- >&- 2>&-", 3), ("", 0)])
def test_what_is_closed_is_the_null_device(tmp_path, closed, found):
    """`run` of a container with a terminal ended with "Bad file descriptor"."""
    command = f"'{sys.executable}' -c '{SHOW}' '{REPOSITORY}' '{tmp_path}/seen' {closed}"
    done = subprocess.run(["sh", "-c", command], stdin=subprocess.PIPE, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "seen").read_text().split().count("/dev/null") == found
    assert done.stdout == (b"" if ">&-" in closed else b"said")


@pytest.mark.parametrize(
    ("content", "where"),
    [
        (rb'{"process": {"args": ["sh", "\ud800"]}}', "process.args[1]"),
        (rb'{"hostname": "x\uDC80"}', "hostname"),
        (rb'{"annotations": {"\udfff": "x"}}', "annotations.\udfff"),
    ],
)
def test_half_of_a_character_is_refused(content, where):
    """It ended with a traceback where the name came to be written, or was a byte that nobody had said."""
    with pytest.raises(SpecError) as caught:
        parse_object(content, "config.json")
    assert caught.value.message == f"config.json: {where}: it contains half of a character"


def test_whole_ones_are_not():
    content = rb'{"a": ["\ud83d\ude00", "\u00e4", "\\ud800", 1, null, {"b": true}]}'
    assert parse_object(content, "x") == {"a": ["\U0001f600", "\xe4", "\\ud800", 1, None, {"b": True}]}
