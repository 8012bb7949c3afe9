"""What a worker's journal promises, on a real database; `tests/unit/test_journal.py` goes through many more cases."""

from __future__ import annotations

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import Engine

from batchtask.store import EventStore
from tests.journal_machine import JournalMachine, meddled


def test_what_the_journal_promises_holds_on_a_real_database(engine: Engine) -> None:
    run_state_machine_as_test(
        lambda: JournalMachine(EventStore(engine), meddled(EventStore)(engine)),
        settings=settings(max_examples=8, stateful_step_count=15, deadline=None),
    )
