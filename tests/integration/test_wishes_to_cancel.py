"""Wishes to cancel as the projections record them: each counts once, in the life of the task it was meant for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from batchtask.events import CancelRequested
from batchtask.identifiers import TaskId
from batchtask.intentions import Replay
from batchtask.messages import CancelTask
from batchtask.store import EventStore, first_event
from batchtask.task_state import Phase
from projections.decisions import Decisions
from tests.desks import BEGAN, Desks, bodies, command, release, somebody_decides


@pytest.fixture
def decisions(store: EventStore) -> Decisions:
    return Decisions(store, lambda: datetime.now(UTC))


def wish(task_id: TaskId, *, after_seconds: float = 0.0, force: bool = False) -> CancelTask:
    at = BEGAN + timedelta(seconds=after_seconds)
    # A text that the store cannot keep as it is: a wish is known again all the same.
    return CancelTask(task_id=task_id, requested_at=at, requested_by=5, reason="eno\0ugh", force=force)


def replayed_and_running(store: EventStore, decisions: Decisions, wanted: CancelTask) -> None:
    """Stop the task for a wish, begin it anew, and let a worker have it."""
    decisions.cancel(wanted)
    assert store.state(wanted.id).phase is Phase.CANCELLED
    somebody_decides(store, wanted.id, Replay(requested_by=5, at=BEGAN))
    release(store, wanted.id)
    Desks(store).lease(command(wanted.id))


@pytest.mark.parametrize("force", [False, True], ids=["wish", "by force"])
def test_a_wish_whose_message_comes_again_after_a_replay_does_not_stop_the_new_life(
    store: EventStore, decisions: Decisions, force: bool
) -> None:
    wanted = command()
    store.append_many([], ensure=[first_event(wanted)])
    wanted_stop = wish(wanted.id, force=force)
    replayed_and_running(store, decisions, wanted_stop)
    before = store.load(wanted.id)

    assert decisions.cancel(wanted_stop) == before

    assert store.load(wanted.id) == before
    assert store.state(wanted.id).cancel_requested_by is None


@pytest.mark.parametrize(
    ("after_seconds", "force"), [(0.000_001, False), (0, True)], ids=["a moment later", "by force now"]
)
def test_another_wish_after_a_replay_counts(
    store: EventStore, decisions: Decisions, after_seconds: float, force: bool
) -> None:
    wanted = command()
    store.append_many([], ensure=[first_event(wanted)])
    replayed_and_running(store, decisions, wish(wanted.id))

    decisions.cancel(wish(wanted.id, after_seconds=after_seconds, force=force))

    assert store.state(wanted.id).cancel_requested_by == 5


def test_a_wish_says_when_somebody_made_it(store: EventStore, decisions: Decisions) -> None:
    wanted = command()
    Desks(store).lease(wanted)

    decisions.cancel(wish(wanted.id, after_seconds=90))

    assert bodies(store.load(wanted.id))[-1] == CancelRequested(
        requested_by=5, reason="eno\ufffdugh", requested_at=BEGAN + timedelta(seconds=90)
    )
