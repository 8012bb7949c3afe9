"""Projecting events into `crm7.batchtask`: many events, one transaction, acknowledged by the caller afterwards.

Events arrive repeated, reordered and with gaps; a row carries the version it reflects. What it has already is
skipped, what is missing is read from the store, and a write never lowers a version. So two projectors at once,
a restart anywhere and any order of arrival give the same rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Connection, Engine, func, select

from batchtask import signal_points
from batchtask.database import database_errors
from batchtask.events import RecordedEvent
from batchtask.identifiers import TaskId
from batchtask.store import insert_events, select_events, storable
from batchtask.tables import batchtask
from batchtask.task_flags import remove_flags_that_are_over
from projections.numbers import DefinitionNumbers, TaskNumbers
from projections.rows import ENDED, Row, fold_row

_COLUMNS = """
    batchtask_id int, batchtaskdefinition_id int, description text, dbtag text, state int, detailstable smallint,
    detailsrecord int, request text, response text, startcount int, laststarted timestamptz, progresspercent smallint,
    progressdescription text, registered timestamptz, registered_associate_id int, updated timestamptz,
    updated_associate_id int, updatedcount int, filename text, task_id uuid, version int,
    due_at timestamptz, stopping boolean
"""
COLUMN_NAMES = [part.split()[0] for part in _COLUMNS.split(",")]
#: Given with the first write of a row and never changed.
FIXED_NAMES = {"task_id", "batchtask_id", "batchtaskdefinition_id"}
_UPDATES = ", ".join(f"{name} = EXCLUDED.{name}" for name in COLUMN_NAMES if name not in FIXED_NAMES)


def upsert_statement(table: str) -> str:
    """SQL that writes rows, given as one JSON array, where they are newer than what is there."""
    return f"""
INSERT INTO {table} AS present ({", ".join(COLUMN_NAMES)})
SELECT {", ".join(COLUMN_NAMES)} FROM json_to_recordset(%s::json) AS row ({_COLUMNS})
ON CONFLICT (task_id) DO UPDATE SET {_UPDATES} WHERE present.version < EXCLUDED.version
"""  # noqa: S608 - names of ours only


#: First events that lost a race, compared with what stands in the stream; nothing does when the task was removed.
_DIFFERENT = """
SELECT row.task_id FROM json_to_recordset(%s::json) AS row (task_id uuid, occurred_at timestamptz, data jsonb)
LEFT JOIN batchtask.event ON event.task_id = row.task_id AND event.version = 0
WHERE event.task_id IS NULL OR (event.occurred_at, event.data) IS DISTINCT FROM (row.occurred_at, row.data)
"""


class Projector:
    """Writes the rows; nobody else does. One thread; as many projectors as one likes.

    Args:
        engine: The database.
        table: The table to fill; a rebuild fills another one.
    """

    def __init__(self, engine: Engine, table: str = "crm7.batchtask") -> None:
        self._engine = engine
        self._upsert = upsert_statement(table)
        self._numbers = TaskNumbers(engine)
        self._definitions = DefinitionNumbers(engine)

    def project(self, events: Iterable[RecordedEvent], *, submitted: Sequence[RecordedEvent] = ()) -> None:
        """Record first events and bring the rows of all tasks named up to date, in one transaction.

        Args:
            events: Recorded already, in any order, any number of times.
            submitted: First events that may have to be recorded still.

        Raises:
            StoreUnavailable: Nothing was written; project again.
        """
        with database_errors(), self._engine.begin() as connection:
            known = _by_task(events)
            for versions in known.values():
                # Only the store knows whether a stream has its beginning still: a removed task gets no row from news.
                versions.pop(0, None)
            self._record(connection, submitted, known)
            signal_points.reached("projector.recorded")
            rows = self._fold(connection, known)
            self._write(connection, rows)
            if any(row.state in ENDED for row in rows):
                remove_flags_that_are_over(connection)
            signal_points.reached("projector.written")
        signal_points.reached("projector.committed")

    def write_folded(self, connection: Connection, streams: Iterable[Sequence[RecordedEvent]]) -> None:
        """Write the rows of whole streams within the caller's transaction."""
        rows = (fold_row(None, events) for events in streams)
        self._write(connection, [row for row in rows if row is not None])

    def _record(
        self,
        connection: Connection,
        submitted: Sequence[RecordedEvent],
        known: dict[TaskId, dict[int, RecordedEvent]],
    ) -> None:
        """Record first events; where another one stands in the stream already, that one counts."""
        if not submitted:
            return
        # Submitted twice in one batch, perhaps with other content: the first counts.
        first = list({event.task_id: event for event in reversed(submitted)}.values())
        written = insert_events(connection, [], ensure=first)
        lost = [event for event in first if (event.task_id, 0) not in written]
        different = _different(connection, lost) if lost else set()
        for event in first:
            versions = known[TaskId(event.task_id)]
            if event.task_id not in different:
                versions[0] = event

    def _fold(self, connection: Connection, known: Mapping[TaskId, Mapping[int, RecordedEvent]]) -> list[Row]:
        present = _present(connection, [task_id for task_id, versions in known.items() if 0 not in versions])
        after = {task_id: present[task_id].version if task_id in present else -1 for task_id in known}
        chains = {task_id: _chain(versions, after[task_id]) for task_id, versions in known.items()}
        gaps = {task_id: after[task_id] for task_id, chain in chains.items() if chain is None}
        loaded = select_events(connection, gaps)
        folded = (
            fold_row(present.get(task_id), loaded[task_id] if chain is None else chain)
            for task_id, chain in chains.items()
            if chain is None or chain
        )
        return [row for row in folded if row is not None]

    def _write(self, connection: Connection, rows: Sequence[Row]) -> None:
        if not rows:
            return
        numbers = self._numbers.numbers(connection, [row.task_id for row in rows])
        ordered = sorted(rows, key=lambda row: row.task_id)  # one order for all writers: no deadlock
        body = [
            msgspec.structs.asdict(row)
            | {
                "batchtask_id": numbers[row.task_id],
                "batchtaskdefinition_id": self._definitions.number(row.name) if row.name else None,
            }
            for row in ordered
        ]
        connection.exec_driver_sql(self._upsert, (storable(msgspec.json.encode(body)),))


