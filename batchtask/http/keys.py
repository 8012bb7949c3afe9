"""Parameters of several handlers: by which paths name a task, and by which callers choose properties."""

from __future__ import annotations

from typing import Annotated

from litestar.params import PathParameter, QueryParameter

Key = Annotated[str, PathParameter(description="The task's id, or its number.", max_length=36)]
Select = Annotated[
    str | None,
    QueryParameter(
        name="$select", description="Properties, with commas, in any letter case; all others are answered as null."
    ),
]
