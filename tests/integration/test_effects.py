"""The effect ledger: what was done is not done again, what is in doubt is asked for, and the fence holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from sqlalchemy import select, text, update

from batchtask.definitions import EffectInDoubt
from batchtask.errors import LeaseLost
from batchtask.keeping import LONGEST_KEY
from batchtask.store import EventStore
from batchtask.tables import effect
from tests.desks import Desks, command
from worker.children.effects import Effects
from worker.children.fencing import Fence
from worker.lease import Lease


class Killed(BaseException):
    """Ends the process in the middle of an effect, as far as the ledger can see."""


class Refused(Exception):
    """The other side said no."""


@dataclass
class Attempt:
    """One attempt that has effects on a mailbox."""

    desks: Desks
    lease: Lease
    mailbox: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        store = self.desks.store
        self.effects = Effects(Fence(store.engine, self.lease.task_id, self.lease.fence, lambda _: None))

    def send(
        self,
        to: str = "ida",
        *,
        ask: Callable[[], str | None] | None = None,
        before: type[BaseException] | None = None,
        after: type[BaseException] | None = None,
    ) -> str:
        """Send a mail through the ledger; `before` or `after` it is in the mailbox something happens."""

        def perform() -> str:
            if before is not None:
                raise before
            self.mailbox.append(to)
            if after is not None:
                raise after
            return f"to {to}, by attempt {self.lease.attempt}"

        return self.effects.do(f"mail to {to}", perform, ask, (Refused,))

    def next(self) -> Attempt:
        """The attempt that takes over, with the same mailbox outside."""
        desks = Desks(self.desks.store, f"worker {self.lease.fence + 1}")
        return Attempt(desks, desks.lease(self.lease.command, redelivered=True, alone=True), self.mailbox)

    def ledger(self) -> list[tuple[str, int, bool]]:
        query = select(effect.c.key, effect.c.fence, effect.c.done_at).where(effect.c.task_id == self.lease.task_id)
        with self.desks.store.engine.connect() as connection:
            return [(row.key, row.fence, row.done_at is not None) for row in connection.execute(query)]


@pytest.fixture
def attempt(store: EventStore) -> Attempt:
    desks = Desks(store)
    return Attempt(desks, desks.lease(command()))


def test_an_effect_is_done_once_and_its_outcome_remembered_for_all_attempts(attempt: Attempt) -> None:
    assert attempt.send() == "to ida, by attempt 1"
    assert attempt.send() == "to ida, by attempt 1"
    assert attempt.next().send() == "to ida, by attempt 1"

    assert attempt.mailbox == ["ida"]
    assert attempt.ledger() == [("mail to ida", 1, True)]


def test_effects_of_other_keys_and_other_tasks_are_others(attempt: Attempt, store: EventStore) -> None:
    other = Attempt(Desks(store), Desks(store).lease(command()), attempt.mailbox)

    attempt.send("ida")
    attempt.send("ole")
    other.send("ida")

    assert attempt.mailbox == ["ida", "ole", "ida"]


def test_nothing_to_remember_is_an_empty_text(attempt: Attempt) -> None:
    assert attempt.effects.do("print", lambda: None, None, ()) == ""
    assert attempt.effects.do("print", lambda: "not called", None, ()) == ""


def test_what_postgresql_cannot_store_is_replaced(attempt: Attempt) -> None:
    assert attempt.effects.do("odd", lambda: "a\0b\udcff", None, ()) == "a\ufffdb?"
    assert attempt.effects.do("odd", lambda: "not called", None, ()) == "a\ufffdb?"


def test_an_effect_that_a_kill_left_open_is_in_doubt(attempt: Attempt) -> None:
    with pytest.raises(Killed):
        attempt.send(after=Killed)

    with pytest.raises(EffectInDoubt, match="'mail to ida' was done") as caught:
        attempt.next().send()

    assert caught.value.key == "mail to ida"
    assert attempt.mailbox == ["ida"]
    assert attempt.ledger() == [("mail to ida", 1, False)]


def test_the_other_side_is_asked_and_says_that_it_was_done(attempt: Attempt) -> None:
    with pytest.raises(Killed):
        attempt.send(after=Killed)
    following = attempt.next()

    assert following.send(ask=lambda: "in the mailbox") == "in the mailbox"

    assert attempt.mailbox == ["ida"]
    assert following.next().send() == "in the mailbox"


def test_the_other_side_is_asked_and_says_that_it_was_not_done(attempt: Attempt) -> None:
    with pytest.raises(Killed):
        attempt.send(before=Killed)
    following = attempt.next()

    assert following.send(ask=lambda: None) == "to ida, by attempt 2"

    assert attempt.mailbox == ["ida"]
    assert attempt.ledger() == [("mail to ida", 2, True)]


def test_while_the_other_side_cannot_be_asked_it_stays_in_doubt(attempt: Attempt) -> None:
    def unreachable() -> None:
        raise ConnectionRefusedError

    with pytest.raises(Killed):
        attempt.send(after=Killed)
    following = attempt.next()

    with pytest.raises(ConnectionRefusedError):
        following.send(ask=unreachable)

    assert attempt.ledger() == [("mail to ida", 1, False)]


def test_an_error_that_proves_nothing_was_done_lets_it_be_done_later(attempt: Attempt) -> None:
    with pytest.raises(Refused):
        attempt.send(before=Refused)

    assert attempt.ledger() == []
    assert attempt.send() == "to ida, by attempt 1"
    assert attempt.mailbox == ["ida"]


@pytest.mark.parametrize("same_attempt", [True, False])
def test_any_other_error_leaves_it_in_doubt(attempt: Attempt, same_attempt: bool) -> None:
    with pytest.raises(TimeoutError):
        attempt.send(after=TimeoutError)

    with pytest.raises(EffectInDoubt):
        (attempt if same_attempt else attempt.next()).send()

    assert attempt.mailbox == ["ida"]


def test_an_attempt_that_was_taken_over_does_nothing(attempt: Attempt) -> None:
    following = attempt.next()

    with pytest.raises(LeaseLost):
        attempt.send("ida")
    with pytest.raises(LeaseLost):
        attempt.send("ole", ask=lambda: None)

    assert attempt.mailbox == []
    assert attempt.ledger() == []
    following.send("ida")


def test_an_attempt_that_was_taken_over_does_not_take_over_what_is_in_doubt(attempt: Attempt) -> None:
    with pytest.raises(Killed):
        attempt.send(before=Killed)
    second = attempt.next()
    third = second.next()

    with pytest.raises(LeaseLost):
        second.send(ask=lambda: None)

    assert attempt.mailbox == []
    third.send(ask=lambda: None)
    assert attempt.mailbox == ["ida"]


def test_what_was_done_is_remembered_although_the_lease_was_lost_meanwhile(attempt: Attempt) -> None:
    following: list[Attempt] = []

    def perform() -> str:
        following.append(attempt.next())
        return "done all the same"

    attempt.effects.do("mail to ida", perform, None, ())

    assert following[0].send() == "done all the same"
    assert attempt.mailbox == []


def test_a_withdrawal_leaves_alone_what_another_attempt_took_over(attempt: Attempt) -> None:
    def perform() -> str:
        following = attempt.next()
        with pytest.raises(Killed):
            following.send(ask=lambda: None, after=Killed)
        raise Refused

    with pytest.raises(Refused):
        attempt.effects.do("mail to ida", perform, None, (Refused,))

    assert attempt.ledger() == [("mail to ida", 2, False)]


def test_the_ledger_outlives_cut_connections(attempt: Attempt, store: EventStore) -> None:
    def perform() -> str:
        cut_connections(store)
        return "done"

    attempt.send("ole")
    cut_connections(store)

    assert attempt.effects.do("mail to ida", perform, None, ()) == "done"
    assert attempt.ledger()[-1] == ("mail to ida", 1, True)


def test_an_intent_whose_commit_got_no_answer_is_our_own(attempt: Attempt) -> None:
    attempt.effects._intend("mail to ida", take_over=False)

    assert attempt.send() == "to ida, by attempt 1"


def test_an_operator_settles_what_is_in_doubt_with_one_statement(attempt: Attempt, store: EventStore) -> None:
    with pytest.raises(Killed):
        attempt.send("ida", after=Killed)
    with pytest.raises(Killed):
        attempt.send("ole", before=Killed)
    of_task = effect.c.task_id == attempt.lease.task_id
    with store.engine.begin() as connection:
        connection.execute(update(effect).where(of_task, effect.c.key == "mail to ida").values(done_at=text("now()")))
        connection.execute(effect.delete().where(of_task, effect.c.key == "mail to ole"))
    following = attempt.next()

    assert following.send("ida") == ""
    assert following.send("ole") == "to ole, by attempt 2"

    assert attempt.mailbox == ["ida", "ole"]


@pytest.mark.parametrize("key", ["", "a\0b", "x" * (LONGEST_KEY + 1)])
def test_a_key_that_the_ledger_cannot_hold_is_refused_before_anything_is_done(attempt: Attempt, key: str) -> None:
    with pytest.raises(ValueError, match=r"a text of 1 to 500 characters"):
        attempt.effects.do(key, lambda: pytest.fail("performed"), None, ())


def test_the_longest_key_fits_in_any_script(attempt: Attempt) -> None:
    assert attempt.effects.do("\U0001f4ee" * LONGEST_KEY, lambda: "sent", None, ()) == "sent"


def cut_connections(store: EventStore) -> None:
    """End every connection to the database, as a failover does."""
    query = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with store.engine.connect() as connection:
        connection.execute(text(query))