def _by_task(events: Iterable[RecordedEvent]) -> dict[TaskId, dict[int, RecordedEvent]]:
    known: dict[TaskId, dict[int, RecordedEvent]] = defaultdict(dict)
    for event in events:
        known[TaskId(event.task_id)][event.version] = event
    return known


def _chain(versions: Mapping[int, RecordedEvent], after: int) -> list[RecordedEvent] | None:
    """The events behind a version, in order; empty when there are none, None when there is a gap."""
    newest = max(versions, default=-1)
    wanted = range(after + 1, newest + 1)
    if not versions or any(version not in versions for version in wanted):
        return None
    return [versions[version] for version in wanted]


def _present(connection: Connection, task_ids: Sequence[TaskId]) -> dict[TaskId, Row]:
    """The rows that are there, as far as folding needs them; the definition's name is written once and not read."""
    if not task_ids:
        return {}
    query = select(*_READ).where(batchtask.c.task_id.in_(task_ids))
    return {TaskId(row["task_id"]): Row(name="", **row) for row in connection.execute(query).mappings()}


_READ = [
    # Local time of the database, as the original keeps it; the fold thinks in UTC.
    func.timezone(func.current_setting("TimeZone"), batchtask.c.laststarted).label("laststarted")
    if name == "laststarted"
    else batchtask.c[name]
    for name in COLUMN_NAMES
    if name not in {"batchtask_id", "batchtaskdefinition_id"}
]


def _different(connection: Connection, lost: Sequence[RecordedEvent]) -> set[UUID]:
    rows: list[dict[str, Any]] = [
        {"task_id": event.task_id, "occurred_at": event.occurred_at, "data": event.body} for event in lost
    ]
    return set(connection.exec_driver_sql(_DIFFERENT, (storable(msgspec.json.encode(rows)),)).scalars())
