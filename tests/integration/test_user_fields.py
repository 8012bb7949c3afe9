from __future__ import annotations

from datetime import datetime
from pathlib import Path

from sqlalchemy import select

from batchtask import crm7
from batchtask.database import make_engine
from batchtask.testing import FakeContext, run_task
from batchtask.udef.fields import FieldType
from tests.crm_support import Add, asking, connected, crm_rows
from tests.report_support import add_report, rows_of
from tests.udef_support import Udefs, publishing
from worker.tasks.crm.catalogue import Catalogue, find_subject
from worker.tasks.crm.criteria import Criterion, Group, condition
from worker.tasks.crm.stored_criteria import load_criteria
from worker.tasks.crm.user_fields import load_user_fields
from worker.tasks.publish_udef import publish_udef

_SMALL, _PLACES = 35, {"long01": 1, "long02": 2, "long03": 3, "string05": 65, "double01": 101}
CONTACT_OWNER = 7


def add_fields(add: Add) -> None:
    """Define five fields of companies; the row of the version before must not count."""
    add(crm7.userpreference, deflevel=2, prefsection="System", prefkey="CurrentUdefVersioncontact", prefvalue="2")
    colours = add(crm7.udlistdefinition, name="Colours")
    red = add(crm7.udlist, name="Red", udlistdefinition_id=colours)
    fields = [
        ("long01", FieldType.LIST, "Colour", "Acme.Colour", colours, 2),
        ("long02", FieldType.DATE, "Since", "", 0, 2),
        ("long03", FieldType.CHECKBOX, "Loyal", "", 0, 2),
        ("string05", FieldType.UNLIMITED_DATE, "Until", "", 0, 2),
        ("double01", FieldType.DECIMAL, "Discount", "", 0, 2),
        ("double01", FieldType.DECIMAL, "Old", "Acme.Old", 0, 1),
    ]
    for identity, (column, kind, label, prog_id, colour, version) in enumerate(fields, 1):
        add(crm7.udeffield, ownertable_id=CONTACT_OWNER, columnid=_SMALL * 256 + _PLACES[column], fieldtype=kind,
            fieldlabel=label, progid=prog_id, udlistdefinition_id=colour, version=version,
            udefidentity=identity)  # fmt: skip
    seconds = int(datetime.fromisoformat("2025-05-01T00:00:00+00:00").timestamp())
    values = add(crm7.udcontactsmall, long01=red, long02=seconds, long03=1, string05="20991231", double01=12.5)
    odd = add(crm7.udcontactsmall, long01=99, long02=0, string05="20250231")
    add(crm7.contact, name="Full", userdef_id=values)
    add(crm7.contact, name="Odd", userdef_id=odd)
    add(crm7.contact, name="Empty")


def test_user_defined_fields_are_printed_and_asked_by_what_they_are(database_url: str) -> None:
    with crm_rows(database_url) as add:
        add_fields(add)
    contact = find_subject("contact")
    with connected(database_url) as connection:
        catalogue = Catalogue(udefs=load_user_fields(connection))
        names = ["acme.colour", "SuperOffice:2", "contactUdef/SuperOffice:3", "SuperOffice:4", "SuperOffice:5"]
        fields = [catalogue.field(contact, name, contact.table) for name in names]
        query = select(*(one.value for one in fields)).select_from(contact.table)
        rows = connection.execute(query.order_by(contact.table.c.contact_id)).all()
        assert [one.heading for one in fields] == ["Colour", "Since", "Loyal", "Until", "Discount"]
        assert rows[0] == ("Red", datetime(2025, 5, 1), 1, datetime(2099, 12, 31), 12.5)
        assert rows[1] == (None, None, 0, datetime(2025, 3, 3), None)
        assert rows[2] == (None,) * 5
        asked = {
            "Full": ("Acme.Colour", "is", "red"), "Full ": ("SuperOffice:2", "thisMonth", ""),
            " Full": ("SuperOffice:3", "set", "1"), "  Full": ("SuperOffice:4", "after", "2099-01-01"),
        }  # fmt: skip
        for name, (field, operator, value) in asked.items():
            tree = Criterion(name=field, operator=operator, values=(value,) if value else ())
            found = condition(catalogue, contact, tree, asking())
            assert connection.scalars(select(crm7.contact.c.name).where(found)).all() == [name.strip()]
        assert catalogue.definition(contact, "Acme.Old") is None


def test_stored_groups_are_added_up_and_subtracted(database_url: str) -> None:
    with crm_rows(database_url) as add:
        stored = add(crm7.searchcriteria, ownertable=23, ownerid=4)
        for rank, (direction, column, values) in enumerate(
            [(0, "name", ["a", "b"]), (0, "code", ["c"]), (1, "stop", ["1"])]
        ):
            group = add(crm7.searchcriteriagroup, searchcriteria_id=stored, direction=direction, rank=rank, active=1)
            one = add(
                crm7.searchcriterion, searchcriteriagroup_id=group, columnname=column, operatorname="oneOf", active=1
            )
            off = add(
                crm7.searchcriterion, searchcriteriagroup_id=group, columnname="no", operatorname="is", active=0
            )
            for place, value in enumerate(values):
                add(crm7.searchcriterionvalue, searchcriterion_id=one, stringvalue=value, rank=place)
            add(crm7.searchcriterionvalue, searchcriterion_id=off, longvalue=1)
    names = Criterion(name="name", operator="oneOf", values=("a", "b"))
    code = Criterion(name="code", operator="oneOf", values=("c",))
    stop = Criterion(name="stop", operator="oneOf", values=("1",))
    with connected(database_url) as connection:
        assert load_criteria(connection, 23, 4) == Group(
            members=(
                Group(members=(Group(members=(names,)), Group(members=(code,))), any=True),
                Group(members=(Group(members=(stop,)),), denied=True),
            )
        )
        assert load_criteria(connection, 23, 5) is None


class _PublishesMeanwhile(FakeContext):
    """Somebody publishes the fields when the report was read and its records were not."""

    udefs: Udefs

    def progress(self, percent: float, text: str = "") -> None:
        super().progress(percent, text)
        if text == "Counting":
            self.udefs.edit("Group", indexed=1)
            self.udefs.start()
            run_task(publish_udef, publishing(self.database_url, self.folder), owner="contact")


def test_a_report_prints_the_fields_of_one_moment(database_url: str, tmp_path: Path) -> None:
    context = _PublishesMeanwhile(folder=tmp_path, database_url=database_url, owner=0)
    context.udefs = Udefs(make_engine(database_url))
    context.udefs.define({"Group": (FieldType.SHORT_TEXT, "string05")})
    context.udefs.fill([{"Group": "Gold"}, {"Group": "Silver"}])
    with crm_rows(database_url) as add:
        number = add_report(add, "contact", ["SuperOffice:1"], criteria=[("SuperOffice:1", "=", "Gold")])
    printed = rows_of(context, number)
    moved = context.udefs.columns()["Group"]
    context.udefs.engine.dispose()
    assert (printed, moved) == ([["Gold"]], "string01")
