"""New values beside the old ones: temporary tables of one transaction, and changes that wait for nobody.

Readers see the old values until the transaction commits. What the CRM writes meanwhile wins: a row that is not what
it was when we read it is left as it is, and a row that somebody has locked is passed by, so that no user ever waits
in a circle with us.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, Table, text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import ClauseElement, Executable

from batchtask import crm7
from batchtask.definitions import TaskContext

# Of this transaction alone. Hashes of a million ids take some 40 MB; compiling the queries takes longer than they do.
# The worker limits the task's time: a limit that administrators set for the CRM's short statements would end every
# attempt. After a kill the server ends the statement as soon as it has checked the connection: the next attempt waits
# for the same monitor.
_SETTINGS = """
SET LOCAL statement_timeout = 0; SET LOCAL client_connection_check_interval = '2s';
SET LOCAL work_mem = '128MB'; SET LOCAL jit = off; SET LOCAL temp_buffers = '64MB';
SET LOCAL max_parallel_workers_per_gather = 2; SET LOCAL parallel_tuple_cost = 0.01
"""


def settle_in(session: Session) -> None:
    """Prepare a transaction for staging. To be called first, for temporary buffers cannot be changed later."""
    session.connection().exec_driver_sql(_SETTINGS)


class CreateTemporary(Executable, ClauseElement):
    """`CREATE TABLE AS`, which, unlike `INSERT … SELECT`, may read with several processes."""

    inherit_cache = False

    def __init__(self, name: str, rows: Select[Any]) -> None:
        self.name = name
        self.rows = rows


@compiles(CreateTemporary)
def _create(element: CreateTemporary, compiler: SQLCompiler, **options: Any) -> str:
    return f"CREATE TEMPORARY TABLE {element.name} ON COMMIT DROP AS {compiler.process(element.rows, **options)}"


def stage(session: Session, name: str, rows: Select[Any] | str, values: dict[str, Any] | None = None) -> int:
    """Make a temporary table that lives until the end of the transaction, and return how many rows it has."""
    if isinstance(rows, str):
        created = session.execute(text(f"CREATE TEMPORARY TABLE {name} ON COMMIT DROP AS {rows}"), values or {})
    else:
        created = session.execute(CreateTemporary(name, rows))
    session.execute(text(f"ANALYZE {name}"))
    return int(created.rowcount)  # type: ignore[attr-defined]


def add_rows(session: Session, insert: str, values: dict[str, Any] | None = None) -> int:
    """Insert rows and return how many."""
    return int(session.execute(text(insert), values or {}).rowcount)  # type: ignore[attr-defined]


def first_new_id(context: TaskContext, table: Table, count: int) -> int:
    """Take a block of ids and commit at once: until then every other writer of the table would wait for its own."""
    with context.connect() as connection, connection.begin():
        return crm7.allocate_ids(connection, table, count).start


def change_untouched(session: Session, table: Table, staged: str, change: str, values: dict[str, Any]) -> int:
    """Update or delete rows that are still as they were read, and that nobody has locked; return how many.

    `staged` is the SQL of a table or subquery with the primary key and `seen`, which was the row's `xmin`. `change`
    is an `UPDATE … SET …` or `DELETE …` without its condition; the row is `row` in it, the staged one `free`.
    """
    key = next(iter(table.primary_key.columns)).name
    using = "USING" if change.startswith("DELETE") else "FROM"
    statement = f"""
        WITH free AS (
            SELECT staged.* FROM crm7.{table.name} row JOIN {staged} staged USING ({key})
            WHERE row.xmin = staged.seen FOR UPDATE OF row SKIP LOCKED
        ) {change} {using} free WHERE row.{key} = free.{key}"""  # noqa: S608 - names of ours
    return int(session.execute(text(statement), values).rowcount)  # type: ignore[attr-defined]
