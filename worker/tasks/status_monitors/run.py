"""Regeneration, told in the order in which it happens. Read `run` first."""

from __future__ import annotations

from datetime import timedelta

from batchtask.crm7.administrators import is_administrator
from batchtask.database import database_errors
from batchtask.definitions import TaskContext, TaskFailure
from batchtask.outcomes import Outcome, Succeeded
from batchtask.task_flags import set_flag, take_flag
from worker.tasks.status_monitors import StatusMonitors
from worker.tasks.status_monitors.counters import CounterPieces
from worker.tasks.status_monitors.pieces import MonitorPieces
from worker.tasks.status_monitors.results import Piece, Results

#: System event of the CRM: its clients then show no pictures of statuses. It ends with the task, however that ends.
REBUILD_EVENT = "ROURebuild"
_LASTS = timedelta(minutes=1)  # for users; a guess


def run(context: TaskContext, parameters: StatusMonitors) -> Outcome:
    """Regenerate what is wanted, piece by piece. After a kill the next attempt goes on behind the last piece.

    Raises:
        TaskFailure: Something a user can mend; the sentence says what.
        StoreUnavailable: The database went away; a later attempt goes on.
    """
    if parameters.monitor_id and parameters.what != "monitors":
        raise TaskFailure("monitor_id names one status monitor: leave it out, or leave out what.")
    with database_errors():
        _require_administrator(context)
        results = Results(context)
        pieces = _pieces(context, parameters, results)
        _announce(context)
        for place, piece in enumerate(pieces):
            if results.knows(piece.key):
                continue
            context.check_cancelled()
            context.progress(100 * place / len(pieces), f"{piece.title} ({place + 1} of {len(pieces)})")
            piece.regenerate()
    context.progress(100, "Done")
    return Succeeded(response=results.summary(parameters.what))


def _pieces(context: TaskContext, parameters: StatusMonitors, results: Results) -> list[Piece]:
    """Counters come first, because monitors may ask for them."""
    pieces: list[Piece] = []
    if parameters.what != "monitors":
        pieces += CounterPieces(context, results).all()
    if parameters.what != "counters":
        monitors = MonitorPieces(context, results)
        pieces += [monitors.one(parameters.monitor_id)] if parameters.monitor_id else monitors.all()
    return pieces


def _require_administrator(context: TaskContext) -> None:
    with context.connect() as connection:
        if not is_administrator(connection, context.owner):
            raise TaskFailure("Only administrators may regenerate status monitors and counters: ask one of them.")


def _announce(context: TaskContext) -> None:
    """Tell the users of the CRM. Where another regeneration has announced itself, one announcement is enough."""
    message = "Status monitors and counters are being regenerated"
    with context.transaction() as session:
        connection = session.connection()
        if set_flag(connection, REBUILD_EVENT, message=message, associate_id=context.owner, lasts=_LASTS):
            take_flag(connection, REBUILD_EVENT, context.task_id)
