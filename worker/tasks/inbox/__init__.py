"""The task `inbox`: bring new mail from the users' mail servers into the CRM. Read `run.py` next."""

from __future__ import annotations

from typing import Annotated

import msgspec

from batchtask.definitions import TaskContext, task
from batchtask.errors import StoreUnavailable
from batchtask.outcomes import Outcome
from batchtask.retrying import RetryPolicy


class Inbox(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which accounts and folders to read."""

    #: Accounts, rows of EMailAccount; none = all of the user who asks, and for the system all that are ready.
    accounts: tuple[int, ...] = ()
    #: Names of folders, such as "INBOX" or "Archive/2026"; none = those that the user subscribed to.
    folders: tuple[str, ...] = ()
    #: Older messages are not downloaded; those that are there already stay. The CRM's `NumberOfDaysToDownload`.
    days_to_download: Annotated[int, msgspec.Meta(ge=1, le=36_500)] = 180


# What does not fit into one attempt goes on in the next: the task asks to be called again when time is short.
@task(
    "inbox",
    timeout=1500,
    soft_timeout=1200,
    retry=RetryPolicy(attempts=5, time_limit_attempts=3, retry_on=(StoreUnavailable,)),
    description="Fetch new mail from the mail servers",
)
def inbox(context: TaskContext, parameters: Inbox) -> Outcome:
    """Bring the CRM's copy of mailboxes up to date. A later attempt goes on behind the last committed message."""
    from worker.tasks.inbox.run import run  # noqa: PLC0415 - lxml and SQLAlchemy are the worker's own

    return run(context, parameters)
