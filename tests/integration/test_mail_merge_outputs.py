"""Separate files and labels; who may be written to; which templates are taken."""

from __future__ import annotations

import io
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from batchtask import crm7
from batchtask.definitions import CancelledByRequest, TaskFailure
from batchtask.demo.sample_crm import SampleCrm, write_sample_template
from batchtask.demo.sample_rows import SampleRows
from batchtask.outcomes import Succeeded
from batchtask.testing import FakeContext, Killed, run_task
from tests.letters_support import change, load_sample, person_of
from tests.mail_merge_support import Merged, paragraph, write_template
from tests.pdfs import pages
from worker.tasks.mail_merge import files, mail_merge

BODY = paragraph("{name}/{attn}")


@pytest.fixture
def crm(database_url: str) -> SampleCrm:
    return load_sample(database_url)


@pytest.fixture
def context(database_url: str, crm: SampleCrm, tmp_path: Path) -> FakeContext:
    archive = tmp_path / "archive"
    (archive / "template").mkdir(parents=True)
    write_template(archive / "template", BODY)
    return FakeContext(
        database_url=database_url, folder=tmp_path / "out", archive_dir=archive, owner=crm.associate_id
    )


def merge(context: FakeContext, **parameters: Any) -> Succeeded:
    if parameters.get("output") != "labels":
        parameters = {"template": "template.docx", **parameters}
    outcome = run_task(mail_merge, context, **parameters)
    assert isinstance(outcome, Succeeded)
    return outcome


def unzipped(path: str | None) -> dict[str, bytes]:
    assert path is not None
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def text_of_docx(data: bytes, folder: Path) -> list[str]:
    path = folder / "one.docx"
    path.write_bytes(data)
    return Merged(path).paragraphs


def insert(context: FakeContext, *rows_of: tuple[Any, dict[str, Any]]) -> list[dict[str, Any]]:
    engine = create_engine(context.database_url)
    with engine.begin() as connection:
        rows = SampleRows(connection)
        made = [rows.add(table, **values) for table, values in rows_of]
        rows.write(connection)
    engine.dispose()
    return made


def test_every_recipient_gets_a_file_that_bears_their_name(
    context: FakeContext, crm: SampleCrm, tmp_path: Path
) -> None:
    answer = merge(context, selection_id=crm.awkward_selection_id, separate_files=True, include_person="all")
    assert answer.file_name is not None
    assert answer.file_name.endswith(".zip")
    found = unzipped(answer.file_name)
    assert any(name.startswith("北京图书进出口有限公司 建国 欧阳") for name in found)
    assert any(name.startswith("شركة النور للتجارة (دبي) محمد الهاشمي") for name in found)
    assert answer.response.startswith(f"{len(found)} letters; ")
    [odd] = [name for name in found if name.startswith("R&D")]
    assert odd.startswith("R&D _Tools_ _Ltd_ & Søn's A&B _script_ ")
    assert text_of_docx(found[odd], tmp_path) == ['R&D <Tools> "Ltd" & Søn\'s/A&B <script>']


def test_files_of_one_name_are_numbered(context: FakeContext) -> None:
    contact_id, _ = person_of(context, "Twice In The Selection AS")
    answer = merge(
        context, contact_ids=(contact_id,), include_person="all", separate_files=True, file_pattern="{name}"
    )
    assert sorted(unzipped(answer.file_name)) == [
        "Twice In The Selection AS (2).docx",
        "Twice In The Selection AS.docx",
    ]


def test_a_separate_file_has_the_headers_and_lists_of_its_letter(
    context: FakeContext, crm: SampleCrm, tmp_path: Path
) -> None:
    write_sample_template(context.archive_dir / "template" / "template.docx")
    one = merge(context, selection_id=crm.newsletter_selection_id, separate_files=True, file_pattern="{snum}")
    files_by_name = unzipped(one.file_name)
    assert len(files_by_name) == 238
    path = tmp_path / "one.docx"
    path.write_bytes(files_by_name["17.docx"])
    document = Merged(path)
    assert len(document.sections) == 1
    names = zipfile.ZipFile(io.BytesIO(files_by_name["17.docx"])).namelist()
    assert len(names) == len(set(names))
    assert b"_letter" not in document.parts["word/_rels/document.xml.rels"]
    assert any("Page " in text for text in [document.part_of("rId6")])


