import errno
import json
import os
import pwd
import stat
from types import SimpleNamespace

import pytest

from nsunit.cli.definitions import draft
from nsunit.core.context import Context
from nsunit.definition.host import Host
from nsunit.definition.search import SearchPath, find
from nsunit.errors import NotFoundError, Problem
from nsunit.storage.paths import Paths


@pytest.fixture
def folders(manager, tmp_path):
    own, vendor = tmp_path / "etc", tmp_path / "usr"
    for folder in (own, vendor):
        folder.mkdir()
    manager.context.search = SearchPath((str(own), str(vendor)))
    return own, vendor


@pytest.fixture
def checker(manager):
    """`verify` that refuses what has the word "wrong" in it, and remembers what it was asked."""
    from nsunit.definition.search import find

    asked = []

    def verify(context, names):
        problems = []
        for name in names:
            asked.append(name)
            found = find(name, context.search)
            for path in (found.main, *found.drop_ins):
                with open(path) as file:
                    if "wrong" in file.read():
                        problems.append(Problem(path, 1, "it is wrong", "put it right"))
        return problems

    def warnings(context, names):
        return [f"{name}: moot\x1b" for name in names if name == "moot"]

    manager("deeds.verify", verify=verify, warnings=warnings)
    return asked


def editor(monkeypatch, tmp_path, script):
    program = tmp_path / "my editor"
    program.write_text("#!/bin/sh\n" + script)
    program.chmod(0o755)
    monkeypatch.setenv("SYSTEMD_EDITOR", f"'{program}' -x")


def test_cat(nsunit, folders):
    own, vendor = folders
    (vendor / "web.nsunit").write_text("[Container]\nExec=\x1b[2J\n")
    (own / "web.nsunit.d").mkdir()
    (own / "web.nsunit.d" / "a.conf").write_text("[Slice]\n")
    status, out, _err = nsunit("cat", "web")
    assert status == 0
    assert out == f"# {vendor}/web.nsunit\n[Container]\nExec=\x1b[2J\n\n# {own}/web.nsunit.d/a.conf\n[Slice]\n"
    status, _out, err = nsunit("cat", "none")
    assert (status, err.splitlines()[0]) == (3, "nsunit: container 'none' is not defined")


def test_networks_have_definitions_too(nsunit, folders):
    own, _vendor = folders
    (own / "shop.network.nsunit").write_text("[Network]\n")
    found = json.loads(nsunit("cat", "--json", "shop.network")[1])
    assert found == [{"path": f"{own}/shop.network.nsunit", "text": "[Network]\n"}]
    assert nsunit("cat", "shop.network")[:2] == (0, f"# {own}/shop.network.nsunit\n[Network]\n")
    status, _out, err = nsunit("cat", "shob.network")
    assert (status, err.splitlines()) == (
        3,
        ["nsunit: the network 'shob' is not defined", "  hint: did you mean 'shop'?"],
    )
    with pytest.raises(NotFoundError, match="'shop.network' is the name of a network") as caught:
        find("shop.network", SearchPath((str(own),)))
    assert "Network=shop" in caught.value.hint
    with pytest.raises(NotFoundError, match=r"container 'web.nsunit' is not defined") as caught:
        find("web.nsunit", SearchPath((str(own),)))
    assert caught.value.hint == "its definition is a file of that name, the container is 'web'"


class Quiet(Context):
    """Without a bus."""

    host = Host(257)


def test_networks_are_checked(folders, manager):
    from nsunit.deeds import verify

    own, _vendor = folders
    context = Quiet(manager.context.search, Paths(str(own / "run"), str(own / "state")))
    (own / "one.network.nsunit").write_text("[Network]\nSubnet=10.7.0.0/16\n")
    assert verify.verify(context, ["one.network"]) == []
    assert verify.warnings(context, ["one.network"]) == []
    (own / "two.network.nsunit").write_text("[Network]\nSubnet=10.7.1.0/24\n")
    (own / "bad.network.nsunit").write_text("[Network]\nSubnet=x\nMTU=1\n")
    problems = [str(problem) for problem in verify.verify(context, ["two.network", "bad.network"])]
    assert problems[0].endswith("two.network.nsunit: network 'two': 10.7.1.0/24 overlaps 10.7.0.0/16 of network 'one'")
    assert len(problems) == 3


