"""What live updates ask of the database; every method is one or two short reads, bounded whatever there is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Engine, text

from batchtask.database import database_errors
from batchtask.http.views import OPEN_STATES
from batchtask.identifiers import TaskId
from projections.live.mailbox import LiveView
from projections.rows import ENDED, State
from projections.task_views import TaskViews
from projections.told import told_among

#: Open tasks that a stream begins with; the newest of them.
MOST_OPEN = 200
#: Of each owner's newest tasks, those among which a stream that begins looks for what ended or changed lately.
NEWEST = 500
#: The same when a rescan looks for what nobody heard of.
NEWEST_IN_RESCAN = 20
#: Ends that nobody was told of are news for so long.
UNTOLD_HOURS = 24

_OPEN = [int(state) for state in State if state and state not in ENDED]

_PLACES = "SELECT task_id, version, registered_associate_id AS owner, updated FROM crm7.batchtask"
_BY_IDS = text(f"{_PLACES} WHERE task_id = ANY(:ids)")
_NEWEST_OF_OWNERS = text(
    f"SELECT newest.* FROM unnest(CAST(:owners AS int[])) AS wanted (id) CROSS JOIN LATERAL ({_PLACES} "  # noqa: S608
    "WHERE registered_associate_id = wanted.id ORDER BY batchtask_id DESC LIMIT :most) AS newest"
)
_NEWEST_OF_ALL = text(f"{_PLACES} ORDER BY batchtask_id DESC LIMIT :most")

# One state after the other: each is read from the end of its index, however many tasks wait.
_OPEN_OF_ALL = text(
    " UNION ALL ".join(
        f"(SELECT task_id FROM crm7.batchtask WHERE state = {state} ORDER BY batchtask_id DESC LIMIT :most)"  # noqa: S608
        for state in _OPEN
    )
)
# Ordered apart, or the planner may walk through all that the owner ever did in search of the newest open ones.
_OPEN_OF_OWNER = text("""
WITH found AS MATERIALIZED (
    SELECT task_id, batchtask_id FROM crm7.batchtask WHERE registered_associate_id = :owner AND state = ANY(:open)
)
SELECT task_id FROM found ORDER BY batchtask_id DESC LIMIT :most
""")
_CHANGED = text("""
SELECT newest.task_id FROM (
    SELECT task_id, updated FROM crm7.batchtask
    WHERE CAST(:owner AS int) IS NULL OR registered_associate_id = :owner ORDER BY batchtask_id DESC LIMIT :most
) AS newest WHERE newest.updated >= :since
""")
_ENDED_LATELY = text("""
SELECT newest.task_id FROM (
    SELECT task_id, updated, state FROM crm7.batchtask
    WHERE registered_associate_id = :owner ORDER BY batchtask_id DESC LIMIT :most
) AS newest WHERE newest.state <> ALL(:open) AND newest.updated >= now() - make_interval(hours => :hours)
""")


class Place(NamedTuple):
    """How far a task's row is, and whose it is."""

    task_id: TaskId
    version: int
    owner: int
    updated: datetime


class LiveReads:
    """Reads for the hub. Synchronous and thread-safe; each method may raise `StoreUnavailable`.

    Args:
        engine: The database.
        views: Reads what is shown.
    """

    def __init__(self, engine: Engine, views: TaskViews) -> None:
        self.engine = engine
        self._views = views

    def places(self, task_ids: Sequence[TaskId]) -> list[Place]:
        """Return how far the rows of some tasks are; those without a row are left out."""
        return self._places(_BY_IDS, ids=list(task_ids))

    def newest(self, owners: Iterable[int] | None) -> list[Place]:
        """Return how far the newest tasks of each of some owners are; None = of everybody together."""
        if owners is None:
            return self._places(_NEWEST_OF_ALL, most=MOST_OPEN)
        return self._places(_NEWEST_OF_OWNERS, owners=list(owners), most=NEWEST_IN_RESCAN)

    def views(self, task_ids: Sequence[TaskId]) -> list[LiveView]:
        """Return what streams show of some tasks, oldest first."""
        found = sorted(self._views.some(task_ids), key=lambda view: view.number)
        ended = [TaskId(view.id) for view in found if view.state not in OPEN_STATES]
        told = told_among(self.engine, ended)
        return [
            LiveView(
                **msgspec.structs.asdict(view), told=None if view.state in OPEN_STATES else TaskId(view.id) in told
            )
            for view in found
        ]

    def beginning(self, audience: int | None, since: datetime | None) -> list[LiveView]:
        """Return what a stream begins with: open tasks, own ends that nobody was told of, what changed lately.

        Args:
            audience: An associate id; None = everybody's tasks.
            since: When the stream that this one goes on from read last; None = there was none.
        """
        if audience is None:
            wanted = self._ids(_OPEN_OF_ALL, most=MOST_OPEN)
        else:
            wanted = self._ids(_OPEN_OF_OWNER, owner=audience, open=_OPEN, most=MOST_OPEN)
        if since is not None:
            wanted |= self._ids(_CHANGED, owner=audience, since=since, most=NEWEST)
        if audience is not None:
            ended = self._ids(_ENDED_LATELY, owner=audience, open=_OPEN, hours=UNTOLD_HOURS, most=NEWEST)
            wanted |= ended - told_among(self.engine, list(ended))
        return self.views(list(wanted))

    def _places(self, query: Any, **values: object) -> list[Place]:
        with database_errors(), self.engine.connect() as connection:
            return [Place._make(row) for row in connection.execute(query, values)]

    def _ids(self, query: Any, **values: object) -> set[TaskId]:
        with database_errors(), self.engine.connect() as connection:
            return {TaskId(found) for found in connection.execute(query, values).scalars()}
