"""Times in requests of the modern API: always with a time zone, for a server and a user may be in different ones."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from litestar.params import QueryParameter

from batchtask.http.problems import BadRequest
from batchtask.messages import require_storable_time

Moment = Annotated[datetime | None, QueryParameter(description="RFC 3339 with time zone, as 2026-03-01T07:00:00Z.")]


def require_zones(**moments: datetime | None) -> None:
    """Refuse times that nobody can place.

    Args:
        moments: By the names that the caller knows them by.

    Raises:
        BadRequest: One has no time zone, or lies outside of all calendars.
    """
    for name, moment in moments.items():
        if moment is None:
            continue
        if moment.tzinfo is None:
            raise BadRequest(f"`{name}` needs a time zone: write it like 2026-03-01T07:00:00Z or …+01:00")
        try:
            require_storable_time(moment)
        except ValueError as error:
            raise BadRequest(f"`{name}` is no time of this world: {error}") from error
