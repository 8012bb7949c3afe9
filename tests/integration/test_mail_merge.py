from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from batchtask.definitions import CancelledByRequest, TaskFailure
from batchtask.demo.sample_crm import SampleCrm, load_sample_crm, write_sample_template
from batchtask.outcomes import Succeeded
from batchtask.testing import FakeContext
from tests.letters_support import change, letters_of, load_sample, person_of
from tests.mail_merge_support import Merged, paragraph, write_template
from worker.tasks.mail_merge import MailMerge, letters, mail_merge


@pytest.fixture
def crm(database_url: str) -> SampleCrm:
    return load_sample(database_url)


@pytest.fixture
def context(database_url: str, crm: SampleCrm, tmp_path: Path) -> FakeContext:
    return FakeContext(database_url=database_url, folder=tmp_path, archive_dir=tmp_path, owner=crm.associate_id)


def test_a_selection_becomes_one_document_and_the_answer_says_who_was_left_out(
    context: FakeContext, crm: SampleCrm
) -> None:
    template = context.folder / "letter.docx"
    write_sample_template(template)
    outcome = mail_merge.function(
        context, MailMerge(template=str(template), selection_id=crm.newsletter_selection_id, file_name="spring")
    )
    assert outcome == Succeeded(
        response="238 letters; 12 left out: 7 no mailing, 3 no address, 2 retired",
        file_name=str(context.folder / "spring.docx"),
    )
    assert len(Merged(context.folder / "spring.docx").sections) == 238
    assert context.reports[-1][1] == "Letter 238 of 238"
    assert sorted(found.name for found in context.folder.iterdir()) == ["letter.docx", "spring.docx"]


def test_everybody_left_out_is_named_in_the_log(
    context: FakeContext, crm: SampleCrm, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    letters_of(context, paragraph("{name}"), selection_id=crm.awkward_selection_id)
    messages = [record.getMessage() for record in caplog.records]
    assert any("Nowhere AS" in message and "no address" in message for message in messages)
    assert any("Rita Retired" in message and "retired" in message for message in messages)
    assert any("2000000000" in message and "no longer exists" in message for message in messages)
    assert len(messages) == 10


@pytest.mark.parametrize(
    ("company", "expected"),
    [
        ("Street Only AS", "Street Only AS|Sidegata 3|5003 BERGEN"),
        ("Uses Home Address AS", "Uses Home Address AS|Hedda Hjemme|Villaveien 7|1358 JAR"),
        ("Home Address Missing AS", "Home Address Missing AS|Ola Uten|Postboks 17|0101 OSLO"),
        ("Country Unknown AS", "Country Unknown AS|Postboks 18|0101 OSLO"),
        ("Abroad GmbH", "Abroad GmbH|Postboks 19|0101 OSLO|Germany"),
        ("Curly {name} {nosuch} AS", "Curly {name} {nosuch} AS|{attn} Klammer|Postboks 10|0101 OSLO"),
    ],
)
def test_a_letter_goes_to_the_right_address_in_the_form_of_its_country(
    context: FakeContext, company: str, expected: str
) -> None:
    contact_id, _ = person_of(context, company)
    [block, *_] = letters_of(context, f"<w:p>{_field('ADDRESSBLOCK')}</w:p>", contact_ids=(contact_id,))
    assert block == expected.replace("|", "\n")


def _field(instruction: str) -> str:
    return f'<w:fldSimple w:instr="{instruction}"><w:r><w:t>x</w:t></w:r></w:fldSimple>'


def test_company_and_person_variables_are_filled_from_the_crm(context: FakeContext) -> None:
    _, person_id = person_of(context, "Uses Home Address AS")
    body = paragraph("{name}/{attn}/{atfn}/{zici}/{apad}/{cntr}/{cnt?}/{numb}/{atid}/{onam}/{auth}/{snum}")
    [letter] = letters_of(context, body, person_ids=(person_id,))
    name, attn, first, town, home, country, abroad, number, identifier, own, sender, count = letter.split("/")
    assert (name, attn, first, town) == ("Uses Home Address AS", "Hedda Hjemme", "Hedda", "1358 JAR")
    assert (home, country, abroad, number) == ("Villaveien 7", "Norge", "", "X-16")
    assert (identifier, own, count) == (str(person_id), "Fjordlys Forlag AS", "1")
    assert sender


def test_user_defined_values_are_filled_in(context: FakeContext) -> None:
    contact_id, _ = person_of(context, "Street Only AS")
    change(
        context,
        "INSERT INTO crm7.udcontactsmall (udcontactsmall_id, long01, string40, double01) VALUES (9000, 7, 'x', 1.5)",
    )
    change(context, "UPDATE crm7.contact SET userdef_id = 9000 WHERE contact_id = :id", id=contact_id)
    body = paragraph("{cl01} {cs40} {cf01} {cs41}.")
    assert letters_of(context, body, contact_ids=(contact_id,), language="nb") == ["7 x 1,5 ."]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"include_person": "all"}, ["Tor Tvilling", "Tor Tvilling"]),
        ({"include_person": "first"}, ["Tor Tvilling"]),
        ({"include_person": "none"}, ["To whom it may concern"]),
        ({"include_person": "all", "one_per_company": True}, ["Tor Tvilling"]),
        ({"include_person": "all", "prefer_company": True}, ["To whom it may concern"]),
        ({"include_person": "first", "attention_use": "always"}, ["To whom it may concern"]),
    ],
)
def test_who_is_written_to_at_a_company(
    context: FakeContext, parameters: dict[str, object], expected: list[str]
) -> None:
    contact_id, _ = person_of(context, "Twice In The Selection AS")
    found = letters_of(
        context, paragraph("{attn}"), contact_ids=(contact_id,), attention="To whom it may concern", **parameters
    )
    assert found == expected


