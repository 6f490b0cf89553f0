"""Attributes of the control group in the set-up plan."""

from definitions import definition
from facts import FACTS

from nsunit.plan.operations import operations
from nsunit.setup import namespaces


def test_attributes_of_the_control_group():
    keys = "HugeTLBMax=2M 64M\nMiscMax=sev 4\nMiscMax=sev 5\nMiscMax=sev_es infinity\n"
    planned = operations(definition(keys), FACTS)
    (found,) = (item for item in planned if isinstance(item, namespaces.Subgroup))
    assert found.attributes == ("hugetlb.2MB.max=67108864", "misc.max=sev 5", "misc.max=sev_es max")
    assert found.describe() == "set up the control group"
