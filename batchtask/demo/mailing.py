"""Sending mail in the demonstration: a mail server that keeps what it is given as files, and a template."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy import Connection, select, update

from batchtask import crm7
from batchtask.demo.sample_rows import SampleRows
from batchtask.local.processes import free_port

TEMPLATE = """<!doctype html>
<html><head><meta charset="utf-8"><title>Our spring catalogue</title></head>
<body style="font-family: Georgia, serif; max-width: 36em">
<p>Dear {salu},</p>
<p>our spring catalogue is ready. For {name} in {city} we have set a copy aside.</p>
<p>It comes by post to<br>{addr}<br>{zici}<br>{cnt?}</p>
<p>Kind regards,<br>{auth}<br>{onam}</p>
</body></html>
"""


@dataclass
class Letterbox:
    """Keeps every mail it takes as a file; one address in fifty does not exist."""

    folder: Path

    async def handle_RCPT(  # noqa: N802 - the library's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.partition("@")[0].endswith("50"):
            return "550 5.1.1 no such user here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content
        data = content.encode() if isinstance(content, str) else content or b""
        (self.folder / f"{envelope.rcpt_tos[0].replace('/', '_')}.eml").write_bytes(data)
        return "250 taken"


@contextmanager
def letterbox(folder: Path) -> Iterator[int]:
    """Run the server; gives its port."""
    folder.mkdir(parents=True, exist_ok=True)
    controller = Controller(Letterbox(folder), hostname="127.0.0.1", port=free_port(), enable_SMTPUTF8=True)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


def write_mail_template(archive: Path) -> str:
    """Write the template into the archive and return its name."""
    path = archive / "template" / "spring-mail.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(TEMPLATE, encoding="utf-8")
    return path.name


def send_through(connection: Connection, associate_id: int, port: int) -> None:
    """Have a user's mails go through the server on this port; commit is the caller's."""
    rows = SampleRows(connection)
    auth = rows.add(crm7.service_auth, server="localhost", port=port, username="", associate_id=associate_id)
    account = crm7.email_account.c
    own = account.associate_id == associate_id
    if connection.execute(select(account.email_account_id).where(own)).first() is None:
        rows.add(
            crm7.email_account, email_address="ih@fjordlys.example", associate_id=associate_id, default=1,
            account_status=0,
        )  # fmt: skip
    rows.write(connection)
    connection.execute(update(crm7.email_account).where(own).values(outgoing_auth=auth["service_auth_id"]))
