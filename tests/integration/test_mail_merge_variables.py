"""Variables of projects, sales, documents, users and user-defined fields, filled in from the database."""

from __future__ import annotations

from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import pytest
from sqlalchemy import create_engine, insert, text

from batchtask import crm7
from batchtask.definitions import TaskFailure
from batchtask.demo.sample_crm import SampleCrm
from batchtask.demo.sample_rows import SampleRows
from batchtask.testing import FakeContext
from batchtask.udef.fields import FieldType
from batchtask.udef.owners import OWNERS, value_columns
from tests.letters_support import change, letters_of, load_sample, person_of
from tests.mail_merge_support import paragraph


@pytest.fixture
def crm(database_url: str) -> SampleCrm:
    return load_sample(database_url)


@pytest.fixture
def context(database_url: str, crm: SampleCrm, tmp_path: Path) -> FakeContext:
    return FakeContext(database_url=database_url, folder=tmp_path, archive_dir=tmp_path, owner=crm.associate_id)


@pytest.fixture
def company(context: FakeContext) -> int:
    return person_of(context, "Street Only AS")[0]


def define(context: FakeContext, column: str, kind: FieldType, list_id: int = 0) -> None:
    """Make a company's user-defined field live."""
    engine = create_engine(context.database_url)
    with engine.begin() as connection:
        columns = {name: number for number, name in value_columns(connection, OWNERS["contact"]).items()}
        rows = SampleRows(connection)
        rows.add(
            crm7.udeffield,
            ownertable_id=7,
            fieldtype=kind,
            columnid=columns[column],
            udlistdefinition_id=list_id,
            version=99,
        )
        connection.execute(text("DELETE FROM crm7.userpreference WHERE prefkey = 'CurrentUdefVersioncontact'"))
        rows.add(
            crm7.userpreference, deflevel=2, prefsection="System", prefkey="CurrentUdefVersioncontact", prefvalue="99"
        )
        rows.write(connection)
    engine.dispose()


def store_values(context: FakeContext, contact_id: int, **values: object) -> None:
    engine = create_engine(context.database_url)
    with engine.begin() as connection:
        connection.execute(insert(crm7.udcontactsmall).values(udcontactsmall_id=9000, **values))
        connection.execute(
            text("UPDATE crm7.contact SET userdef_id = 9000 WHERE contact_id = :id"), {"id": contact_id}
        )
    engine.dispose()


@pytest.mark.parametrize(
    ("column", "kind", "value", "variable", "expected"),
    [
        ("long07", FieldType.NUMBER, 0, "cl07", "0"),
        ("long07", FieldType.CHECKBOX, 1, "cl07", "Ja"),
        ("long07", FieldType.CHECKBOX, 0, "cl07", "Nei"),
        ("long07", FieldType.DATE, 1_700_000_000, "cl07", "14.11.2023"),
        ("long07", FieldType.DATE, -86_400, "cl07", "31.12.1969"),
        ("long07", FieldType.DATE, 0, "cl07", ""),
        ("string07", FieldType.UNLIMITED_DATE, "19051231", "cs07", "31.12.1905"),
        ("string07", FieldType.UNLIMITED_DATE, "soon", "cs07", "soon"),
        ("double07", FieldType.DECIMAL, 2.5, "cf07", "2,5"),
    ],
)
def test_a_user_defined_value_is_written_as_users_see_it(
    context: FakeContext, company: int, *, column: str, kind: FieldType, value: object, variable: str, expected: str
) -> None:
    define(context, column, kind)
    store_values(context, company, **{column: value})
    body = paragraph(f"<{{{variable}}}>".replace("<", "&lt;"))
    assert letters_of(context, body, contact_ids=(company,), language="nb") == [f"<{expected}>"]


def test_a_value_from_a_list_prints_the_items_name(context: FakeContext, company: int) -> None:
    engine = create_engine(context.database_url)
    with engine.begin() as connection:
        rows = SampleRows(connection)
        chosen = rows.add(crm7.udlistdefinition, name="Kaffe?")
        item = rows.add(crm7.udlist, name="Grønn te", udlistdefinition_id=chosen["udlistdefinition_id"])
        rows.write(connection)
    engine.dispose()
    define(context, "long07", FieldType.LIST, chosen["udlistdefinition_id"])
    store_values(context, company, long07=item["udlist_id"])
    assert letters_of(context, paragraph("{cl07}"), contact_ids=(company,)) == ["Grønn te"]


