"""Chains of layers, as git has commits."""

import json

import oci
import pytest
from test_images import STORE, busybox, image_id, images, lowers
from written_images import checked

ANYWHERE = pytest.mark.anywhere("what nsunit reads of overlayfs, and writes into its store and archives")

__all__ = ["images"]  # fixtures
pytestmark = pytest.mark.usefixtures("real_system")


def identities(run):
    return {item["id"] for item in json.loads(run("nsunit", "image", "list", "--json").stdout)}


@ANYWHERE
def test_layers_are_as_git_has_commits(images, run):
    steps = [[oci.file(f"srv/{number}", str(number))] for number in range(5)]
    made = [{"created_by": f"step {number}", "created": f"2026-01-0{number + 1}T00:00:00Z"} for number in range(6)]
    made.insert(3, {"created_by": "an ENV", "empty_layer": True})
    good = images.image([busybox()])
    layout = images.layout([busybox(), *steps], history=made, Cmd=["/bin/sh"])
    bad = images.name()
    images.bring(layout, "--name", bad)
    log = checked("image log", run("nsunit", "image", "log", bad, "--json"))
    assert [item["by"] for item in log] == [f"step {number}" for number in range(5, -1, -1)]
    assert [bad in log[0]["names"], good in log[-1]["names"]] == [True, True]
    assert run("nsunit", "image", "log", "--no-headings", bad).stdout.count("\n") == 6
    # The file of the fourth layer makes it so, whatever cannot be told.
    before = identities(run)
    script = "test -e /srv/0 && ! test -e /srv/1 && exit 125; ! test -e /srv/3"
    found = run("nsunit", "image", "bisect", good, bad, "--", "/bin/sh", "-c", script)
    assert found.stdout.splitlines()[-1].endswith("step 4")
    assert f"{log[1]['layer'][:12]} is bad (1)" in found.stderr
    unknown = json.loads(
        run("nsunit", "image", "bisect", good, bad, "--json", "--", "/bin/sh", "-c", "exit 125").stdout
    )
    assert len(unknown["layers"]) == 5
    assert "status 200" in run("nsunit", "image", "bisect", good, bad, "sh", "-c", "exit 200", check=False).stderr
    assert "has no layers on top of" in run("nsunit", "image", "bisect", bad, good, "true", check=False).stderr
    assert identities(run) == before
    # Names move.
    branch = images.name()
    run("nsunit", "image", "branch", branch, bad)
    assert image_id(branch) == image_id(bad)
    checked("image revert", run("nsunit", "image", "revert", branch, "--back=3", "--json"))
    assert lowers(branch) == lowers(bad)[3:]
    document = json.loads((STORE / "config" / image_id(branch)).read_text())
    assert [item["created_by"] for item in document["history"]] == ["step 0", "step 1", "step 2", "an ENV"]
    assert run("nsunit", "image", "diff", branch, bad).stdout == "C /srv\nA /srv/2\nA /srv/3\nA /srv/4\n"
    assert run("nsunit", "image", "diff", bad, good).stdout == "".join(
        ["C /srv\n", *(f"D /srv/{n}\n" for n in range(5))]
    )
    run("nsunit", "image", "revert", branch, "-n", "2")
    failed = run("nsunit", "image", "revert", branch, check=False)
    assert failed.stderr.startswith("nsunit: of the image's 1 layers 1 cannot be taken off\n")
    assert "no name that can move" in run("nsunit", "image", "revert", image_id(bad), check=False).stderr
