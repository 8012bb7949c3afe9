"""What a task was given, through the modern API."""

from __future__ import annotations

import logging
from typing import Any

from litestar import Controller, get
from litestar.di import NamedDependency
from sqlalchemy import Engine

from batchtask.errors import MalformedMessage, TaskNotFound
from batchtask.http.callers import Caller
from batchtask.http.keys import Key
from batchtask.http.problems import Gone
from batchtask.http.readable import visible_task
from batchtask.identifiers import TaskId
from batchtask.payloads import PayloadStore
from batchtask.settings import Settings
from batchtask.store import EventStore
from batchtask.task_state import fold
from projections.task_views import TaskViews

logger = logging.getLogger(__name__)

#: What says nothing about parameters, and may be there by the thousand.
_BESIDE = ("HeartbeatRecorded", "ProgressReported", "CheckpointSaved")


class ParameterReads(Controller):
    """What a task was given."""

    path = "/api/v2"
    tags = ("tasks",)

    @get("/tasks/{key:str}/parameters", sync_to_thread=True)
    def given(
        self,
        caller: NamedDependency[Caller],
        engine: NamedDependency[Engine],
        settings: NamedDependency[Settings],
        task_views: NamedDependency[TaskViews],
        key: Key,
    ) -> dict[str, Any]:
        """Show a task's parameters, as the last replay left them; large ones are read from the payload store."""
        task_id = TaskId(visible_task(caller, task_views, key).id)
        state = fold(EventStore(engine).page(task_id, without=_BESIDE))
        if state is None:
            raise TaskNotFound(key)
        if state.submitted.payload_ref is None:
            return state.submitted.parameters
        return _fetched(settings.payload_url, state.submitted.payload_ref)


def _fetched(payload_url: str, reference: str) -> dict[str, Any]:
    try:
        return PayloadStore(payload_url).fetch(reference)
    except MalformedMessage as error:
        logger.warning("parameters cannot be read", extra={"reference": reference, "reason": str(error)})
        detail = "the parameters of this task are no longer in the payload store, or this server cannot read them"
        raise Gone(detail) from error