def test_who_has_no_address_is_not_the_one_at_the_company_who_gets_the_letter(context: FakeContext) -> None:
    contact_id, _ = person_of(context, "Nowhere AS")
    second, _ = person_of(context, "Uses Home Address AS")
    change(
        context,
        "UPDATE crm7.person SET contact_id = :nowhere, rank = 9 WHERE contact_id = :second",
        nowhere=contact_id,
        second=second,
    )
    letters = letters_of(
        context,
        paragraph("{attn}, {addr}"),
        contact_ids=(contact_id,),
        include_person="all",
        one_per_company=True,
    )
    assert letters == ["Hedda Hjemme, Villaveien 7"]


def test_companies_without_a_person_can_be_left_out(context: FakeContext) -> None:
    contact_id, _ = person_of(context, "Nobody Works Here AS")
    with pytest.raises(TaskFailure, match=r"Nobody is left to write to: 1 company without a person of 1"):
        letters_of(context, paragraph("x"), contact_ids=(contact_id,), include_companies=False)


def test_references_may_hold_variables(context: FakeContext) -> None:
    contact_id, _ = person_of(context, "Street Only AS")
    body = paragraph("{oref}, {head}")
    found = letters_of(context, body, contact_ids=(contact_id,), our_ref="F/{numb}", heading="To {name} {x}")
    assert found == ["F/X-15, To Street Only AS {x}"]


def test_a_variable_in_what_the_user_has_typed_is_one_as_in_a_template(context: FakeContext) -> None:
    contact_id, _ = person_of(context, "Street Only AS")
    chosen = {"contact_ids": (contact_id,), "heading": "{NUMB}, {nmae}."}
    with pytest.raises(TaskFailure, match=r"The heading names \{NUMB\}, which is no variable"):
        letters_of(context, paragraph("{head}"), **chosen)
    blank = {"unknown_variables": "blank", "case_sensitive": True}
    assert letters_of(context, paragraph("{head}"), **chosen, **blank) == ["X-15, ."]
    keep = {"unknown_variables": "keep", "case_sensitive": True}
    assert letters_of(context, paragraph("{head}"), **chosen, **keep) == ["X-15, {nmae}."]


