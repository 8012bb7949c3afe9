"""A mail server, accounts on it, and what the inbox task made of them."""

from __future__ import annotations

import imaplib
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from sqlalchemy import create_engine, text

from batchtask import crm7
from batchtask.demo.sample_rows import SampleRows
from batchtask.local.dovecot import Dovecot
from batchtask.outcomes import Outcome
from batchtask.sealing import Sealer
from batchtask.testing import FakeContext, run_task
from worker.tasks.inbox import inbox

KEY = Fernet.generate_key().decode()
SEALER = Sealer(KEY)
NOW = datetime.now(UTC)
KARI, PASSWORD, OWNER = "kari@example.test", 'sécret "1"', 7


def letter(number: int, *, days_old: float = 1, sender: str = "ola@firma.example", **headers: str) -> bytes:
    """One plain message; `None` of a header's value is no way to leave it out, an empty text is."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = KARI
    message["Subject"] = f"Letter {number}"
    message["Date"] = format_datetime(NOW - timedelta(days=days_old))
    message["Message-ID"] = f"<{number}@firma.example>"
    for name, value in headers.items():
        del message[name.replace("_", "-")]
        if value:
            message[name.replace("_", "-")] = value
    message.set_content(f"Text of letter {number}\n")
    return message.as_bytes().replace(b"\n", b"\r\n")


def letters(count: int, *, days_old: float = 1, first: int = 1) -> list[tuple[bytes, datetime]]:
    """Letters with the time they came."""
    came_at = NOW - timedelta(days=days_old)
    return [(letter(number, days_old=days_old), came_at) for number in range(first, first + count)]


@dataclass
class Desk:
    """A CRM with accounts, and a way to run the task for one of its users."""

    database_url: str
    folder: Path
    contexts: list[FakeContext] = field(default_factory=list)

    def account(self, port: int, **values: Any) -> int:
        """Add an account of Kari's on a server of this machine, and return its id."""
        login = {"server": "localhost", "username": KARI, "password": PASSWORD, "auth_type": "plain", "owner": OWNER}
        login |= values
        with self._engine() as engine, engine.begin() as connection:
            rows = SampleRows(connection)
            auth = rows.add(
                crm7.service_auth,
                server=login["server"],
                port=port,
                username=login["username"],
                auth_type=login["auth_type"],
                password=login.get("sealed") or SEALER.seal(str(login["password"])),
                associate_id=login["owner"],
            )
            account = rows.add(
                crm7.email_account,
                email_address=login["username"],
                associate_id=login["owner"],
                incoming_auth=auth["service_auth_id"],
                account_status=login.get("status", 0),
            )
            rows.write(connection)
        return int(account["email_account_id"])

    def run(self, context: FakeContext | None = None, **parameters: Any) -> Outcome:
        return run_task(inbox, context or self.context(), **parameters)

    def context(self, **values: Any) -> FakeContext:
        """Make a context of a new task of Kari's."""
        context = FakeContext(
            folder=self.folder, database_url=self.database_url, **{"owner": OWNER, "sealer": SEALER, **values}
        )
        self.contexts.append(context)
        return context

    def rows(self, statement: str, **values: Any) -> list[Mapping[str, Any]]:
        with self._engine() as engine, engine.connect() as connection:
            return [dict(row) for row in connection.execute(text(statement), values).mappings()]

    def change(self, statement: str, **values: Any) -> None:
        with self._engine() as engine, engine.begin() as connection:
            connection.execute(text(statement), values)

    def add(self, table: Any, **values: Any) -> None:
        """Add one row, with blanks where the CRM would not leave a hole."""
        with self._engine() as engine, engine.begin() as connection:
            rows = SampleRows(connection)
            rows.add(table, **values)
            rows.write(connection)

    def company(self, name: str, **values: Any) -> int:
        self.add(crm7.contact, name=name, **values)
        return int(self.rows("SELECT max(contact_id) AS id FROM crm7.contact")[0]["id"])

    def person(self, company: int, **values: Any) -> int:
        self.add(crm7.person, contact_id=company, firstname="Ola", **{"retired": 0, **values})
        return int(self.rows("SELECT max(person_id) AS id FROM crm7.person")[0]["id"])

    def items(self) -> list[Mapping[str, Any]]:
        """Return all messages with their folders, the oldest UID first."""
        return self.rows("""
            SELECT i.*, f.name AS folder FROM crm7.email_item i LEFT JOIN crm7.email_folder f USING (email_folder_id)
            ORDER BY f.name, server_id
        """)

    def subjects(self) -> list[str]:
        return sorted(item["subject"] for item in self.items())

    def one_account(self) -> Mapping[str, Any]:
        return self.rows("SELECT * FROM crm7.email_account ORDER BY 1")[0]

    @contextmanager
    def _engine(self) -> Iterator[Any]:
        engine = create_engine(self.database_url)
        try:
            yield engine
        finally:
            engine.dispose()


@contextmanager
def logged_in(server: Dovecot, user: str = KARI, password: str = PASSWORD) -> Iterator[imaplib.IMAP4]:
    """Do what a mail program does, by another program's code."""
    client = imaplib.IMAP4("localhost", server.port, timeout=20)
    try:
        client.starttls(ssl.create_default_context(cafile=str(server.ca_file)))
        client.authenticate("PLAIN", lambda _: f"\0{user}\0{password}".encode())
        yield client
    finally:
        client.logout()
