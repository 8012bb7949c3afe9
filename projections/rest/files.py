"""Download of what a task made, through the modern API; streamed, so its size costs no memory."""

from __future__ import annotations

import asyncio
import logging
import mimetypes
import re
from collections.abc import AsyncIterator
from io import FileIO
from os import fstat
from typing import Any
from urllib.parse import quote, urlsplit

from litestar import Controller, Request, get
from litestar.di import NamedDependency
from litestar.response import Stream
from sqlalchemy import Engine, select

from batchtask.database import database_errors
from batchtask.events import TaskSucceeded
from batchtask.http.callers import Caller
from batchtask.http.keys import Key
from batchtask.http.negotiation import ANY_MEDIA
from batchtask.http.problems import Conflict, Gone, NotFound, Unavailable
from batchtask.http.readable import visible_task
from batchtask.http.views import OPEN_STATES, TaskView
from batchtask.identifiers import TaskId
from batchtask.settings import Settings
from batchtask.store import EventStore
from batchtask.tables_told import version_of_end
from projections.result_files import open_result, result_name
from projections.task_views import TaskViews

logger = logging.getLogger(__name__)

CHUNK_BYTES = 256 * 1024
#: Types that the module `mimetypes` knows on some machines only.
_TYPES = {
    ".csv": "text/csv",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".odt": "application/vnd.oasis.opendocument.text",
    ".ods": "application/vnd.oasis.opendocument.spreadsheet",
}
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    # A browser that shows the file all the same runs nothing in it.
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "private, no-store",
}
#: Punctuation that a value of RFC 8187 holds as it is: https://www.rfc-editor.org/rfc/rfc8187#section-3.2.1
_PLAIN = "!#$&+-.^_`|~"


class FileReads(Controller):
    """What a task made."""

    path = "/api/v2"
    tags = ("tasks",)

    @get(
        "/tasks/{key:str}/file",
        opt={ANY_MEDIA: True},
        description="Download the result file of a task that succeeded. 409 while it has not ended, 404 when it made"
        " no file, 410 when the file is no longer there.",
    )
    async def file(
        self,
        *,
        request: Request[Any, Any, Any],
        caller: NamedDependency[Caller],
        engine: NamedDependency[Engine],
        settings: NamedDependency[Settings],
        task_views: NamedDependency[TaskViews],
        key: Key,
    ) -> Stream:
        """Download the result file."""
        task = await asyncio.to_thread(visible_task, caller, task_views, key)
        recorded = await asyncio.to_thread(_recorded_name, engine, task)
        try:
            file = await asyncio.to_thread(open_result, settings.files_dir, TaskId(task.id), recorded)
        except PermissionError as error:
            logger.exception("result file may not be read", extra={"task": task.id})
            raise Unavailable("this server may not read the file; tell an administrator") from error
        if file is None:
            raise Gone(_gone(recorded))
        return _download(file, result_name(recorded), head_only=request.method == "HEAD")


def _recorded_name(engine: Engine, task: TaskView) -> str:
    """Return the file name that the task's end tells; the row may hold a cut one.

    Raises:
        Conflict: The task has not ended.
        NotFound: It made no file.
    """
    if task.state in OPEN_STATES:
        raise Conflict("the task has not ended yet; its file can be fetched once its state is `succeeded`")
    with database_errors(), engine.connect() as connection:
        version = connection.execute(select(version_of_end(task.id))).scalar_one_or_none()
    end = EventStore(engine).page(TaskId(task.id), after=version - 1, limit=1) if version is not None else []
    if task.file_name and end and isinstance(end[0].body, TaskSucceeded) and end[0].body.file_name:
        return end[0].body.file_name
    raise NotFound("this task made no file")


def _gone(recorded: str) -> str:
    if urlsplit(recorded).scheme in {"http", "https"}:
        return f"the file is not kept here; the task put it at {recorded}"
    return f"the file {result_name(recorded)!r} is no longer there; submit the task again to make a new one"


def _download(file: FileIO, name: str, *, head_only: bool) -> Stream:
    size_bytes = fstat(file.fileno()).st_size
    headers = _HEADERS | {"Content-Length": str(size_bytes), "Content-Disposition": disposition(name)}
    return Stream(_chunks(file, 0 if head_only else size_bytes), media_type=content_type(name), headers=headers)


async def _chunks(file: FileIO, size_bytes: int) -> AsyncIterator[bytes]:
    """Read exactly the promised size; less, if the file was cut meanwhile, which the client sees by the length."""
    with file:
        while size_bytes > 0 and (chunk := await asyncio.to_thread(file.read, min(CHUNK_BYTES, size_bytes))):
            size_bytes -= len(chunk)
            yield chunk


def content_type(name: str) -> str:
    """Guess the type of a file by its name."""
    dot = name.rfind(".")
    known = _TYPES.get(name[dot:].lower()) if dot >= 0 else None
    return known or mimetypes.guess_type(name)[0] or "application/octet-stream"


def disposition(name: str) -> str:
    """Return `Content-Disposition` for a file of any name: the name itself by RFC 6266, and one for old clients."""
    plain = re.sub(r'[^ -~]|["\\%]', "_", name)
    encoded = quote(name.encode("utf-8", "replace"), safe=_PLAIN)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
