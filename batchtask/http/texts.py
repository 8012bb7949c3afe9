"""Texts in requests that go on to the database, which keeps no NUL characters."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar.params import QueryParameter

NO_NUL = r"^[^\x00]*$"
LONGEST_NAME = 254
LONGEST_REASON = 1000

Name = Annotated[str, msgspec.Meta(pattern=NO_NUL, max_length=LONGEST_NAME)]
Reason = Annotated[str, msgspec.Meta(pattern=NO_NUL, max_length=LONGEST_REASON)]
DefinitionName = Annotated[
    str | None, QueryParameter(pattern=NO_NUL, max_length=LONGEST_NAME, description="Of the task definition.")
]
