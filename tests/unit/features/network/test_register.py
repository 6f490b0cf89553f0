"""Who has which addresses and ports."""

import os
import types

import pytest

from nsunit import jsontext
from nsunit.errors import NsunitError
from nsunit.features.network.model import attachment
from nsunit.features.network.register import attachments, check_ports
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
