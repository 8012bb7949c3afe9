"""Errors as answers: one shape for all, RFC 9457, whose `detail` says in one sentence what to do."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from batchtask.errors import TaskNotFound


class Problem(Exception):
    """A request that is answered with an error; subclasses name the status."""

    status = HTTPStatus.BAD_REQUEST

    def __init__(self, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = dict(headers or {})


class BadRequest(Problem):
    """What was sent cannot be read or does not fit."""


class NotAuthenticated(Problem):
    """Nobody proved who they are."""

    status = HTTPStatus.UNAUTHORIZED


class Forbidden(Problem):
    """The caller may not do this."""

    status = HTTPStatus.FORBIDDEN


class NotFound(Problem):
    """There is no such thing, or none that the caller may see."""

    status = HTTPStatus.NOT_FOUND


class NotAcceptable(Problem):
    """No representation fits what the caller accepts."""

    status = HTTPStatus.NOT_ACCEPTABLE


class Conflict(Problem):
    """It does not fit to how things are by now."""

    status = HTTPStatus.CONFLICT


class Gone(Problem):
    """It was there once."""

    status = HTTPStatus.GONE


class UnsupportedMedia(Problem):
    """The body is in a format that is not read."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


class Unprocessable(Problem):
    """It can be read, and cannot be done."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY


class TooManyRequests(Problem):
    """Later, please."""

    status = HTTPStatus.TOO_MANY_REQUESTS


class Unavailable(Problem):
    """A server behind this one does not answer; the same request may be made again."""

    status = HTTPStatus.SERVICE_UNAVAILABLE


def unknown_task(error: TaskNotFound) -> str:
    """Say to a caller that there is no such task; whether it is somebody else's is nobody's business."""
    return f"there is no task {error.task_id} that you may see: check the id"
