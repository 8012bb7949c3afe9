"""Log lines on their way out of a child."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchtask.identifiers import new_task_id
from worker.children.context import ChildContext
from worker.children.frames import FromChild, LogLine, Run


@pytest.fixture(autouse=True)
def level_of_before() -> Iterator[None]:
    root = logging.getLogger()
    level = root.level
    yield
    root.setLevel(level)


def context(sent: list[FromChild]) -> ChildContext:
    run = Run(task_id=new_task_id(), name="letters", parameters={}, payload_ref=None, owner=0, attempt=1)
    return ChildContext(run, "", Path(), sent.append, cancel_wanted=lambda: False)


def lines(sent: list[FromChild]) -> list[str]:
    return [frame.text for frame in sent if isinstance(frame, LogLine)]


def test_what_a_thread_logs_after_its_task_has_ended_is_no_line_of_the_next_one() -> None:
    """Also when that is of the same definition."""
    of_first: list[FromChild] = []
    of_second: list[FromChild] = []
    with context(of_first) as first:
        left_behind = first.log
        left_behind.info("first")

    with context(of_second) as second:
        left_behind.info("still first")
        second.log.info("second")
        logging.getLogger("a.library").info("of any logger")

    assert (lines(of_first), lines(of_second)) == (["first"], ["second", "of any logger"])


def test_the_logger_of_a_task_has_the_level_and_the_handlers_that_its_definition_was_given(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.ERROR, "batchtask.task.letters")
    sent: list[FromChild] = []

    with context(sent) as running:
        running.log.warning("below")
        running.log.error("above")

    assert lines(sent) == ["above"]
    assert [record.name for record in caplog.records] == ["batchtask.task.letters"]
