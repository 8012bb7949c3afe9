"""Mails in HTML to a server in the same process, as fast as it takes them, and what each costs in the database."""

from __future__ import annotations

import resource
import time
from pathlib import Path

from batchtask.database import make_engine
from batchtask.outcomes import Succeeded
from batchtask.sealing import Sealer
from batchtask.testing import FakeContext, run_task
from tests.email_merge_support import KEY, OWNER, Person, write_crm, write_template
from tests.mail_server import running_mail_server
from worker.tasks.mail_merge import mail_merge
from worker.tasks.mail_merge.by_email.ledger import Ledger

MAILS = 2000
_PARAGRAPH = "<p>Dear {attn}, here is what {name} may like this spring. Our number is {numb}, yours is {snum}.</p>\n"
_HTML = f"<html><body><h1>Spring news for {{atfn}}</h1>{_PARAGRAPH * 40}</body></html>"


def measure(database_url: str, folder: Path) -> dict[str, float]:
    """Send once and return mails a second, the milliseconds that one costs in the database, and megabytes.

    The server takes its share of the same processor, so a real one is sent to faster.
    """
    engine = make_engine(database_url)
    with running_mail_server() as mails:
        with engine.begin() as connection:
            people = write_crm(connection, _people(), port=mails.port)
        write_template(folder, "mail.html", _HTML)
        context = FakeContext(
            folder=folder, database_url=database_url, owner=OWNER, archive_dir=folder, sealer=Sealer(KEY)
        )
        parameters = {
            "template": "mail.html",
            "subject": "Spring for {atfn}",
            "output": "email",
            "person_ids": people,
        }
        began_at = time.monotonic()
        outcome = run_task(mail_merge, context, mails_per_minute=0, **parameters)
        seconds = time.monotonic() - began_at
    assert outcome == Succeeded(response=f"Sent {MAILS} of {MAILS}"), outcome
    assert len(mails.messages) == MAILS
    engine.dispose()
    return {
        "mails_per_second": round(MAILS / seconds, 1),
        "database_ms_per_mail": round(_database_ms(context), 2),
        "memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def _people() -> list[Person]:
    return [
        Person(first=f"Åse{number}", last="Bjørnstad", address=f"ase{number}@example.test") for number in range(MAILS)
    ]


def _database_ms(context: FakeContext) -> float:
    """Note for everybody again that a mail is on its way, and that it was sent; both are committed each."""
    engine = make_engine(context.database_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE crm7.s_shipment_addr SET status = 1, timestamp = NULL, owner_lock = NULL")
        connection.exec_driver_sql("UPDATE crm7.s_shipment_addr SET sending_time = NULL")
        shipment_id = connection.exec_driver_sql("SELECT max(id) FROM crm7.s_shipment").scalar_one()
    engine.dispose()
    ledger = Ledger(context, shipment_id)
    count, seconds = 0, 0.0
    while taken := ledger.take():
        began_at = time.monotonic()
        for one in taken:
            assert ledger.intend(one)
            ledger.sent(one)
        seconds += time.monotonic() - began_at
        count += len(taken)
    ledger.close()
    return 1000 * seconds / count
