"""Tasks that are killed and go on: rows in batches with a checkpoint, and mails through the effect ledger."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.message import EmailMessage

import msgspec

from batchtask.definitions import TaskContext, task
from batchtask.retrying import UNLIMITED, RetryPolicy

#: However often they are killed.
SURVIVES = RetryPolicy(lost_attempts=UNLIMITED)


class Batches(msgspec.Struct, frozen=True, kw_only=True):
    rows: int
    size: int = 50  #: of a batch
    seconds: float = 0.005  #: to sleep after each batch


class Mails(msgspec.Struct, frozen=True, kw_only=True):
    port: int  #: of the mail server on this machine
    recipients: int


@task("batches", timeout=120, retry=SURVIVES)
def batches(context: TaskContext, parameters: Batches) -> str:
    """Insert rows into `tally`, some in each transaction."""
    from sqlalchemy import text

    done = (context.checkpoint or {}).get("done", 0)
    while done < parameters.rows:
        following = min(done + parameters.size, parameters.rows)
        rows = [{"task_id": context.task_id, "step": step} for step in range(done, following)]
        with context.transaction() as session:
            session.execute(text("INSERT INTO tally (task_id, step) VALUES (:task_id, :step)"), rows)
            context.save_checkpoint({"done": following})
        done = following
        context.progress(100 * done / parameters.rows)
        time.sleep(parameters.seconds)
    return f"{done} rows"


@task("mails", timeout=120, retry=SURVIVES)
def mails(context: TaskContext, parameters: Mails) -> str:
    """Send one mail to each recipient; where it is in doubt, ask the mail server."""
    return _send_all(context, parameters, lambda key: lambda: _find(parameters.port, key))


@task("mails-unasked", timeout=120, retry=SURVIVES)
def mails_unasked(context: TaskContext, parameters: Mails) -> str:
    """Send one mail to each recipient; where it is in doubt, give up."""
    return _send_all(context, parameters, lambda _: None)


def _send_all(
    context: TaskContext, parameters: Mails, asking: Callable[[str], Callable[[], str | None] | None]
) -> str:
    for number in range(parameters.recipients):
        message = EmailMessage()
        message["Message-ID"] = f"<{number}.{context.task_id}@tests.example>"
        message["To"] = f"recipient{number}@tests.example"
        message["From"] = "sender@tests.example"
        message.set_content("Hello")
        key = message["Message-ID"]
        context.effect(key, lambda sent=message: _send(parameters.port, sent), ask=asking(key))  # type: ignore[misc]
    return f"{parameters.recipients} mails"


def _send(port: int, message: EmailMessage) -> str:
    import smtplib

    with smtplib.SMTP("127.0.0.1", port, timeout=20) as server:
        server.send_message(message)
    return str(message["Message-ID"])


def _find(port: int, message_id: str) -> str | None:
    import smtplib

    with smtplib.SMTP("127.0.0.1", port, timeout=20) as server:
        code, _ = server.verify(message_id)
    return message_id if code == 250 else None
