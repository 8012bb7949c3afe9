"""Numbers of rows, as parameters of tasks: the CRM's keys are 32 bits wide, and a larger one cannot be asked for."""

from __future__ import annotations

from typing import Annotated

import msgspec

RecordId = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]  #: 0 = none
