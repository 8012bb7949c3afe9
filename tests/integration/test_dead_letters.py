"""Whatever was set aside is kept, as strange as it may be."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, select

from batchtask.broker import Delivery
from batchtask.broker.dead_letters import QUEUE_HEADER, REASON_HEADER
from batchtask.store import EventStore
from batchtask.tables import dead_letter
from projections.dead_letters import DeadLetters
from projections.decisions import Decisions


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
