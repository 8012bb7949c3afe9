"""Status monitors and counters: what is true of which company, person and project, computed anew.

Here are only the definition and its parameters, because the web tier loads them to check a submission. The work is
told in `run`; `monitors` reads what is watched, `values` exchanges old values for new ones, `counters` counts.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from batchtask.definitions import TaskContext, task
from batchtask.errors import StoreUnavailable
from batchtask.outcomes import Outcome
from batchtask.retrying import RetryPolicy


class StatusMonitors(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to regenerate. Without parameters: all status monitors."""

    #: Counters come first when all is wanted, because monitors may ask for them.
    what: Literal["monitors", "counters", "all"] = "monitors"
    monitor_id: int = 0  #: only this status monitor (`StatusDef_id`); 0 = all that are not deleted


# A monitor takes seconds, each is a transaction of its own, and the next attempt goes on behind the last one.
@task(
    "status-monitors",
    administrators_only=True,
    timeout=1500,
    retry=RetryPolicy(attempts=5, time_limit_attempts=3, retry_on=(StoreUnavailable,)),
    description="Regenerate status monitors and counters",
)
def status_monitors(context: TaskContext, parameters: StatusMonitors) -> Outcome:
    """Regenerate status monitors, counters, or both. A later attempt goes on behind the last monitor."""
    from worker.tasks.status_monitors.run import run  # noqa: PLC0415 - SQLAlchemy is the worker's own

    return run(context, parameters)