def test_edit_makes_a_network(nsunit, folders, manager, monkeypatch, tmp_path):
    own, _vendor = folders
    editor(monkeypatch, tmp_path, 'echo Internal=yes >>"$2"')
    manager("deeds.verify", verify=lambda *_: [])
    assert nsunit("edit", "--force", "shop.network")[0] == 0
    text = (own / "shop.network.nsunit").read_text()
    assert "[Network]\n" in text
    assert text.endswith("Internal=yes\n")
    assert nsunit("edit", "--force", "bridge.network")[0] == 2


def test_render(nsunit, manager):
    setup = [{"operation": "m", "arguments": [], "does": "mount\x1b /"}, {"does": "execute sh"}]
    manager("deeds.render", render=lambda context, name: {"unit": name})
    manager("core.unit_files", unit_files=lambda context, name: {"a": "[A]\n"})
    assert json.loads(nsunit("render", "--json", "web")[1]) == {"unit": "web"}
    assert nsunit("render", "web", "--unit-files")[1] == "# a\n[A]\n"
    assert json.loads(nsunit("render", "web", "--unit-files", "--json")[1]) == {"a": "[A]\n"}
    assert nsunit("render", "web")[1] == "# a\n[A]\n"  # of a group
    manager("deeds.render", render=lambda context, name: {"unit": name, "setup": setup})
    words, _, files = nsunit("render", "web")[1].partition("\n\n")
    assert words.splitlines()[1:] == ["#   1. mount\\x1b /", "#   2. execute sh"]
    assert files == "# a\n[A]\n"


def test_verify_tells_of_files_that_no_name_leads_to(nsunit, folders, checker):
    own, vendor = folders
    for name in ("Web", "a b", "Shop.pod", "shop--eu.slice", "NET.network", ".hidden"):
        (own / f"{name}.nsunit").write_text("")
    for name in ("web", "web@", "web@1", "shop.pod", "shop-eu.slice"):
        (vendor / f"{name}.nsunit").write_text("")
    wanted = [
        f"nsunit: warning: {own}/{name}.nsunit is left out, as nothing can be called that; "
        "see nsunit.container(5), NAMES"
        for name in ("NET.network", "Shop.pod", "Web", "a b", "shop--eu.slice")
    ]
    assert [line for line in nsunit("verify")[2].splitlines() if "warning" in line] == wanted
    assert "warning" not in nsunit("verify", "web")[2] + nsunit("verify", "--quiet")[2]


def test_verify(nsunit, folders, checker):
    own, _vendor = folders
    (own / "web.nsunit").write_text("")
    (own / "t@.nsunit").write_text("")
    assert nsunit("verify") == (0, "2 definitions checked, nothing wrong\n", "")
    assert checker == ["web", "t@1"]
    (own / "moot.nsunit").write_text("")
    warned = nsunit("verify", "moot")
    assert warned == (0, "1 definition checked, nothing wrong\n", "nsunit: warning: moot: moot\\x1b\n")
    assert nsunit("verify", "moot", "--quiet") == (0, "", "")
    (own / "web.nsunit").write_text("wrong")
    status, out, err = nsunit("verify", "web")
    assert (status, out, err) == (1, "", f"nsunit: {own}/web.nsunit:1: it is wrong\n  hint: put it right\n")
    status, out, _err = nsunit("verify", "--json", "web")
    assert (status, json.loads(out)[0]["line"]) == (1, 1)


