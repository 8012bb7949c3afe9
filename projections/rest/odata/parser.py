"""Reading a filter: words in, a tree of conditions out, or one sentence that says what was expected where. Pure.

    filter     = both { "or" both }
    both       = single { "and" single }
    single     = "not" single | "(" filter ")" | function | comparison

Functions are in `functions.py`, comparisons in `operators.py`.
"""

from __future__ import annotations

from projections.rest.odata.functions import FUNCTIONS, read_function
from projections.rest.odata.operators import Asked, read_comparison
from projections.rest.odata.reading import Reader
from projections.rest.odata.syntax import Condition, Either, Every, Not
from projections.rest.odata.tokens import refuse

#: Parentheses and negations within one another.
DEEPEST = 32


def parse_filter(text: str, asked: Asked) -> Condition | None:
    """Read a filter; None = there is nothing in it.

    Args:
        text: Such as `name begins 'mail' and (state eq 3 or created thisWeek)`.
        asked: What it means by "now" and "me".

    Raises:
        BadRequest: Says at which position what was expected.
    """
    assert asked.now.tzinfo is not None
    reader = Reader(text, asked.now.tzinfo)
    if reader.at_end():
        return None
    condition = _filter(reader, asked, 0)
    if not reader.at_end():
        refuse(reader.ahead.position, f"expected and, or, or the end, found {reader.ahead}")
    return condition


def _filter(reader: Reader, asked: Asked, depth: int) -> Condition:
    parts = [_both(reader, asked, depth)]
    while reader.take_if("or"):
        parts.append(_both(reader, asked, depth))
    return parts[0] if len(parts) == 1 else Either(tuple(parts))


def _both(reader: Reader, asked: Asked, depth: int) -> Condition:
    parts = [_single(reader, asked, depth)]
    while reader.take_if("and"):
        parts.append(_single(reader, asked, depth))
    return parts[0] if len(parts) == 1 else Every(tuple(parts))


def _single(reader: Reader, asked: Asked, depth: int) -> Condition:
    if depth > DEEPEST:
        refuse(reader.ahead.position, f"more than {DEEPEST} parentheses and negations within one another")
    if reader.take_if("not"):
        return Not(_single(reader, asked, depth + 1))
    if reader.take_if("("):
        condition = _filter(reader, asked, depth + 1)
        reader.sign(")", "after a condition")
        return condition
    if reader.ahead.text.lower() in FUNCTIONS and reader.behind_ahead.text == "(":
        return read_function(reader, asked)
    return read_comparison(reader, asked)
