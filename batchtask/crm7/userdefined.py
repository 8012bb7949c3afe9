"""Values of user-defined fields: a small and a large table per kind of owner, all of one shape.

A company points at its rows by `userdef_id` (small) and `userdef2_id` (large). The first four columns of
each kind are the indexed ones.
"""

from __future__ import annotations

from sqlalchemy import Table

from batchtask.crm7.columns import decimal, indexes, key, metadata, number, text


def _numbered(prefix: str, first: int, last: int) -> list[str]:
    return [f"{prefix}{position:02}" for position in range(first, last + 1)]


def _small(name: str) -> Table:
    return Table(
        name,
        metadata,
        key(f"{name}_id"),
        *number(*_numbered("long", 1, 60), null=True),
        *text(39, *_numbered("string", 1, 40), null=True),
        *decimal(*_numbered("double", 1, 10), null=True),
        *indexes(*_numbered("long", 1, 4), *_numbered("string", 1, 4), *_numbered("double", 1, 4)),
    )


def _large(name: str) -> Table:
    strings = _numbered("string", 41, 49)
    return Table(name, metadata, key(f"{name}_id"), *text(199, *strings, null=True), *indexes(*strings[:4]))


udcontactsmall = _small("udcontactsmall")
udcontactlarge = _large("udcontactlarge")
udpersonsmall = _small("udpersonsmall")
udpersonlarge = _large("udpersonlarge")
udprojectsmall = _small("udprojectsmall")
udprojectlarge = _large("udprojectlarge")
udsalesmall = _small("udsalesmall")
udsalelarge = _large("udsalelarge")
udappntsmall = _small("udappntsmall")
udappntlarge = _large("udappntlarge")
uddocsmall = _small("uddocsmall")
uddoclarge = _large("uddoclarge")
udtempsmall = _small("udtempsmall")  # values on their way from one column to another
udtemplarge = _large("udtemplarge")
