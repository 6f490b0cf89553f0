"""What nsunit says is so: of starts that failed, of what is kept, of what counts."""

import json
import shutil
from pathlib import Path

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


def test_what_set_and_links_have_changed(containers, nsunit, run, workplace):
    """A change that was meant is no other definition, and what a link led to at the start is what runs."""
    first, second, link = (workplace / name for name in ("first", "second", "current"))
    first.mkdir()
    second.mkdir()
    link.symlink_to(first)
    container = containers.start(SLEEP.replace("Layer=", f"Layer={link}\nLayer=", 1))
    name, service = container.name, container.service
    assert f"Root: overlay of {first}, /srv/roots/busybox " in nsunit("status", name).stdout
    nsunit("set", name, "TasksMax=77")
    status = nsunit("status", name).stdout
    assert "Note: 'nsunit set' has changed it since it was started, until it stops: [Slice] TasksMax=77" in status
    assert "another definition" not in status
    assert nsunit("start", name).stdout == f"{name}: is already running\n"
    # A later change of the file is another definition, and that of set is still none.
    text = (file := containers.files[0]).read_text()
    file.write_text(text + "Hostname=other\n")
    status = nsunit("status", name).stdout
    assert "[Container] Hostname: '' -> 'other'" in status
    assert "TasksMax=77" in status
    assert "TasksMax: " not in status
    file.write_text(text)
    # The link moves.
    link.unlink()
    link.symlink_to(second)
    assert f"'{link}' has led to '{first}' when it was started, and leads to '{second}' now" in (
        nsunit("status", name).stdout
    )
    assert f"[Container] Layer: '{first}' -> '{second}' (by a restart)" in nsunit("plan", name).stdout
    # All that counts is shown, in the order in which systemd has it.
    nsunit("set", "--persist", name, "TasksMax=88")
    nsunit("dropin", name, "MemoryHigh=1G")
    places = ("/etc/systemd/system/nsunit-.service.d", f"/run/systemd/system/{service}.d")
    own = [Path(place) / "90-own.conf" for place in places]
    own[1] = own[1].with_name("95-own.conf")
    try:
        for path in own:
            path.parent.mkdir()
            path.write_text("[Service]\nTimeoutStopSec=33\n")
        run("systemctl", "daemon-reload")
        shown_paths = [container.show("DropInPaths", unit=unit)["DropInPaths"] for unit in (container.slice, service)]
        counted = [path for path in " ".join(shown_paths).split() if path.endswith(("-own.conf", "50-nsunit.conf"))]
        said = [line.removeprefix("# ") for line in nsunit("cat", name).stdout.splitlines() if line.startswith("# /")]
        assert said[0] == str(file)
        assert said[1:] == counted
    finally:
        for path in own:
            path.unlink()
            path.parent.rmdir()
        run("systemctl", "daemon-reload")


def test_what_is_not_there(containers, nsunit, run, workplace):
    """What has gone and what never was, told apart; templates; all mistakes at once."""
    name = containers.own("truth-gone")
    nsunit("run", "--detach", f"--name={name}", "-p", "Layer=/srv/roots/busybox", "sleep", "1000")
    removed = nsunit("rm", "--force", name)
    assert "there is no such" not in removed.stderr
    assert nsunit("rm", name, check=False).returncode == 3
    run("journalctl", "--sync")
    assert "Started nsunit-truth" in nsunit("logs", name).stdout
    done = nsunit("logs", "truth-never", check=False)
    assert (done.returncode, done.stdout) == (3, "")
    assert "container 'truth-never' is not defined" in done.stderr
    # A template is checked by way of an instance that can be a number, or of the one it names.
    text = SLEEP + "Network=bridge\nPublishPort=70%i:80\n"
    template = containers.define(text, "truth@")
    assert "nothing wrong" in nsunit("verify", template).stdout
    done = nsunit("enable", template, check=False)
    assert done.returncode == 2
    assert "'truth@' is a template, and has no DefaultInstance= in [Install]" in done.stderr
    containers.define(text + "[Install]\nDefaultInstance=99\n", "truth@")
    assert ":4: [Container]" not in nsunit("verify", template, check=False).stderr
    nsunit("enable", template)
    containers.own("truth@99")
    assert nsunit("status", "truth@99", check=False).stdout.splitlines()[2].endswith("started at boot")
    nsunit("disable", "truth@99")
    # Each mistake is told, those inside the root and those of the syntax together.
    lines = "User=nobody-here\nGroup=none-here\nBind=/nowhere\nHostname=a b\n[Slice]\nNoSuchKey=1\n"
    wrong = containers.define(SLEEP.replace("/bin/sleep", "/bin/nothing") + lines)
    said = nsunit("verify", wrong, check=False).stderr
    for text in (
        "Hostname",
        "'NoSuchKey' is not a key",
        "'/nowhere' does not exist",
        "Exec: '/bin/nothing' is not in the root",
        "User: 'nobody-here' is not in /etc/passwd of the root",
        "Group: 'none-here' is not in /etc/group of the root",
    ):
        assert text in said, said


def test_two_with_the_same_ids(containers, nsunit, run):
    """As after the state of one was copied, or a backup restored: the next one that starts takes others."""
    text = SLEEP.replace("Volatile=yes\n", "")
    first = containers.start(text)
    second = containers.define(text)
    nsunit("start", second)
    nsunit("stop", second)
    copy = containers.of(second)
    shutil.copy(first.state / "ids", copy.state / "ids")
    nsunit("start", second)
    maps = [container.proc("uid_map").split()[1] for container in (first, copy)]
    assert maps[0] != maps[1]
    assert maps == [(container.state / "ids").read_text().split()[0] for container in (first, copy)]


def test_who_is_not_root_is_told_what_is_everybodys(containers, nsunit, run):
    """What systemd tells everybody: no more, and no less for a check of its health or a start that has failed."""
    name = containers.start(SLEEP + "Health=/bin/true\n").name
    failed = containers.define(SLEEP.replace("sleep", "not-there"))
    nsunit("start", failed, check=False)
    done = run(f"setpriv --reuid=65534 --regid=65534 --clear-groups nsunit list {name} {failed}", check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert name in done.stdout


def test_the_mistakes_of_one_that_does_not_run_are_told(containers, nsunit):
    name = containers.define("[Container]\nLayer=/\nExec=/bin/none\nFoo=1\n")
    note = f"        Note: its definition has a mistake: /etc/nsunit/{name}.nsunit:4: [Container] 'Foo' is not a key"
    assert note in nsunit("status", name, check=False).stdout.splitlines()
    containers.define("[Container]\nLayer=/\nExec=/bin/none\nFoo=1\nBar=2\n", name=name)
    more = f"{note} and 1 more, see 'nsunit verify {name}'"
    assert more in nsunit("status", name, check=False).stdout.splitlines()
    nsunit("start", name, check=False)  # it is told once, and on one line
    notes = [line for line in nsunit("status", name, check=False).stdout.splitlines() if "Note:" in line]
    refused = f"        Note: /etc/nsunit/{name}.nsunit:4: [Container] 'Foo' is not a key"
    assert notes == [f"{refused}, and 1 more, see 'nsunit verify {name}'"]
