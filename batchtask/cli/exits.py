"""Exit codes of the command line; also in docs/reference.md."""

from __future__ import annotations

import enum


class Exit(enum.IntEnum):
    OK = 0  #: done; with --wait: the task succeeded
    TASK_FAILED = 1  #: with --wait, or watch: a task failed or was stopped
    CANNOT_RUN = 2  #: wrong usage, wrong settings, a refusal, or a server that cannot be used
    NOT_FOUND = 3  #: no such task, schedule, user or token
    NOT_IN_TIME = 4  #: with --timeout: still not finished
    DRIFT = 5  #: reconcile: something was wrong, and was repaired but for a dry run
