"""A channel that is refused everything is of no use; one that is refused now and then is."""

from __future__ import annotations

from batchtask.publishing import REFUSED_SECONDS, Refusals


def test_a_channel_is_given_up_when_nothing_but_refusals_came_for_too_long() -> None:
    refusals = Refusals()
    answers = [
        refusals.too_long(accepted=False, now=second) for second in (0, 1, REFUSED_SECONDS, REFUSED_SECONDS + 0.1)
    ]
    assert answers == [False, False, False, True]


def test_one_message_that_is_taken_shows_that_the_channel_works() -> None:
    refusals = Refusals()
    for second in range(100):
        assert not refusals.too_long(accepted=False, now=second)
        assert not refusals.too_long(accepted=True, now=second + 0.5)
