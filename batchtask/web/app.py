"""The ASGI application: command side and query side under one roof. It mounts inside another application, too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from litestar import Litestar, Request, Router
from litestar.connection import ASGIConnection
from litestar.di import Provide
from litestar.exceptions import NotFoundException
from litestar.handlers.base import BaseRouteHandler
from litestar.types import ControllerRouterHandler
from sqlalchemy import Engine

from batchtask.amending import Amendments
from batchtask.clock import DatabaseClock
from batchtask.database import make_engine, require_schema
from batchtask.definitions import Registry
from batchtask.http.authentication import PUBLIC, Authentication, OwnWay
from batchtask.http.caches import keep_nowhere
from batchtask.http.callers import Caller
from batchtask.http.documentation import DocumentHandlers, openapi_config
from batchtask.http.letter_case import AnyLetterCase
from batchtask.http.login import login_handlers
from batchtask.http.methods import Heads
from batchtask.http.mounting import MountableApp
from batchtask.http.negotiation import require_json_accepted
from batchtask.http.origins import cors_config
from batchtask.http.problem_handlers import EXCEPTION_HANDLERS, LONGEST_BODY_BYTES
from batchtask.http.queries import KnownQueries, require_known_query
from batchtask.http.time_zones import zone_asked
from batchtask.pausing import Pausing
from batchtask.payloads import PayloadStore
from batchtask.removal import Removal
from batchtask.replaying import Replays
from batchtask.settings import Settings
from batchtask.store import EventStore
from producer.aio import Producer
from producer.rest.batch_agent import BatchAgentCommands
from producer.rest.batchtask import BatchTaskCommands
from producer.rest.bulk import BulkCommands
from producer.rest.cancel import TaskCancels
from producer.rest.crm_agents import CrmAgents
from producer.rest.deleting import TaskDeletes
from producer.rest.operations import OperationCommands
from producer.rest.replay import TaskReplays
from producer.rest.schedules import ScheduleCommands
from producer.rest.submit import TaskSubmits
from producer.rest.told import TaskTold
from producer.rest.udef_agent import UserDefinedFieldAgent
from producer.submission import Preparer
from projections.carriers import Carriers
from projections.choosing import TaskChooser
from projections.projector import Projector
from projections.queries import Queries
from projections.readable import Rows
from projections.rest.agents import BatchAgentReads
from projections.rest.attempts import AttemptReads
from projections.rest.batchtask import BatchTaskReads
from projections.rest.dead import DeadReads
from projections.rest.definitions import DefinitionReads
from projections.rest.events import EventReads
from projections.rest.files import FileReads
from projections.rest.live import LiveUpdates, running_hub
from projections.rest.operations import OperationReads, watching_queues
from projections.rest.pages import answer_nothing_here, page_handlers
from projections.rest.parameters import ParameterReads
from projections.rest.schedules import ScheduleReads
from projections.rest.tasks import TaskReads
from projections.schedules import Schedules
from projections.task_views import TaskViews

#: Reads at a time that have a connection of their own; others wait for one.
CONNECTIONS = 10

HANDLERS: list[ControllerRouterHandler] = [
    TaskReads, EventReads, AttemptReads, ParameterReads, FileReads, DefinitionReads, DeadReads, ScheduleReads,
    TaskSubmits, TaskCancels, TaskReplays, TaskTold, LiveUpdates, BulkCommands, ScheduleCommands,
    OperationReads, OperationCommands, TaskDeletes, BatchTaskReads, BatchTaskCommands, BatchAgentReads,
    BatchAgentCommands, CrmAgents, UserDefinedFieldAgent,
]  # fmt: skip

Connection = ASGIConnection[BaseRouteHandler, Any, Any, Any]


def create_app(
    settings: Settings, *, registry: Registry | None = None, authenticate: OwnWay | None = None
) -> Litestar:
    """Make the application. It connects when it starts, and again by itself.

    Args:
        settings: Of this process.
        registry: The task definitions that may be submitted; by default those of all installed distributions.
        authenticate: Asked first who calls: tells, or refuses by raising `NotAuthenticated`, or returns None to have
            the caller asked for what docs/web-access.md says.

    Raises:
        SettingsError: A URL is missing or cannot be read.
    """
    registry = registry or Registry.installed()
    engine = make_engine(settings.require_database(), pool_size=CONNECTIONS)
    views = TaskViews(engine, registry)
    authentication = Authentication(settings, engine, authenticate=authenticate)

    async def require_caller(connection: Connection, handler: BaseRouteHandler) -> None:
        if not handler.opt.get(PUBLIC):
            connection.scope["user"] = await authentication.caller_of(connection)

    app = MountableApp(
        # In one router, for a command and a query may have the same path: apart, each would bring its own OPTIONS.
        route_handlers=[
            Router(path="/", route_handlers=[*HANDLERS, *page_handlers(), login_handlers(authentication)])
        ],
        cors_config=cors_config(settings),
        dependencies={
            "authentication": _given(authentication),
            "caller": Provide(_caller, sync_to_thread=False),
            "engine": _given(engine),
            "settings": _given(settings),
            "registry": _given(registry),
            "queries": _given(Queries(engine)),
            "pausing": _given(Pausing(engine)),
            "chooser": _given(TaskChooser(engine)),
            "preparer": _given(Preparer(registry, PayloadStore(settings.payload_url))),
            "replays": Provide(lambda: _replays(engine, registry, settings), sync_to_thread=True),
            "amendments": Provide(lambda: Amendments(EventStore(engine), _clock(engine).now), sync_to_thread=True),
            "removal": _given(Removal(engine, settings.files_dir, PayloadStore(settings.payload_url))),
            "task_states": _given(EventStore(engine)),
            "row_writer": Provide(lambda: Projector(engine), sync_to_thread=False),
            "rows": _given(Rows(views, EventStore(engine), settings.submit_seconds)),
            "schedules": _given(Schedules(engine)),
            "task_views": _given(views),
            "carriers": _given(Carriers(engine)),
            "zone": Provide(zone_asked, sync_to_thread=False),
            "producer": Provide(_producer, sync_to_thread=False),
        },
        guards=[require_json_accepted, require_caller, require_known_query],
        before_send=[keep_nowhere],
        request_max_body_size=LONGEST_BODY_BYTES,
        exception_handlers={**EXCEPTION_HANDLERS, NotFoundException: answer_nothing_here},
        lifespan=[
            watching_queues(settings, engine),
            _connected(settings, registry, engine),
            running_hub(settings, engine, views),
        ],
        openapi_config=openapi_config(),
        plugins=[DocumentHandlers(), KnownQueries(), Heads()],
        logging_config=None,
        debug=False,
    )
    app.asgi_handler = AnyLetterCase(app.asgi_handler, [route.path for route in app.routes])
    return app


def _connected(settings: Settings, registry: Registry, engine: Engine) -> Callable[[Litestar], Any]:
    @asynccontextmanager
    async def connected(app: Litestar) -> AsyncIterator[None]:
        await asyncio.to_thread(require_schema, engine)
        async with Producer(settings, registry=registry) as producer:
            app.state.producer = producer
            app.state.closing = asyncio.Event()
            yield
        engine.dispose()

    return connected


def _given(value: object) -> Provide:
    return Provide(lambda: value, sync_to_thread=False, use_cache=True)


def _replays(engine: Engine, registry: Registry, settings: Settings) -> Replays:
    return Replays(EventStore(engine), registry, PayloadStore(settings.payload_url), _clock(engine).now)


def _clock(engine: Engine) -> DatabaseClock:
    clock = DatabaseClock(engine)
    clock.sync()
    return clock


def _caller(request: Request[Any, Any, Any]) -> Caller:
    caller: Caller = request.scope["user"]
    return caller


def _producer(request: Request[Any, Any, Any]) -> Producer:
    producer: Producer = request.app.state.producer
    return producer
