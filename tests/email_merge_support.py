"""A CRM with a mail account, a template, and some recipients, to send mails with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from sqlalchemy import Connection, Table, create_engine, insert, text

from batchtask import crm7
from batchtask.outcomes import Outcome
from batchtask.sealing import Sealer
from batchtask.testing import FakeContext, run_task
from worker.tasks.mail_merge import mail_merge

KEY = Fernet.generate_key().decode()
OWNER, COMPANY = 4001, 6001
FIRST_PERSON = 7001
_AUDIT = {
    "registered": text("now()"),
    "registered_associate_id": 0,
    "updated": text("now()"),
    "updated_associate_id": 0,
    "updatedcount": 0,
}


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody at the company; `values` are further columns."""

    first: str
    last: str
    address: str = ""  #: "" = made of the first name
    values: dict[str, Any] | None = None


def write_crm(connection: Connection, people: Sequence[Person], *, port: int, username: str = "") -> list[int]:
    """Write an owner with a mail account, a company, and its people with their addresses; return their ids."""
    _add(connection, crm7.contact, contact_id=COMPANY, name="Fjord & Sønner <AS>", country_id=0, business_idx=0,
         category_idx=0)  # fmt: skip
    _person(connection, FIRST_PERSON - 1, Person(first="Kari", last="Nordmann"), "kari@sender.example")
    _add(connection, crm7.associate, associate_id=OWNER, name="KN", person_id=FIRST_PERSON - 1, group_idx=0,
         lastlogin=text("now()"), lastlogout=text("now()"), checklistlimit=text("now()"), encryptedcheck="",
         waiting_for_approval=0)  # fmt: skip
    sealed = Sealer(KEY).seal("secret") if username else None
    _add(connection, crm7.service_auth, service_auth_id=1, server="127.0.0.1", port=port, username=username,
         password=sealed, encryptedcheck="")  # fmt: skip
    _add(connection, crm7.email_account, email_account_id=1, email_address="kari@sender.example",
         associate_id=OWNER, outgoing_auth=1, encryptedcheck="", error_reason="", default=1)  # fmt: skip
    ids = list(range(FIRST_PERSON, FIRST_PERSON + len(people)))
    for person_id, person in zip(ids, people, strict=True):
        _person(connection, person_id, person, person.address or f"{person.first.lower()}@example.test")
    return ids


def _person(connection: Connection, person_id: int, person: Person, address: str) -> None:
    _add(connection, crm7.person, person_id=person_id, contact_id=COMPANY, rank=person_id, firstname=person.first,
         lastname=person.last, country_id=0, business_idx=0, category_idx=0, **(person.values or {}))  # fmt: skip
    _add(connection, crm7.email, email_id=person_id, person_id=person_id, contact_id=0, type=0, rank=1,
         description="", email_address=address)  # fmt: skip


def _add(connection: Connection, table: Table, **values: Any) -> None:
    audit = {name: value for name, value in _AUDIT.items() if name in table.c}
    connection.execute(insert(table).values(**audit, **values))


def add_consent(connection: Connection, *person_ids: int) -> None:
    """Let some people consent to mailings; from then on the others have not."""
    _add(connection, crm7.consentpurpose, consentpurpose_id=1, name="E-marketing", key="EMARKETING", active=1)
    for person_id in person_ids:
        _add(connection, crm7.consentperson, consentperson_id=person_id, person_id=person_id, consentpurpose_id=1)


def add_shipment_type(connection: Connection, shipment_type_id: int) -> None:
    _add(connection, crm7.shipmenttype, shipmenttype_id=shipment_type_id, name="News")


def add_reservation(connection: Connection, person_id: int, shipment_type_id: int) -> None:
    _add(connection, crm7.shipmenttypereservation, shipmenttypereservation_id=person_id, person_id=person_id,
         shipmenttype_id=shipment_type_id)  # fmt: skip


def write_template(archive: Path, name: str, content: str | bytes) -> None:
    path = archive / "template" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def recipient_rows(database_url: str) -> dict[str, dict[str, Any]]:
    """What the CRM says of each recipient, by address."""
    return {row["address"]: row for row in rows(database_url, "SELECT * FROM crm7.s_shipment_addr ORDER BY id")}


def rows(database_url: str, query: str) -> list[dict[str, Any]]:
    engine = create_engine(database_url)
    with engine.connect() as connection:
        found = [dict(row) for row in connection.execute(text(query)).mappings()]
    engine.dispose()
    return found


def change(database_url: str, statement: str) -> None:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


class Desk:
    """A user who sends."""

    def __init__(self, database_url: str, folder: Path, port: int) -> None:
        self.database_url = database_url
        self.archive = folder / "archive"
        self.port = port
        self.context = FakeContext(
            folder=folder / "files",
            database_url=database_url,
            owner=OWNER,
            archive_dir=self.archive,
            sealer=Sealer(KEY),
        )
        self.people: list[int] = []

    def know(self, people: Sequence[Person], username: str = "") -> list[int]:
        engine = create_engine(self.database_url)
        with engine.begin() as connection:
            self.people = write_crm(connection, people, port=self.port, username=username)
        engine.dispose()
        return self.people

    def send(self, content: str = "Hello {atfn}!", name: str = "mail.txt", **parameters: Any) -> Outcome:
        write_template(self.archive, name, content)
        chosen = {"person_ids": self.people, "subject": "News", "mails_per_minute": 0, "include_person": "all"}
        return run_task(mail_merge, self.context, template=name, output="email", **(chosen | parameters))

    def states(self) -> dict[str, int]:
        return {
            address.partition("@")[0]: row["status"] for address, row in recipient_rows(self.database_url).items()
        }
