"""Mailboxes of live streams: a slow reader skips what is outdated, but never an end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchtask.http.views import TaskState
from batchtask.identifiers import TaskId
from projections.live.mailbox import MOST_WAITING, Letter, LiveView, Mailbox, event

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
END = 9


def task(number: int) -> TaskId:
    return TaskId(UUID(int=number))


def letter(number: int, version: int, cursor: str = "") -> Letter:
    state: TaskState = "succeeded" if version == END else "started"
    view = LiveView(
        id=task(number), number=number, name="n", title="T", owner=7, owner_name="kari", state=state, percent=version,
        progress="line\nbreak", request="", response="", attempts=1, submitted_at=AT, started_at=AT, updated_at=AT,
        due_at=None, stopping=False, file_name=None, cancellation="can", cancellation_warning="", version=version,
        told=None,
    )  # fmt: skip
    return Letter.of(view, cursor)


@pytest.fixture(scope="module", autouse=True)
def loop() -> Iterator[None]:
    """A mailbox belongs to one event loop."""
    with asyncio.Runner() as Loop.runner:
        yield


class Loop:
    runner: asyncio.Runner


def taken(mailbox: Mailbox) -> list[tuple[int, int]]:
    """Take out what waits, as number and version."""
    contents = Loop.runner.run(mailbox.take(0))
    views = [json.loads(content.decode().partition("data: ")[2]) for content in contents]
    return [(view["number"], view["version"]) for view in views]


def test_a_stream_begins_with_its_beginning_and_then_says_what_was_heard_meanwhile() -> None:
    mailbox = Mailbox(7)
    for number in (2, 4):
        mailbox.put(letter(number, 3, "cursor"))
    mailbox.begin([letter(1, 1), letter(2, 2), letter(3, 1)], AT)
    assert taken(mailbox) == [(1, 1), (3, 1), (2, 3), (4, 3)]


def test_a_beginning_too_long_for_a_mailbox_ends_the_stream() -> None:
    mailbox = Mailbox(7)
    mailbox.put(letter(1, 1))
    mailbox.begin([letter(number, 1) for number in range(2, MOST_WAITING + 2)], AT)
    assert mailbox.closed


def test_the_newest_view_of_a_task_takes_the_place_of_those_that_wait() -> None:
    mailbox = Mailbox(7)
    for number, version in ((1, 1), (2, 1), (1, 2), (1, END)):
        mailbox.put(letter(number, version))
    assert taken(mailbox) == [(2, 1), (1, END)]
    assert taken(mailbox) == []


def test_what_is_known_is_not_said_again() -> None:
    mailbox = Mailbox(7)
    mailbox.put(letter(1, 5))
    assert taken(mailbox) == [(1, 5)]
    mailbox.put(letter(1, 5))
    mailbox.put(letter(1, 4))
    assert taken(mailbox) == []
    assert not mailbox.wants(task(1), 5)
    assert mailbox.wants(task(1), 6)


def test_it_knows_which_tasks_are_open_as_far_as_its_stream_has_said() -> None:
    mailbox = Mailbox(7)
    for number, version in ((1, 1), (2, 1), (1, END)):
        mailbox.put(letter(number, version))
    assert mailbox.open_tasks() == [task(2)]


def test_a_rescan_brings_what_goes_on_and_what_is_of_the_streams_time_but_no_old_ends() -> None:
    mailbox = Mailbox(7)
    mailbox.put(letter(1, 1))
    assert mailbox.has_missed(task(1), END, AT)
    assert not mailbox.has_missed(task(2), END, AT)
    mailbox.begin([], AT)
    assert mailbox.has_missed(task(2), END, AT)


def test_a_reader_that_lets_too_much_pile_up_is_sent_away() -> None:
    mailbox = Mailbox(7)
    for number in range(MOST_WAITING + 1):
        mailbox.put(letter(number, 1))
    assert mailbox.closed
    mailbox.put(letter(1, 2))
    assert taken(mailbox) == []


def test_whoever_waits_wakes_up_when_the_mailbox_is_closed() -> None:
    async def waits() -> bool:
        mailbox = Mailbox(7)
        asyncio.get_running_loop().call_later(0.01, mailbox.close)
        return not await mailbox.take(60) and mailbox.closed

    assert Loop.runner.run(waits())


def test_an_event_is_written_as_browsers_read_it() -> None:
    assert event("ready", {}, "12") == b"event: ready\nid: 12\ndata: {}\n\n"
    content = letter(1, 1, "34").content
    assert content.startswith(b"event: task\nid: 34\ndata: {")
    assert content.count(b"\n") == 4
    assert b"\nid:" not in letter(1, 1).content


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, END)) | st.none(), max_size=60))
def test_whatever_is_put_and_taken_versions_rise_and_the_newest_is_said(steps: list[tuple[int, int] | None]) -> None:
    mailbox, said, put = Mailbox(7), list[tuple[int, int]](), list[tuple[int, int]]()
    for step in (*steps, None):
        if step is None:
            said += taken(mailbox)
        else:
            mailbox.put(letter(*step))
            put.append(step)
    for number in {number for number, _ in put}:
        versions = [version for said_number, version in said if said_number == number]
        assert versions == sorted(set(versions))
        assert versions[-1] == max(version for put_number, version in put if put_number == number)
