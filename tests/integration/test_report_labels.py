from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, false, true, update

from batchtask import crm7
from batchtask.definitions import TaskFailure
from batchtask.demo.sample_crm import SampleCrm, load_sample_crm
from batchtask.testing import FakeContext
from tests import pdfs
from tests.crm_support import Add, add_user, asking, connected, crm_rows
from tests.report_support import LABEL, add_report, print_report
from worker.tasks.crm.addresses import Country
from worker.tasks.crm.catalogue import Catalogue, find_subject
from worker.tasks.crm.criteria import Group
from worker.tasks.crm.fields import Sees
from worker.tasks.crm.languages import find_language
from worker.tasks.crm.rights import load_reader
from worker.tasks.crm.senders import load_countries, load_layouts, load_sender
from worker.tasks.report.addressees import Addressees
from worker.tasks.report.records import find_records

MILLIMETRE = 72 / 25.4  # in points


@pytest.fixture
def crm(database_url: str) -> SampleCrm:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        found = load_sample_crm(connection)
    engine.dispose()
    return found


@pytest.fixture
def context(database_url: str, crm: SampleCrm, tmp_path: Path) -> FakeContext:
    return FakeContext(database_url=database_url, folder=tmp_path, owner=crm.associate_id)


def labels_of(context: FakeContext, subject: str, sees: Sees | None = None) -> dict[str, list[str]]:
    """Labels of all records of a subject, by their first line; as the context's user sees them, unless said."""
    language = find_language("en")
    assert language
    with connected(context.database_url) as connection:
        catalogue = Catalogue(sees=sees or load_reader(connection, context.owner).sees)
        about = find_subject(subject)
        records = find_records(connection, catalogue, about, Group(), asking=asking(), language=language)
        countries = load_countries(connection)
        own = countries.get(load_sender(connection, context.owner).country_id, Country())
        addressees = Addressees(
            context, records, [], layouts=load_layouts(connection, own), countries=countries, own_country=own
        )
        return {label.lines[0]: list(label.lines) for label in addressees.labels()}


def test_a_label_has_the_address_that_mail_goes_to(context: FakeContext) -> None:
    companies, people = labels_of(context, "contact"), labels_of(context, "person")
    assert companies["Street Only AS"] == ["Street Only AS", "Sidegata 3", "5003 BERGEN"]
    assert people["Uses Home Address AS"] == ["Uses Home Address AS", "Hedda Hjemme", "Villaveien 7", "1358 JAR"]
    assert companies["Abroad GmbH"][-1] == "Germany"
    assert people["北京图书进出口有限公司"][1] == "先生 建国 欧阳"


def test_nobodys_home_is_printed_because_their_company_is_hidden(context: FakeContext) -> None:
    person = crm7.person.c
    with connected(context.database_url) as connection, connection.begin():
        connection.execute(update(crm7.person).values(usepersonaddress=0))
        connection.execute(update(crm7.person).values(contact_id=0).where(person.lastname == "Hjemme"))
    hidden = labels_of(context, "person", lambda subject, _: false() if subject == "contact" else true())
    assert hidden == {"Hedda Hjemme": ["Hedda Hjemme", "Villaveien 7", "1358 JAR"]}


