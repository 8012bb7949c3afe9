"""Publishing, told in the order in which it happens. Read `run` first."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from psycopg.errors import LockNotAvailable
from sqlalchemy import Connection, Table, bindparam, func, text, update
from sqlalchemy.exc import OperationalError

from batchtask.crm7 import udeffield
from batchtask.crm7.administrators import is_administrator
from batchtask.database import database_errors
from batchtask.definitions import TaskContext, TaskFailure
from batchtask.outcomes import Outcome, Succeeded
from batchtask.task_flags import drop_flag, take_flag
from batchtask.udef.drafts import unused_identity
from batchtask.udef.fields import Field, load_fields
from batchtask.udef.layout import Layout, LayoutRefused, Placed, lay_out, source
from batchtask.udef.owners import OWNERS, Owner, value_columns
from batchtask.udef.versions import (
    Versions,
    VersionsUnreadable,
    lock_fields,
    read_versions,
    set_draft_version,
    set_live_version,
)
from worker.tasks.publish_udef import PublishUdef
from worker.tasks.publish_udef.values import Values

#: For records that somebody is changing; writers queue behind each try, so that one must be short. Guesses.
PATIENCE_SECONDS = 120.0
_TRY_SECONDS = 2
#: A process of ours that stands still, or is dead, gives back its locks after this time. Guesses.
_IDLE_SECONDS = 60
_CHECK_SECONDS = 2
# Of a transaction alone. The worker limits the task's time: a limit that administrators set for the CRM's short
# statements would end every attempt. The connection is checked in the middle of a statement, too; else a server would
# notice only at its end that we were killed. Decimal numbers become texts with all their digits.
_SETTINGS = f"""
SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; SET LOCAL extra_float_digits = 1;
SET LOCAL idle_in_transaction_session_timeout = '{_IDLE_SECONDS}s';
SET LOCAL client_connection_check_interval = '{_CHECK_SECONDS}s'
"""
#: Values named in the log for each field; all of them are counted.
_MOST_NAMED = 200


def run(context: TaskContext, parameters: PublishUdef) -> Outcome:
    """Publish and say what came of it. Killed anywhere, either nothing has happened or all of it has.

    Raises:
        TaskFailure: Something an administrator can mend; nothing was changed.
        StoreUnavailable: The database went away; a later attempt begins anew, or finds it done.
    """
    done = (context.checkpoint or {}).get("response")
    if done is not None:
        return Succeeded(response=done)
    owner = OWNERS[parameters.owner]
    with database_errors(), _refusals(context):
        _require_administrator(context)
        _take_start_flag(context, owner)
        with context.transaction() as session:
            response = _Publishing(context, session.connection(), owner, parameters).publish()
            context.save_checkpoint({"response": response})
    return Succeeded(response=response)


@contextmanager
def _refusals(context: TaskContext) -> Iterator[None]:
    try:
        yield
    except LayoutRefused as refused:
        for problem in refused.problems:
            context.log.warning("%s", problem)
        raise TaskFailure(str(refused)) from refused
    except VersionsUnreadable as error:
        raise TaskFailure(str(error)) from error


def _require_administrator(context: TaskContext) -> None:
    with context.connect() as connection:
        if not is_administrator(connection, context.owner):
            raise TaskFailure(
                "Only an administrator may publish user-defined fields: ask one who has the functional right "
                "General administrator."
            )


def _take_start_flag(context: TaskContext, owner: Owner) -> None:
    """From this commit on the flag is the task's, and is over when the task is."""
    with context.transaction() as session:
        connection = session.connection()
        _settle_in(connection)
        _require_start_flag(context, connection, owner)


def _require_start_flag(context: TaskContext, connection: Connection, owner: Owner) -> None:
    if not take_flag(connection, owner.event_key, context.task_id):
        raise TaskFailure(
            f"Publishing the fields of {owner.label} was not started, or is another task's already: set the start "
            "flag (SetPublishStartSystemEvent) first, then publish."
        )


def _settle_in(connection: Connection) -> None:
    """Have the server obey the task's limits, and give back our locks soon after we were killed, or stand still."""
    connection.execute(text(_SETTINGS))


