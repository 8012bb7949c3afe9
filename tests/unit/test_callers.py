"""Who may see whose task."""

from __future__ import annotations

import pytest

from batchtask.http.callers import SYSTEM, Caller
from batchtask.http.problems import Forbidden

BOB, ANN = Caller(associate_id=7, name="bob"), Caller(associate_id=9, name="ann", administrator=True)


@pytest.mark.parametrize(
    ("caller", "owner", "may"),
    [
        (BOB, 7, True),
        (BOB, 9, False),
        (BOB, SYSTEM, False),
        (BOB, -7, False),
        (ANN, 7, True),
        (ANN, 9, True),
        (ANN, SYSTEM, True),
    ],
)
def test_a_user_sees_their_own_tasks_and_an_administrator_all(caller: Caller, owner: int, may: bool) -> None:
    assert caller.may_see(owner) is may


def test_what_is_for_administrators_is_refused_to_others_with_what_to_ask_for() -> None:
    ANN.require_administrator()
    with pytest.raises(Forbidden, match="functional right of a general administrator"):
        BOB.require_administrator()
