"""Settings as unit-file text: the escaping, and the stored copy of a definition."""

from __future__ import annotations

from nsunit.definition.load import SOURCE_KEY, SOURCES_HEADER
from nsunit.definition.syntax import SECTIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Definition
    from nsunit.definition.setting import Setting


def unit_text_value(setting: Setting, text: str) -> str:
    """Return *text*, an effective value of *setting*, as it must stand in a unit file.

    Specifiers in it are expanded already, so a percent sign left over is meant; systemd looks for specifiers in most
    settings but not in those that take percentages.
    """
    return text.replace("%", "%%") if setting.specifiers else text


def serialize(definition: Definition) -> str:
    """Return *definition* as text in the syntax of definition files, which `load_text` reads back to an equal one."""
    from nsunit.definition.setting import lookup

    lines = [SOURCES_HEADER, *(SOURCE_KEY + source for source in definition.sources)]
    for section in SECTIONS:
        texts = definition.texts_of(section)
        if texts:
            lines += ["", f"[{section}]"]
        for key, text in texts:
            setting = lookup(section, key)
            assert setting is not None, key
            lines.append(f"{key}={unit_text_value(setting, text)}")
    return "\n".join(lines) + "\n"
