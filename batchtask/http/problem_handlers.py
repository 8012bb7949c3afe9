"""Every exception of a request as one answer: `application/problem+json`, RFC 9457. Nothing of a traceback leaves."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import (
    ClientException,
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
    SerializationException,
)
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from sqlalchemy.exc import DataError

from batchtask.errors import (
    BatchTaskError,
    BrokerUnavailable,
    InvalidParameters,
    InvalidSchedule,
    PayloadTooLarge,
    PayloadUnwritable,
    PublishError,
    ScheduleExists,
    ScheduleNotFound,
    StoreUnavailable,
    TaskNotFound,
    UnknownTask,
    WorkerNotFound,
    WrongExpectedVersion,
)
from batchtask.http.mounting import path_of, root_of
from batchtask.http.problems import Problem, unknown_task
from batchtask.http.texts import NO_NUL
from batchtask.identifiers import uuid7
from batchtask.replaying import NotReplayable

logger = logging.getLogger(__name__)

_STATUSES: dict[type[BatchTaskError], HTTPStatus] = {
    UnknownTask: HTTPStatus.BAD_REQUEST,
    InvalidParameters: HTTPStatus.BAD_REQUEST,
    InvalidSchedule: HTTPStatus.BAD_REQUEST,
    PayloadTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    TaskNotFound: HTTPStatus.NOT_FOUND,
    ScheduleNotFound: HTTPStatus.NOT_FOUND,
    WorkerNotFound: HTTPStatus.NOT_FOUND,
    ScheduleExists: HTTPStatus.CONFLICT,
    NotReplayable: HTTPStatus.CONFLICT,
    WrongExpectedVersion: HTTPStatus.CONFLICT,
    PublishError: HTTPStatus.SERVICE_UNAVAILABLE,
    PayloadUnwritable: HTTPStatus.SERVICE_UNAVAILABLE,
    StoreUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    BrokerUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}
#: What a user is told when the reason names servers and URLs that only an operator can mend.
_AWAY = (
    "The batch task server cannot do this at the moment; try again in a minute; if it lasts, tell an administrator."
)
RETRY_SECONDS = 5
LONGEST_BODY_BYTES = 10_000_000
#: What the framework says of a text that our pattern refuses, and what a user can do with.
_PLAINER = {f"Expected `str` matching regex {NO_NUL!r}": "leave out the NUL characters"}
PROBLEM_JSON = "application/problem+json"
#: What the body is called in handlers. A body that is not there is a fault whose message is this name.
_BODY = "data"

AnyRequest = Request[Any, Any, Any]


class ProblemDetails(msgspec.Struct, kw_only=True):
    """The body of an error, RFC 9457."""

    status: int
    title: str  #: of the status
    detail: str  #: one sentence: what is wrong and what to do
    type: str = "about:blank"
    instance: str = ""  #: path of the request


def problem_response(
    request: AnyRequest, status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None
) -> Response[ProblemDetails]:
    details = ProblemDetails(status=status, title=status.phrase, detail=detail, instance=path_of(request))
    return Response(details, status_code=status, media_type=PROBLEM_JSON, headers=dict(headers or {}))


def answer_problem(request: AnyRequest, problem: Problem) -> Response[ProblemDetails]:
    return problem_response(request, problem.status, problem.detail, problem.headers)


def answer_error(request: AnyRequest, error: BatchTaskError) -> Response[ProblemDetails]:
    """Answer an error of ours by what the caller should do; an operator's matters go to the log."""
    status = next((status for kind, status in _STATUSES.items() if isinstance(error, kind)), None)
    if status is None:
        return answer_unexpected(request, error)
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        logger.warning("request cannot be served", extra={"path": path_of(request), "reason": str(error)})
        return problem_response(request, status, _AWAY, {"Retry-After": str(RETRY_SECONDS)})
    if isinstance(error, TaskNotFound):
        # What the error says is for operators, and names the command line.
        detail = f"{unknown_task(error)}; {root_of(request)}/api/v2/tasks lists yours"
        return problem_response(request, status, detail)
    return problem_response(request, status, str(error))


