"""A connection to a machine, with a socket that stands in for the machine."""

import socket
import subprocess

import pytest
from machine import client, qemu
from machine.client import Lost


@pytest.fixture
def ends():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_a_machine_that_does_not_read_is_lost(monkeypatch, ends):
    monkeypatch.setattr(client, "SEND_SECONDS", 0.2)
    with pytest.raises(Lost, match="the machine did not read a message in 0.2 s"):
        client.Client(ends[0]).send({"data": "x" * (8 << 20)})


def test_a_machine_that_hung_up_is_lost(ends):
    ends[1].close()
    with pytest.raises(Lost, match="the machine is gone"):
        client.Client(ends[0]).send({"eof": True})


def test_what_a_line_echoes_is_no_answer(monkeypatch, ends):
    """Until the agent has set it up it does so, and what is sent then is lost."""
    monkeypatch.setattr(client.os, "urandom", lambda count: b"\xab" * count)
    asked = '{"hello": "abababababababab"'
    ends[1].sendall(f'{asked}, "asked": true}}\r\n{asked}}}\n'.encode())
    one = client.Client(ends[0])
    one.hello(10)
    with pytest.raises(Lost, match="no word from the machine"):
        one.receive(0)
    assert ends[1].recv(1000).decode() == f'{asked}, "asked": true}}\n'
    ends[1].sendall(f'{asked}, "asked": true}}\r\n'.encode())
    with pytest.raises(Lost, match="no word from the machine"):
        one.hello(0.1)


@pytest.mark.parametrize("command", ["echo no such option", "echo no such option; sleep 60"])
def test_a_qemu_that_does_not_start_is_lost(monkeypatch, tmp_path, command):
    monkeypatch.setenv("NSUNIT_MACHINES", str(tmp_path))
    monkeypatch.setattr(qemu, "START_SECONDS", 0.3)
    monkeypatch.setattr(qemu, "base_command", lambda: ["sh", "-c", command])
    monkeypatch.setattr(qemu, "accelerator", lambda image: [])
    with pytest.raises(Lost, match="qemu did not start: no such option"):
        qemu.Machine("one").start(tmp_path)


@pytest.mark.parametrize(
    ("states", "said"),
    [
        ("starting running", "running\n"),
        ("starting degraded", "degraded\nlist-jobs\n"),
        ("starting", "starting\nlist-jobs\n"),
    ],
)
def test_a_start_that_does_not_end_is_told_with_what_it_waits_for(tmp_path, states, said):
    """Each call of systemctl takes a state, the last one again and again."""
    systemctl = tmp_path / "systemctl"
    systemctl.write_text(
        f"""#!/bin/sh
cd {tmp_path}
case $1 in is-system-running) ;; list-jobs) echo list-jobs; exit ;; *) exit ;; esac
[ -e states ] || echo {states} >states
read -r now after <states
[ -z "$after" ] || echo "$after" >states
echo "$now"
[ "$now" = running ]
"""
    )
    systemctl.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    script = client.STARTED.format(seconds=2)
    done = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == said
