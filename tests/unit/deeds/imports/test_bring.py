"""From files to files: what is found, what is written, what is refused."""

import errno
import os
import resource

import pytest
from imports_corpus import FixedContext

from nsunit import imports
from nsunit.deeds.imports import sources, write
from nsunit.deeds.imports.bring import bring, given_of
from nsunit.errors import DefinitionError, NsunitError
from nsunit.imports.model import Draft, Given, Imported, Origin, Unusable

KIND = imports.find("quadlet")
WEB = "[Container]\nImage=nginx\n[Service]\nType=oneshot\n[Install]\nWantedBy=default.target\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/web.container").write_text(WEB)
    return tmp_path


def run(folder, *words, **options):
    given = given_of(KIND, words or (f"{folder}/in",), user=False)
    return bring(FixedContext(str(folder / "out")), KIND, given, **options)


def test_it_writes_what_it_has_made(folder):
    found = run(folder)
    assert found.paths == (f"{folder}/out/web.nsunit",)
    text = (folder / "out/web.nsunit").read_text()
    assert text == found.drafts[0].text()
    assert "Image=nginx" in text
    assert os.listdir(folder / "out") == ["web.nsunit"]
    assert (folder / "out/web.nsunit").stat().st_mode & 0o777 == 0o644


def test_of_two_at_once_the_second_is_refused(folder, monkeypatch):
    """It has found nothing there, and another one writes while it checks."""
    check = write.Staged.check

    def late(staged):
        (folder / "out/web.nsunit").write_text("other's")
        return check(staged)

    monkeypatch.setattr(write.Staged, "check", late)
    with pytest.raises(DefinitionError, match="is there already"):
        run(folder)
    assert (folder / "out/web.nsunit").read_text() == "other's"
    assert os.listdir(folder / "out") == ["web.nsunit"]
    assert run(folder, force=True).paths == (f"{folder}/out/web.nsunit",)


def test_a_key_of_systemds_that_nsunit_does_not_take_is_left_out_with_its_reason(folder):
    (remark,) = run(folder).remarks
    assert str(remark) == (
        f"{folder}/in/web.container:4: Type: nsunit tells systemd itself when and as which process the program runs; "
        "use [Container] Notify=yes if the program itself says that it is ready"
    )
    assert "Type" not in (folder / "out/web.nsunit").read_text()


def test_a_short_name_that_is_in_the_store_as_one_made_here(folder):
    (folder / "in/compose.yaml").write_text("services: {a: {image: a/b}, b: {image: 'a/b:2'}}")
    context, compose = FixedContext(str(folder / "out")), imports.find("compose")
    (folder / "images/names").mkdir(parents=True)
    (folder / "images/names/localhost+a+b:latest").symlink_to("../images/0")
    context.paths = context.paths.replace(data=str(folder))
    given = given_of(compose, (f"{folder}/in/compose.yaml",), user=False)
    found = {draft.name: draft.values("Container", "Image") for draft in bring(context, compose, given).drafts[-2:]}
    assert found == {"in-a": ("localhost/a/b",), "in-b": ("docker.io/a/b:2",)}


def test_a_dry_run_writes_nothing(folder):
    assert run(folder, dry_run=True).paths == ()
    assert not (folder / "out").exists()


def test_nothing_is_overwritten(folder):
    run(folder)
    (folder / "in/db.container").write_text(WEB)
    (folder / "out/web.nsunit").write_text("mine")
    with pytest.raises(DefinitionError) as caught:
        run(folder)
    (problem,) = caught.value.problems
    assert str(problem) == f"{folder}/out/web.nsunit: is there already"
    assert problem.hint == "--force replaces it, --to=DIR writes elsewhere"
    assert not (folder / "out/db.nsunit").exists()
    assert (folder / "out/web.nsunit").read_text() == "mine"


def test_force_replaces(folder):
    (folder / "out").mkdir()
    (folder / "out/web.nsunit").write_text("old")
    run(folder, force=True)
    assert "Image=nginx" in (folder / "out/web.nsunit").read_text()


def test_another_directory(folder):
    assert run(folder, target=f"{folder}/there").paths == (f"{folder}/there/web.nsunit",)


def test_what_a_container_is_not_without_is_no_remark(folder):
    (folder / "in/bad.container").write_text("[Container]\nImage=no such image\n")
    with pytest.raises(DefinitionError) as caught:
        run(folder)
    (problem,) = caught.value.problems
    assert str(problem) == f"{folder}/in/bad.container:2: Image: 'no such image' is not the name of an image"
    assert not (folder / "out").exists() or not os.listdir(folder / "out")


