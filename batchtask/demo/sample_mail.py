"""Mail for the sample CRM: two users with mailboxes on a private server, full of what customers write.

Mail of many languages, some of it in a bad state, for the task `inbox` to fetch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from random import Random

from sqlalchemy import Connection, text

from batchtask import crm7
from batchtask.demo.sample_rows import SampleRows
from batchtask.local import SourceFailed
from batchtask.local.dovecot import Dovecot, mail_installation
from batchtask.sealing import Sealer

#: Logins of the sample CRM's users, and their mailboxes.
MAILBOXES = {"IH": "ih@fjordlys.example", "HT": "ht@fjordlys.example"}
PASSWORD = "blåbær & fløte"  # noqa: S105 - of a server that lives as long as the demo
MESSAGES = 120
ARCHIVE = "Kunder &AOYA+ADl-"  #: Kunder æøå, as IMAP writes it
OLDEST_DAYS = 60

_SENDERS = text("""
SELECT concat_ws(' ', p.firstname, p.lastname) AS name, e.email_address AS address FROM crm7.email e
  JOIN crm7.person p ON p.person_id = e.person_id ORDER BY e.email_id LIMIT 60
""")
_SUBJECTS = (
    ("Bestilling av 12 bøker", "Hei!\n\nVi vil gjerne bestille tolv eksemplarer til skolen på Ås.\n\nHilsen"),
    ("Re: Your spring catalogue", "Dear Ingrid,\n\nthank you, it has arrived. Could you send two more?\n"),
    ("Rückfrage zur Rechnung über 1.250,00 €", "Guten Tag,\n\nmüsste die Rechnung nicht größer ausfallen?\nGrüße"),
    ("Ερώτηση για την παραγγελία", "Καλημέρα σας,\n\nπότε θα παραδοθεί η παραγγελία μας;\n"),
    ("Zażółć gęślą jaźń: reklamacja", "Dzień dobry,\n\nksiążki dotarły mokre. Co robimy?\n"),
    ("طلب عرض أسعار", "السلام عليكم،\n\nنرجو إرسال عرض أسعار لخمسين نسخة.\n"),
    ("关于春季目录的问题", "您好，\n\n请问第 12 页的书还有货吗？\n"),
    ("Réception d'été — à confirmer", "Bonjour,\n\nnous serions ravis de vous accueillir. À bientôt !\n"),
)


@contextmanager
def sample_mail_server(
    folder: Path, environ: Mapping[str, str], announce: Callable[[str], None]
) -> Iterator[Dovecot | None]:
    """Run a mail server with the users' empty mailboxes; None, and a sentence to the user, where that cannot be."""
    try:
        installation = mail_installation(folder, environ, announce)
        server = Dovecot(
            installation=installation, directory=folder, passwords=dict.fromkeys(MAILBOXES.values(), PASSWORD)
        )
        server.start()
    except SourceFailed as failure:
        announce(f"NO MAIL SERVER can be started here, so the inbox task is LEFT OUT: {failure}")
        yield None
        return
    try:
        yield server
    finally:
        server.kill()


def load_sample_mail(connection: Connection, server: Dovecot, sealer: Sealer, seed: int = 2025) -> tuple[int, ...]:
    """Fill the mailboxes and add the users' accounts; return their ids. Commit is the caller's."""
    senders = [(row.name, row.address) for row in connection.execute(_SENDERS)]
    writer = _Writer(Random(seed), senders)  # noqa: S311 - sample data, nothing secret
    for address in MAILBOXES.values():
        server.deliver(address, [writer.message(number, address) for number in range(MESSAGES // 2 - 10)])
        archived = [writer.message(number, address) for number in range(900, 910)]
        server.deliver(address, archived, ARCHIVE, flags="S")
        server.subscribe(address, ARCHIVE)
    return _accounts(connection, server.port, sealer)


def _accounts(connection: Connection, port: int, sealer: Sealer) -> tuple[int, ...]:
    rows = SampleRows(connection)
    associates: dict[str, int] = dict(connection.execute(text("SELECT name, associate_id FROM crm7.associate")).all())
    ids = []
    for login, address in MAILBOXES.items():
        auth = rows.add(
            crm7.service_auth,
            server="localhost",
            port=port,
            auth_type="plain",
            username=address,
            password=sealer.seal(PASSWORD),
            associate_id=associates[login],
        )
        values = {"email_address": address, "associate_id": associates[login], "default": 1}
        account = rows.add(crm7.email_account, incoming_auth=auth["service_auth_id"], account_status=0, **values)
        ids.append(account["email_account_id"])
    rows.write(connection)
    return tuple(ids)


@dataclass
class _Writer:
    chance: Random
    senders: list[tuple[str, str]]  #: name and address

    def message(self, number: int, to: str) -> tuple[bytes, datetime]:
        """Write one message; every tenth or so is in a bad state."""
        sent_at = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=self.chance.randrange(24 * OLDEST_DAYS))
        subject, body = self.chance.choice(_SUBJECTS)
        name, address = self.chance.choice(self.senders)
        message = EmailMessage()
        message["From"] = f'"{name}" <{address}>'
        message["To"] = to
        message["Subject"] = subject
        message["Date"] = format_datetime(sent_at)
        message["Message-ID"] = f"<{number}.{to}>"
        if number % 7 == 1:
            message["In-Reply-To"] = f"<{number - 1}.{to}>"
        message.set_content(body)
        _DRESSES[number % len(_DRESSES)](message, body)
        octets = message.as_bytes().replace(b"\n", b"\r\n")
        return _SPOILS.get(number % 20, bytes)(octets), sent_at


def _with_html(message: EmailMessage, body: str) -> None:
    message.add_alternative(f"<html><body><p>{body}</p><script>alert(1)</script></body></html>", subtype="html")


def _with_file(message: EmailMessage, body: str) -> None:
    octets = b"%PDF-1.4 " + body.encode()
    message.add_attachment(octets, maintype="application", subtype="pdf", filename="tilbud æ.pdf")


def _with_invitation(message: EmailMessage, _: str) -> None:
    message.add_alternative("BEGIN:VCALENDAR\nVERSION:2.0\nMETHOD:REQUEST\nEND:VCALENDAR\n", subtype="calendar")


def _urgent(message: EmailMessage, _: str) -> None:
    message["X-Priority"] = "1 (Highest)"


def _plain(_: EmailMessage, __: str) -> None:
    """Leave it as it is."""


_DRESSES = (_plain, _with_html, _with_file, _with_invitation, _urgent)
_SPOILS: dict[int, Callable[[bytes], bytes]] = {
    3: lambda octets: octets.replace(b"\r\nDate: ", b"\r\nDate: sometime, "),
    7: lambda octets: octets.replace(b'charset="utf-8"', b'charset="klingon"'),
    11: lambda octets: octets[: len(octets) * 3 // 4],
    13: lambda octets: octets.replace(b"\r\nMessage-ID: ", b"\r\nX-No-ID: "),
    17: lambda octets: b"".join(b"X-Trace-%d: yes\r\n" % line for line in range(2000)) + octets,
}
