"""What Operations may ask, administrators only: the overview, queues, workers, the pause, statistics."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Annotated, Any

from litestar import Controller, Litestar, Request, get
from litestar.di import NamedDependency, Provide
from litestar.params import QueryParameter
from sqlalchemy import Engine

from batchtask.http.callers import Caller
from batchtask.http.pauses import PauseView, pause_view
from batchtask.pausing import Pausing
from batchtask.settings import Settings
from projections.overview import Overview, read_overview
from projections.queues import QueueDesk, QueueList
from projections.statistics import LONGEST_HOURS, Statistics, read_statistics
from projections.task_views import TaskViews
from projections.workers import Workers, read_workers

Hours = Annotated[int, QueryParameter(ge=1, le=LONGEST_HOURS, description="Back from now.")]
Name = Annotated[str, QueryParameter(max_length=254, description="Of one task definition; by default all count.")]


def watching_queues(settings: Settings, engine: Engine) -> Callable[[Litestar], AbstractAsyncContextManager[None]]:
    """Keep the connection that looks at queues, for as long as the application runs: one of its lifespans."""

    @asynccontextmanager
    async def watching(app: Litestar) -> AsyncIterator[None]:
        app.state.queue_desk = QueueDesk(settings, engine)
        yield
        await app.state.queue_desk.close()

    return watching


def _queue_desk(request: Request[Any, Any, Any]) -> QueueDesk:
    desk: QueueDesk = request.app.state.queue_desk
    return desk


class OperationReads(Controller):
    """What can be asked of the whole system."""

    path = "/api/v2"
    tags = ("operations",)
    dependencies = {"queue_desk": Provide(_queue_desk, sync_to_thread=False)}  # noqa: RUF012 - as Litestar has it

    @get("/overview", sync_to_thread=True)
    def overview(self, caller: NamedDependency[Caller], engine: NamedDependency[Engine]) -> Overview:
        """Show where all tasks are, and who works on them."""
        caller.require_administrator()
        return read_overview(engine)

    @get("/queues")
    async def queues(self, caller: NamedDependency[Caller], queue_desk: NamedDependency[QueueDesk]) -> QueueList:
        """Show how full the broker's queues are; numbers that could not be found out are null, `note` says why."""
        caller.require_administrator()
        return await queue_desk.look()

    @get("/workers", sync_to_thread=True)
    def workers(
        self, caller: NamedDependency[Caller], engine: NamedDependency[Engine], task_views: NamedDependency[TaskViews]
    ) -> Workers:
        """List the workers, what each runs, and whether it is alive."""
        caller.require_administrator()
        return read_workers(engine, task_views)

    @get("/pause", sync_to_thread=True)
    def pause(self, caller: NamedDependency[Caller], pausing: NamedDependency[Pausing]) -> PauseView:
        """Tell whether all workers were told to take nothing new: by whom, since when and why."""
        caller.require_administrator()
        return pause_view(pausing.standing())

    @get("/statistics", sync_to_thread=True)
    def statistics(
        self, caller: NamedDependency[Caller], engine: NamedDependency[Engine], hours: Hours = 24, name: Name = ""
    ) -> Statistics:
        """Return what was done over the last hours, in at most 180 points, oldest first; empty ones are zeros."""
        caller.require_administrator()
        return read_statistics(engine, hours, name)