@pytest.mark.parametrize("name", ["web", "t@1", "shop.pod", "shop.slice", "lan.network"])
def test_verify_for_programs_names_the_file(nsunit, folders, manager, name):
    path = folders[0] / f"{name.replace('@1', '@')}.nsunit"
    path.write_text("")
    manager("deeds.verify", verify=lambda context, names: [Problem(names[0], 0, "no"), Problem("/x", 2, "no")])
    assert [item["path"] for item in json.loads(nsunit("verify", "--json", name)[1])] == [str(path), "/x"]
    assert nsunit("verify", name)[2] == f"nsunit: {name}: no\nnsunit: /x:2: no\n"


def test_edit(nsunit, folders, checker, monkeypatch, tmp_path):
    own, _vendor = folders
    path = own / "web.nsunit"
    path.write_text("old\n")
    path.chmod(0o600)
    editor(monkeypatch, tmp_path, 'echo new >"$2"; basename "$2"')
    status, out, err = nsunit("edit", "web")
    assert (status, err) == (0, "")
    assert "'nsunit restart' applies it" in out
    assert path.read_text() == "new\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(own) == ["web.nsunit"]


def test_edit_with_an_editor_that_is_no_command(nsunit, folders, checker, monkeypatch):
    own, _vendor = folders
    (own / "web.nsunit").write_text("old\n")
    monkeypatch.setenv("SYSTEMD_EDITOR", "vi '-x")
    status, _out, err = nsunit("edit", "web")
    assert (status, os.listdir(own)) == (1, ["web.nsunit"])
    assert err == (
        "nsunit: the editor 'vi '-x' cannot be read: No closing quotation\n"
        "  hint: name one in $SYSTEMD_EDITOR, or give the text to 'nsunit edit --stdin'\n"
    )


def test_edit_copies_what_comes_from_elsewhere(nsunit, folders, checker, monkeypatch, tmp_path):
    own, vendor = folders
    (vendor / "web.nsunit").write_text("old\n")
    editor(monkeypatch, tmp_path, 'echo new >>"$2"')
    assert nsunit("edit", "web")[0] == 0
    assert (own / "web.nsunit").read_text() == "old\nnew\n"
    assert (vendor / "web.nsunit").read_text() == "old\n"


def test_edit_without_a_change(nsunit, folders, checker, monkeypatch, tmp_path):
    own, _vendor = folders
    (own / "web.nsunit").write_text("old\n")
    editor(monkeypatch, tmp_path, "true")
    assert nsunit("edit", "web") == (0, f"{own}/web.nsunit is as it was\n", "")
    assert checker == []


def test_edit_makes_a_new_definition_when_asked(nsunit, folders, checker, monkeypatch, tmp_path):
    own, _vendor = folders
    assert nsunit("edit", "web")[0] == 3
    editor(monkeypatch, tmp_path, 'grep -q "#Exec=/usr/bin/web" "$2" && echo Exec=x >>"$2"')
    assert nsunit("edit", "--force", "web")[0] == 0
    assert (own / "web.nsunit").read_text().endswith("\nExec=x\n")
    editor(monkeypatch, tmp_path, "true")  # the skeleton as it is defines nothing
    assert nsunit("edit", "--force", "db")[0] == 0
    assert os.listdir(own) == ["web.nsunit"]


def test_a_template_is_named_by_its_at_sign(nsunit, folders, checker, monkeypatch, tmp_path):
    own, _vendor = folders
    editor(monkeypatch, tmp_path, 'echo Exec=x >"$2"')
    assert nsunit("edit", "--force", "web@")[0] == 0
    assert os.listdir(own) == ["web@.nsunit"]
    editor(monkeypatch, tmp_path, 'echo Exec=y >"$2"')
    assert nsunit("edit", "web@blue")[0] == 0
    assert (own / "web@.nsunit").read_text() == "Exec=y\n"
    assert nsunit("cat", "web@")[1] == f"# {own}/web@.nsunit\nExec=y\n"
    assert nsunit("verify", "web@")[0] == 0
    assert checker == ["web@1", "web@blue", "web@1"]