def test_what_cannot_be_put_in_place_leaves_all_as_it_was(folder):
    (folder / "in/zz.container").write_text(WEB)
    (folder / "out/zz.nsunit").mkdir(parents=True)
    (folder / "out/web.nsunit").write_text("mine")
    with pytest.raises(OSError):
        run(folder, force=True)
    assert (folder / "out/web.nsunit").read_text() == "mine"
    assert sorted(os.listdir(folder / "out")) == ["web.nsunit", "zz.nsunit"]
    # A link stays one, and what is put back needs no room.
    (folder / "out/web.nsunit").rename(folder / "kept")
    (folder / "out/web.nsunit").symlink_to(folder / "kept")
    (folder / "kept").chmod(0o600)
    with pytest.raises(OSError, match=f"{folder}/out/zz.nsunit"):
        run(folder, force=True)
    assert os.readlink(folder / "out/web.nsunit") == f"{folder}/kept"
    assert ((folder / "kept").read_text(), (folder / "kept").stat().st_mode & 0o777) == ("mine", 0o600)
    assert sorted(os.listdir(folder / "out")) == ["web.nsunit", "zz.nsunit"]


def test_what_was_there_is_not_emptied_where_nothing_can_be_written(folder, monkeypatch):
    """As on a disk that is full: then not even the first files can be brought back, and none is to be lost for it."""
    (folder / "in/zz.container").write_text(WEB)
    (folder / "out").mkdir()
    for name in ("web", "zz"):
        (folder / f"out/{name}.nsunit").write_text("mine")

    def full(_source, path):
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
        raise OSError(errno.ENOSPC, "full", path)

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    monkeypatch.setattr(os, "replace", full)
    try:
        with pytest.raises((OSError, NsunitError)):
            run(folder, force=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [(folder / f"out/{name}.nsunit").read_text() for name in ("web", "zz")] == ["mine", "mine"]


def test_nothing_to_import(folder):
    with pytest.raises(NsunitError) as caught:
        run(folder, f"{folder}/out")
    assert (caught.value.message, caught.value.exit_status) == (f"'{folder}/out' does not exist", 2)
    (folder / "empty").mkdir()
    with pytest.raises(NsunitError) as caught:
        run(folder, f"{folder}/empty")
    assert caught.value.message == f"there are no files of quadlet in {folder}/empty"
    assert caught.value.hint == (
        "its files are called *.container, *.pod, *.network, *.volume, *.image, *.build, *.kube"
    )


def test_no_definition_comes_of_it(folder):
    (folder / "in/web.container").rename(folder / "in/web.kube")
    with pytest.raises(NsunitError) as caught:
        run(folder)
    assert caught.value.message == "no definition can be made of this quadlet"


def test_a_file_that_cannot_be_used(folder, monkeypatch):
    def convert(_self, _given):
        raise Unusable(Origin("web.x", 3, "Key"), "it is broken", "mend it")

    monkeypatch.setattr(imports.Format, "convert", convert)
    with pytest.raises(DefinitionError) as caught:
        run(folder)
    assert [(str(item), item.hint) for item in caught.value.problems] == [("web.x:3: Key: it is broken", "mend it")]


def test_a_file_that_cannot_be_read(folder):
    os.mkfifo(folder / "in/pipe.container")
    with pytest.raises(NsunitError) as caught:
        run(folder)
    assert caught.value.message == f"'{folder}/in/pipe.container': is not a regular file"
    assert caught.value.hint == "name a text file that can be read"


def test_two_that_would_be_called_the_same(folder, monkeypatch):
    both = Imported((Draft("web"), Draft("web")), ())
    monkeypatch.setattr(imports.Format, "convert", lambda _self, _given: both)
    with pytest.raises(DefinitionError) as caught:
        bring(FixedContext(str(folder / "out")), KIND, Given())
    (problem,) = caught.value.problems
    assert (problem.message, problem.hint) == ("several would be called that", "import one of them alone, or rename it")


def test_somebody_elses_directory(folder, monkeypatch):
    (folder / "out").mkdir()
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(NsunitError) as caught:
        run(folder)
    assert caught.value.message == f"'{folder}/out' is not yours to write to"


def test_a_full_disk_leaves_nothing_of_an_import(folder, monkeypatch):
    (folder / "out").mkdir()

    def full(path, *_, **_options):
        raise OSError(errno.ENOSPC, "full", path)

    monkeypatch.setattr(write, "write_file", full)
    with pytest.raises(OSError, match="full"):
        run(folder)
    assert os.listdir(folder / "out") == []


def test_places_of_users(tmp_path):
    for where in ("run/containers/systemd", ".config/containers/systemd/sub"):
        (tmp_path / where).mkdir(parents=True)
        (tmp_path / where / "web.container").write_text(where)
    (tmp_path / ".config/containers/systemd/sub/db.container").write_text("db")
    environ = {"XDG_RUNTIME_DIR": f"{tmp_path}/run", "HOME": str(tmp_path)}
    found = sources.gather(KIND, (), user=True, environ=environ)
    assert [text for _, text in found] == ["run/containers/systemd", "db"]


def test_masked_files_and_drop_ins(tmp_path):
    (tmp_path / "web.container").write_text("web")
    (tmp_path / "off.container").symlink_to("/dev/null")
    (tmp_path / "web.container.d").mkdir()
    (tmp_path / "web.container.d/10.conf").write_text("more")
    (tmp_path / "web.container.d/README").write_text("x")
    assert [text for _, text in sources.gather(KIND, (str(tmp_path),), user=False, environ={})] == ["web", "more"]
    named = sources.gather(KIND, (f"{tmp_path}/web.container",), user=False, environ={})
    assert [text for _, text in named] == ["web", "more"]


def test_roots_are_taken_by_their_paths(tmp_path):
    nspawn = imports.find("nspawn")
    for tree in ("tree", ".oci-sha256:ab"):  # the second is a layer, which machinectl does not show
        (tmp_path / tree / "usr").mkdir(parents=True)
    (tmp_path / "stack.mstack").mkdir()
    (tmp_path / "plain").mkdir()
    (tmp_path / "systemd-nspawn@x.service.d").mkdir()
    (tmp_path / "other.service.d").mkdir()
    for name in ("disk.raw", "x.nspawn", "systemd-nspawn@x.service.d/a.conf", "other.service.d/b.conf"):
        (tmp_path / name).write_text("[Exec]\n")
    found = dict(sources.gather(nspawn, (str(tmp_path),), user=False, environ={}))
    names = {path.removeprefix(f"{tmp_path}/"): text for path, text in found.items()}
    assert names == {
        "tree/": "",
        "stack.mstack/": "",
        "disk.raw": "",
        "x.nspawn": "[Exec]\n",
        "systemd-nspawn@x.service.d/a.conf": "[Exec]\n",
    }
    assert sources.gather(nspawn, (f"{tmp_path}/tree",), user=False, environ={}) == [(f"{tmp_path}/tree/", "")]
    assert sources.entries(str(tmp_path / "tree")) == ("usr",)
    assert sources.entries(str(tmp_path / "nowhere")) is None


def test_files_one_directory_below(tmp_path):
    lxc = imports.find("lxc")
    for folder in ("box", "box/rootfs/etc", "empty"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "box/config").write_text("lxc.uts.name = box\n")
    (tmp_path / "box/rootfs/etc/config").write_text("of somebody inside")
    for source in (tmp_path, tmp_path / "box"):
        assert sources.gather(lxc, (str(source),), user=False, environ={}) == [
            (f"{tmp_path}/box/config", "lxc.uts.name = box\n")
        ]


def test_a_command_line_in_place_of_files(folder):
    nspawn = imports.find("nspawn")
    given = given_of(nspawn, ("/usr/bin/systemd-nspawn", "-bD", "/srv/box"), user=False)
    assert (given.texts, given.arguments[1:]) == ((), ("-bD", "/srv/box"))
    found = bring(FixedContext(str(folder / "out")), nspawn, given)
    assert found.paths == (f"{folder}/out/box.nsunit",)


def test_a_tree_that_is_only_a_layer_is_no_machine(tmp_path):
    """Where it is not named, and nothing else says that it is one."""
    nspawn, trees = imports.find("nspawn"), [str(tmp_path / name) for name in ("base", "box", "said")]
    layers = "".join(f"Layer={tree}\n" for tree in (trees[0], trees[2]))
    (tmp_path / "web.nsunit").write_text(f"[Container]\n{layers}Exec=/bin/true\n")
    texts = (*((f"{tree}/", "") for tree in trees), (f"{tmp_path}/said.nspawn", "[Exec]\nBoot=yes\n"))
    found = bring(FixedContext(str(tmp_path)), nspawn, Given(texts), dry_run=True)
    assert [draft.name for draft in found.drafts] == ["box", "said"]
    assert [(item.origin.path, item.reason, item.instead) for item in found.remarks] == [
        (trees[0], "it is a layer of 'web'", f"'nsunit import nspawn {trees[0]}' takes it")
    ]
    named = bring(FixedContext(str(tmp_path)), nspawn, Given(texts, arguments=(trees[0],)), dry_run=True)
    assert [draft.name for draft in named.drafts] == ["base", "box", "said"]
