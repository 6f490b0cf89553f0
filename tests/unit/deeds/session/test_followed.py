"""Limits of nsunit.slice, shown to all that run."""

import pytest

from nsunit.deeds.session import followed
from nsunit.errors import NotFoundError, NsunitError
from nsunit.setup.namespaces import LIMITS
from nsunit.setup.operation import PlanError


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (NotFoundError("bad: it does not run"), []),
        (FileNotFoundError(2, "No such file or directory"), []),
        (NsunitError("bad: it cannot be"), ["bad: it cannot be"]),
        (PlanError("unknown operation 'older'"), ["bad: its limits cannot be shown: unknown operation 'older'"]),
        (ProcessLookupError(3, "No such process"), ["bad: its limits cannot be shown: No such process"]),
    ],
)
def test_one_that_cannot_be_shown_them_keeps_them_from_no_other(tmp_path, monkeypatch, error, told):
    for name in ("bad", "good", "has-them"):
        (tmp_path / name / "limits").mkdir(parents=True)
    for limit in LIMITS:
        (tmp_path / "has-them/limits" / limit).touch()
    shown = []

    def show(_context, name):
        if name == "bad":
            raise error
        shown.append(name)

    monkeypatch.setattr(followed, "show_first_limits", show)
    assert [str(failure) for failure in followed.show_to_all(None, str(tmp_path))] == told
    assert shown == ["good"]
