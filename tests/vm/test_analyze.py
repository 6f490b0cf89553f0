"""`nsunit analyze`: what a start has noted, on a real systemd."""

import json
import os
import signal
import xml.etree.ElementTree

import pytest
from waiting import wait_until

DEFINITION = """
[Container]
Rootfs=/srv/roots/busybox
Volatile=yes
Exec=/bin/sleep 1000
"""


def last(nsunit, *words):
    return json.loads(nsunit("analyze", "--json", *words).stdout)


def test_a_start_from_the_command_to_the_program(define, nsunit):
    name = define(DEFINITION)
    nsunit("start", name)
    (found,) = last(nsunit, name)
    parts = {span["part"] for span in found["spans"]}
    assert parts == {"command", "definition", "plan", "systemd", "interpreter", "helper", "network", "payload"}
    steps = [span["what"] for span in found["spans"]]
    assert {"prepare root-overlay", "execute pivot", "namespaces", "execve"} <= set(steps)
    assert sum(span["usec"] for span in found["spans"]) == found["usec"] > 0
    assert last(nsunit) == [found]  # it was started last
    assert found["name"] in [item["name"] for item in last(nsunit, "--all")]
    picture = nsunit("analyze", name, "--plot=-").stdout
    assert xml.etree.ElementTree.fromstring(picture).tag == "{http://www.w3.org/2000/svg}svg"


def test_a_restart_by_systemd_has_no_command(containers, nsunit):
    unit = containers.start(DEFINITION + "[Service]\nRestart=always\nRestartSec=0\n")
    name = unit.name
    os.kill(unit.pid, signal.SIGKILL)
    wait_until(lambda: unit.show("NRestarts", "ActiveState") == {"NRestarts": "1", "ActiveState": "active"}, "it is up")
    (found,) = last(nsunit, name)
    assert "command" not in {span["part"] for span in found["spans"]}
    assert "interpreter" in {span["part"] for span in found["spans"]}


def test_one_that_is_enabled_has_no_command(define, nsunit):
    name = define(DEFINITION)
    nsunit("enable", "--now", name)
    try:
        (found,) = last(nsunit, name)
        assert found["spans"][0]["part"] == "systemd"
    finally:
        nsunit("disable", "--now", name)


def test_what_does_not_run_is_refused(define, nsunit):
    name = define(DEFINITION)
    done = nsunit("analyze", name, check=False)
    assert (done.returncode, "it is not running" in done.stderr) == (3, True)


@pytest.mark.kernel("nftables")
def test_who_waited_for_the_network(define, nsunit):
    name = define(DEFINITION + "Network=bridge\n")
    nsunit("start", name)
    (found,) = last(nsunit, name)
    assert [span["what"] for span in found["spans"] if span["part"] == "network"] == ["waited for"]
