"""The test machine's table of values has one for every key that is systemd's: tests/vm/settings.py."""

import importlib.util
from pathlib import Path

from nsunit.definition.setting import keys_of, lookup

PATH = Path(__file__).resolve().parents[2] / "vm/settings.py"
SECTIONS = ("Unit", "Slice", "Service")


def test_the_table_of_values_is_complete():
    spec = importlib.util.spec_from_file_location("settings", PATH)
    settings = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(settings)
    known = {(section, key) for section in SECTIONS for key in keys_of(section)}
    given = {(section, key) for section, values in settings.VALUES.items() for key in values}
    given |= {("Unit", prefix + kind) for prefix in ("Condition", "Assert") for kind in settings.TESTED}
    given.remove(("Unit", "AssertFirmware"))  # nsunit has it as a condition only
    assert given == known
    for section, key in known:
        lookup(section, key).parse(settings.value_of(section, key))
