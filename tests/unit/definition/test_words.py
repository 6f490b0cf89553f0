"""Words of a value."""

import pytest

from nsunit.definition.words import ValueProblem, split


@pytest.mark.parametrize("text", ["\\", "/dev/null\\", '"a b" c\\'])
@pytest.mark.parametrize("keep", [True, False])
def test_a_backslash_at_the_end_is_told(text, keep):
    with pytest.raises(ValueProblem, match="ends with a backslash$"):
        split(text, keep_escapes=keep)
