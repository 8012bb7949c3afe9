"""Submitting within a transaction of the caller's: committed with its data, gone with its rollback.

Nothing is published here. The commit makes the task true; a relay (part of every projections process) finds it in the
outbox and publishes it. Wants SQLAlchemy and the database that holds the schema `batchtask`, but no broker.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, LargeBinary, String, Text, cast, literal, select
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session, scoped_session
from sqlalchemy.sql.dml import Insert

from batchtask import upcasters
from batchtask.database import SCHEMA_REVISION
from batchtask.definitions import Registry
from batchtask.errors import SchemaMissing
from batchtask.identifiers import TaskId
from batchtask.messages import SubmitTask
from batchtask.payloads import PayloadStore
from batchtask.settings import Settings
from batchtask.store import first_event, storable
from batchtask.tables import event as event_table
from batchtask.tables import outbox as outbox_table
from producer.submission import Preparer, Submission, submission
from producer.task_request import TaskRequest

#: What has the caller's transaction. An `AsyncSession` or `AsyncConnection` gives one by its `run_sync`.
Transaction = Connection | Session | scoped_session[Session]

# https://www.postgresql.org/docs/current/errcodes-appendix.html: undefined table, invalid schema name
_NO_TABLE = {"42P01", "3F000"}


class Outbox:
    """Submits tasks within transactions of the caller's. Thread-safe; holds no connection.

    Args:
        settings: Uses `payload_url`.
        registry: The definitions to check against; by default those of all installed distributions.
    """

    def __init__(self, settings: Settings, *, registry: Registry | None = None) -> None:
        self._preparer = Preparer(registry or Registry.installed(), PayloadStore(settings.payload_url))

    def submit(
        self, transaction: Transaction, /, name: str, parameters: Mapping[str, Any] | None = None, **fields: Any
    ) -> TaskId:
        """Write one task into the caller's transaction and return its id.

        It runs, and anybody sees it, once the caller has committed; after a rollback it never was. Under a
        deduplication key that another transaction is using at that moment this waits for that one's end.

        Args:
            transaction: Begun, committed or rolled back by the caller.
            name: Of an installed task definition.
            parameters: What its schema wants.
            fields: The other fields of `TaskRequest`: owner, description, delay_seconds, deduplication_key, …

        Raises:
            UnknownTask, InvalidParameters, PayloadTooLarge, PayloadUnwritable: Refused; nothing was written.
            SchemaMissing: The caller's database does not hold our tables.
            TypeError: This is no transaction of SQLAlchemy's, or an asynchronous one; the text says what to do.
            sqlalchemy.exc.DBAPIError: What else befalls the caller's transaction.
        """
        if not isinstance(transaction, Connection | Session | scoped_session):
            # Executed on an asynchronous session, the statement would wait for an `await` that never comes.
            raise TypeError(
                f"a task is submitted within SQLAlchemy's Session or Connection, not {type(transaction).__name__}; "
                "with an asynchronous one: await session.run_sync(outbox.submit, name, parameters)"
            )
        request = TaskRequest(name=name, parameters=parameters or {}, **fields)
        command = self._preparer.command(request)
        statement = _write(command, submission(command, request.traceparent))
        try:
            transaction.execute(statement)
        except ProgrammingError as error:
            if _code(error) in _NO_TABLE:
                raise SchemaMissing("nothing", SCHEMA_REVISION) from error
            raise
        return request.task_id


def _write(command: SubmitTask, wanted: Submission) -> Insert:
    """One statement: the first event of the stream and, where that was not there yet, the message to publish.

    A stream that has begun was submitted before: whoever did that has seen to its message.
    """
    begun = _begin(command).cte("begun")
    row = select(
        begun.c.task_id,
        literal(wanted.routing_key, String),
        literal(wanted.body, LargeBinary),
    )
    return insert(outbox_table).from_select(["task_id", "routing_key", "body"], row)


def _begin(command: SubmitTask) -> Insert:
    """Made of SQLAlchemy's parts, unlike the store's own statement, because the caller chooses the driver."""
    event = first_event(command)
    name = upcasters.events.name(event.body)
    data = storable(upcasters.events.encode(event.body))
    return (
        insert(event_table)
        .values(
            task_id=event.task_id,
            version=event.version,
            type=name,
            schema_version=upcasters.events.version(name),
            occurred_at=event.occurred_at,
            data=cast(literal(data, Text), JSONB),
        )
        .on_conflict_do_nothing(constraint="event_pkey")
        .returning(event_table.c.task_id)
    )


def _code(error: ProgrammingError) -> str:
    """The database's code of an error; drivers keep it under different names."""
    return str(getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None) or "")