def test_project_sale_and_document_are_those_that_the_letters_are_filed_under(
    context: FakeContext, crm: SampleCrm, company: int
) -> None:
    engine = create_engine(context.database_url)
    with engine.begin() as connection:
        rows = SampleRows(connection)
        values = rows.add(crm7.udprojectsmall, string03="vår")
        note = rows.add(crm7.texts, text="A fair & more")
        project = rows.add(
            crm7.project,
            name="Høstmessen",
            project_number="P-7",
            associate_id=crm.associate_id,
            enddate=datetime(2026, 10, 3),
            text_id=note["text_id"],
            userdef_id=values["udprojectsmall_id"],
        )
        owner = crm.associate_id
        sale = rows.add(crm7.sale, associate_id=owner, heading="100 books", amount=1234.5, earning=234.5, status=2)
        document = rows.add(crm7.document, name="x.docx", header="About the fair", our_ref="{numb}/H")
        rows.add(crm7.appointment, associate_id=owner, document_id=document["document_id"])
        rows.write(connection)
    engine.dispose()
    body = paragraph("{pnam}|{pnum}|{pend}|{pinf}|{ps03}|{sati}|{saam}|{salc}|{satu}|{head}|{oref}|{doid}|{sacu}")
    [letter] = letters_of(
        context,
        body,
        contact_ids=(company,),
        language="nb",
        project_id=project["project_id"],
        sale_id=sale["sale_id"],
        document_id=document["document_id"],
    )
    assert letter == (
        "Høstmessen|P-7|03.10.2026|A fair & more|vår|100 books|1234,5|1000|Sold|About the fair|X-15/H|"
        f"{document['document_id']}|"
    )


@pytest.mark.parametrize("record", ["project", "sale", "document"])
def test_a_record_that_is_not_there_is_named(context: FakeContext, company: int, record: str) -> None:
    with pytest.raises(TaskFailure, match=f"There is no {record} 999999"):
        letters_of(context, paragraph("x"), contact_ids=(company,), **{f"{record}_id": 999999})


def test_variables_of_no_record_print_nothing(context: FakeContext, company: int) -> None:
    assert letters_of(context, paragraph("a{pnam}{sati}{pl01}{doid}b"), contact_ids=(company,)) == ["ab"]


def test_the_members_of_the_selection_can_be_listed(context: FakeContext, crm: SampleCrm) -> None:
    [first, *_] = letters_of(context, paragraph("{mbrs}"), selection_id=crm.awkward_selection_id)
    assert first.startswith("Wants no mail AS Stopped AS ")
    assert "Somebody Left AS, Rita Retired " in first


def test_numbers_are_dialled_from_abroad_and_addresses_lose_their_protocol(
    context: FakeContext, company: int
) -> None:
    change(
        context,
        "INSERT INTO crm7.phone (phone_id, owner_id, ptype_idx, phone, rank, registered, registered_associate_id, "
        "updated, updated_associate_id, updatedcount) "
        "VALUES (900001, :id, 1, '22 33 44 55', 1, now(), 1, now(), 1, 0)",
        id=company,
    )
    change(
        context,
        "INSERT INTO crm7.url (url_id, contact_id, type, rank, description, url_address, registered, "
        "registered_associate_id, updated, updated_associate_id, updatedcount) "
        "VALUES (900001, :id, 0, 1, '', 'https://a.example/x', now(), 1, now(), 1, 0)",
        id=company,
    )
    assert letters_of(context, paragraph("{cpht} {cwnp}"), contact_ids=(company,)) == ["+47 22 33 44 55 a.example/x"]


def test_the_sender_and_the_user_may_be_two(context: FakeContext, crm: SampleCrm, company: int) -> None:
    [letter] = letters_of(
        context,
        paragraph("{alid} {user} {auid} {aucn} {usid}"),
        contact_ids=(company,),
        sender_id=crm.associate_id + 1,
    )
    signs, user, *_, user_id = letter.split()
    assert (signs, user, user_id) == ("HT", "IH", str(crm.associate_id))


