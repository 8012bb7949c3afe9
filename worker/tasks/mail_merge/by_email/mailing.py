"""The mailing in the CRM: a row of `s_shipment`, its text in `s_message`, and who gets it in `s_shipment_addr`.

These rows are the memory of the task. A recipient is decided on once, in one transaction with all the others, and
then is in one state at a time; whoever is not READY any more is never written to again. The task is found by its id
in `s_message.access_key`, so a replay goes on with the same rows, whatever its parameters are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from sqlalchemy import Connection, func, insert, text
from sqlalchemy.orm import Session

from batchtask import crm7
from batchtask.definitions import TaskContext, TaskFailure
from worker.tasks.mail_merge.by_email.content import Content
from worker.tasks.mail_merge.by_email.statuses import RecipientStatus, ShipmentStatus

_ROWS = 1000
_LONGEST = 255
_ROOT_FOLDER = -1
_HAS_TEXT, _HAS_HTML = 1, 2  #: bits of `s_message.flags`
#: Bounces after which an address is not written to any more. The CRM's own number is not documented; a guess.
MOST_BOUNCES = 5

_FIND = text("""
SELECT s.id, s.start_date, m.subject, m.plain_message, m.html_message FROM crm7.s_message m
  JOIN crm7.s_shipment s ON s.message_id = m.id WHERE m.access_key = :task_id
""")

_DUPLICATES = text("""
UPDATE crm7.s_shipment_addr a SET status = :status, bounce_reason = :reason
  FROM (SELECT id, row_number() OVER (PARTITION BY lower(address) ORDER BY id) AS place
          FROM crm7.s_shipment_addr WHERE shipment_id = :shipment_id AND status = :ready) d
 WHERE a.id = d.id AND d.place > 1
RETURNING a.name, a.address, a.bounce_reason
""")

_BOUNCING = text("""
UPDATE crm7.s_shipment_addr a SET status = :status, bounce_reason = :reason
 WHERE shipment_id = :shipment_id AND status = :ready AND EXISTS (
       SELECT FROM crm7.email e WHERE e.email_address = a.address AND e.bouncecount >= :most)
RETURNING a.name, a.address, a.bounce_reason
""")

_PERHAPS_TWICE = text("""
SELECT DISTINCT ON (a.id) a.name, a.address, s.id AS mailing, s.start_date::date AS day
  FROM crm7.s_shipment_addr a
  JOIN crm7.s_shipment_addr before ON before.address = a.address AND before.status = :unknown
  JOIN crm7.s_shipment s ON s.id = before.shipment_id
  JOIN crm7.s_message m ON m.id = s.message_id
 WHERE a.shipment_id = :shipment_id AND a.status = :ready AND s.id <> a.shipment_id
   AND m.subject = :subject AND m.plain_message = :text AND coalesce(m.html_message, '') = :html
 ORDER BY a.id, s.id DESC
""")

_COUNT = text("""
WITH ready AS (
    SELECT count(*) AS ready FROM crm7.s_shipment_addr WHERE shipment_id = :shipment_id AND status = :ready
)
UPDATE crm7.s_shipment SET recipients = ready.ready FROM ready WHERE id = :shipment_id RETURNING ready.ready
""")


@dataclass(frozen=True, kw_only=True)
class Mailing:
    """A mailing that is in the database."""

    shipment_id: int
    began_at: datetime  #: on the database's wall clock; all mails tell the same time
    content: Content  #: as it was when the mailing began: everybody gets the same


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be written into the mailing's rows."""

    description: str
    content: Content
    from_address: str
    reply_to: str
    server: str
    port: int
    mails_per_minute: int
    selection_id: int
    project_id: int
    shipment_type_id: int
    sorting: int
    one_per_address: bool


@dataclass(frozen=True, kw_only=True)
class Addressee:
    """Somebody who is meant, with the reason if no mail goes there."""

    contact_id: int
    person_id: int
    name: str
    address: str
    status: RecipientStatus
    reason: str = ""


def find_mailing(connection: Connection, context: TaskContext) -> Mailing | None:
    """Find what an earlier attempt began."""
    row = connection.execute(_FIND, {"task_id": str(context.task_id)}).mappings().first()
    if row is None:
        return None
    content = Content(subject=row["subject"], text=row["plain_message"], html=row["html_message"] or "")
    return Mailing(shipment_id=row["id"], began_at=row["start_date"], content=content)


def begin_mailing(context: TaskContext, plan: Plan, addressees: Iterable[Addressee]) -> None:
    """Write the mailing with everybody who is meant, all or nothing.

    The log names whom it leaves out, and who may have got the same mail before.

    Args:
        context: Of the task.
        plan: What the rows say beside that.
        addressees: In the order in which they are written to.

    Raises:
        TaskFailure: Nobody is left to write to; nothing was written.
        LeaseLost: Somebody else works on the task by now; nothing was written.
    """
    with context.connect() as connection, context.transaction() as session:
        shipment_id = _insert_shipment(session, context, plan)
        for some in _chunks(addressees):
            ids = crm7.allocate_ids(connection, crm7.s_shipment_addr, len(some))
            connection.commit()  # at once: other mailings need numbers, too, while this one is written
            rows = [_row(shipment_id, row_id, addressee) for row_id, addressee in zip(ids, some, strict=True)]
            session.execute(insert(crm7.s_shipment_addr), rows)
        _leave_out(session, context, plan, shipment_id)
        _require_some(session, context, shipment_id)
        _warn_who_may_get_it_twice(session, context, plan.content, shipment_id)