def test_separate_files_after_a_kill_are_those_of_a_merge_that_was_not_killed(
    context: FakeContext, crm: SampleCrm
) -> None:
    parameters = {"selection_id": crm.newsletter_selection_id, "separate_files": True, "file_name": "x"}
    whole = unzipped(merge(context, **parameters).file_name)
    context.checkpoint = None
    context.safe_points = 0
    for killed_after in (100, 350):  # among the recipients, and while the archive is written
        context.killed_after = killed_after
        with pytest.raises(Killed):
            merge(context, **parameters)
        context.safe_points = 0
        context.next_attempt()
    again = merge(context, **parameters)
    assert [*unzipped(again.file_name)] == [*whole]
    assert [found.name for found in context.folder.iterdir()] == ["x.zip"]


def test_pdfs_that_were_made_before_a_kill_are_not_made_again(
    context: FakeContext, crm: SampleCrm, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []

    def convert(_: str, documents: list[Path], __: Path, context: FakeContext) -> list[Path]:
        context.check_cancelled()
        made.append(len(documents))
        for document in documents:
            document.with_suffix(".pdf").write_bytes(b"%PDF " + document.read_bytes()[:20])
        return [document.with_suffix(".pdf") for document in documents]

    monkeypatch.setattr(files, "convert", convert)
    monkeypatch.setattr(shutil, "which", lambda _: "/bin/true")
    parameters = {"selection_id": crm.newsletter_selection_id, "separate_files": True, "output": "pdf"}
    context.killed_after = 253
    with pytest.raises(Killed):
        merge(context, **parameters)
    context.safe_points = 0
    context.next_attempt()
    assert len(unzipped(merge(context, **parameters).file_name)) == 238
    assert sum(made) == 238


def test_labels_are_printed_on_the_sheet_of_the_layout(context: FakeContext, crm: SampleCrm) -> None:
    layout = label_layout(context)
    answer = merge(
        context,
        selection_id=crm.awkward_selection_id,
        output="labels",
        label_layout_id=layout,
        skip_labels=3,
        file_name="labels",
    )
    assert answer.response.startswith("15 labels; ")
    assert answer.file_name is not None
    [page] = pages(Path(answer.file_name))
    assert "Villaveien 7" in page
    assert "Zoë O'Brien-Łukaszewicz" in page


def label_layout(context: FakeContext, **values: Any) -> int:
    geometry = {
        "paperwidth": 11906,
        "paperheight": 16838,
        "topmargin": 600,
        "bottommargin": 600,
        "leftmargin": 400,
        "rightmargin": 400,
        "countcolumns": 3,
        "countrows": 8,
        "orientation": 1,
    }
    [row] = insert(context, (crm7.sorlabellayout, {"name": "3 x 8", **geometry, **values}))
    return int(row["sorlabellayout_id"])


def test_labels_go_on_after_a_kill(context: FakeContext, crm: SampleCrm) -> None:
    parameters = {
        "selection_id": crm.newsletter_selection_id,
        "output": "labels",
        "label_layout_id": label_layout(context),
    }
    context.killed_after = 300
    with pytest.raises(Killed):
        merge(context, **parameters)
    context.safe_points = 0
    context.next_attempt()
    assert merge(context, **parameters).response == "238 labels; 12 left out: 7 no mailing, 3 no address, 2 retired"


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"output": "labels"}, "Name the sheet"),
        ({"output": "labels", "label_layout_id": 9_999}, "There is no label layout 9999"),
        ({"output": "labels", "label_layout_id": 1, "template": "x.docx"}, "Labels have no template"),
        ({"output": "labels", "label_layout_id": 1, "skip_labels": -1}, "give 0 or more"),
        ({"separate_files": True, "file_pattern": "{nmae}"}, r"file_pattern names \{nmae\}"),
        ({"template": "../../etc/passwd"}, "lies outside of the document archive"),
        ({"template": "..\\..\\secret.docx"}, "lies outside of the document archive"),
        ({"template": "a\x00b.docx"}, "No file can be called"),
        ({"template": "\ud800.docx"}, "No file can be called"),
        ({"template": "/etc/passwd"}, "lies outside of the document archive"),
        ({"template": "link.docx"}, "lies outside of the document archive"),
        ({"template": "nothere.docx"}, "There is no template"),
        ({"template": "", "template_id": 9_999}, "There is no document template 9999"),
    ],
)
def test_what_cannot_be_made_is_refused_with_a_sentence(
    context: FakeContext, crm: SampleCrm, tmp_path: Path, parameters: dict[str, Any], sentence: str
) -> None:
    write_template(tmp_path, BODY)
    (context.archive_dir / "template" / "link.docx").symlink_to(tmp_path / "template.docx")
    with pytest.raises(TaskFailure, match=sentence):
        merge(context, selection_id=crm.awkward_selection_id, **parameters)
    assert not context.folder.exists() or list(context.folder.iterdir()) == []