def test_a_senders_numbers_and_addresses_are_written_as_those_of_recipients(
    context: FakeContext, crm: SampleCrm, company: int
) -> None:
    [person] = _ids(context, "SELECT person_id FROM crm7.associate WHERE associate_id = :id", id=crm.associate_id)
    [own] = _ids(context, "SELECT contact_id FROM crm7.person WHERE person_id = :id", id=person)
    born = "UPDATE crm7.person SET year_of_birth = 1970, month_of_birth = 3, day_of_birth = 4 WHERE person_id = :id"
    change(context, born, id=person)
    for owner, kind in (
        (person, 16385),
        (person, 16387),
        (person, 16388),
        (person, 16389),
        (person, 16390),
        (own, 1),
    ):
        _set_phone(context, owner, kind, f"22 {kind}")
    _add_row(context, "email", "email_address, protocol, type, description", "'kari', 'xmpp', 1, ''", person)
    _add_row(context, "email", "email_address, type, description", "'sip:kari', 2, 'Fjernsyn'", person)
    _add_row(context, "url", "url_address, type, description", "'https://kari.example', 0, ''", person)
    variables = "audl audi aupl aupm aupt ophi auca aucp auvo auvs auww auwn aubd"
    body = paragraph("|".join(f"{{{name}}}" for name in variables.split()))
    [letter] = letters_of(context, body, contact_ids=(company,), language="nb")
    assert letter.split("|") == [
        *(f"+47 22 {kind}" for kind in (16385, 16387, 16388, 16389, 16390, 1)),
        *("kari", "xmpp", "sip:kari", "Fjernsyn", "https://kari.example", "kari.example", "04.03.1970"),
    ]
    ids = letters_of(context, paragraph("{aucd} {auvi} {auwi}"), contact_ids=(company,))[0].split()
    assert len(ids) == 3
    assert all(number.isdecimal() for number in ids)


_NEXT_IDS = iter(range(910_000, 920_000))
_AUDIT = "registered, registered_associate_id, updated, updated_associate_id, updatedcount"


def _set_phone(context: FakeContext, owner: int, kind: int, number: str) -> None:
    change(context, "DELETE FROM crm7.phone WHERE owner_id = :id AND ptype_idx = :kind", id=owner, kind=kind)
    change(
        context,
        f"INSERT INTO crm7.phone (phone_id, owner_id, ptype_idx, phone, rank, {_AUDIT}) "
        "VALUES (:row, :id, :kind, :number, 1, now(), 1, now(), 1, 0)",
        row=next(_NEXT_IDS),
        id=owner,
        kind=kind,
        number=number,
    )


def _add_row(context: FakeContext, table: str, columns: str, values: str, person_id: int) -> None:
    change(
        context,
        f"INSERT INTO crm7.{table} ({table}_id, person_id, contact_id, rank, {columns}, {_AUDIT}) "
        f"VALUES (:row, :id, 0, 1, {values}, now(), 1, now(), 1, 0)",
        row=next(_NEXT_IDS),
        id=person_id,
    )


def _ids(context: FakeContext, query: str, **values: object) -> list[int]:
    engine = create_engine(context.database_url)
    with engine.connect() as connection:
        found = list(connection.execute(text(query), values).scalars())
    engine.dispose()
    return found


def test_every_documented_variable_is_known(context: FakeContext, company: int) -> None:
    """Those of the parts of the CRM that a merge does not read print nothing."""
    others = "ati ati. fadq csbu csbl csbn csiu cscu csre csrm csti diid dday tiid ufun adm? ulic mgdn mgma usec verf"
    body = paragraph(" ".join(f"{{{name}}}" for name in others.split()))
    [letter] = letters_of(context, body, contact_ids=(company,), include_person="none")
    assert letter.split() == [version("batchtask")]


def test_the_first_letter_of_a_first_name_is_written_with_a_full_stop(context: FakeContext) -> None:
    contact_id, _ = person_of(context, "Uses Home Address AS")
    assert letters_of(context, paragraph("{ati} {ati.} {atin}"), contact_ids=(contact_id,)) == ["H. H. H"]
