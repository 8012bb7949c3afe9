"""Tables of who may call the web application: passwords, service tokens, and sessions that were ended early."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    func,
)

from batchtask.tables import UtcDateTime, metadata

# The CRM's own tables hold no password that we could check.
web_password = Table(
    "web_password",
    metadata,
    Column("associate_id", Integer, nullable=False, autoincrement=False),
    Column("hash", Text, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("associate_id", name="web_password_pkey"),
    schema="batchtask",
)

# Of a token only the digest is kept: whoever reads this table can call nothing with it.
service_token = Table(
    "service_token",
    metadata,
    Column("id", Integer, Identity(), nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("associate_id", Integer, nullable=False),
    Column("note", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False, server_default=func.now()),
    Column("expires_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
    Column("last_used_at", UtcDateTime),
    PrimaryKeyConstraint("id", name="service_token_pkey"),
    UniqueConstraint("digest", name="service_token_digest_key"),
    schema="batchtask",
)

# A session is a signed cookie that holds until its end; a row here is what ends it earlier.
ended_session = Table(
    "ended_session",
    metadata,
    Column("session_id", Text, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("session_id", name="ended_session_pkey"),
    Index("ended_session_expires_at_idx", "expires_at"),
    schema="batchtask",
)