def test_a_template_can_be_named_by_its_number(context: FakeContext) -> None:
    write_template(context.folder, paragraph("{name}"))
    change(
        context,
        "INSERT INTO crm7.doctmpl (doctmpl_id, name, filename, record_type, registered, registered_associate_id, "
        "updated, updated_associate_id, updatedcount) "
        "VALUES (9005, 'A letter of ours', 'template.docx', 2, now(), 1, now(), 1, 0)",
    )
    contact_id, _ = person_of(context, "Street Only AS")
    parameters = MailMerge(template_id=9005, template_folder="", contact_ids=(contact_id,))
    assert isinstance(mail_merge.function(context, parameters), Succeeded)


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"selection_id": 999}, "There is no selection 999"),
        ({"contact_ids": (999_999,)}, "Nobody is left to write to: 1 company no longer exists of 1"),
        ({}, "Name the recipients"),
        ({"selection_id": 1, "template_id": 3}, "Name one template"),
        ({"contact_ids": (1,), "shipment_type_id": 999}, "There is no kind of mailing 999"),
        ({"selection_id": 1, "language": "xx"}, "language 'xx' is not known"),
        ({"selection_id": 1, "prefer_company": True, "include_companies": False}, "needs include_companies"),
    ],
)
def test_a_merge_that_cannot_be_done_says_why_and_leaves_nothing(
    context: FakeContext, parameters: dict[str, object], sentence: str
) -> None:
    with pytest.raises(TaskFailure, match=sentence):
        letters_of(context, paragraph("x"), **parameters)
    assert [found.name for found in context.folder.iterdir()] == ["template.docx"]


def test_an_empty_selection_says_so(context: FakeContext, crm: SampleCrm) -> None:
    change(context, "DELETE FROM crm7.selectionmember WHERE selection_id = :id", id=crm.awkward_selection_id)
    with pytest.raises(TaskFailure, match="'Awkward cases' has no members"):
        letters_of(context, paragraph("x"), selection_id=crm.awkward_selection_id)


def test_a_cancelled_merge_leaves_nothing_behind(context: FakeContext, crm: SampleCrm) -> None:
    context.cancel_after = 30
    with pytest.raises(CancelledByRequest):
        letters_of(context, paragraph("x"), selection_id=crm.newsletter_selection_id)
    assert [found.name for found in context.folder.iterdir()] == ["template.docx"]


def test_a_full_disk_is_told_and_the_older_result_stays(
    context: FakeContext, crm: SampleCrm, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = context.folder / "result.docx"
    older.write_bytes(b"older")

    def no_space(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(letters.Letters, "write", no_space)
    with pytest.raises(TaskFailure, match="is full: make room"):
        letters_of(context, paragraph("x"), selection_id=crm.newsletter_selection_id, file_name="result.docx")
    assert older.read_bytes() == b"older"
    assert sorted(found.name for found in context.folder.iterdir()) == ["result.docx", "template.docx"]


def test_a_file_name_cannot_leave_the_result_folder(context: FakeContext, crm: SampleCrm) -> None:
    letters_of(context, paragraph("x"), selection_id=crm.newsletter_selection_id, file_name="../../etc/letters")
    assert (context.folder / "letters.docx").exists()


def test_pdf_without_libreoffice_is_refused_before_any_work(
    context: FakeContext, crm: SampleCrm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(TaskFailure, match="PDF needs LibreOffice"):
        letters_of(context, paragraph("x"), selection_id=crm.newsletter_selection_id, output="pdf")
    assert context.reports == []


def test_loading_the_sample_twice_changes_nothing(context: FakeContext, crm: SampleCrm) -> None:
    with context.connect() as connection:
        assert load_sample_crm(connection) == crm


def test_the_same_seed_makes_the_same_crm(context: FakeContext, empty_database_url: str) -> None:
    from batchtask.migrations import upgrade

    upgrade(empty_database_url)
    query = text("SELECT name, number1, orgnr FROM crm7.contact ORDER BY contact_id")
    found = []
    for url in (context.database_url, empty_database_url):
        engine = create_engine(url)
        with engine.begin() as connection:
            load_sample_crm(connection)
            found.append(connection.execute(query).all())
        engine.dispose()
    assert found[0] == found[1]
