"""A user without privileges runs containers on a systemd of their own."""

import json
import os
from pathlib import Path

import pytest
from rootless import USER, foreground, nothing_left, user
from waiting import wait_until

ANYWHERE = pytest.mark.anywhere("the kernel keeps to what its files have, which systemd writes in other tests")
__all__ = ["nothing_left", "user"]  # fixtures


@pytest.mark.machine("controllers")
def test_life_of_a_container(user):
    name = user.define("web", "[Slice]", "MemoryMax=64M")
    assert user.nsunit("start", name).stderr == ""
    (state,) = json.loads(user.nsunit("list", "--json").stdout)
    assert (state["name"], state["active_state"], state["unit"]) == ("web", "active", "nsunit-web.service")
    group = user.cgroup / "nsunit-web.slice"
    assert (group / "memory.max").read_text() == f"{64 << 20}\n"
    assert str(state["pid"]) in (group / "nsunit-web.service/payload/cgroup.procs").read_text().split()

    # The same ids on both sides: root inside is the user, the others are the user's subordinate ones.
    script = """
        cat /proc/1/uid_map; touch /root-made /app-made; chown 1000:1000 /app-made
        rm /etc/passwd; rm -r /etc && mkdir /etc && ls -A /etc; ls -ln / | grep made
        ls /sys/class/net; unshare -U true 2>/dev/null || echo no
    """
    lines = [line.split() for line in user.exec(name, script).splitlines()]
    assert lines[:2] == [["0", str(user.uid), "1"], ["1", str(user.subordinate), "65536"]]
    assert [line[2:4] for line in lines[2:4]] == [["1000", "1000"], ["0", "0"]]
    assert lines[4:] == [["lo"], ["no"]]
    upper = user.containers / "web/overlay/upper"
    assert os.stat(upper / "root-made").st_uid == user.uid
    assert os.stat(upper / "app-made").st_uid == user.subordinate + 999
    assert (user.layer / "etc/passwd").exists()
    assert user.exec(name, "id -u; cd; id -g", "--uid=1000:7").split() == ["1000", "7"]

    # What the program may do is the same as with root.
    status = Path(f"/proc/{state['pid']}/status").read_text()
    fields = dict(line.split(":\t") for line in status.splitlines() if ":\t" in line)
    assert (fields["NoNewPrivs"], fields["Seccomp"], fields["CapAmb"]) == ("1", "2", "0" * 16)
    assert int(fields["CapEff"], 16).bit_count() == 11

    user.nsunit("set", name, "MemoryMax=48M")
    assert (group / "memory.max").read_text() == f"{48 << 20}\n"
    assert user.exec(name, "cat /sys/fs/cgroup/memory.max") == f"{48 << 20}\n"
    done = user.nsunit("set", name, "IOWeight=50", check=False)
    assert f"root runs 'nsunit delegate {USER} cpu io memory pids'" in done.stderr
    user.nsunit("restart", name)
    assert user.exec(name, "ls / | grep made").split() == ["app-made", "root-made"]
    user.nsunit("stop", name)
    assert upper.exists()
    user.nsunit("rm", name)


def test_credentials_of_the_users_own(user):
    store = user.home / ".config/credstore"
    user.run("mkdir", "-p", store)
    (store / "pin").write_text("1234\n")
    (user.home / "token").write_text("abc\n")
    lines = ("Volatile=yes", "Secret=pin:target=/etc/pin:mode=0444", "[Service]")
    name = user.define("secretive", *lines, f"LoadCredential=token:{user.home}/token")
    user.nsunit("start", name)
    script = "cd /run/host/credentials; stat -c '%a %u' . *; cat token; stat -c '%a %u' /etc/pin; cat /etc/pin"
    assert user.exec(name, script).splitlines() == ["500 0", "400 0", "400 0", "abc", "444 0", "1234"]
    user.nsunit("stop", name)
    user.nsunit("rm", name, check=False)


def test_the_other_verbs_look_at_the_users_systemd(user, run):
    name = user.define("looked-at", "Volatile=yes")
    user.nsunit("start", name)
    unit = "nsunit-looked-at.service"
    (process, *_) = json.loads(user.nsunit("ps", name, "--json").stdout)
    assert (process["uid"], process["inside_uid"], process["unit"]) == (user.uid, 0, unit)
    usages = json.loads(user.nsunit("stats", "--json").stdout)["usages"]
    assert [item["name"] for item in usages] == ["nsunit.slice", name]
    assert usages[1]["control_group"].startswith(f"/user.slice/user-{user.uid}.slice/{user.unit}/nsunit.slice/")
    shown = user.nsunit("status", name, "--lines=0").stdout
    assert f"0 inside is {user.uid} outside, 1-65536 are {user.subordinate}-" in shown
    assert " user:" in shown
    assert "systemd" in user.nsunit("logs", name, "--lines=5").stdout
    done = user.run("nsunit", "start", name, check=False)
    assert done.returncode == 1
    assert "with --user" in done.stderr
    assert run("nsunit", "--user", "list", check=False).returncode == 2
    user.nsunit("stop", name, "--now")
    # What was refused is in the journal of the user's unit, too.
    user.define(name, "Layer=/nowhere")
    said = user.nsunit("start", name, check=False).stderr.splitlines()[0].removeprefix("nsunit: ")
    run("journalctl", "--sync")
    assert said in user.nsunit("status", name, check=False).stdout
    assert said in user.nsunit("logs", name).stdout
    user.nsunit("rm", name)


