"""What is kept of containers that nobody sees, and where it is on a file system of its own."""

import json
import os
from pathlib import Path

import pytest
from backups import DEFINITIONS, STATE, text, written

from nsunit.storage import files

__all__ = ["text"]  # a fixture
pytestmark = pytest.mark.once("files and mounts of the kernel alone")


def test_what_run_keep_has_left_is_at_hand(containers, nsunit, program, tmp_path):
    """As with podman, whose containers stay: it is looked at and taken along by its name, though no file defines it."""
    name, image = containers.own(f"k{os.urandom(4).hex()}"), f"localhost/{os.urandom(4).hex()}:latest"
    nsunit("run", "--keep", "--name", name, "-p", "Layer=/srv/roots/busybox", "sh", "-c", "echo 1 >/kept")
    assert nsunit("diff", name).stdout == "A /kept\n"
    nsunit("cp", f"{name}:/kept", str(tmp_path / "kept"))
    assert (tmp_path / "kept").read_text() == "1\n"
    nsunit("cp", str(tmp_path / "kept"), f"{name}:/other")
    (where,) = json.loads(nsunit("mount", "--json", name).stdout)
    assert Path(where["path"], "other").read_text() == "1\n"
    nsunit("umount", name)
    shown = nsunit("status", name, check=False)
    assert (shown.returncode, shown.stdout.splitlines()[1]) == (3, "  Definition: none")
    nsunit("commit", name, image)
    nsunit("image", "rm", image)
    nsunit("export", name, str(tmp_path / "archive"))
    nsunit("rm", name)
    assert nsunit("diff", name, check=False).returncode == 3
    nsunit("import", str(tmp_path / "archive"))
    containers.files.append(DEFINITIONS / f"{name}.nsunit")
    assert (DEFINITIONS / f"{name}.nsunit").read_text().startswith("[Container]\nLayer=/srv/roots/busybox\n")
    # A definition of its own counts from then on, and nothing is known of the other once it is gone.
    nsunit("rm", "--definition", name)
    nsunit("run", "--keep", "--name", name, "-p", "Layer=/srv/roots/busybox", "true")
    containers.start(program("exec sleep 1000000", "Volatile=no"), name)
    nsunit("stop", "--now", name)
    (DEFINITIONS / f"{name}.nsunit").unlink()
    assert nsunit("diff", name, check=False).stderr.startswith(f"nsunit: container '{name}' is not defined")


def test_state_nobody_sees(containers, nsunit, program, run):
    template = containers.define(program("exec sleep 1000000", "Volatile=no"), f"t{os.urandom(4).hex()}@")
    instance = containers.own(f"{template}1")
    keeping = containers.own(f"k{os.urandom(4).hex()}")
    gone = containers.start(program("exec sleep 1000000", "Volatile=no")).name
    nsunit("start", instance)
    nsunit("stop", "--now", instance, gone)
    nsunit("run", "--rm", "--keep", "--name", keeping, "-p", "Layer=/srv/roots/busybox", "touch", "/kept")
    (DEFINITIONS / f"{gone}.nsunit").unlink()
    defined = containers.start(program("exec sleep 1000000", "Volatile=no")).name
    nsunit("stop", "--now", defined)

    def states() -> dict[str, str]:
        return {item["name"]: item["sub_state"] for item in json.loads(nsunit("list", "--all", "--json").stdout)}

    names = {instance: "stopped", keeping: "no-definition", gone: "no-definition"}
    found = states()
    assert {name: found[name] for name in names} == names
    assert found[defined] == "dead"
    shown = nsunit("prune", "--dry-run").stdout.splitlines()
    assert {f"{name}: {state}" for name, state in names.items()} <= set(shown)
    assert not any(line.startswith(f"{defined}:") for line in shown)
    done = nsunit("prune", check=False)
    assert (done.returncode, "prune asks, and nobody can answer" in done.stderr) == (2, True)
    answered = run("printf 'n\\n' | script -qec 'nsunit prune' /dev/null; true").stdout
    assert "Remove all they have kept?" in answered
    assert names.keys() <= states().keys()
    nsunit("prune", "--force")
    assert not names.keys() & states().keys()
    assert containers.of(defined).state.exists()
    done = nsunit("rm", "--definition", f"{template}2", check=False)
    assert (DEFINITIONS / f"{template}.nsunit").exists()
    assert "it is a template's" in done.stderr


