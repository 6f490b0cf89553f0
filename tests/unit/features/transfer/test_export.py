"""What writes the archive of a container."""

import types

from nsunit.features.transfer import export


def test_what_cannot_be_written_is_told_by_the_archives_name(monkeypatch, tmp_path):
    """That of the upper layer, too, which comes behind the volumes."""
    places = []

    class Packer:
        def __init__(self, _out, *, place, opaque=""):
            places.append(place)
            self.warnings = []

        def tree(self, *_arguments):
            pass

        def finish(self):
            pass

    monkeypatch.setattr(export, "Packer", Packer)
    context = types.SimpleNamespace(user=False)
    export._pack(context, str(tmp_path), {"data": str(tmp_path)}, -1, "backup.tar")
    assert places == ["backup.tar", "backup.tar"]
