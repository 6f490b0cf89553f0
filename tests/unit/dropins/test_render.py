"""The text of unit files."""

import pytest
from definitions import definition

from nsunit.dropins.render import render_unit
from nsunit.plan.units import Directive
from nsunit.units import Property


@pytest.mark.parametrize(("version", "keys"), [(257, ["CPUAccounting", "IOAccounting"]), (258, ["IOAccounting"])])
def test_a_key_that_systemd_warns_of_is_left_out(version, keys):
    names = ("CPUAccounting", "IOAccounting")
    own = [Directive("Service", name, "yes", Property(name, "b", True)) for name in names]
    text = render_unit("A container.", definition(), own, (), version)
    assert [line.partition("=")[0] for line in text.splitlines() if "Accounting" in line] == keys
    text = render_unit("A container.", definition("[Service]\nCPUAccounting=no\n"), (), ("Service",), version)
    assert ("CPUAccounting=no" in text) == (version < 258)