@pytest.mark.machine("controllers")
def test_groups_and_changes(user, run):
    definitions = user.home / ".config/nsunit"
    name = user.define("member", "Volatile=yes", "Slice=shop", "[Slice]", "TasksMax=30")
    (definitions / "shop.slice.nsunit").write_text("[Slice]\nTasksMax=60\n")
    user.nsunit("start", "shop.slice")
    group = user.cgroup / "nsunit-shop.slice"
    own = group / "nsunit-shop-member.slice"
    limits = [(place / "pids.max").read_text() for place in (group, own)]
    assert limits == ["60\n", "30\n"]
    user.nsunit("set", "shop.slice", "TasksMax=25")
    assert (group / "pids.max").read_text() == "25\n"
    shown = "tail -n 1 /proc/self/cgroup; cat /sys/fs/cgroup/pids.max"
    assert user.exec(name, shown) == "0::/\n25\n"
    user.run("systemctl", "--user", "set-property", "--runtime", "nsunit-shop.slice", "TasksMax=15")
    wait_until(lambda: user.exec(name, shown) == "0::/\n15\n")
    user.run("systemctl", "--user", "revert", "nsunit-shop.slice")
    (definitions / "shop.slice.nsunit").unlink()
    user.nsunit("edit", "--force", "--stdin", "shop.slice", input="[Slice]\nTasksMax=40\n")
    refused = user.nsunit("edit", "--stdin", name, input="", check=False).stderr
    path = f"{definitions}/{name}.nsunit"  # it is the test that has made it
    assert refused.startswith(f"nsunit: '{path}' belongs to 'root', so it is not yours to change\n  hint: ")
    run("chown", f"{USER}:", path)
    text = (definitions / f"{name}.nsunit").read_text()
    user.nsunit("edit", "--stdin", name, input=text.replace("TasksMax=30", "TasksMax=20"))
    assert user.nsunit("apply", "shop.slice", name).returncode == 0
    assert [(place / "pids.max").read_text() for place in (group, own)] == ["40\n", "20\n"]
    assert user.exec(name, shown) == "0::/\n20\n"
    shown = user.nsunit("top", "--batch", "--iterations=1", "--raw", "shop.slice").stdout
    assert str(own).removeprefix("/sys/fs/cgroup") in shown
    user.nsunit("stop", "shop.slice", "--now")
    user.nsunit("rm", name)
    (definitions / "shop.slice.nsunit").unlink()


def test_run_in_the_foreground(user):
    done = foreground(user, "id -u; grep ^0 /proc/self/cgroup; exit 7", check=False)
    assert (done.returncode, done.stderr) == (7, "")
    assert done.stdout.split() == ["0", "0::/"]
    terminal = user.nsunit("run", "-t", f"--property=Layer={user.layer}", "--", "tty")
    assert terminal.stdout.strip() == "/dev/pts/0"


@ANYWHERE
@pytest.mark.machine("controllers")
def test_a_limit_bites(user):
    done = foreground(user, "dd if=/dev/zero of=/dev/shm/x bs=1M count=60", "MemoryMax=24M", check=False)
    assert done.returncode == 137


@pytest.mark.machine("controllers")
def test_a_limit_that_was_not_delegated(user, run):
    """It is refused with the line that mends it, and that line does."""
    limit = ("Volatile=yes", "[Slice]", "IOReadIOPSMax=/ 50")
    name = user.define("io", *limit, "[Service]", "IPAddressDeny=any")
    done = user.nsunit("start", name, check=False)
    assert done.returncode == 1
    line = f"nsunit delegate {USER} cpu io memory pids"
    assert done.stderr.splitlines() == [
        f"nsunit: io: [Slice] IOReadIOPSMax= needs the controller 'io', which was not delegated to {USER}",
        f"  hint: root runs '{line}', then {USER} logs in anew",
        "nsunit: io: [Service] IPAddressDeny= cannot be enforced by a user's systemd",
        "  hint: leave it out, or have root run the container as one of the system's",
    ]
    user.define("io", *limit)
    user.define("boot", "Volatile=yes")
    assert user.nsunit("enable", "boot").stderr == ""
    run(*line.split(), "--now")  # starts the user's systemd anew, and with it what is enabled
    user.run("systemctl", "--user", "start", "nsunit-boot")  # waits where that has not ended yet
    assert user.exec("boot", "id -u") == "0\n"
    user.nsunit("start", name)
    assert (user.cgroup / "nsunit-io.slice/io.max").read_text().endswith(" rbps=max wbps=max riops=50 wiops=max\n")
    user.nsunit("stop", name)
    user.nsunit("disable", "--now", "boot")
    assert list((user.home / ".config/systemd/user").iterdir()) == []
    user.nsunit("rm", "boot", name)