def _insert_shipment(session: Session, context: TaskContext, plan: Plan) -> int:
    connection, content = session.connection(), plan.content
    [message_id] = crm7.allocate_ids(connection, crm7.s_message, 1)
    [shipment_id] = crm7.allocate_ids(connection, crm7.s_shipment, 1)
    audit = {
        "registered": func.now(),
        "registered_associate_id": context.owner,
        "updated": func.now(),
        "updated_associate_id": context.owner,
        "updatedcount": 0,
    }
    message = {
        "id": message_id,
        "access_key": str(context.task_id),
        "description": plan.description[:_LONGEST],
        "subject": content.subject,
        "plain_message": content.text,
        "html_message": content.html or None,
        "flags": _HAS_TEXT | (_HAS_HTML if content.html else 0),
        "folder_id": _ROOT_FOLDER,
        "designtype": 0,
    }
    shipment = {
        "id": shipment_id,
        "description": plan.description[:_LONGEST],
        "message_id": message_id,
        "start_date": func.localtimestamp(),
        "from_addr": plan.from_address,
        "reply_addr": plan.reply_to,
        "envelope_from": plan.from_address,
        "smtp_serv": plan.server,
        "smtp_port": plan.port,
        "send_rate": plan.mails_per_minute,
        "status": ShipmentStatus.STARTED,
        "recipients": 0,
        "actual_rate": 0,
        "actual_count": 0,
        "folder_id": _ROOT_FOLDER,
        "configuration": 0,
        "sorting": plan.sorting,
        "selection_id": plan.selection_id,
        "project_id": plan.project_id,
        "shipmenttype_id": plan.shipment_type_id,
        "are_statistics_dirty": 0,
    }
    session.execute(insert(crm7.s_message).values(**message, **audit))
    session.execute(insert(crm7.s_shipment).values(**shipment, **audit))
    return shipment_id


def _row(shipment_id: int, row_id: int, addressee: Addressee) -> dict[str, object]:
    return {
        "id": row_id,
        "shipment_id": shipment_id,
        "address": addressee.address[:_LONGEST],
        "name": addressee.name[:_LONGEST],
        "customer_id": addressee.person_id,
        "contact_id": addressee.contact_id,
        "ticket_id": 0,
        "status": addressee.status,
        "bounce_reason": addressee.reason or None,
    }


def _chunks(addressees: Iterable[Addressee]) -> Iterator[list[Addressee]]:
    rest = iter(addressees)
    while some := list(islice(rest, _ROWS)):
        yield some


def _leave_out(session: Session, context: TaskContext, plan: Plan, shipment_id: int) -> None:
    """Leave out what only all rows together tell."""
    keys = {"shipment_id": shipment_id, "ready": RecipientStatus.READY}
    bouncing = {
        "status": RecipientStatus.TOO_MANY_BOUNCES,
        "reason": "address bounced too often",
        "most": MOST_BOUNCES,
    }
    found = list(session.execute(_BOUNCING, keys | bouncing))
    if plan.one_per_address:
        duplicate = {"status": RecipientStatus.DUPLICATE, "reason": "address gets the mail already"}
        found += session.execute(_DUPLICATES, keys | duplicate)
    for name, address, reason in found:
        context.log.warning("left out: %s <%s>: %s", name, address, reason, extra={"action": "left out"})


def _require_some(session: Session, context: TaskContext, shipment_id: int) -> None:
    count = session.execute(_COUNT, {"shipment_id": shipment_id, "ready": RecipientStatus.READY}).scalar_one()
    if not count:
        raise TaskFailure("Nobody is left to write to: the log says why of each recipient.")
    context.log.info("the mailing has %d recipients", count, extra={"action": "mailing begun"})


def _warn_who_may_get_it_twice(session: Session, context: TaskContext, content: Content, shipment_id: int) -> None:
    """Name those whom an earlier mailing of the same text left in doubt: whoever repeats it may want it so."""
    same = {"subject": content.subject, "text": content.text, "html": content.html}
    statuses = {"unknown": RecipientStatus.UNKNOWN, "ready": RecipientStatus.READY}
    for row in session.execute(_PERHAPS_TWICE, {"shipment_id": shipment_id, **statuses, **same}):
        context.log.warning(
            "perhaps for the second time: %s <%s>: it is not known whether mailing %d of %s arrived",
            row.name,
            row.address,
            row.mailing,
            row.day,
            extra={"action": "perhaps twice"},
        )
