"""What must hold after whatever happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from batchtask.events import TERMINAL_EVENTS, AttemptStarted, RecordedEvent, TaskSucceeded
from batchtask.identifiers import TaskId
from projections.rows import State, fold_row
from tests.system import System


def assert_all_succeeded(system: System, ids: Sequence[TaskId]) -> None:
    """Every stream is whole and has ended exactly once, and every row says what its stream says: succeeded."""
    rows = system.rows()
    for task_id, events in system.store.load_many(dict.fromkeys(ids, -1)).items():
        assert_one_end(events)
        assert_row_is_fold(rows[task_id], events)
    others = [task_id for task_id in ids if rows[task_id]["state"] != State.Succeeded]
    assert others == [], f"{len(others)} of {len(ids)}, the first: {system.history(others[0])}"
    assert system.dead_letters() == []


def assert_one_end(events: list[RecordedEvent]) -> None:
    assert [event.version for event in events] == list(range(len(events)))
    ends = [event for event in events if isinstance(event.body, TERMINAL_EVENTS)]
    assert ends == [events[-1]], [event.body for event in events]
    fences = [event.body.fence for event in events if isinstance(event.body, AttemptStarted)]
    assert fences == list(range(1, len(fences) + 1))


def assert_row_is_fold(row: Mapping[str, Any], events: list[RecordedEvent]) -> None:
    expected = fold_row(None, events)
    assert expected is not None
    for name in expected.__struct_fields__:
        if name != "laststarted":  # kept in the database's local time
            assert row[name] == getattr(expected, name), name


def assert_each_ran_once(system: System, ids: Sequence[TaskId]) -> None:
    for task_id in ids:
        assert len(system.attempts(task_id)) == 1
        assert system.trace(task_id).read_text() == f"{task_id}\n"


def assert_effects_match_attempts(system: System, ids: Sequence[TaskId]) -> None:
    """An effect outside of the database is seen at most once for each attempt, and one attempt alone succeeds."""
    for task_id in ids:
        history = system.history(task_id)
        attempts = sum(isinstance(event, AttemptStarted) for event in history)
        effects = system.trace(task_id).read_text().count("\n")
        assert 1 <= effects <= attempts
        assert sum(isinstance(event, TaskSucceeded) for event in history) == 1
