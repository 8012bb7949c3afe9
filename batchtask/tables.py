"""Tables of the batch task server: our own (schema `batchtask`) and the original's (schema `crm7`).

`batchtask.event` is the truth. `crm7.batchtask` is a projection of it that only the projector writes.
Columns of the original keep its names, folded to lower case; what they mean: docs/reference.md.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    false,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()

UtcDateTime = DateTime(timezone=True)

event = Table(
    "event",
    metadata,
    Column("task_id", Uuid, nullable=False),
    Column("version", Integer, nullable=False),
    Column("type", Text, nullable=False),
    Column("schema_version", SmallInteger, nullable=False),
    Column("occurred_at", UtcDateTime, nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False, server_default=func.now()),
    Column("data", JSONB, nullable=False),
    PrimaryKeyConstraint("task_id", "version", name="event_pkey"),
    Index("event_recorded_at_idx", "recorded_at", postgresql_using="brin"),
    schema="batchtask",
)

# A number once given to a task is a fact, not a projection: it outlives every rebuild of crm7.batchtask.
task_number = Table(
    "task_number",
    metadata,
    Column("task_id", Uuid, nullable=False),
    Column("batchtask_id", Integer, nullable=False),
    PrimaryKeyConstraint("task_id", name="task_number_pkey"),
    UniqueConstraint("batchtask_id", name="task_number_batchtask_id_key"),
    schema="batchtask",
)

log_line = Table(
    "log_line",
    metadata,
    Column("id", BigInteger, Identity(), nullable=False),
    Column("task_id", Uuid, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("logged_at", UtcDateTime, nullable=False),
    Column("level", SmallInteger, nullable=False),
    Column("text", Text, nullable=False),
    PrimaryKeyConstraint("id", name="log_line_pkey"),
    Index("log_line_task_id_idx", "task_id", "id"),
    schema="batchtask",
)

dead_letter = Table(
    "dead_letter",
    metadata,
    Column("id", BigInteger, Identity(), nullable=False),
    Column("message_id", Text, nullable=False),
    Column("task_id", Uuid),
    Column("queue", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("arrived_at", UtcDateTime, nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("id", name="dead_letter_pkey"),
    # A dead letter that is delivered again after a crash of the recorder is the same row.
    Index("dead_letter_once_idx", "message_id", "queue", text("md5(body)"), text("md5(reason)"), unique=True),
    schema="batchtask",
)

# What waits for a time of the clock: the scheduler submits a task at each tick.
schedule = Table(
    "schedule",
    metadata,
    Column("name", Text, nullable=False),
    Column("cron", Text, nullable=False),
    Column("time_zone", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("parameters", JSONB, nullable=False),
    Column("payload_ref", Text),
    Column("owner", Integer, nullable=False),
    Column("description", Text, nullable=False),
    Column("database_tag", Text, nullable=False),
    Column("cancellation", SmallInteger, nullable=False),
    Column("paused", Boolean, nullable=False),
    Column("next_at", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime),
    Column("last_task_id", Uuid),
    Column("note", Text, nullable=False),
    Column("noted_at", UtcDateTime),
    PrimaryKeyConstraint("name", name="schedule_pkey"),
    Index("schedule_due_idx", "next_at", postgresql_where=text("NOT paused")),
    schema="batchtask",
)

# Commands committed with a caller's data; the relay publishes and removes them.
outbox = Table(
    "outbox",
    metadata,
    Column("id", BigInteger, Identity(), nullable=False),
    Column("task_id", Uuid, nullable=False),
    Column("routing_key", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("written_at", UtcDateTime, nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("id", name="outbox_pkey"),
    schema="batchtask",
)

# The effect ledger: what task code did outside the database. An effect without `done_at` is in doubt.
effect = Table(
    "effect",
    metadata,
    Column("task_id", Uuid, nullable=False),
    Column("key", Text, nullable=False),
    Column("fence", Integer, nullable=False),
    Column("intended_at", UtcDateTime, nullable=False, server_default=func.now()),
    Column("done_at", UtcDateTime),
    Column("outcome", Text),
    PrimaryKeyConstraint("task_id", "key", name="effect_pkey"),
    schema="batchtask",
)

# Whose turn it was last and who is next, for definitions whose runs never overlap; the rest their streams say.
turn = Table(
    "turn",
    metadata,
    Column("name", Text, nullable=False),
    Column("task_id", Uuid),
    Column("fence", Integer),
    Column("next_task_id", Uuid),
    PrimaryKeyConstraint("name", name="turn_pkey"),
    schema="batchtask",
)

# System events of the CRM that are there for the sake of a task; `task_id` is null until somebody submits it.
task_flag = Table(
    "task_flag",
    metadata,
    Column("systemevent_id", Integer, nullable=False),
    Column("task_id", Uuid),
    Column("set_at", UtcDateTime, nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("systemevent_id", name="task_flag_pkey"),
    schema="batchtask",
)

# Values of user-defined fields that publishing took out of the CRM's tables, as text.
udef_former_value = Table(
    "udef_former_value",
    metadata,
    Column("id", BigInteger, Identity(), nullable=False),
    Column("task_id", Uuid, nullable=False),
    Column("ownertable_id", Integer, nullable=False),
    Column("udefidentity", Integer, nullable=False),
    Column("field_label", Text, nullable=False),
    Column("values_id", Integer, nullable=False),
    Column("value", Text, nullable=False),
    Column("taken_at", UtcDateTime, nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("id", name="udef_former_value_pkey"),
    Index("udef_former_value_field_idx", "ownertable_id", "udefidentity"),
    schema="batchtask",
)

sequence = Table(
    "sequence",
    metadata,
    Column("id", Integer, nullable=False),
    Column("next_id", Integer),
    Column("tablename", String(255)),
    Column("tablenumber", Integer),
    PrimaryKeyConstraint("id", name="sequence_pkey"),
    UniqueConstraint("tablename", name="sequence_tablename_key"),
    UniqueConstraint("tablenumber", name="sequence_tablenumber_key"),
    schema="crm7",
)

batchtaskdefinition = Table(
    "batchtaskdefinition",
    metadata,
    Column("batchtaskdefinition_id", Integer, nullable=False),
    Column("name", String(254), nullable=False),
    Column("description", String(254), nullable=False),
    Column("ismultipass", SmallInteger, nullable=False),
    Column("startinterval", Integer, nullable=False),
    Column("minimumsleeptime", Integer, nullable=False),
    Column("timeout", Integer, nullable=False),
    Column("autorestartcount", Integer, nullable=False),
    Column("assemblyversion", String(49), nullable=False),
    Column("registered", UtcDateTime, nullable=False),
    Column("registered_associate_id", Integer, nullable=False),
    Column("updated", UtcDateTime, nullable=False),
    Column("updated_associate_id", Integer, nullable=False),
    Column("updatedcount", Integer, nullable=False),
    PrimaryKeyConstraint("batchtaskdefinition_id", name="batchtaskdefinition_pkey"),
    UniqueConstraint("name", "assemblyversion", name="batchtaskdefinition_name_assemblyversion_key"),
    schema="crm7",
)


def batchtask_columns() -> list[Column[object]]:
    """Columns of `crm7.batchtask`, made anew: a rebuild fills a second table of the same shape."""
    return [
        Column("batchtask_id", Integer, nullable=False),
        Column("batchtaskdefinition_id", Integer),
        Column("description", String(254), nullable=False),
        Column("dbtag", String(39), nullable=False),
        Column("state", Integer, nullable=False),
        Column("detailstable", SmallInteger),
        Column("detailsrecord", Integer),
        Column("request", String(254)),
        Column("response", String(254)),
        Column("startcount", Integer),
        Column("laststarted", DateTime(timezone=False)),
        Column("progresspercent", SmallInteger),
        Column("progressdescription", String(254)),
        Column("registered", UtcDateTime, nullable=False),
        Column("registered_associate_id", Integer, nullable=False),
        Column("updated", UtcDateTime, nullable=False),
        Column("updated_associate_id", Integer, nullable=False),
        Column("updatedcount", Integer, nullable=False),
        Column("filename", String(260)),
        # Ours, behind the original's: the stream the row reflects, and how far.
        Column("task_id", Uuid, nullable=False),
        Column("version", Integer, nullable=False),
        Column("due_at", UtcDateTime),
        Column("stopping", Boolean, nullable=False, server_default=false()),
    ]


batchtask = Table(
    "batchtask",
    metadata,
    *batchtask_columns(),
    PrimaryKeyConstraint("batchtask_id", name="batchtask_pkey"),
    UniqueConstraint("task_id", name="batchtask_task_id_key"),
    Index("batchtask_state_idx", "state", "batchtask_id"),
    Index("batchtask_definition_state_newest_idx", "batchtaskdefinition_id", "state", "batchtask_id"),
    Index("batchtask_owner_newest_idx", "registered_associate_id", "batchtask_id"),
    Index("batchtask_due_idx", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    # For how long tasks wait for a worker.
    Index("batchtask_waiting_idx", "updated", postgresql_where=text("state = 1 AND due_at IS NULL")),
    ForeignKeyConstraint(
        ["batchtaskdefinition_id"],
        ["crm7.batchtaskdefinition.batchtaskdefinition_id"],
        name="batchtask_batchtaskdefinition_id_fkey",
    ),
    schema="crm7",
)

# How far the inbox task has read a folder: the CRM's tables have no place for it. The numbers are those of the server
# when everything up to them was in the CRM's tables; null = not everything is yet.
mail_folder_state = Table(
    "mail_folder_state",
    metadata,
    Column("email_folder_id", Integer, nullable=False),
    Column("account_id", Integer, nullable=False),
    Column("uid_validity", BigInteger, nullable=False),
    Column("next_uid", BigInteger),
    Column("messages", BigInteger),
    Column("modseq", BigInteger),
    Column("since", Date),
    PrimaryKeyConstraint("email_folder_id", name="mail_folder_state_pkey"),
    Index("mail_folder_state_account_id_idx", "account_id"),
    schema="batchtask",
)
