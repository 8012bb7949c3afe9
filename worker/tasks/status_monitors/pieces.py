"""The status monitors that are to be regenerated, each a piece of its own."""

from __future__ import annotations

from sqlalchemy.exc import DataError

from batchtask.definitions import TaskContext, TaskFailure
from batchtask.udef.versions import live_versions
from worker.tasks.crm.catalogue import Catalogue
from worker.tasks.crm.user_fields import load_user_fields
from worker.tasks.status_monitors.counters import load_configurations
from worker.tasks.status_monitors.exclusion import Work, wait_for_turn
from worker.tasks.status_monitors.matching import Question, criteria_have_changed, read_question
from worker.tasks.status_monitors.monitors import (
    Monitor,
    load_monitors,
    lock_definition,
    mark_generated,
    mark_stale,
    mark_started,
)
from worker.tasks.status_monitors.owners import OwnerKind, load_kinds
from worker.tasks.status_monitors.results import MONITORS, Piece, Results
from worker.tasks.status_monitors.values import Exchange


class MonitorPieces:
    """Regenerates monitors. One that cannot be regenerated keeps its old values and does not stop the others."""

    def __init__(self, context: TaskContext, results: Results) -> None:
        self._context = context
        self._results = results
        with context.connect() as connection:
            self._kinds = load_kinds(connection)
            self._configurations = load_configurations(connection)
            self._monitors = {monitor.statusdef_id: monitor for monitor in load_monitors(connection)}

    def all(self) -> list[Piece]:
        """Return a piece for each monitor that is not deleted."""
        for monitor in self._monitors.values():
            if monitor.deleted:
                self._context.log.info("left out: %s: it is deleted", monitor.name, extra={"action": "left out"})
        return [self._piece(monitor, alone=False) for monitor in self._monitors.values() if not monitor.deleted]

    def one(self, statusdef_id: int) -> Piece:
        """Return the piece for one monitor, which fails the task if it cannot be regenerated.

        Raises:
            TaskFailure: There is no such monitor, or it is deleted.
        """
        monitor = self._monitors.get(statusdef_id)
        if monitor is None:
            raise TaskFailure(f"There is no status monitor {statusdef_id}: choose another.")
        if monitor.deleted:
            raise TaskFailure(f"The status monitor {monitor.name!r} is deleted: restore it first.")
        return self._piece(monitor, alone=True)

    def _piece(self, monitor: Monitor, *, alone: bool) -> Piece:
        key = f"{MONITORS}{monitor.statusdef_id}"

        def regenerate() -> None:
            try:
                self._regenerate(key, monitor)
            except (TaskFailure, DataError) as error:
                self._give_up(key, monitor, error, alone=alone)

        return Piece(key=key, title=monitor.name, regenerate=regenerate)

    def _regenerate(self, key: str, monitor: Monitor) -> None:
        kind = self._kind(monitor)
        with self._context.transaction() as session:
            mark_started(session, monitor)
        question = self._exchange(key, monitor, kind)
        # By themselves, because the CRM counts in that row, too: whoever saves a record would wait for the exchange.
        with self._context.transaction() as session:
            lock_definition(session, monitor)
            stale = criteria_have_changed(session.connection(), monitor, question)
            mark_generated(session, monitor, stale=stale)
            self._results.settle(key)
        if stale:
            self._warn_of_changed_criteria(monitor)

    def _exchange(self, key: str, monitor: Monitor, kind: OwnerKind) -> Question:
        """Exchange old values for new, and return what was asked.

        User-defined fields that are published meanwhile have other columns than those that were asked, so that the
        answer is worth nothing. Locking them instead would have everybody wait who edits or publishes them.
        """
        while True:
            with self._context.transaction() as session:
                wait_for_turn(session, self._context, Work.MONITOR, monitor.statusdef_id)
                connection = session.connection()
                versions = live_versions(connection)
                catalogue = Catalogue(udefs=load_user_fields(connection))
                question = read_question(connection, catalogue, kind, monitor)
                change = Exchange(session, self._context, monitor, kind).run(question.matches)
                if live_versions(connection) == versions:
                    self._results.note(key, change)
                    return question
                session.rollback()

    def _kind(self, monitor: Monitor) -> OwnerKind:
        kind = self._kinds.get(monitor.owner_table)
        if kind is None:
            raise TaskFailure("It belongs neither to companies nor to persons nor to projects.")
        configuration = self._configurations.get(kind.table_number)
        if configuration and not configuration.enabled:
            raise TaskFailure(f"Status monitors of {kind.plural} are switched off.")
        return kind

    def _give_up(self, key: str, monitor: Monitor, error: TaskFailure | DataError, *, alone: bool) -> None:
        reason = str(error) if isinstance(error, TaskFailure) else f"Its criteria do not fit the data: {error.orig}"
        with self._context.transaction() as session:
            mark_stale(session, monitor)
            if not alone:
                self._results.skip(key, monitor.name, reason)
        if alone:
            raise TaskFailure(f"The status monitor {monitor.name!r} cannot be regenerated. {reason}") from error

    def _warn_of_changed_criteria(self, monitor: Monitor) -> None:
        self._context.log.warning(
            "%s: its criteria were changed meanwhile; regenerate it once more",
            monitor.name,
            extra={"action": "criteria changed"},
        )
