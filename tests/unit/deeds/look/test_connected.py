"""The addresses and ports of containers, for many at once."""

import types

from nsunit.deeds.look.connected import connected
from nsunit.storage.paths import Paths


def test_a_broken_record_is_no_reason_to_list_none(tmp_path):
    paths = Paths(str(tmp_path / "run"), str(tmp_path / "var"), str(tmp_path / "data"))
    context = types.SimpleNamespace(paths=paths)
    assert connected(context, "web") == ((), ())
    place = tmp_path / paths.network_of("web")
    place.mkdir(parents=True)
    assert connected(context, "web") == ((), ())
    (place / "attachment").write_text("broken")
    assert connected(context, "web") == ((), ())
