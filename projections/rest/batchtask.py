"""`/api/v1/BatchTask`, read: the original's list, one task by its id, and tasks by their state."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode
from zoneinfo import ZoneInfo

import msgspec
from litestar import Controller, Request, Response, get
from litestar.di import NamedDependency
from litestar.params import PathParameter, QueryParameter
from sqlalchemy import Engine

from batchtask.errors import TaskNotFound
from batchtask.http.callers import Caller
from batchtask.http.carrier import BatchTaskInfo, read_state
from batchtask.http.negotiation import ANY_MEDIA, require_json
from batchtask.http.problems import BadRequest, NotAcceptable
from batchtask.http.readable import LARGEST_INTEGER
from projections.carriers import MOST, CarrierFilter, Carriers
from projections.rest.odata.choices import choice_parameter, read_choice
from projections.rest.odata.columns import read_columns, read_order
from projections.rest.odata.lists import USUAL_PAGE, ListQuery, read_page
from projections.rest.odata.rows import MODES, OUTPUTS, row_of

#: Says how many tasks an answer holds at most, where it could hold more.
LIMIT_HEADER = "X-Limit"
FORMATS = ("JSON", "XML")

Key = Annotated[
    str,
    PathParameter(
        max_length=36, description="The task's id in digits, or the name of a state, such as Started, or All."
    ),
]


class ODataSlimResponse(msgspec.Struct, kw_only=True):
    """A page of the list."""

    metadata: str = msgspec.field(name="odata.metadata")
    next_link: str | None = msgspec.field(name="odata.nextLink")  #: of the next page; null = this is the last
    value: list[dict[str, Any]]  #: PrimaryKey, EntityName, and the selected columns


class BatchTaskReads(Controller):
    """What the original's API lets its users ask of tasks."""

    path = "/api/v1/BatchTask"
    tags = ("BatchTask",)

    @get("/", sync_to_thread=True, opt={ANY_MEDIA: True}, operation_id="v1_BatchTask_GetAll")
    def page(
        self,
        *,
        request: Request[Any, Any, Any],
        caller: NamedDependency[Caller],
        engine: NamedDependency[Engine],
        zone: NamedDependency[ZoneInfo | None],
        selected: Annotated[str | None, QueryParameter(name="$select", description="Columns, with commas.")] = None,
        wanted: Annotated[
            str, QueryParameter(name="$filter", description="Such as `name begins 'mail' and state eq 3`.")
        ] = "",
        order: Annotated[
            str | None, QueryParameter(name="$orderBy", description="Such as `state, created desc`.")
        ] = None,
        entities: Annotated[
            str | None, QueryParameter(name="$entities", description="batchtask, the only one, or nothing.")
        ] = None,
        top: Annotated[
            int,
            QueryParameter(
                name="$top",
                ge=0,
                le=LARGEST_INTEGER,
                description=f"Tasks on the page; more than {MOST} are not given.",
            ),
        ] = USUAL_PAGE,
        skip: Annotated[
            int,
            QueryParameter(name="$skip", ge=0, le=LARGEST_INTEGER, description="Tasks to leave out before it."),
        ] = 0,
        mode: Annotated[str, choice_parameter("$mode", MODES, "How much is said of each value.")] = "Slim",
        options: Annotated[
            str | None, QueryParameter(name="$options", description="Taken and without effect.")
        ] = None,
        context: Annotated[
            str | None, QueryParameter(name="$context", description="Taken and without effect.")
        ] = None,
        media: Annotated[
            str | None,
            choice_parameter("$format", FORMATS, "JSON; it beats the header Accept. XML is answered with 406."),
        ] = None,
        json_safe: Annotated[
            bool, QueryParameter(name="$jsonSafe", description="Taken and without effect: no column needs it.")
        ] = False,
        output: Annotated[str, choice_parameter("$output", OUTPUTS, "How Slim shows true and false.")] = "Logical",
    ) -> ODataSlimResponse:
        """List the tasks that the caller may see, by default the newest first."""
        _require_json(request, media)
        _require_known_entity(entities)
        columns = read_columns(selected)
        shown_as = read_choice("$mode", mode, MODES), read_choice("$output", output, OUTPUTS)
        query = ListQuery(filter=wanted, order=read_order(order), top=top, skip=skip)
        infos, more = read_page(engine, caller, query, zone)
        return ODataSlimResponse(
            metadata=f"{_address(request)}$metadata",
            next_link=_next_link(request, skip + len(infos)) if more and infos else None,
            value=[row_of(info, columns, *shown_as) for info in infos],
        )

    @get("/{key:str}", sync_to_thread=True, operation_id="v1_BatchTask_GetBatchTaskInfo")
    def by_key(
        self,
        caller: NamedDependency[Caller],
        carriers: NamedDependency[Carriers],
        zone: NamedDependency[ZoneInfo | None],
        key: Key,
    ) -> Response[BatchTaskInfo | list[BatchTaskInfo]]:
        """Show one task by its id, or list the tasks of users in a state, the newest first."""
        if key.isascii() and key.isdecimal():
            return Response(visible_info(caller, carriers, key, zone))
        try:
            state = read_state(key)
        except BadRequest as problem:
            raise BadRequest(f"expected a task's id in digits, or the name of a state: {problem.detail}") from None
        owners = None if caller.administrator else [caller.associate_id]
        found = carriers.many(CarrierFilter(owners=owners, state=state), zone)
        return Response(found, headers={LIMIT_HEADER: str(MOST)})


def visible_info(caller: Caller, carriers: Carriers, number: int | str, zone: ZoneInfo | None) -> BatchTaskInfo:
    """Return a task that the caller may see.

    Raises:
        TaskNotFound: There is none, or it is somebody else's: whether it exists is nobody's business.
    """
    if int(number) > LARGEST_INTEGER:
        raise TaskNotFound(str(number))
    info = carriers.one(int(number), zone)
    if not caller.may_see(info.associate_id or 0):
        raise TaskNotFound(str(number))
    return info


def _require_json(request: Request[Any, Any, Any], media: str | None) -> None:
    if media is None:
        require_json(request.headers.get("accept", ""))
    elif read_choice("$format", media, FORMATS) != "JSON":
        raise NotAcceptable("this API answers in JSON only: leave $format out, or send $format=JSON")


def _require_known_entity(entities: str | None) -> None:
    unknown = [name for name in (entities or "").split(",") if name.strip().lower() not in {"", "batchtask"}]
    if unknown:
        raise BadRequest(f"$entities: {unknown[0].strip()[:100]!r} is no entity of this list; there is batchtask")


def _address(request: Request[Any, Any, Any]) -> str:
    return str(request.url.with_replacements(query="", fragment=""))


def _next_link(request: Request[Any, Any, Any], skip: int) -> str:
    kept = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
    pairs = [(name, value) for name, value in kept if name != "$skip"] + [("$skip", str(skip))]
    return f"{_address(request)}?{urlencode(pairs, safe='$')}"
