"""Whose consent counts: the purpose that a mailing needs people's consent for, if the CRM keeps consents at all."""

from __future__ import annotations

from sqlalchemy import Connection, text

#: The built-in purpose of mailings; its key is written with or without a hash.
_PURPOSE = "emarketing"

# A purpose that nobody consented to is one that nobody asks about: it comes with the CRM and was never used.
_QUERY = text("""
SELECT consentpurpose_id FROM crm7.consentpurpose p
 WHERE lower(ltrim(key, '#')) = :key AND coalesce(active, 1) <> 0 AND coalesce(deleted, 0) = 0
   AND EXISTS (SELECT FROM crm7.consentperson c WHERE c.consentpurpose_id = p.consentpurpose_id)
""")


def needed_purpose(connection: Connection) -> int:
    """Return the purpose that a person must have consented to; 0 if the CRM keeps no consents to mailings."""
    return connection.execute(_QUERY, {"key": _PURPOSE}).scalar() or 0