def test_whoever_gets_no_label_is_named_with_the_reason(
    context: FakeContext, crm: SampleCrm, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        outcome = print_report(context, crm.reports["Labels for a selection"], file_type="pdf")
    assert outcome.response == (
        "Labels for a selection: 238 labels; 12 left out: 7 no mailing, 3 no address, 2 retired."
    )
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 12
    assert all(line.startswith("left out: ") for line in lines)


def left_out(caplog: pytest.LogCaptureFixture) -> dict[str, str]:
    """Why somebody got no label, by name or number."""
    lines = [record.getMessage().split(": ") for record in caplog.records]
    return {named.partition(" (")[0]: reason for _, named, reason in lines}


def test_members_who_are_gone_or_have_moved_on_are_named_as_well(
    context: FakeContext, crm: SampleCrm, caplog: pytest.LogCaptureFixture
) -> None:
    awkward = [{"name": "selectionId", "values": [str(crm.awkward_selection_id)]}]
    with caplog.at_level(logging.WARNING):
        outcome = print_report(context, crm.reports["Labels for a selection"], file_type="pdf", restrictions=awkward)
    assert outcome.response.startswith("Labels for a selection: 16 labels; 10 left out: 3 ")
    found = left_out(caplog)
    assert len(found) == 10
    gone = "company deleted or not yours to read"
    assert [reason for named, reason in found.items() if named.startswith("company ")] == [gone] * 3
    assert found["Somebody Was Deleted AS"] == "person deleted or not yours to read"
    assert found["Flytte Fugl, Former Employer AS"] == "works for another company"


def test_a_member_whose_company_is_not_the_users_to_read_goes_by_number(
    context: FakeContext, crm: SampleCrm, caplog: pytest.LogCaptureFixture
) -> None:
    with crm_rows(context.database_url) as add:
        role = add(crm7.role, name="Reads selections")
        user = add_user(add, "ANN")
        add(crm7.userrolelink, associate_id=user, role_id=role)
        for table, relation in ((5, 0), (6, 0), *((23, relation) for relation in range(4))):
            add(crm7.dataright, roleid=role, tableid=table, relationtoowner=relation, crud="R")
        hidden = add(crm7.contact, name="Hidden AS", associate_id=crm.associate_id)
        own = add(crm7.contact, name="Own AS", associate_id=user)
        add(crm7.address, owner_id=own, atype_idx=1, address1="Storgata 1", zipcode="0150", city="OSLO")
        selection = add(crm7.selection, name="Mixed", associate_id=user)
        for company in (hidden, own):
            add(crm7.selectionmember, selection_id=selection, contact_id=company)
    context.owner = user
    mixed = [{"name": "selectionId", "values": [str(selection)]}]
    with caplog.at_level(logging.WARNING):
        outcome = print_report(context, crm.reports["Labels for a selection"], file_type="pdf", restrictions=mixed)
    assert outcome.response.startswith("Labels for a selection: 1 label; 1 left out")
    assert left_out(caplog) == {f"company {hidden}, person 0": "company deleted or not yours to read"}


def test_a_company_that_uses_the_home_of_one_of_its_people_gets_its_mail_there(context: FakeContext) -> None:
    at_home = ["Uses Home Address AS", "Villaveien 7", "1358 JAR"]
    assert labels_of(context, "contact")["Uses Home Address AS"] == at_home
    person = crm7.person.c
    with connected(context.database_url) as connection, connection.begin():
        connection.execute(update(crm7.person).values(retired=1).where(person.lastname == "Hjemme"))
    assert labels_of(context, "contact")["Uses Home Address AS"][1].startswith("Postboks ")
    hidden = labels_of(context, "contact", lambda subject, _: false() if subject == "person" else true())
    assert hidden["Uses Home Address AS"][1].startswith("Postboks ")


def test_a_label_report_needs_a_sheet_that_is_there(context: FakeContext, crm: SampleCrm) -> None:
    with pytest.raises(TaskFailure, match="There is no label layout 99: choose one"):
        print_report(context, crm.reports["Labels for a selection"], file_type="pdf", label_layout_id=99)


@pytest.mark.parametrize(
    "geometry",
    [
        {"countcolumns": 0},
        {"leftmargin": 5000, "rightmargin": 5000},
        {"countcolumns": 60},
        {"orientation": 2, "paperheight": 20_000, "topmargin": 5000, "bottommargin": 5000},
    ],
)
def test_a_sheet_on_which_no_label_fits_is_refused(
    context: FakeContext, crm: SampleCrm, geometry: dict[str, int]
) -> None:
    with crm_rows(context.database_url) as add:
        values = {"countcolumns": 1, "countrows": 1, "paperwidth": 9000, "paperheight": 9000, **geometry}
        sheet = add(crm7.sorlabellayout, name="Odd", **values)
    with pytest.raises(TaskFailure, match="No label fits on the layout 'Odd'"):
        print_report(context, crm.reports["Labels for a selection"], file_type="pdf", label_layout_id=sheet)


def test_printing_begins_behind_the_labels_that_are_gone(context: FakeContext, crm: SampleCrm) -> None:
    one = [
        {"name": "contact/name", "values": ["Abroad GmbH"]},
        {"name": "selectionId", "values": [str(crm.awkward_selection_id)]},
    ]
    given: dict[str, Any] = {"file_type": "pdf", "restrictions": one, "skip_labels": 13}
    outcome = print_report(context, crm.reports["Labels for a selection"], **given)
    assert outcome.file_name
    letters = pdfs.letters(Path(outcome.file_name))
    # The fourteenth of two by seven labels of 38.1 mm: right half, last row, 15.15 mm above the edge of the paper.
    assert {letter.text for letter in letters} >= set("AbroadGmbH")
    assert min(letter.left for letter in letters) > 210 / 2 * MILLIMETRE
    assert min(letter.bottom for letter in letters) > 15.15 * MILLIMETRE
    assert max(letter.top for letter in letters) < (15.15 + 38.1) * MILLIMETRE


def test_a_first_sheet_without_a_label_left_is_refused(context: FakeContext, crm: SampleCrm) -> None:
    with pytest.raises(TaskFailure, match="skip_labels leaves no label on the first sheet"):
        print_report(context, crm.reports["Labels for a selection"], file_type="pdf", skip_labels=14)


def test_labels_are_not_printed_as_text(context: FakeContext, crm: SampleCrm) -> None:
    with pytest.raises(TaskFailure, match="Labels are printed as PDF only"):
        print_report(context, crm.reports["Labels for a selection"], file_type="txt")


def test_labels_for_nobody_are_refused(context: FakeContext, crm: SampleCrm) -> None:
    nobody = [{"name": "selectionId", "values": ["99"]}]
    with pytest.raises(TaskFailure, match="Nobody is left to print a label for: nothing was found"):
        print_report(context, crm.reports["Labels for a selection"], file_type="pdf", restrictions=nobody)


def test_members_of_a_selection_that_is_not_shared_are_not_printed(context: FakeContext, crm: SampleCrm) -> None:
    with crm_rows(context.database_url) as add:
        private = add(crm7.selection, name="Private", associate_id=crm.associate_id + 1)
        add(crm7.selectionmember, selection_id=private, contact_id=crm.own_company_id)
        sheet = add(crm7.sorlabellayout, countcolumns=1, countrows=1, paperwidth=9000, paperheight=9000)
        number = add_report(add, "selection", [], layout=LABEL, defaultlabellayout=sheet,
                            criteria=[("selectionId", "is", str(private))])  # fmt: skip
    with pytest.raises(TaskFailure, match="nothing was found that you may read"):
        print_report(context, number, file_type="pdf")
    context.owner = crm.associate_id + 1
    assert print_report(context, number, file_type="pdf").response == "A selection: 1 label."


def test_labels_of_a_project_are_for_its_members(
    context: FakeContext, crm: SampleCrm, caplog: pytest.LogCaptureFixture
) -> None:
    with crm_rows(context.database_url) as add:
        sheet = add(crm7.sorlabellayout, countcolumns=2, countrows=7, paperwidth=11906, paperheight=16838)
        fair, other = (add(crm7.project, name=name, associate_id=crm.associate_id) for name in ("Fair", "Other"))
        company = add(crm7.contact, name="Taking Part AS", associate_id=crm.associate_id)
        add(crm7.address, owner_id=company, atype_idx=1, address1="Storgata 1", zipcode="0150", city="OSLO")
        people = [_person(add, "Bo", company), _person(add, "Cid", company, nomailing=1), 0]
        for project, person in [*((fair, person) for person in people), (other, people[0])]:
            add(crm7.projectmember, project_id=project, contact_id=company, person_id=person)
        number = add_report(add, "project", [], layout=LABEL, defaultlabellayout=sheet, order="name desc",
                            criteria=[("name", "is", "Fair")])  # fmt: skip
    with caplog.at_level(logging.WARNING):
        outcome = print_report(context, number, file_type="pdf")
    assert outcome.response == "A project: 2 labels; 1 left out: 1 no mailing."
    assert outcome.file_name
    (page,) = pdfs.pages(Path(outcome.file_name))
    assert page.split("\n").count("Taking Part AS") == 2
    assert "Bo Member" in page
    assert [named.partition(",")[0] for named in left_out(caplog)] == ["Cid Member"]


def _person(add: Add, name: str, company: int, **values: Any) -> int:
    return add(crm7.person, firstname=name, lastname="Member", contact_id=company, **values)