class _Publishing:
    """One owner's draft on its way to being live, in one transaction."""

    def __init__(self, context: TaskContext, connection: Connection, owner: Owner, parameters: PublishUdef) -> None:
        self._context = context
        self._connection = connection
        self._owner = owner
        self._parameters = parameters

    def publish(self) -> str:
        """Do it all and return what to say about it."""
        self._context.progress(0, "Reading the draft")
        versions = self._lock_versions()
        if not versions.differ:
            return self._nothing_to_publish()
        layout = self._layout(versions)
        values = Values(self._connection, self._owner, layout)
        self._lock_values(values.tables)
        self._context.progress(5, "Checking the values")
        self._check_misfits(values)
        expected = values.count_before()
        self._context.check_cancelled()
        self._context.progress(15, "Setting aside values that go")
        set_aside = values.set_aside(self._context.task_id)
        self._move(values)
        self._require_all(expected, values.count_now())
        self._context.progress(95, f"Making version {versions.draft} live")
        self._write_definitions(layout)
        set_live_version(self._connection, self._owner, versions.draft, self._context.owner)
        set_draft_version(self._connection, self._owner, versions.draft, self._context.owner)
        drop_flag(self._connection, self._owner.event_key)
        self._context.check_cancelled()
        return _summary(self._owner, layout, sum(expected.values()), set_aside)

    def _lock_versions(self) -> Versions:
        _settle_in(self._connection)
        _require_start_flag(self._context, self._connection, self._owner)
        lock_fields(self._connection, self._owner)
        return read_versions(self._connection, self._owner)

    def _nothing_to_publish(self) -> str:
        drop_flag(self._connection, self._owner.event_key)
        return f"There was nothing to publish for {self._owner.label}: no field has changed."

    def _layout(self, versions: Versions) -> Layout:
        live = load_fields(self._connection, self._owner, versions.live)
        draft = load_fields(self._connection, self._owner, versions.draft, lock=True)
        if live and not draft and not self._parameters.remove_all:
            raise TaskFailure(
                f"The draft for {self._owner.label} has no fields: revert it, or publish with remove_all if all "
                f"{len(live)} fields shall go."
            )
        self._warn_of_lost_columns(live)
        return lay_out(live, draft)

    def _warn_of_lost_columns(self, live: Sequence[Field]) -> None:
        for field in live:
            if field.type and source(field) is None:
                self._context.log.warning(
                    "the field %r points at no column that could hold it: it had no values", field.name
                )

    def _lock_values(self, tables: Sequence[Table]) -> None:
        """Keep everybody from changing values until the commit; reading goes on, of what there was.

        Raises:
            TaskFailure: Somebody has kept a record locked all the time.
        """
        names = ", ".join(table.fullname for table in tables)
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while names and not self._locked(names):
            self._context.progress(2, f"Waiting for whoever is saving values of {self._owner.label}")
            self._context.check_cancelled()
            if time.monotonic() > give_up_at:
                raise TaskFailure(
                    f"Somebody has been saving values of {self._owner.label} for {PATIENCE_SECONDS:.0f} s: "
                    "wait until they have finished, then publish again."
                )

    def _locked(self, names: str) -> bool:
        try:
            with self._connection.begin_nested():
                self._connection.execute(text(f"SET LOCAL lock_timeout = '{_TRY_SECONDS}s'"))
                # Beyond writing it keeps out SELECT FOR UPDATE, which our UPDATE would have to wait for.
                self._connection.execute(text(f"LOCK TABLE {names} IN EXCLUSIVE MODE"))
                self._connection.execute(text("SET LOCAL lock_timeout = 0"))
        except OperationalError as error:
            if isinstance(error.orig, LockNotAvailable):
                return False
            raise
        return True

    def _check_misfits(self, values: Values) -> None:
        """Name every value that its new type cannot hold.

        Raises:
            LayoutRefused: There are some, and nobody said what shall become of them.
        """
        problems = [problem for placed in values.converted if (problem := self._misfits(values, placed))]
        if problems and self._parameters.misfits == "refuse":
            raise LayoutRefused(problems)

    def _misfits(self, values: Values, placed: Placed) -> str | None:
        count = values.count_misfits(placed)
        if not count:
            return None
        first = ""
        for misfit in values.misfits(placed, _MOST_NAMED):
            record = f"{self._owner.label} {misfit.record_id}" if misfit.record_id else "no record"
            first = first or f"{misfit.value!r} of {record}"
            self._context.log.warning("%s: %r of %s does not fit", placed.field.name, misfit.value, record)
        some = "1 value does" if count == 1 else f"{_number(count)} values do"
        return (
            f"{some} not fit the new type of {placed.field.name!r}, such as {first}: change them, or publish with "
            "misfits set-aside."
        )

    def _move(self, values: Values) -> None:
        count = values.count_changing()
        told = f"Moving the values of {count} field{'s' * (count != 1)}"
        self._context.progress(25, told)
        for share in values.move():
            self._context.check_cancelled()
            self._context.progress(25 + 65 * share, told)

    def _require_all(self, expected: dict[int, int], found: dict[int, int]) -> None:
        """Compare the counts of before and after: publishing that lost a value must not be committed."""
        if expected != found:
            raise RuntimeError(f"values by field were {expected}, and are {found}")

    def _write_definitions(self, layout: Layout) -> None:
        columns = {column: number for number, column in value_columns(self._connection, self._owner).items()}
        identities = itertools.count(unused_identity(self._connection, self._owner))
        rows = [
            {
                "id": placed.field.id,
                "column": columns[placed.column] if placed.column else 0,
                "last": placed.before.id if placed.before else 0,
                "identity": placed.field.identity or next(identities),
            }
            for placed in layout.fields
        ]
        statement = update(udeffield).where(udeffield.c.udeffield_id == bindparam("id"))
        statement = statement.values(
            columnid=bindparam("column"),
            lastversionid=bindparam("last"),
            udefidentity=bindparam("identity"),
            updated=func.now(),
            updated_associate_id=self._context.owner,
            updatedcount=udeffield.c.updatedcount + 1,
        )
        if rows:
            self._connection.execute(statement, rows)


def _summary(owner: Owner, layout: Layout, kept: int, set_aside: int) -> str:
    fields = layout.fields
    changes = {
        "added": sum(placed.before is None for placed in fields),
        "moved": sum(placed.is_moved for placed in fields),
        "renamed": sum(placed.is_renamed for placed in fields),
        "removed": len(layout.removed),
    }
    told = ", ".join(f"{_number(count)} {what}" for what, count in changes.items() if count)
    values = f"{_number(kept)} value{'s' * (kept != 1)} kept"
    if set_aside:
        values += f", {_number(set_aside)} set aside"
    field = "1 field" if len(fields) == 1 else f"{len(fields)} fields"
    return f"{field} published for {owner.label}{f': {told}' if told else ''}; {values}."


def _number(count: int) -> str:
    return f"{count:,}".replace(",", " ")