def test_separate_files_can_be_cancelled_while_they_are_packed(context: FakeContext, crm: SampleCrm) -> None:
    context.cancel_after = 300
    with pytest.raises(CancelledByRequest):
        merge(context, selection_id=crm.newsletter_selection_id, separate_files=True)
    assert list(context.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("override", "answer"),
    [(False, "1 letter; 1 left out: 1 no consent"), (True, "2 letters")],
)
def test_only_people_with_consent_are_written_to(context: FakeContext, *, override: bool, answer: str) -> None:
    change(context, "DELETE FROM crm7.consentperson")
    change(context, "DELETE FROM crm7.consentpurpose")
    contact_id, person_id = person_of(context, "Twice In The Selection AS")
    everybody = {"contact_ids": (contact_id,), "include_person": "all", "override_consent": override}
    purpose = {"name": "E-marketing", "key": "EMARKETING", "active": 1}
    [row] = insert(context, (crm7.consentpurpose, purpose))
    assert merge(context, **everybody).response == "2 letters"  # nobody has consented yet: nobody is asked
    consent = {"person_id": person_id, "consentpurpose_id": row["consentpurpose_id"]}
    insert(context, (crm7.consentperson, consent))
    assert merge(context, **everybody).response == answer


def test_who_declined_a_kind_of_mailing_does_not_get_it(context: FakeContext) -> None:
    contact_id, person_id = person_of(context, "Twice In The Selection AS")
    first, second = insert(context, (crm7.shipmenttype, {"name": "News"}), (crm7.shipmenttype, {"name": "Fairs"}))
    kind, other = first["shipmenttype_id"], second["shipmenttype_id"]
    insert(context, (crm7.shipmenttypereservation, {"person_id": person_id, "shipmenttype_id": kind}))
    everybody = {"contact_ids": (contact_id,), "include_person": "all", "override_consent": False}
    change(context, "DELETE FROM crm7.consentperson")
    declined = "1 letter; 1 left out: 1 declined this kind of mailing"
    assert merge(context, **everybody, shipment_type_id=kind).response == declined
    assert merge(context, **everybody, shipment_type_id=other).response == "2 letters"


def test_who_blocks_electronic_marketing_still_gets_letters(context: FakeContext) -> None:
    contact_id, person_id = person_of(context, "Uses Home Address AS")
    change(context, "UPDATE crm7.person SET blockemarketing = 1 WHERE person_id = :id", id=person_id)
    assert merge(context, contact_ids=(contact_id,), override_consent=True).response == "1 letter"


def test_a_template_can_leave_recipients_out(context: FakeContext) -> None:
    ids = [person_of(context, company)[0] for company in ("Street Only AS", "Uses Home Address AS")]
    field = '<w:fldSimple w:instr="SKIPIF {numb} = X-16"><w:r><w:t>x</w:t></w:r></w:fldSimple>'
    write_template(context.archive_dir / "template", f"<w:p>{field}</w:p>{BODY}")
    answer = merge(context, contact_ids=ids)
    assert answer.response == "1 letter; 1 left out: 1 skipped by the template"