@pytest.mark.parametrize("options", [("-t", "tmpfs", "-o", "mode=700", "tmpfs"), ("--bind", str(STATE))])
def test_states_on_a_file_system_of_their_own(containers, nsunit, run, text, tmp_path, options):
    """What comes in is made whole there, since no rename leads from one mount into another."""
    STATE.mkdir(mode=0o700, exist_ok=True)
    run("mount", *options, str(STATE))
    try:
        box = written(containers, text)
        names = [containers.own(f"{box.name}-{number}") for number in range(2)]
        containers.files += [DEFINITIONS / f"{name}.nsunit" for name in names]
        nsunit("clone", box.name, names[0])
        nsunit("export", names[0], str(tmp_path / "archive"))
        nsunit("rename", *names)
        nsunit("import", str(tmp_path / "archive"))
        for name in names:
            assert (STATE / name / "overlay/upper/data/file").read_text() == "kept\n"
        assert list((STATE / ".incoming").iterdir()) == []
        (STATE / ".incoming/gone").mkdir()
        listed = nsunit("list", "--all", "--quiet").stdout.split()
        assert ({box.name, *names} <= {*listed}, ".incoming" in listed) == (True, False)
        nsunit("volume", "list")
        nsunit("image", "prune")
        assert f"{STATE}/.incoming/gone" in nsunit("doctor", "--check", check=False).stdout
        nsunit("doctor", "--repair")
        assert nsunit("doctor", "--check").stdout == "nothing is left\n"
        nsunit("stop", "--now", box.name)
        nsunit("rm", box.name, *names)
    finally:
        run("umount", str(STATE))


def test_what_is_mounted_in_a_state_stays(containers, nsunit, run, text, tmp_path):
    """It cannot be renamed, and its files are no container's to remove; that is told before anything is done."""
    box = written(containers, text)
    nsunit("stop", "--now", box.name)
    other, state = containers.own(f"{box.name}-other"), STATE / box.name
    nsunit("export", box.name, str(tmp_path / "archive"))
    (tmp_path / "disk/directory").mkdir(parents=True)
    (tmp_path / "disk/directory/file").write_text("kept\n")
    for place, words in (
        (state, (("rename", box.name, other), ("rm", box.name))),
        (state / "overlay", (("import", "--force", str(tmp_path / "archive")), ("rm", box.name))),
    ):
        run("mount", "--bind", str(tmp_path / "disk"), str(place))
        try:
            for command in words:
                refused = nsunit(*command, check=False)
                assert refused.returncode == 1
                assert refused.stderr.splitlines() == [
                    f"nsunit: {box.name}: something is mounted at '{place}', where its state is",
                    f"  hint: 'umount {place}' first",
                ]
        finally:
            run("umount", str(place))
    (tmp_path / "top/point").mkdir(parents=True)
    run("mount", "--bind", str(tmp_path / "disk"), str(tmp_path / "top/point"))
    try:
        with pytest.raises(OSError, match="Device or resource busy"):
            files.remove_tree(str(tmp_path / "top"))
    finally:
        run("umount", str(tmp_path / "top/point"))
    assert (tmp_path / "disk/directory/file").read_text() == "kept\n"
    nsunit("rm", box.name)


def test_layers_on_a_file_system_of_their_own(nsunit, run):
    layers = Path("/var/lib/nsunit/images/layers")
    layers.mkdir(mode=0o700, parents=True, exist_ok=True)
    run("mount", "-t", "tmpfs", "-o", "mode=700", "tmpfs", str(layers))
    try:
        nsunit("image", "import", "--name", "apart", "/srv/roots/busybox")
        assert [path.name for path in layers.glob(".staging/*")] == []
        nsunit("image", "rm", "apart")
        (layers / ".staging/gone").mkdir()
        assert f"{layers}/.staging/gone" in nsunit("doctor", "--check", check=False).stdout
    finally:
        run("umount", str(layers))
