"""How often somebody may guess, by a clock that the test sets."""

from __future__ import annotations

import pytest

from batchtask.http.bounded import BoundedDict
from batchtask.http.login_limit import FREE, REMEMBERED, LoginLimit, network_of
from batchtask.http.problems import TooManyRequests


class Guesser:
    """Somebody at an address, and a clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.limit = LoginLimit(lambda: self.now)

    def wait_of(self, name: str = "bob", address: str = "10.0.0.1", *, good: bool = False) -> int:
        """Try once; return how long to wait, 0 = the attempt was let through."""
        try:
            with self.limit.attempt(name, address) as attempt:
                attempt.succeeded = good
        except TooManyRequests as refusal:
            return int(refusal.headers["Retry-After"])
        return 0


@pytest.fixture
def guesser() -> Guesser:
    return Guesser()


def test_pauses_grow_from_half_a_minute_to_a_quarter_of_an_hour(guesser: Guesser) -> None:
    assert [guesser.wait_of() for _ in range(FREE)] == [0] * FREE
    pauses = []
    for _ in range(8):
        pauses.append(guesser.wait_of())
        guesser.now += pauses[-1]
        assert guesser.wait_of() == 0
    assert pauses == [30, 60, 120, 240, 480, 900, 900, 900]


def test_an_attempt_during_a_pause_does_not_make_it_longer(guesser: Guesser) -> None:
    for _ in range(FREE):
        guesser.wait_of()
    assert {guesser.wait_of() for _ in range(100)} == {30}
    guesser.now += 30
    assert guesser.wait_of(good=True) == 0


def test_a_success_begins_anew(guesser: Guesser) -> None:
    for _ in range(10):
        assert [guesser.wait_of() for _ in range(FREE - 1)] == [0] * (FREE - 1)
        assert guesser.wait_of(good=True) == 0


def test_failures_are_forgotten_after_an_hour(guesser: Guesser) -> None:
    for _ in range(FREE):
        guesser.wait_of()
    guesser.now += 3600
    assert [guesser.wait_of() for _ in range(FREE)] == [0] * FREE


def test_a_flood_from_one_address_does_not_keep_the_user_out_at_another(guesser: Guesser) -> None:
    for _ in range(10_000):
        guesser.wait_of(address="10.6.6.6")
        guesser.now += 1
    assert guesser.wait_of(address="10.0.0.1", good=True) == 0


def test_a_flood_from_many_addresses_slows_a_name_but_not_where_its_user_came_in_before(guesser: Guesser) -> None:
    assert guesser.wait_of(good=True) == 0
    waits = [guesser.wait_of(address=f"10.1.{number}.1") for number in range(101)]
    assert (waits[:100], waits[100]) == ([0] * 100, 30)
    assert guesser.wait_of(address="10.9.9.9", good=True) == 30
    assert guesser.wait_of(good=True) == 0


def test_one_address_does_not_try_a_password_on_all_names(guesser: Guesser) -> None:
    waits = [guesser.wait_of(name=f"user {number}") for number in range(51)]
    assert (waits[:50], waits[50]) == ([0] * 50, 15)
    guesser.now += 15
    assert guesser.wait_of(name="one more") == 0


def test_successes_cost_an_address_nothing(guesser: Guesser) -> None:
    assert {guesser.wait_of(name=f"user {number}", good=True) for number in range(500)} == {0}


def test_a_success_of_ones_own_does_not_buy_more_guesses_at_others(guesser: Guesser) -> None:
    waits = []
    for number in range(52):
        waits.append(guesser.wait_of(name=f"user {number}"))
        guesser.wait_of(name="mallory", good=True)
    assert waits[-1] > 0


def test_an_error_on_the_way_is_nobodys_failure(guesser: Guesser) -> None:
    for _ in range(200):
        with pytest.raises(OSError, match="away"), guesser.limit.attempt("bob", "10.0.0.1"):
            raise OSError("away")
    assert guesser.wait_of() == 0


def test_guesses_at_once_are_not_all_let_through(guesser: Guesser) -> None:
    begun = []
    for _ in range(FREE):
        attempt = guesser.limit.attempt("bob", "10.0.0.1")
        attempt.__enter__()
        begun.append(attempt)
    assert guesser.wait_of() == 30
    for attempt in begun:
        attempt.__exit__(None, None, None)
    assert guesser.wait_of() == 30


def test_forged_tokens_fill_the_bucket_of_their_address_alone(guesser: Guesser) -> None:
    for _ in range(50):
        guesser.limit.guess("10.0.0.1")
    with pytest.raises(TooManyRequests):
        guesser.limit.guess("10.0.0.1")
    guesser.limit.guess("10.0.0.2")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("10.0.0.1", "10.0.0.2", False),
        ("10.0.0.1", "::ffff:10.0.0.1", True),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::1", True),
        ("unknown", "unknown", True),
        ("", "unknown", False),
    ],
)
def test_a_machine_is_known_by_its_network(one: str, other: str, same: bool) -> None:
    assert (network_of(one) == network_of(other)) is same


def test_names_in_other_case_are_one_name(guesser: Guesser) -> None:
    for name in ("bob", "BOB", "Bob", "bOb", "boB"):
        guesser.wait_of(name=name)
    assert guesser.wait_of() == 30


def test_a_name_in_other_spellings_of_unicode_is_one_name(guesser: Guesser) -> None:
    for name in (
        "bj\u00f8rn \u00e5s",
        "bj\u00f8rn a\u030as",
        "BJ\u00d8RN \u212bs",
        "BJ\u00d8RN A\u030aS",
        "bj\u00f8rn \u00e5S",
    ):
        guesser.wait_of(name=name)
    assert guesser.wait_of(name="bj\u00f8rn \u00e5s") == 30


def test_memory_is_bounded_whatever_is_sent(guesser: Guesser) -> None:
    for number in range(REMEMBERED + 100):
        guesser.wait_of(
            name=f"{number}" + "x" * 5000, address=f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        )
    kept = guesser.limit._pairs
    assert len(kept) == REMEMBERED
    assert max(len(name) for name, _ in kept) <= 240


def test_a_bounded_dictionary_drops_what_was_set_the_longest_ago() -> None:
    kept: BoundedDict[str, int] = BoundedDict(2)
    kept["a"], kept["b"] = 1, 2
    kept["a"] = 3
    kept["c"] = 4
    assert dict(kept) == {"a": 3, "c": 4}
