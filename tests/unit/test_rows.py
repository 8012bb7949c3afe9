"""What every event means for the row that users see."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from batchtask.events import (
    EVENT_TYPES,
    AttemptFailed,
    AttemptInterrupted,
    AttemptLost,
    AttemptSnoozed,
    AttemptStarted,
    AttemptSurvived,
    AttemptTimedOut,
    CancelNoticed,
    CancelRefused,
    CancelRequested,
    CheckpointSaved,
    Event,
    HeartbeatRecorded,
    PassCompleted,
    ProgressReported,
    RecordedEvent,
    RetryScheduled,
    TaskAmended,
    TaskCancelled,
    TaskDeferred,
    TaskFailed,
    TaskReleased,
    TaskReplayed,
    TaskSubmitted,
    TaskSucceeded,
)
from batchtask.outcomes import Cause
from projections.rows import LARGEST_COUNT, Row, State, cut, fold_row

TASK = UUID("01900000-0000-7000-8000-000000000001")
AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LATER = AT + timedelta(hours=1)

SUBMITTED = TaskSubmitted(name="noop", owner=7, description="what", request="do", database_tag="crm")
STARTED = AttemptStarted(attempt=1, fence=1, worker="w", delivery_id="m")
PROGRESS = ProgressReported(fence=1, percent=40, text="Letter 2 of 5")
RUNNING = [SUBMITTED, STARTED, PROGRESS]

NEW_ROW: dict[str, Any] = {
    "task_id": TASK,
    "version": 0,
    "name": "noop",
    "description": "what",
    "dbtag": "crm",
    "state": State.New,
    "detailstable": None,
    "detailsrecord": None,
    "request": "do",
    "response": "",
    "startcount": 0,
    "laststarted": None,
    "progresspercent": 0,
    "progressdescription": "",
    "registered": AT,
    "registered_associate_id": 7,
    "updated": AT,
    "updated_associate_id": 7,
    "updatedcount": 0,
    "filename": None,
    "due_at": None,
    "stopping": False,
}


def at(version: int) -> datetime:
    return AT + timedelta(seconds=version)


def row_of(*events: Event) -> dict[str, Any]:
    row = fold_row(None, (RecordedEvent(TASK, version, at(version), body) for version, body in enumerate(events)))
    assert row is not None
    return {name: getattr(row, name) for name in Row.__struct_fields__}


def test_a_new_row_says_what_was_submitted() -> None:
    assert row_of(SUBMITTED) == NEW_ROW


def test_a_row_that_shall_start_later_says_when() -> None:
    assert row_of(TaskSubmitted(name="noop", start_at=LATER))["due_at"] == LATER


def test_the_details_of_a_task_are_a_table_and_a_record() -> None:
    row = row_of(TaskSubmitted(name="noop", details_table=5, details_record=4711))

    assert (row["detailstable"], row["detailsrecord"]) == (5, 4711)


WAITING = {"state": State.New, "progressdescription": "Waiting for the next attempt", "progresspercent": 40}
WAITING_FOR = {"state": State.New, "due_at": LATER, "progresspercent": 40}
RUNS = {"state": State.Started, "startcount": 1, "laststarted": at(1), "progressdescription": "Letter 2 of 5"}


#: What a row of a running task becomes by one more event.
MEANINGS: list[tuple[Event, dict[str, Any]]] = [
    (
        AttemptStarted(attempt=2, fence=2, worker="w", delivery_id="m"),
        {
            "state": State.Started,
            "startcount": 2,
            "laststarted": at(3),
            "progresspercent": 0,
            "progressdescription": "",
        },
    ),
    (
        ProgressReported(fence=1, percent=60, text="x" * 300),
        {"state": State.Started, "progresspercent": 60, "progressdescription": "x" * 253 + "…"},
    ),
    (HeartbeatRecorded(fence=1), RUNS),
    (CancelRequested(requested_by=5), RUNS | {"stopping": True}),
    (AttemptFailed(fence=1, cause=Cause.ERROR, message="no"), WAITING),
    (AttemptTimedOut(fence=1, limit_seconds=3), WAITING),
    (AttemptLost(fence=1), WAITING),
    (AttemptSurvived(fence=0), RUNS),
    (AttemptInterrupted(fence=1), WAITING),
    (
        AttemptSnoozed(fence=1, due_at=LATER, reason="Mail server is closed"),
        WAITING_FOR | {"progressdescription": "Mail server is closed"},
    ),
    (
        PassCompleted(fence=1, due_at=LATER, response="r" * 255),
        WAITING_FOR | {"response": "r" * 253 + "…", "progressdescription": "Waiting for the next pass"},
    ),
    (
        RetryScheduled(due_at=LATER, cause=Cause.ERROR, failures=1),
        WAITING_FOR | {"progressdescription": "Waiting for the next attempt"},
    ),
    (
        TaskDeferred(due_at=LATER, reason="Waiting for its turn"),
        WAITING_FOR | {"progressdescription": "Waiting for its turn"},
    ),
    (TaskReleased(), {"due_at": None, "progressdescription": "Letter 2 of 5", "progresspercent": 40}),
    (
        TaskReplayed(requested_by=5, due_at=LATER),
        {
            "state": State.New,
            "due_at": LATER,
            "response": "",
            "filename": None,
            "progresspercent": 0,
            "progressdescription": "Begins anew",
        },
    ),
    (CheckpointSaved(fence=1, data={"done": 2}), RUNS),
    (CancelNoticed(fence=1), RUNS),
    (CancelRefused(requested_by=5), RUNS),
    (TaskAmended(requested_by=5, response="r" * 255), RUNS | {"response": "r" * 253 + "…"}),
    (TaskAmended(requested_by=5), RUNS | {"response": ""}),
    (
        TaskSucceeded(fence=1, response="5 letters", file_name="letters.docx"),
        {
            "state": State.Succeeded,
            "response": "5 letters",
            "filename": "letters.docx",
            "progresspercent": 100,
            "progressdescription": "",
        },
    ),
    (
        TaskSucceeded(fence=1, response="r" * 255, file_name="f" * 261),
        {"response": "r" * 253 + "…", "filename": "f" * 259 + "…"},
    ),
    (TaskSucceeded(fence=1, response="r" * 254, file_name="f" * 260), {"response": "r" * 254, "filename": "f" * 260}),
    (
        TaskFailed(cause=Cause.ERROR, message="no members"),
        {"state": State.Failed, "response": "no members", "progressdescription": "", "progresspercent": 40},
    ),
    (
        TaskCancelled(requested_by=5, response="2 letters are there."),
        {"state": State.Failed, "response": "Stopped on request. 2 letters are there.", "progressdescription": ""},
    ),
    (TaskCancelled(requested_by=5), {"response": "Stopped on request."}),
]


@pytest.mark.parametrize(("event", "changes"), MEANINGS)
def test_what_an_event_means_for_the_row_of_a_running_task(event: Event, changes: dict[str, Any]) -> None:
    before = row_of(*RUNNING)

    row = row_of(*RUNNING, event)

    assert {name: row[name] for name in changes} == changes
    always = {"version", "updated", "updatedcount"}
    assert {name: row[name] for name in always} == {"version": 3, "updated": at(3), "updatedcount": 3}
    free = {"state", "startcount", "laststarted", "response", "filename", "progresspercent", "progressdescription"}
    free |= {"due_at"}
    untouched = row.keys() - always - free - changes.keys()
    assert {name: row[name] for name in untouched} == {name: before[name] for name in untouched}


@pytest.mark.parametrize("event_type", EVENT_TYPES.values(), ids=lambda event_type: event_type.__name__)
def test_no_event_is_forgotten_by_the_table_above(event_type: type[Event]) -> None:
    assert event_type is TaskSubmitted or event_type in {type(event) for event, _ in MEANINGS}


@pytest.mark.parametrize(
    "after",
    [
        STARTED,
        TaskReleased(),
        TaskSucceeded(fence=1),
        TaskFailed(cause=Cause.REJECTED, message="no"),
        TaskCancelled(requested_by=5),
    ],
    ids=lambda event: type(event).__name__,
)
def test_what_goes_on_or_has_ended_is_due_no_more(after: Event) -> None:
    waiting = TaskDeferred(due_at=LATER, reason="Waiting for its turn")
    assert row_of(*RUNNING, waiting)["due_at"] == LATER
    assert row_of(*RUNNING, waiting, after)["due_at"] is None


#: What ends the attempt of a task that was asked to stop, or begins another one.
ENDS_OF_STOPPING: set[type[Event]] = {
    *(AttemptStarted, AttemptFailed, AttemptTimedOut, AttemptLost, AttemptInterrupted, AttemptSnoozed, PassCompleted),
    *(RetryScheduled, TaskDeferred, TaskReplayed, TaskSucceeded, TaskFailed, TaskCancelled),
}


@pytest.mark.parametrize("event", [event for event, _ in MEANINGS], ids=lambda event: type(event).__name__)
def test_a_task_that_was_asked_to_stop_is_stopping_until_it_does_not_run_any_more(event: Event) -> None:
    row = row_of(*RUNNING, CancelRequested(requested_by=5), event)
    assert row["stopping"] == (type(event) not in ENDS_OF_STOPPING)


@pytest.mark.parametrize(
    "before",
    [[SUBMITTED], [*RUNNING, AttemptLost(fence=1)], [*RUNNING, TaskFailed(cause=Cause.ERROR, message="no")]],
    ids=["queued", "between attempts", "ended"],
)
def test_what_does_not_run_cannot_be_stopping(before: list[Event]) -> None:
    row = row_of(*before, CancelRequested(requested_by=5))
    assert row["stopping"] is False


def test_a_new_beginning_knows_nothing_of_a_wish_to_stop() -> None:
    stopped = [*RUNNING, CancelRequested(requested_by=5), TaskCancelled(requested_by=5)]
    again = [TaskReplayed(requested_by=5, due_at=LATER), TaskReleased(), STARTED]
    assert row_of(*stopped, *again)["stopping"] is False


def test_a_replayed_task_forgets_its_answer_but_not_how_often_it_was_started() -> None:
    dead = [*RUNNING, TaskFailed(cause=Cause.ERROR, message="no members")]
    row = row_of(*dead, TaskReplayed(requested_by=5, due_at=LATER))
    assert (row["state"], row["response"], row["startcount"]) == (State.New, "", 1)


def test_what_a_user_writes_stands_in_the_row_until_the_task_says_something_else() -> None:
    amended = TaskAmended(requested_by=5, description="ø" * 255, request="", response="Wait for me")
    row = row_of(*RUNNING, amended)
    assert (row["description"], row["request"], row["response"]) == ("ø" * 253 + "…", "", "Wait for me")
    row = row_of(*RUNNING, amended, TaskSucceeded(fence=1, response="5 letters"))
    assert (row["description"], row["response"]) == ("ø" * 253 + "…", "5 letters")
    assert row_of(*RUNNING, TaskSucceeded(fence=1), amended)["response"] == "Wait for me"


def test_a_success_that_somebody_cleans_up_after_has_a_state_of_its_own_and_keeps_the_rest() -> None:
    succeeded = [*RUNNING, TaskSucceeded(fence=1, response="5 letters", file_name="letters.docx")]
    before, row = row_of(*succeeded), row_of(*succeeded, TaskAmended(requested_by=5, manual_cleanup=True))
    assert row["state"] == State.SucceededManualCleanup
    assert {name for name in row if row[name] != before[name]} == {"state", "version", "updated", "updatedcount"}


def test_folding_goes_on_from_any_row() -> None:
    events = [*RUNNING, CancelRequested(requested_by=5), TaskSucceeded(fence=1, response="done")]
    recorded = [RecordedEvent(TASK, version, at(version), body) for version, body in enumerate(events)]
    whole = fold_row(None, recorded)

    for middle in range(len(recorded) + 1):
        assert fold_row(fold_row(None, recorded[:middle]), recorded[middle:]) == whole


def test_no_events_make_no_row() -> None:
    assert fold_row(None, []) is None
    assert fold_row(None, [RecordedEvent(TASK, 1, AT, STARTED)]) is None


def test_the_count_of_updates_stops_where_the_original_column_ends() -> None:
    row = fold_row(None, [RecordedEvent(TASK, 0, AT, SUBMITTED)])

    fold_row(row, [RecordedEvent(TASK, 70_000, AT, HeartbeatRecorded(fence=1))])

    assert row is not None
    assert (row.version, row.updatedcount) == (70_000, LARGEST_COUNT)


def test_states_have_the_numbers_and_names_of_the_original() -> None:
    assert {state.name: state.value for state in State} == {
        "Unknown": 0,
        "New": 1,
        "Aquired": 2,
        "Started": 3,
        "Succeeded": 4,
        "Failed": 5,
        "SucceededManualCleanup": 6,
    }


@pytest.mark.parametrize(
    ("text", "length", "expected"),
    [("", 3, ""), ("abc", 3, "abc"), ("abcd", 3, "ab…"), ("😀😀😀😀", 3, "😀😀…")],
)
def test_text_is_cut_by_characters_and_says_so(text: str, length: int, expected: str) -> None:
    assert cut(text, length) == expected
