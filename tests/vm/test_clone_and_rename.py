"""Containers under another name: a second one, and the same."""

import json
import os
import signal
import subprocess

import pytest
from backups import DEFINITIONS, INCOMING, forget, seen, text, written
from waiting import wait_until

__all__ = ["text"]  # a fixture
pytestmark = pytest.mark.once("files and mounts of the kernel alone")


@pytest.mark.kernel("nftables")
def test_clone(containers, nsunit, text, workplace):
    bound = workplace / "for-two"
    bound.mkdir()
    box = written(
        containers,
        f"{text}PublishPort=127.0.0.1:9137:80\nBind={bound}:/shared\nNetwork=bridge\n",
        own="[Container]\nHostname=one\n",
    )
    nsunit("set", "--persist", box.name, "CPUWeight=55")
    before = seen(box)
    name = containers.own(f"{box.name}-two")
    containers.files += [DEFINITIONS / f"{name}.nsunit", DEFINITIONS / f"{name}.nsunit.d"]
    done = nsunit("clone", box.name, name)
    assert done.stdout == ""
    assert f"PublishPort=127.0.0.1:9137:80 is {box.name}'s, too" in done.stderr
    assert f"Hostname=one is {box.name}'s, too" in done.stderr
    assert f"Bind={bound}:/shared is shared with {box.name}" in done.stderr
    assert box.show("FreezerState", unit=box.slice)["FreezerState"] == "running"
    main = DEFINITIONS / f"{name}.nsunit"
    main.write_text(main.read_text().replace("9137", "9138"))
    nsunit("start", name)
    two = containers.of(name)
    assert seen(two) == before
    assert two.show("CPUWeight", unit=two.slice)["CPUWeight"] == "55"
    assert (two.state / "ids").read_text() != (box.state / "ids").read_text()
    addresses = [json.loads(nsunit("status", item, "--json").stdout)[0]["addresses"] for item in (box.name, name)]
    assert not set(addresses[0]) & set(addresses[1])
    done = nsunit("clone", box.name, name, check=False)
    assert (done.returncode, "runs" in done.stderr) == (1, True)
    done = nsunit("clone", "not-there", "anything", check=False)
    assert (done.returncode, "is not defined" in done.stderr) == (3, True)


def test_rename(containers, nsunit, run, text):
    box = written(containers, text, own="[Service]\nTasksMax=88\n")
    nsunit("set", "--persist", box.name, "CPUWeight=55")
    other = containers.define(f"[Container]\nLayer=/srv/roots/busybox\nExec=/bin/true\n[Unit]\nAfter={box.service}\n")
    before, ids = seen(box), (box.state / "ids").read_text()
    name = containers.own(f"{box.name}-new")
    containers.files += [DEFINITIONS / f"{name}.nsunit", DEFINITIONS / f"{name}.nsunit.d"]
    done = nsunit("rename", box.name, name, check=False)
    assert (done.returncode, "it is running" in done.stderr) == (1, True)
    nsunit("stop", "--now", box.name)
    nsunit("enable", box.name)
    definition = DEFINITIONS / f"{box.name}.nsunit"
    text = definition.read_text()
    definition.write_text(f"{text}[Container]\nNonsense=1\n")
    done = nsunit("rename", box.name, name, check=False)
    assert (done.returncode, "'Nonsense' is not a key" in done.stderr) == (1, True)
    assert run("systemctl", "is-enabled", box.service).stdout == "enabled\n"  # nothing could enable it again
    definition.write_text(text)
    done = nsunit("rename", box.name, name)
    assert done.stdout == ""
    assert f"{other}: its definition names '{box.name}'" in done.stderr
    assert run("systemctl", "is-enabled", containers.of(name).service).stdout == "enabled\n"
    assert not (DEFINITIONS / f"{box.name}.nsunit").exists()
    assert not box.state.exists()
    new = containers.of(name)
    run("systemctl", "start", new.service)
    assert (seen(new), (new.state / "ids").read_text()) == (before, ids)
    assert (new.show("TasksMax")["TasksMax"], new.show("CPUWeight", unit=new.slice)["CPUWeight"]) == ("88", "55")
    assert not run(f"ls -d /etc/systemd/system/*{box.name}.*", check=False).stdout
    nsunit("disable", "--now", name)
    # Killed after the first file: the same command does the rest.
    old = containers.own(f"{box.name}-old")
    (DEFINITIONS / f"{old}.nsunit").write_text((DEFINITIONS / f"{name}.nsunit").read_text())
    containers.files.append(DEFINITIONS / f"{old}.nsunit")
    containers.files.append(DEFINITIONS / f"{old}.nsunit.d")
    nsunit("rename", name, old)
    assert (containers.of(old).state / "ids").read_text() == ids
    done = nsunit("rename", old, other, check=False)
    assert (done.returncode, "is defined" in done.stderr) == (1, True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_clone_that_is_killed_takes_along_what_copies(containers, nsunit, run, text, tmp_path, number):
    box = written(containers, text)
    program = tmp_path / "cp"
    program.write_text(
        '#!/bin/sh\nfor to; do :; done\nmkdir "$to"; while mkdir "$to/$((n += 1))"; do sleep 0.01; done\n'
    )
    program.chmod(0o755)
    command = ["nsunit", "clone", box.name, f"{box.name}-new"]
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL) as clone:
        wait_until(lambda: any(INCOMING.glob("*/state/overlay/upper/9")))
        clone.send_signal(number)
        assert clone.stderr.read() == b""
    assert clone.returncode == (143 if number == signal.SIGTERM else -9)
    wait_until(lambda: run("pgrep", "-f", f"{program} -a", check=False).returncode == 1)
    if number == signal.SIGTERM:
        assert list(INCOMING.iterdir()) == []
    program.unlink()
    nsunit("clone", box.name, f"{box.name}-new")
    assert list(INCOMING.iterdir()) == []
    forget(nsunit, f"{box.name}-new")
