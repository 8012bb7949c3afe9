"""Live updates as server-sent events: the open tasks first, then every change, for as long as somebody listens.

Format: https://html.spec.whatwg.org/multipage/server-sent-events.html. What decides who hears what: projections/live.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Annotated, Any, Literal

from litestar import Controller, Litestar, Request, get
from litestar.di import NamedDependency, Provide
from litestar.params import FromQuery, HeaderParameter
from litestar.response import Stream
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from batchtask.errors import BatchTaskError
from batchtask.http.authentication import Authentication
from batchtask.http.callers import Caller
from batchtask.http.methods import ENDLESS
from batchtask.http.negotiation import ANY_MEDIA
from batchtask.http.problems import Forbidden, NotAuthenticated, Problem
from batchtask.settings import Settings
from projections.live.hub import Hub, running
from projections.live.mailbox import event
from projections.rest.tasks import owner_asked
from projections.task_views import TaskViews

#: Proxies end connections on which nothing is said; the shortest usual limit is a minute.
KEEP_ALIVE_SECONDS = 15.0
#: How often to ask whether the caller still is who they were: sessions end, and rights are taken away.
CHECK_SECONDS = 60.0
#: A stream ends after an hour, give or take, so that clients come back with fresh credentials, and not all at once.
LONGEST_SECONDS = 3600.0
#: How long `EventSource` waits before it comes back.
RETRY = b"retry: 2000\n\n"
KEEP_ALIVE = b": still here\n\n"
HEADERS = {
    # Whoever packs an answer keeps it back until there is enough to pack.
    "Cache-Control": "no-store, no-transform",
    # nginx and others that heed it pass on each event at once.
    "X-Accel-Buffering": "no",
}

AnyRequest = Request[Any, Any, Any]
LastEventId = Annotated[
    str, HeaderParameter(name="Last-Event-ID", max_length=100, description="`id` of the last event that was heard.")
]


def running_hub(
    settings: Settings, engine: Engine, views: TaskViews
) -> Callable[[Litestar], AbstractAsyncContextManager[None]]:
    """Run the hub for as long as the application runs: one of its lifespans, behind that which knows its end."""

    @asynccontextmanager
    async def started(app: Litestar) -> AsyncIterator[None]:
        async with running(Hub(settings.amqp_url, engine, views)) as app.state.hub:
            closing = asyncio.create_task(_close_with(app, app.state.hub))
            yield
            closing.cancel()

    return started


def _hub(request: AnyRequest) -> Hub:
    hub: Hub = request.app.state.hub
    return hub


class LiveUpdates(Controller):
    """Hearing of changes."""

    path = "/api/v2"
    tags = ("tasks",)
    dependencies = {"hub": Provide(_hub, sync_to_thread=False)}  # noqa: RUF012 - as Litestar has it

    @get(
        "/live",
        opt={ANY_MEDIA: True, ENDLESS: True},
        media_type="text/event-stream",
        content_media_type="text/event-stream",
    )
    async def live(
        self,
        *,
        request: AnyRequest,
        caller: NamedDependency[Caller],
        authentication: NamedDependency[Authentication],
        hub: NamedDependency[Hub],
        owner: FromQuery[Literal["all"] | int | None] = None,
        last_event_id: LastEventId = "",
    ) -> Stream:
        """Stream the caller's tasks as server-sent events; for administrators also those of others.

        An event `task` holds a task as `GET /tasks/{key}` shows it, and `told`: whether its owner was told of its
        end. First come all that are open and those that ended within a day and nobody was told of, then one event
        `ready`; from there on every change within a second, where changes of one task that come close together are
        shown as one. With `Last-Event-ID`, what changed since then comes first, too; some of it may be known: its
        `version` tells. Comments keep the connection open; the server ends it after an hour at the latest.
        429 when the caller has twenty streams open.
        """
        audience = owner_asked(caller, owner)
        hub.require_room(caller.associate_id)
        still_caller = partial(_is_still, caller, authentication, request)
        content = _content(hub, audience, caller.associate_id, last_event_id, still_caller)
        return Stream(content, media_type="text/event-stream; charset=utf-8", headers=HEADERS)


async def _content(
    hub: Hub, audience: int | None, caller: int, last_event_id: str, still_caller: Callable[[], Awaitable[bool]]
) -> AsyncIterator[bytes]:
    # Joined here and not before: what was never begun is never ended either, and would be counted for ever.
    with hub.joined(audience, caller) as mailbox:
        yield RETRY
        try:
            cursor = await hub.begin(mailbox, last_event_id)
        except (BatchTaskError, SQLAlchemyError):
            return  # the client comes back
        yield b"".join(await mailbox.take(0)) + event("ready", {}, cursor)
        now = asyncio.get_running_loop().time
        ends_at, check_at = now() + LONGEST_SECONDS * random.uniform(0.8, 1), now() + CHECK_SECONDS  # noqa: S311
        while not mailbox.closed and now() < ends_at:
            news = b"".join(await mailbox.take(KEEP_ALIVE_SECONDS)) or KEEP_ALIVE
            # Before it is said: a reader who stood still for hours may be nobody by now.
            if now() >= check_at:
                if not await still_caller():
                    return
                check_at = now() + CHECK_SECONDS
            yield news


async def _is_still(caller: Caller, authentication: Authentication, request: AnyRequest) -> bool:
    """Tell whether the request would still be the caller's; when that cannot be found out, it is."""
    try:
        return await authentication.caller_of(request) == caller
    except (NotAuthenticated, Forbidden):
        return False
    except (Problem, BatchTaskError, SQLAlchemyError):
        return True


async def _close_with(app: Litestar, hub: Hub) -> None:
    await app.state.closing.wait()
    hub.close()
