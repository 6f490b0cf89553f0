"""Who has which addresses and ports."""

import os
import types

import pytest

from nsunit import jsontext
from nsunit.definition.model import Container
from nsunit.errors import NsunitError
from nsunit.features.network import register
from nsunit.features.network.model import attachment
from nsunit.features.network.register import attachments, check_ports, known_attachments, note
from nsunit.storage import files
from nsunit.storage.lock import Lock
from nsunit.storage.paths import Paths


def test_a_spoiled_attachment_is_named_and_made_anew_by_its_container(tmp_path):
    """It is in everybody's way but that of its own container, whose restart mends it."""
    context = types.SimpleNamespace(paths=Paths(str(tmp_path / "run"), str(tmp_path / "state")))
    paths = {name: f"{context.paths.boot_network_of(name)}/attachment" for name in ("web", "db")}
    for name, path in paths.items():
        os.makedirs(os.path.dirname(path))
        with open(path, "w") as file:
            file.write(jsontext.dumps(attachment.to_json(attachment.Attachment(name, (), ()))))
    assert [item.container for item in attachments(context)] == ["db", "web"]
    for spoiled in ("", "[]", '{"container":'):
        with open(paths["web"], "w") as file:
            file.write(spoiled)
        with pytest.raises(NsunitError, match=f"^'{paths['web']}' is not an attachment to a network$") as caught:
            check_ports(context, "db", ())
        assert caught.value.hint == "restart 'web'"
        check_ports(context, "web", ())


@pytest.fixture
def context(tmp_path):
    found = types.SimpleNamespace(paths=Paths(str(tmp_path / "run"), str(tmp_path / "state")))
    os.makedirs(found.paths.networks)
    return found


def connect(context, name, directory="", port=80):
    """What a start does of *name*, and who it has seen."""
    seen = {other for other in known_attachments(context, name).items if other != name}
    directory = directory or context.paths.network_of(name)
    os.makedirs(directory, exist_ok=True)
    item = attachment.Attachment(name, (), host_ports=((port, "tcp"),))
    note(context, item, directory)
    with open(f"{directory}/attachment", "w") as file:
        file.write(jsontext.dumps(attachment.to_json(item)))
    return seen


def test_a_start_of_many_looks_at_others_once(context, monkeypatch):
    asked = []
    look = register.attachment_of
    monkeypatch.setattr(register, "attachment_of", lambda where, name: asked.append(name) or look(where, name))
    for number in range(30):
        assert len(connect(context, f"c{number}")) == number
    assert len(asked) <= 2


def test_what_other_commands_do_meanwhile_is_seen(context):
    connect(context, "a")
    connect(context, "kept", context.paths.boot_network_of("kept"))
    own = register._known.copy()
    register._known.clear()  # another command
    assert connect(context, "b") == {"a", "kept"}
    register._known.update(own)
    assert connect(context, "c") == {"a", "b", "kept"}
    os.unlink(context.paths.network_of("b") + "/attachment")
    os.rmdir(context.paths.network_of("b"))  # as systemd does
    assert connect(context, "d") == {"a", "c", "kept"}
    own = register._known.copy()
    register._known.clear()
    connect(context, "a", port=81)
    register._known.update(own)
    assert known_attachments(context, "d").items["a"].host_ports == ((81, "tcp"),)


def test_the_own_one_is_known_to_those_that_follow(context):
    """It is made anew, but when that fails before it is written, it has its address all the same."""
    connect(context, "web", context.paths.boot_network_of("web"))
    register._known.clear()
    known_attachments(context, "web")
    assert connect(context, "db") == {"web"}
    register._known.clear()
    with open(context.paths.boot_network_of("web") + "/attachment", "w") as file:
        file.write("[]")
    assert "db" in known_attachments(context, "web").items


def test_one_that_was_disabled_has_its_address_no_more(context):
    connect(context, "kept", context.paths.boot_network_of("kept"))
    assert connect(context, "web") == {"kept"}
    os.unlink(context.paths.boot_network_of("kept") + "/attachment")
    os.removedirs(context.paths.boot_network_of("kept"))
    assert connect(context, "db") == {"web"}


def test_who_notes_ports_of_pasta_has_the_lock_of_those_who_look(context, monkeypatch):
    """Else one who looks between the note and the file takes what is about to change for what there is."""
    held = []
    write_file = files.write_file

    def write(path, content):
        with pytest.raises(NsunitError, match="working on it"), Lock(context.paths.locks, register.LOCK, 0):
            pass
        held.append(os.path.basename(path))
        write_file(path, content)

    monkeypatch.setattr(files, "write_file", write)
    directory = context.paths.network_of("web")
    os.makedirs(directory)
    register.note_ports(context, "web", Container(exec=("/bin/true",)), directory)
    assert held == ["addresses", "attachment"]
