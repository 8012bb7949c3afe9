"""What the web tier loads to check a submission: names, types and limits. The work is in `work`."""

from __future__ import annotations

import datetime
from typing import Annotated

import msgspec

from batchtask.definitions import TaskContext, TaskFailure, task
from batchtask.outcomes import Succeeded
from batchtask.retrying import RetryPolicy


class OverdueSales(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which sales, and who hears of them."""

    until: datetime.date  #: open sales whose date is before this one
    #: The follow-up is due so many days after `until`. A submission with others is refused before it is queued.
    due_days: Annotated[int, msgspec.Meta(ge=0, le=365)] = 3
    report_to: str = ""  #: mail address of whoever gets the list; "" = nobody
    mail_server: str = "localhost"
    mail_port: int = 25


class MailServerAway(TaskFailure):
    """Nobody answers: nothing was sent, and later somebody may. With a sentence for the user."""


@task("overdue-sales", timeout=1200, retry=RetryPolicy(attempts=5, retry_on=(MailServerAway,)))
def overdue_sales(context: TaskContext, parameters: OverdueSales) -> Succeeded:
    """Book a follow-up for each open sale that should have been closed, and report them."""
    from batchtask_overdue_sales.work import follow_up_all  # noqa: PLC0415 - not in the web tier

    return follow_up_all(context, parameters)
