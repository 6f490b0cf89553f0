"""update, rollback and AutoUpdate=: a container on a newer image, and back."""

import json
import subprocess
import uuid
from pathlib import Path

import oci
import pytest
from test_images import busybox
from waiting import wait_until

pytestmark = pytest.mark.usefixtures("real_system")
SAYS = "echo {} >/srv/report; echo end >>/srv/report; trap exit TERM; while :; do sleep 1000 & wait $!; done"


class Versions:
    """Images of one name: each says on /srv/report which one it is, and is healthy if that is `/well`."""

    def __init__(self, place, nsunit):
        self.nsunit = nsunit
        self.place = place / uuid.uuid4().hex[:8]
        self.name = f"localhost/{self.place.name}:1"

    def make(self, version, *, well=True, **config):
        """Have the name mean a new image; returns its id."""
        layout = oci.Layout(self.place / version)
        entries = busybox(*([oci.file("well", "")] if well else []))
        command = {"Cmd": ["/bin/sh", "-c", SAYS.format(version)], **config}
        layout.image([oci.archive(entries)], **command)
        done = self.nsunit("--json", "image", "import", f"oci:{layout.path}:latest", "--name", self.name)
        return json.loads(done.stdout)["id"]

    def there(self):
        """The ids of all images in the store."""
        return {item.name for item in Path("/var/lib/nsunit/images/images").iterdir()}


@pytest.fixture
def versions(workplace, nsunit, containers):
    yield Versions(workplace, nsunit)
    containers.clean()
    nsunit("image", "prune", "--all", "--force")


def runs(container):
    return container.report("srv/report").strip()


def test_there_and_back(versions, containers, nsunit):
    first = versions.make("one")
    never = containers.define(f"[Container]\nImage={versions.name}\n")
    for verb, what in (("update", "update"), ("rollback", "go back to")):
        done = nsunit(verb, never, check=False)
        assert f"nsunit: {never}: it was never started, so there is nothing to {what}\n" in done.stderr
    container = containers.start(f"[Container]\nImage={versions.name}\n")
    name = container.name
    assert nsunit("update", name).stdout == f"{name}: runs the newest image there is\n"
    done = nsunit("rollback", name, check=False)
    assert (done.returncode, "there is no update to go back from" in done.stderr) == (1, True)
    nsunit("exec", name, "sh", "-c", "echo mine >/srv/mine")

    second = versions.make("two")
    done = nsunit("update", name)
    assert done.stdout == f"{name}: updated, from {first[:12]} to {second[:12]}\n"
    assert runs(container) == "two"
    assert f"({second[:12]})" in nsunit("status", name).stdout
    assert not (container.root / "srv/mine").exists()
    nsunit("exec", name, "sh", "-c", "echo new >/srv/mine")
    # What it could go back to stays, with what it has written there; other than by a new update it does not change.
    nsunit("image", "prune", "--all", "--force")
    assert versions.there() == {first, second}
    third = versions.make("three")
    nsunit("restart", name)
    assert runs(container) == "two"

    done = nsunit("--json", "rollback", name)
    assert json.loads(done.stdout)[0]["state"] == "rolled-back"
    assert runs(container) == "one"
    assert (container.root / "srv/mine").read_text() == "mine\n"
    nsunit("rollback", name)
    assert (runs(container), (container.root / "srv/mine").read_text()) == ("two", "new\n")

    # By another name, and while it does not run.
    nsunit("stop", name)
    done = nsunit("update", name, third[:12])
    assert done.stdout == f"{name}: updated for its next start, from {second[:12]} to {third[:12]}\n"
    nsunit("start", name)
    assert runs(container) == "three"
    nsunit("image", "prune", "--all", "--force")
    assert versions.there() == {second, third}
    kept = f"{versions.name.rpartition(':')[0]}:kept"
    nsunit("image", "tag", third, kept)
    versions.make("four")
    assert f" Image: {kept} ({third[:12]})\n" in nsunit("status", name).stdout
    assert nsunit("update", name, "localhost/nothing:1", check=False).returncode == 3


def test_one_that_does_not_run_goes_there_and_back_again(versions, containers, nsunit):
    first = versions.make("one")
    container = containers.start(f"[Container]\nImage={versions.name}\n")
    name = container.name
    nsunit("stop", name)

    def says(verb, done, old, new):
        printed = f"{name}: {done} for its next start, from {old[:12]} to {new[:12]}\n"
        assert nsunit(*verb.split(), name).stdout == printed

    second = versions.make("two")
    says("update", "updated", first, second)
    says("rollback", "rolled back", second, first)
    says("rollback", "rolled back", first, second)
    # Its name means the former image again, which is no reason to run the other one.
    nsunit("image", "tag", first, versions.name)
    says("update", "updated", second, first)
    nsunit("start", name)
    assert runs(container) == "one"
    # One that never ran is none that it could go back to.
    nsunit("stop", name)
    nsunit("image", "tag", second, versions.name)
    says("update", "updated", first, second)
    third = versions.make("three")
    says("update", "updated", second, third)
    says("rollback", "rolled back", third, first)
    nsunit("start", name)
    assert runs(container) == "one"