def answer_http_exception(request: AnyRequest, error: HTTPException) -> Response[ProblemDetails]:
    """Answer what the framework refuses: no such path or method, a body that cannot be read."""
    status = HTTPStatus(error.status_code)
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        return answer_unexpected(request, error)
    return problem_response(request, status, _detail(request, error), error.headers)


def answer_data_error(request: AnyRequest, error: DataError) -> Response[ProblemDetails]:
    """Answer a value that the database cannot hold, which no check before it refused; the log tells where."""
    logger.warning("value refused by the database", exc_info=error, extra={"path": path_of(request)})
    detail = "a value of this request is none that the database can hold: leave out NUL characters and larger numbers"
    return problem_response(request, HTTPStatus.BAD_REQUEST, detail)


def answer_unexpected(request: AnyRequest, error: Exception) -> Response[ProblemDetails]:
    """Answer a fault of ours: the traceback goes to the log, its reference to the caller."""
    reference = uuid7().hex[-12:]
    logger.error("request failed", exc_info=error, extra={"path": path_of(request), "reference": reference})
    detail = f"Something failed here that is not your fault; tell an administrator the reference {reference}."
    return problem_response(request, HTTPStatus.INTERNAL_SERVER_ERROR, detail)


def answer_deep_nesting(request: AnyRequest, error: RecursionError) -> Response[ProblemDetails]:
    """Answer a body whose lists or objects nest so deeply that nobody can read it; else it is a fault of ours."""
    if "deserializing" not in str(error):
        return answer_unexpected(request, error)
    return problem_response(request, HTTPStatus.BAD_REQUEST, "The JSON that was sent nests too deeply.")


def _detail(request: AnyRequest, error: HTTPException) -> str:
    """Say what to do about what the framework refuses, where that says no more than the status does."""
    match error:
        case NotFoundException():
            return f"there is nothing at this address: {root_of(request)}/api/openapi.json lists all that there is"
        case MethodNotAllowedException():
            allowed = sorted((error.headers or {}).get("allow", "").split(", "))
            return f"{request.method} is not done at this address: send {', '.join(allowed)}"
        case RequestEntityTooLarge():
            most = request.route_handler.resolve_request_max_body_size()
            return f"the body has more than the {most} bytes that are taken here: send less"
        case ClientException() if isinstance(error.__cause__, SerializationException):
            return f"the body cannot be read as JSON: {error.detail}"
    match error.extra:
        case [*faults] if faults:
            return "; ".join(_fault(request, fault) for fault in faults if isinstance(fault, dict)) or error.detail
    return error.detail or HTTPStatus(error.status_code).phrase


def _fault(request: AnyRequest, fault: Mapping[str, Any]) -> str:
    source = getattr(fault.get("source"), "value", fault.get("source"))
    name, message = fault.get("key"), str(fault.get("message", ""))
    if source == "body" and name == _BODY:
        return "there is no body: send a JSON object" if message == repr(_BODY) else f"body: {message}"
    place = " ".join(str(part) for part in (source, _sent_name(request, name)) if part)
    return f"{place}: {_PLAINER.get(message, message)}" if place else message


def _sent_name(request: AnyRequest, name: Any) -> Any:
    """Return a parameter's name as it is sent, by its name in the handler."""
    field = request.route_handler.parsed_fn_signature.parameters.get(name)
    return getattr(field and field.kwarg_definition, "name", None) or name


EXCEPTION_HANDLERS: dict[int | type[Exception], Callable[[AnyRequest, Any], Response[Any]]] = {
    Problem: answer_problem,
    BatchTaskError: answer_error,
    DataError: answer_data_error,
    HTTPException: answer_http_exception,
    RecursionError: answer_deep_nesting,
    Exception: answer_unexpected,
}