def test_edit_keeps_a_rejected_text(nsunit, folders, checker, monkeypatch, tmp_path):
    own, _vendor = folders
    (own / "web.nsunit").write_text("old\n")
    editor(monkeypatch, tmp_path, 'echo wrong >"$2"')
    status, _out, err = nsunit("edit", "web")
    assert status == 1
    assert err.splitlines() == [
        f"nsunit: nothing was changed; your text is kept in {own}/web.nsunit.rejected",
        f"nsunit: {own}/web.nsunit:1: it is wrong",
        "  hint: put it right",
    ]
    assert (own / "web.nsunit").read_text() == "old\n"
    assert (own / "web.nsunit.rejected").read_text() == "wrong\n"
    assert sorted(os.listdir(own)) == ["web.nsunit", "web.nsunit.rejected"]


@pytest.mark.parametrize("where", ["editor", "check", "install"])
@pytest.mark.parametrize("saved", [True, False])
def test_edit_keeps_a_text_whatever_ends_it(nsunit, folders, checker, monkeypatch, tmp_path, where, saved):
    """A connection that was lost, or a full disk, took what had been saved along."""
    own, _vendor = folders
    (own / "web.nsunit").write_text("old\n")
    editor(monkeypatch, tmp_path, 'echo mine >"$2"' if saved else "true")
    run_editor = draft.run_editor

    def hung_up(*words):
        if where == "editor":
            run_editor(*words)
        raise KeyboardInterrupt

    if where == "editor":
        monkeypatch.setattr(draft, "run_editor", hung_up)
    else:
        monkeypatch.setattr(draft.Draft, where, hung_up)
    status, _out, err = nsunit("edit", "web")
    if saved:
        assert (status, err) == (130, f"nsunit: nothing was changed; your text is kept in {own}/web.nsunit.rejected\n")
        assert (own / "web.nsunit.rejected").read_text() == "mine\n"
    else:
        assert (status, err) == (130 if where == "editor" else 0, "")
    assert (own / "web.nsunit").read_text() == "old\n"
    assert sorted(os.listdir(own)) == ["web.nsunit", "web.nsunit.rejected"][: 1 + saved]


def test_edit_without_an_answer_keeps_the_text(nsunit, folders, checker, monkeypatch, tmp_path):
    """Ctrl-D at the question was an internal error, and the text was gone."""
    own, _vendor = folders
    editor(monkeypatch, tmp_path, 'echo wrong >"$2"')
    terminal = SimpleNamespace(isatty=lambda: True, flush=lambda: None, write=lambda _text: None)
    monkeypatch.setattr("sys.stdin", terminal)
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setattr("builtins.input", lambda _question: (_ for _ in ()).throw(EOFError))
    status, _out, err = nsunit("edit", "--force", "web")
    assert (status, "internal" in err, (own / "web.nsunit.rejected").read_text()) == (1, False, "wrong\n")


def test_edit_does_not_overwrite_somebody_else_s_change(nsunit, folders, checker, monkeypatch, tmp_path):
    own, _vendor = folders
    (own / "web.nsunit").write_text("old\n")
    editor(monkeypatch, tmp_path, f'echo mine >"$2"; echo theirs >"{own}/web.nsunit"')
    status, _out, err = nsunit("edit", "web")
    assert (status, err.splitlines()[1]) == (1, f"nsunit: '{own}/web.nsunit' was changed meanwhile")
    assert (own / "web.nsunit").read_text() == "theirs\n"
    assert (own / "web.nsunit.rejected").read_text() == "mine\n"


def test_edit_of_what_belongs_to_somebody_else(nsunit, folders, checker, monkeypatch):
    own, _vendor = folders
    (own / "web.nsunit").write_text("old\n")
    owner = pwd.getpwuid(os.getuid()).pw_name
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    wanted = (
        f"nsunit: '{own}/web.nsunit' belongs to '{owner}', so it is not yours to change\n"
        "  hint: add to it with --drop-in=NAME, or have it given to you: chown\n"
    )
    assert nsunit("edit", "web") == (1, "", wanted)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert nsunit("edit", "web") == (1, "", f"nsunit: '{own}' is not yours to write to\n  hint: have root do it\n")
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_flag=os.ST_RDONLY))
    assert nsunit("edit", "web") == (1, "", f"nsunit: '{own}' is on a file system that is read-only\n")
    assert os.listdir(own) == ["web.nsunit"]