def test_doctor(user):
    findings = {item["subject"]: item for item in json.loads(user.nsunit("doctor", "--json", check=False).stdout)}
    assert findings["user namespace"]["state"] == "ok"
    assert findings["subordinate ids"]["text"] == f"65536 users and 65536 groups for {USER}"
    assert findings["linger"]["state"] == "ok"
    assert findings["network"]["text"] == "'/usr/bin/pasta'"
    warned = user.run("journalctl", "--lines=1").stderr
    assert (findings["journal"]["state"] == "warning") == ("insufficient permissions" in warned)
    assert "memory" in findings["controllers"]["text"]


@pytest.mark.machine("controllers")
def test_a_container_of_the_system_with_the_users_ids(user, containers, workplace):
    """`[Service] User=`: the system's systemd runs it, and nothing in there is root outside."""
    os.chown(workplace, user.uid, user.uid)
    text = f"[Container]\nLayer=/srv/roots/busybox\nBind={workplace}:/data\nExec=/bin/sleep 1000\n"
    container = containers.start(text + "[Service]\nUser=lea\n[Slice]\nMemoryMax=24M\n")
    assert container.status()["Uid"].split() == [str(user.uid)] * 4
    lines = container.exec("cat", "/proc/1/uid_map").stdout.splitlines()
    assert [line.split() for line in lines] == [["0", str(user.uid), "1"], ["1", str(user.subordinate), "65536"]]
    container.exec("sh", "-c", "cd /data; touch root-made app-made; chown 1000:1000 app-made")
    made = [os.stat(workplace / name).st_uid for name in ("root-made", "app-made")]
    assert made == [user.uid, user.subordinate + 999]
    # It is the user's to kill, and not to look into: what the definition mounts was opened by root.
    assert user.run("ls", f"/proc/{container.pid}/root/", check=False).returncode != 0
    assert container.exec("sh", "-c", "tail /dev/zero", check=False).returncode == 137
    assert container.show("ActiveState") == {"ActiveState": "active"}
    user.run("kill", "-KILL", str(container.pid))
    wait_until(lambda: container.show("ActiveState") == {"ActiveState": "failed"}, "its end")


@pytest.mark.parametrize("lines", [(), ("[Service]", "Delegate=no")])
def test_streams_by_name(user, lines):
    """Those of a session, and of a payload with Output=pipe, whose lines are in the journal as the unit's."""
    script = "echo by name >/dev/stdout; stat -Lc {}u /dev/stdout"
    payload = f'Exec=/bin/sh -c "{script.format("%%")}; trap exit TERM; sleep 1000 & wait"'
    name = user.define("streams", "Output=pipe", payload, *lines)
    user.nsunit("start", name)
    assert user.exec(name, script.format("%"), "--uid=5") == "by name\n5\n"
    words = ("journalctl", "-o", "cat", "-t", name, f"_SYSTEMD_USER_UNIT=nsunit-{name}.service")
    wait_until(lambda: user._run(*words).stdout.endswith("by name\n0\n"), "the payload's lines")
    # Over a restart while somebody else was given the pipe, which ends the carrier of the run before.
    (status,) = json.loads(user.nsunit("status", name, "--json").stdout)
    with open(f"/proc/{status['state']['pid']}/fd/1", "w"):
        user.run("systemctl", "--user", "restart", f"nsunit-{name}.service")
        assert user.exec(name, script.format("%"), "--uid=5") == "by name\n5\n"
        wait_until(lambda: user.programs(name).count("cat\n") == 1, "one carrier")
    user.nsunit("rm", "--force", name)


def test_a_check_of_its_health(user):
    """Also: it is ready by that, and killed for it; all in the user's own systemd."""
    health = 'Health=/bin/sh -c "id -u; ls /tmp/well"'
    keys = (health, "HealthInterval=200ms", "HealthRetries=1", "HealthOnFailure=restart", "Notify=healthy")
    lines = (
        "Volatile=yes",
        "Exec=/bin/sh -c 'touch /tmp/well; trap exit TERM; while :; do sleep 1000 & wait $!; done'",
    )
    name = user.define("checked", *lines, *keys)
    user.nsunit("start", name)
    (status,) = json.loads(user.nsunit("status", name, "--json").stdout)
    assert status["health"]["status"] == "healthy"
    assert status["health"]["results"][-1]["output"] == "0\n/tmp/well\n"
    first = status["state"]["pid"]
    user.exec(name, "rm /tmp/well")

    def is_another():
        (found,) = json.loads(user.nsunit("list", name, "--json").stdout)
        return found["pid"] not in (None, first) and found["health"] == "healthy"

    wait_until(is_another, "another run")
    user.nsunit("wait", "--condition=healthy", name)
    user.nsunit("stop", name)
    user.nsunit("rm", name)
