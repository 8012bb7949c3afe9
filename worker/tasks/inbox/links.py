"""Which person or company of the CRM wrote a message: whoever has the sender's address."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection, text

# Somebody who left, or a company's common address, only if nobody else has it; never what was deleted.
_FIND = text("""
SELECT DISTINCT ON (lower(e.email_address)) lower(e.email_address) AS address,
       p.person_id, c.contact_id
  FROM crm7.email e
  LEFT JOIN crm7.person p ON p.person_id = e.person_id AND p.deleteddate IS NULL
  LEFT JOIN crm7.contact c ON c.contact_id = coalesce(p.contact_id, e.contact_id)
                          AND coalesce(c.deleted, 0) = 0 AND c.deleteddate IS NULL
 WHERE lower(e.email_address) = ANY(:addresses) AND (p.person_id IS NOT NULL OR c.contact_id IS NOT NULL)
 ORDER BY 1, p.person_id IS NULL, coalesce(p.retired, 0), e.rank, e.email_id
""")


class Writer(NamedTuple):
    """Ids of the CRM; 0 = not known."""

    person_id: int = 0
    contact_id: int = 0


def find_writers(connection: Connection, addresses: Iterable[str]) -> dict[str, Writer]:
    """Find who has the addresses, which are in small letters; others are left out."""
    rows = connection.execute(_FIND, {"addresses": sorted(set(addresses) - {""})})
    return {row.address: Writer(row.person_id or 0, row.contact_id or 0) for row in rows}
