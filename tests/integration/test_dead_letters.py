"""Whatever was set aside is kept, as strange as it may be, and its task does not stay behind."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, select

from batchtask import envelope
from batchtask.broker import Delivery
from batchtask.broker.dead_letters import QUEUE_HEADER, REASON_HEADER
from batchtask.events import TaskFailed
from batchtask.intentions import Release
from batchtask.messages import CancelTask
from batchtask.outcomes import Cause, Interrupted
from batchtask.store import EventStore
from batchtask.tables import dead_letter
from batchtask.task_state import Phase
from projections.dead_letters import DeadLetters
from projections.decisions import RESCUE_PAUSES_SECONDS, Decisions
from tests.desks import Desks, command, somebody_decides


def letter(body: bytes, headers: dict[str, Any], message_id: str = "") -> Delivery:
    return Delivery(1, 1, False, body, message_id, "", headers)


@pytest.fixture
def letters(engine: Engine, store: EventStore) -> DeadLetters:
    return DeadLetters(engine, Decisions(store, lambda: datetime.now(UTC)))


def kept(engine: Engine, body: bytes) -> int:
    with engine.connect() as connection:
        return len(connection.execute(select(dead_letter.c.id).where(dead_letter.c.body == body)).all())


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-death": []},
        {"x-death": "a word"},
        {REASON_HEADER: "a\0b", QUEUE_HEADER: "a\0b"},
        {REASON_HEADER: secrets.token_hex(50_000), QUEUE_HEADER: secrets.token_hex(50_000)},
        {REASON_HEADER: 7, QUEUE_HEADER: 8},
    ],
    ids=["none", "no death", "no list", "NUL", "long", "numbers"],
)
def test_a_letter_with_any_headers_is_kept(engine: Engine, letters: DeadLetters, headers: dict[str, Any]) -> None:
    body = secrets.token_bytes(20)
    letters.record([letter(body, headers)])
    assert kept(engine, body) == 1


def test_a_letter_that_comes_again_is_one_row(engine: Engine, letters: DeadLetters) -> None:
    body = secrets.token_bytes(20)
    for _ in range(2):
        letters.record([letter(body, {}, "m")])
    assert kept(engine, body) == 1


def test_two_letters_of_one_message_id_are_both_kept(engine: Engine, letters: DeadLetters) -> None:
    first, second = secrets.token_bytes(20), secrets.token_bytes(20)
    letters.record([letter(first, {}, "m"), letter(second, {}, "m")])
    assert (kept(engine, first), kept(engine, second)) == (1, 1)


BROKER_GAVE_UP = {"x-death": [{"reason": "delivery_limit", "queue": "batchtask.tasks", "count": 1}]}


def test_a_task_whose_message_was_given_back_too_often_is_published_again_some_times(
    store: EventStore, letters: DeadLetters
) -> None:
    wanted = command()
    given_up = letter(envelope.encode_command(wanted, source="/test"), BROKER_GAVE_UP)

    for rescue in range(1, len(RESCUE_PAUSES_SECONDS) + 1):
        letters.record([given_up])
        letters.record([given_up])  # a crash before the letter was settled
        state = store.state(wanted.id)
        assert (state.phase, state.deferrals) == (Phase.WAITING, rescue)
        somebody_decides(store, wanted.id, Release(version=state.version))
    letters.record([given_up])

    *_, end = (event.body for event in store.load(wanted.id))
    assert isinstance(end, TaskFailed)
    assert end.message.startswith("The message was given back too often")


def test_a_task_that_was_begun_since_has_all_its_rescues_again(store: EventStore, letters: DeadLetters) -> None:
    wanted = command()
    given_up = letter(envelope.encode_command(wanted, source="/test"), BROKER_GAVE_UP)
    for _ in RESCUE_PAUSES_SECONDS:
        letters.record([given_up])
        somebody_decides(store, wanted.id, Release(version=store.state(wanted.id).version))
    Desks(store).record(Desks(store).lease(wanted), Interrupted())

    letters.record([given_up])

    assert store.state(wanted.id).phase is Phase.WAITING


def test_a_lease_vouches_for_a_task_whose_message_was_given_back_too_often(
    store: EventStore, letters: DeadLetters
) -> None:
    wanted = command()
    Desks(store).lease(wanted)

    letters.record([letter(envelope.encode_command(wanted, source="/test"), BROKER_GAVE_UP)])

    assert store.state(wanted.id).phase is Phase.RUNNING


def test_a_task_whose_message_we_set_aside_has_failed(store: EventStore, letters: DeadLetters) -> None:
    wanted = command()
    headers = {**BROKER_GAVE_UP, REASON_HEADER: "not of this world", QUEUE_HEADER: "batchtask.tasks"}

    letters.record([letter(envelope.encode_command(wanted, source="/test"), headers)])

    assert store.load(wanted.id)[-1].body == TaskFailed(cause=Cause.REJECTED, message="not of this world")


def test_another_message_of_a_task_that_runs_does_not_end_it_when_it_is_set_aside(
    store: EventStore, letters: DeadLetters
) -> None:
    wanted = command()
    Desks(store).lease(wanted)
    headers = {**BROKER_GAVE_UP, REASON_HEADER: "not of this world", QUEUE_HEADER: "batchtask.tasks"}

    letters.record([letter(envelope.encode_command(wanted, source="/test"), headers)])

    assert store.state(wanted.id).phase is Phase.RUNNING


def test_a_wish_to_cancel_that_nobody_can_read_does_not_end_its_task(store: EventStore, letters: DeadLetters) -> None:
    wanted = command()
    Desks(store).lease(wanted)
    wish = CancelTask(task_id=wanted.id, requested_at=datetime.now(UTC))
    body = envelope.encode_command(wish, source="/test").replace(b"CancelTask.v1", b"CancelTask.v9")

    assert letters.record([Delivery(1, 1, False, body, "m", "CancelTask", {})]) == []

    assert store.state(wanted.id).phase is Phase.RUNNING