def test_a_full_disk_leaves_no_draft(nsunit, folders, checker, monkeypatch):
    """It is told by the name of the definition: the error of write(2) has none."""
    own, _vendor = folders

    def full(path, *mode, **options):
        if mode == ("wb",) and "/.edit-" in str(path):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return open(path, *mode, **options)

    monkeypatch.setattr(draft, "open", full, raising=False)
    wanted = f"nsunit: cannot write '{own}/web.nsunit': No space left on device\n"
    assert nsunit("edit", "--force", "web") == (1, "", wanted)
    assert os.listdir(own) == []


def test_edit_a_drop_in(nsunit, folders, checker, monkeypatch, tmp_path):
    own, vendor = folders
    (vendor / "web.nsunit").write_text("old\n")
    editor(monkeypatch, tmp_path, 'echo "[Slice]" >"$2"')
    assert nsunit("edit", "web", "--drop-in=limits")[0] == 0
    assert (own / "web.nsunit.d" / "limits.conf").read_text() == "[Slice]\n"
    editor(monkeypatch, tmp_path, 'echo wrong >"$2"')
    status, _out, err = nsunit("edit", "web", "--drop-in=limits.conf")
    assert (status, err.splitlines()[1]) == (1, f"nsunit: {own}/web.nsunit.d/limits.conf:1: it is wrong")
    status, _out, err = nsunit("edit", "web", "--drop-in=../x")
    assert (status, err.splitlines()[0]) == (2, "nsunit: '../x' is not the name of a drop-in file")


def test_edit_through_a_link_changes_the_file_behind_it(nsunit, folders, checker, monkeypatch, tmp_path):
    own, _vendor = folders
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "web.nsunit").write_text("old\n")
    (own / "web.nsunit").symlink_to(kept / "web.nsunit")
    editor(monkeypatch, tmp_path, 'echo new >"$2"')
    assert nsunit("edit", "web")[0] == 0
    assert (own / "web.nsunit").is_symlink()
    assert (kept / "web.nsunit").read_text() == "new\n"


def test_edit_from_standard_input(nsunit, folders, checker, monkeypatch):
    own, _vendor = folders

    class Input:
        class buffer:
            @staticmethod
            def read():
                return b"from stdin\n"

    monkeypatch.setattr("sys.stdin", Input)
    assert nsunit("edit", "--force", "--stdin", "web")[0] == 0
    assert (own / "web.nsunit").read_text() == "from stdin\n"


def test_an_editor_that_fails_changes_nothing(nsunit, folders, checker, monkeypatch, tmp_path):
    own, _vendor = folders
    (own / "web.nsunit").write_text("old\n")
    editor(monkeypatch, tmp_path, 'echo new >"$2"; exit 4')
    status, _out, err = nsunit("edit", "web")
    assert (status, err.splitlines()[0].endswith("failed with status 4")) == (1, True)
    assert (own / "web.nsunit").read_text() == "old\n"
    assert os.listdir(own) == ["web.nsunit"]


def test_no_editor(nsunit, folders, checker, monkeypatch):
    own, _vendor = folders
    (own / "web.nsunit").write_text("old\n")
    monkeypatch.setenv("SYSTEMD_EDITOR", "/no/such")
    assert nsunit("edit", "web")[2].splitlines()[0] == "nsunit: the editor '/no/such' is not there"
    for name in ("SYSTEMD_EDITOR", "VISUAL", "EDITOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", "/nonexistent")
    assert nsunit("edit", "web")[2].splitlines()[0] == "nsunit: there is no editor"
