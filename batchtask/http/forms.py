"""Forms of browsers: their fields, from the body of a request."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from litestar import Request

_MOST_FIELDS = 100


async def read_form(request: Request[Any, Any, Any]) -> dict[str, str]:
    """Read the fields of a form; of one that is there twice, the first. Nothing when the body is no such form.

    Not Litestar's own reading: that keeps a thousand forms, passwords included, in memory.

    Raises:
        ClientException: The body has more bytes than the handler takes (413).
    """
    if request.content_type[0] != "application/x-www-form-urlencoded":
        return {}
    try:
        text = (await request.body()).decode("ascii")
        fields = parse_qs(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        return {}
    return {name: values[0] for name, values in fields.items()}
