"""Progress reports on their way out of a child."""

from __future__ import annotations

import pytest

from worker.children import reporter as reporter_module
from worker.children.frames import FromChild, Progress
from worker.children.reporter import Reporter


def test_what_a_thread_says_after_its_task_has_ended_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same child may run another task by then, and would show it as that one's."""
    monkeypatch.setattr(reporter_module, "REPORT_EVERY_SECONDS", 0.0)
    sent: list[FromChild] = []
    reporter = Reporter(sent.append)
    reporter.report(Progress(10, "reading"))

    reporter.close()
    reporter.report(Progress(20, "still reading"))

    assert sent == [Progress(10, "reading")]
