"""What nsunit says is so: of starts that failed, of what is kept, of what counts."""

import json

SERVE = "/bin/sh -c \"trap 'exit 0' TERM; sleep 1000 & wait\""
SLEEP = "[Container]\nLayer=/srv/roots/busybox\nVolatile=yes\nExec=/bin/sleep 1000\n"


def shown(nsunit, name):
    """What `status` shows, which exits as for what does not run."""
    done = nsunit("status", name, check=False)
    assert done.returncode == 3, done
    return done.stdout


def test_a_start_that_was_refused(define, nsunit, run):
    """Systemd has not heard of it; who looks later learns why, also from a start by cron."""
    name = define(SLEEP.replace("/srv/roots/busybox", "/srv/roots/nowhere"))
    done = nsunit("start", name, check=False)
    assert done.returncode == 1
    said = done.stderr.splitlines()[0].removeprefix("nsunit: ")
    status = shown(nsunit, name)
    assert "Active: failed (refused) since " in status
    assert said in status
    assert "systemd[1]" not in status
    (state,) = (item for item in json.loads(nsunit("list", "--json").stdout) if item["name"] == name)
    assert (state["active_state"], state["sub_state"]) == ("failed", "refused")
    assert said in state["note"]
    run("journalctl", "--sync")
    for journal in (nsunit("logs", name), run("journalctl", f"--unit=nsunit-{name}.service")):
        assert "nsunit[" in journal.stdout
        assert said in journal.stdout
    # A definition that cannot be read is another reason.
    define(SLEEP + "Memory=1G\n", name)
    assert nsunit("start", name, check=False).returncode == 1
    assert f"{name}.nsunit:5: " in shown(nsunit, name)
    # It is over with the next start that works, and with `stop`.
    define(SLEEP, name)
    nsunit("start", name)
    assert "Note" not in nsunit("status", name).stdout
    nsunit("stop", name)
    assert "Active: inactive (dead)" in shown(nsunit, name)


def test_a_start_that_failed(define, nsunit, run):
    """Why, and what the journal has of this start alone."""
    name = define(SLEEP.replace("/bin/sleep", "/bin/first"))
    assert nsunit("start", name, check=False).returncode == 1
    define(SLEEP.replace("/bin/sleep", "/bin/second"), name)
    done = nsunit("start", name, check=False)
    run("journalctl", "--sync")
    status = shown(nsunit, name)
    assert "Active: failed (failed) since " in status
    assert done.stderr.splitlines()[0].removeprefix("nsunit: ") in status
    _fields, _, lines = status.partition("\n\n")
    assert "/bin/second" in lines
    assert "/bin/first" not in lines
    assert name in nsunit("status").stdout
    # What systemd does later counts more.
    define(SLEEP.replace("/bin/sleep 1000", SERVE), name)
    nsunit("enable", name)
    define(SLEEP + "Memory=1G\n", name)
    assert nsunit("start", name, check=False).returncode == 1
    assert "Active: failed (refused)" in shown(nsunit, name)
    run("systemctl", "start", f"nsunit-{name}.service")
    assert "Active: active" in nsunit("status", name).stdout
    run("systemctl", "stop", f"nsunit-{name}.service")
    assert "Active: inactive (dead)" in shown(nsunit, name)
    nsunit("disable", name)
