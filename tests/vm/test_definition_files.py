"""The verbs of `nsunit` about definitions, `cat`, `verify` and `edit`, and what shells complete."""

import json
import os
from pathlib import Path

from speaking import web

__all__ = ["web"]  # a fixture

BUSYBOX = "/srv/roots/busybox"
SLEEPER = f"[Container]\nRootfs={BUSYBOX}\nVolatile=yes\nExec=sleep 1000\n"
VERBS = "start stop restart kill pause resume wait rm list status show logs render verify cat edit exec run"


def test_cat_and_verify(containers, nsunit):
    name = containers.define(SLEEPER, limits="[Slice]\nTasksMax=10\n")
    path = f"/etc/nsunit/{name}.nsunit"
    drop_in = f"{path}.d/limits.conf"
    assert nsunit("cat", name).stdout == f"# {path}\n{SLEEPER}\n# {drop_in}\n[Slice]\nTasksMax=10\n"
    assert nsunit("verify", name).stdout == "1 definition checked, nothing wrong\n"
    Path(drop_in).write_text("[Slice]\nTasksMax=1X\nNope=1\n[Service]\nType=simple\n[Container]\nUser=a b\n")
    for verb in ("verify", "start", "render"):
        bad = nsunit(verb, name, check=False)
        assert bad.returncode == 1
        assert [line.partition("] ")[0] for line in bad.stderr.splitlines() if not line.startswith(" ")] == [
            f"nsunit: {drop_in}:2: [Slice",
            f"nsunit: {drop_in}:3: [Slice",
            f"nsunit: {drop_in}:5: [Service",
            f"nsunit: {drop_in}:7: [Container",
        ]
    assert json.loads(nsunit("verify", "--json", name, check=False).stdout)[0]["line"] == 2
    name = containers.define(
        "[Container]\nLayer=/srv/roots/busybox\nExec=sleep 1\n[Slice]\nIOWeight=5\nIODeviceWeight=/nope 9\n"
    )
    for verb in ("verify", "start"):  # systemd would leave it out
        done = nsunit(verb, name, check=False)
        assert (done.returncode, "[Slice] IODeviceWeight: '/nope' does not exist" in done.stderr) == (1, True)
    (problem,) = json.loads(nsunit("verify", "--json", name, check=False).stdout)
    assert (problem["path"], problem["line"]) == (f"/etc/nsunit/{name}.nsunit", 0)  # it was the name


def test_edit(containers, nsunit, workplace):
    name = containers.define(SLEEPER)
    path = Path(f"/etc/nsunit/{name}.nsunit")

    def edit(script, *options):
        editor = workplace / "editor"
        editor.write_text(f"#!/bin/sh\n{script}\n")
        editor.chmod(0o755)
        environment = {**os.environ, "EDITOR": str(editor)}
        return nsunit("edit", *options, name, env=environment, check=False)

    done = edit('sed -i s/1000/2000/ "$1"')
    assert done.returncode == 0
    assert done.stdout.startswith(f"wrote {path}; ")
    assert path.read_text() == SLEEPER.replace("1000", "2000")
    assert edit("true").stdout == f"{path} is as it was\n"
    wrong = edit('echo Nope=1 >>"$1"')
    assert wrong.returncode == 1
    assert f"nsunit: {path}:5: [Container] 'Nope' is not a key" in wrong.stderr
    assert path.read_text() == SLEEPER.replace("1000", "2000")
    (path.parent / f"{path.name}.rejected").unlink()
    containers.files.append(path.parent / f"{path.name}.d")
    assert edit("printf '[Slice]\\nTasksMax=9\\n' >\"$1\"", "--drop-in=tasks").returncode == 0
    assert (path.parent / f"{path.name}.d/tasks.conf").read_text() == "[Slice]\nTasksMax=9\n"
    assert nsunit("edit", "--stdin", name, input=SLEEPER).returncode == 0
    assert path.read_text() == SLEEPER
    assert sorted(entry for entry in os.listdir(path.parent) if entry.startswith(".")) == []


def test_completion(web, containers, nsunit, run, workplace):
    idle = containers.define(SLEEPER)
    script = workplace / "completion"
    script.write_text(run("python3", "-m", "nsunit.cli.completion", "bash").stdout)

    def complete(*words):
        line = " ".join(words)
        code = f"""
            source {script}
            COMP_WORDS=({line} ''); COMP_CWORD={len(words)}; COMP_LINE='{line} '; COMP_POINT=${{#COMP_LINE}}
            function=$(complete -p nsunit | sed 's/.*-F \\([^ ]*\\).*/\\1/')
            $function nsunit '' {words[-1]}
            printf '%s\\n' "${{COMPREPLY[@]}}"
        """
        return {word.strip() for word in run("bash", "-c", code).stdout.split("\n")}

    assert set(VERBS.split()) <= complete("nsunit")
    assert {web.name, idle} <= complete("nsunit", "start")
    network = f"{web.name}-net"
    nsunit("network", "create", network)
    assert {web.name, f"{network}.network"} <= complete("nsunit", "edit")
    assert network in complete("nsunit", "network", "inspect")
    nsunit("network", "rm", network)
    running = complete("nsunit", "stop")
    assert web.name in running
    assert idle not in running
