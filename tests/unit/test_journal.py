"""What a worker's journal promises, whatever happens to it: `tests/journal_machine.py`."""

from __future__ import annotations

from hypothesis import settings

from tests.fakes import FakeEventStore
from tests.journal_machine import JournalMachine, meddled


class InMemory(JournalMachine):
    def __init__(self) -> None:
        store = meddled(FakeEventStore)()
        store.engine = None  # for turns, which nobody takes here
        behind = FakeEventStore()
        behind._streams = store._streams
        super().__init__(behind, store)


TestJournal = InMemory.TestCase
TestJournal.settings = settings(max_examples=200, stateful_step_count=20, deadline=None)