def test_before_the_next_start_all_look_at_what_that_will_have(versions, containers, nsunit, workplace):
    first = versions.make("one")
    container = containers.start(f"[Container]\nImage={versions.name}\n")
    name = container.name
    nsunit("exec", name, "sh", "-c", "echo mine >/srv/mine")
    nsunit("stop", name)
    versions.make("two")
    nsunit("update", name)
    assert nsunit("diff", name).stdout == ""
    assert "is not there" in nsunit("cp", f"{name}:/srv/mine", str(workplace), check=False).stderr
    root = Path(nsunit("mount", name).stdout.strip())
    assert not (root / "srv/mine").exists()
    nsunit("umount", name)
    # What is copied into it is there then; and what it had is, after the way back.
    (workplace / "new").write_text("new\n")
    nsunit("cp", str(workplace / "new"), f"{name}:/srv/new")
    assert nsunit("diff", name).stdout == "C /srv\nA /srv/new\n"
    nsunit("start", name)
    assert (runs(container), (container.root / "srv/new").read_text()) == ("two", "new\n")
    nsunit("stop", name)
    nsunit("rollback", name)
    assert "A /srv/mine\n" in nsunit("diff", name).stdout
    nsunit("start", name)
    assert (container.root / "srv/mine").read_text() == "mine\n"
    assert f"({first[:12]})" in nsunit("status", name).stdout


@pytest.mark.parametrize("notify", ["", "Notify=healthy\n"])
def test_what_does_not_come_up_is_taken_back(versions, containers, nsunit, notify):
    health = "Health=/bin/cat /well\nHealthInterval=200ms\nHealthRetries=2\n"
    first = versions.make("one")
    text = f"[Container]\nImage={versions.name}\nAutoUpdate=local\n{health}{notify}[Service]\nTimeoutStartSec=6\n"
    container = containers.start(text)
    name = container.name
    bad = versions.make("bad", well=False)
    done = nsunit("update", name, check=False)
    assert done.returncode == 1
    assert f"{name}: not with the image {bad[:12]}: it " in done.stderr
    assert "status 1: cat: can't open '/well'" in done.stderr
    assert f"; it runs {first[:12]} again" in done.stderr
    assert runs(container) == "one"
    nsunit("restart", name)
    assert runs(container) == "one"

    # By itself nothing tries that one again, but the next one.
    assert nsunit("update", "--auto").stdout == f"{name}: runs the newest image there is\n"
    if notify:
        missing = versions.make("missing", Cmd=["/no/such"])
        done = nsunit("update", name, check=False)
        assert f"not with the image {missing[:12]}: Failed to execute '/no/such'" in done.stderr
        assert runs(container) == "one"
    good = versions.make("good")
    subprocess.run(["systemctl", "start", "nsunit-auto-update.service"], check=True)
    assert runs(container) == "good"
    log = ["journalctl", "--output=cat", "--unit=nsunit-auto-update.service"]
    said = subprocess.run(log, capture_output=True, text=True, check=True).stdout
    assert f"{name}: updated, from {first[:12]} to {good[:12]}" in said


def test_who_looks_on_is_told_what_is_waited_for(versions, containers, nsunit, workplace):
    versions.make("one")
    health = "Health=/bin/cat /srv/well\nHealthInterval=200ms\nHealthRetries=1000\n"
    container = containers.start(f"[Container]\nImage={versions.name}\n{health}")
    versions.make("two")
    seen = workplace / "seen"
    words = ["script", "-qefc", f"nsunit update {container.name}", str(seen)]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as updating:
        expected = f"s: {container.name} is not healthy yet: status 1: cat: can't open"
        try:
            wait_until(lambda: expected in seen.read_text() if seen.exists() else False, what="the line")
            nsunit("exec", container.name, "sh", "-c", ": >/srv/well")
            assert updating.wait(timeout=60) == 0
        finally:
            updating.terminate()
    assert f"\x1b[K{container.name}: updated, from " in seen.read_text()


def test_an_enabled_one(versions, containers, nsunit, run):
    first = versions.make("one")
    name = containers.define(f"[Container]\nImage={versions.name}\nAutoUpdate=local\n")
    container = containers.of(name)
    nsunit("enable", "--now", name)
    try:
        write = ("sh", "-c", "cat /srv/report >/srv/mine")
        nsunit("exec", name, *write)
        versions.make("two")
        nsunit("update", name)
        assert (runs(container), (container.root / "srv/mine").exists()) == ("two", False)
        nsunit("exec", name, *write)
        run("systemctl", "restart", container.service)
        assert runs(container) == "two"
        nsunit("rollback", name)
        assert (runs(container), (container.root / "srv/mine").read_text()) == ("one", "one\nend\n")
        # While it does not run, what systemd starts by itself is of the other image, too.
        nsunit("stop", name)
        nsunit("rollback", name)
        run("systemctl", "start", container.service)
        assert (runs(container), (container.root / "srv/mine").read_text()) == ("two", "two\nend\n")
        nsunit("stop", name)
        nsunit("disable", name)
        nsunit("rollback", name)
        nsunit("enable", name)
        run("systemctl", "start", container.service)
        assert (runs(container), (container.root / "srv/mine").read_text()) == ("one", "one\nend\n")
        # The same image by another name, and then one for which what is there has to make way.
        other = f"{versions.name.rpartition(':')[0]}:other"
        nsunit("update", name)
        nsunit("image", "tag", first, other)
        definition = Path(f"/etc/nsunit/{name}.nsunit")
        definition.write_text(definition.read_text().replace(versions.name, other))
        nsunit("restart", name)
        versions.make("three")
        assert nsunit("update", name, versions.name).returncode == 0
        assert runs(container) == "three"
    finally:
        nsunit("disable", "--now", name)
    text = Path("/usr/lib/systemd/system/nsunit-auto-update.timer").read_text()
    assert "WantedBy=timers.target" in text
    assert run("systemctl", "is-enabled", "nsunit-auto-update.timer", check=False).stdout == "disabled\n"
