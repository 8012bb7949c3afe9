"""The parameter by which paths name a task."""

from __future__ import annotations

from typing import Annotated

from litestar.params import PathParameter

Key = Annotated[str, PathParameter(description="The task's id, or its number.", max_length=36)]
