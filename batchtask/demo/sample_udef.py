"""User-defined fields of the sample data: those of companies with a draft to publish, those of persons without."""

from __future__ import annotations

from dataclasses import dataclass

from batchtask import crm7
from batchtask.crm7.administrators import GENERAL_ADMINISTRATOR
from batchtask.demo.sample_rows import Row, SampleRows
from batchtask.udef.fields import FieldType

LIVE_VERSION, DRAFT_VERSION = 1, 2
_COMPANY, _PERSON = 7, 8  # `udeffield.ownertable_id`
_COMPANY_VALUES, _PERSON_VALUES = 35, 140  # numbers of the small value tables
#: Places of columns in a small value table.
_LONG, _STRING, _DOUBLE = 0, 60, 100
_SEGMENTS = ("Bokhandel", "Bibliothèque", "Σχολείο", "Szkoła wyższa", "مكتبة", "学校", "Andre / other")


@dataclass(frozen=True)
class _Field:
    label: str
    kind: FieldType
    place: int
    indexed: int = 0
    length: int = 0
    list_id: int = 0


def add_user_fields(rows: SampleRows, administrator_id: int) -> None:
    """Add definitions that fit the values of the sample companies, and make a user an administrator.

    The draft for companies adds a field, makes one a text, renames one and removes one.
    """
    segments = _add_list(rows, "Segment", _SEGMENTS)
    company = [
        _Field("Points", FieldType.NUMBER, _LONG + 1, indexed=1),
        _Field("Customer group", FieldType.SHORT_TEXT, _STRING + 5, length=39),
        _Field("Points per eighth", FieldType.DECIMAL, _DOUBLE + 1, indexed=1),
        _Field("Segment", FieldType.LIST, _LONG + 5, list_id=segments),
        _Field("Wants the catalogue", FieldType.CHECKBOX, _LONG + 6),
        _Field("Customer since", FieldType.DATE, _LONG + 7),
    ]
    person = [
        _Field("Favourite author", FieldType.SHORT_TEXT, _STRING + 5, length=39),
        _Field("Reads in translation", FieldType.CHECKBOX, _LONG + 5),
    ]
    live = _add_fields(rows, _COMPANY, _COMPANY_VALUES, company)
    _add_fields(rows, _PERSON, _PERSON_VALUES, person)
    _add_draft(rows, live)
    for owner, draft in (("contact", DRAFT_VERSION), ("person", LIVE_VERSION)):
        _add_preference(rows, f"CurrentUdefVersion{owner}", LIVE_VERSION)
        _add_preference(rows, f"AdminUdefVersion{owner}", draft)
    _make_administrator(rows, administrator_id)


def _add_list(rows: SampleRows, name: str, items: tuple[str, ...]) -> int:
    definition = rows.add(crm7.udlistdefinition, name=name, rank=1, deleted=0, listtableid=136)
    list_id = int(definition["udlistdefinition_id"])
    for rank, item in enumerate(items, 1):
        rows.add(crm7.udlist, name=item, rank=rank, deleted=0, udlistdefinition_id=list_id)
    return list_id


def _add_fields(rows: SampleRows, owner: int, values_table: int, fields: list[_Field]) -> list[Row]:
    return [
        rows.add(
            crm7.udeffield,
            ownertable_id=owner,
            taborder=order,
            fieldtype=field.kind,
            fieldlabel=field.label,
            columnid=values_table * 256 + field.place,
            textlength=field.length,
            indexed=field.indexed,
            udlistdefinition_id=field.list_id,
            listtableid=136 if field.list_id else None,
            version=LIVE_VERSION,
            lastversionid=0,
            udefidentity=order,
            progid=f"Fjordlys.Sample.{field.label.title().replace(' ', '')}",
        )
        for order, field in enumerate(fields, 1)
    ]


def _add_draft(rows: SampleRows, live: list[Row]) -> None:
    points, group, eighth, *_ = live
    for row in live:
        if row is eighth:
            continue  # removed
        draft = {name: value for name, value in row.items() if name != "udeffield_id"}
        draft |= {"version": DRAFT_VERSION, "lastversionid": row["udeffield_id"]}
        if row is points:
            draft |= {"fieldtype": FieldType.SHORT_TEXT, "textlength": 10, "indexed": 0}
        if row is group:
            draft |= {"fieldlabel": "Kundegruppe"}
        rows.add(crm7.udeffield, **draft)
    new = {"fieldlabel": "Contract until", "fieldtype": FieldType.UNLIMITED_DATE, "taborder": len(live) + 1}
    rows.add(crm7.udeffield, ownertable_id=_COMPANY, version=DRAFT_VERSION, udefidentity=len(live) + 1, **new)


def _add_preference(rows: SampleRows, key: str, version: int) -> None:
    rows.add(crm7.userpreference, deflevel=2, maxlevel=2, prefsection="System", prefkey=key, prefvalue=str(version))


def _make_administrator(rows: SampleRows, associate_id: int) -> None:
    """Give the right to whatever roles the user has by now: their data rights shall stay as they are."""
    links = [row for row in rows.of(crm7.userrolelink) if row["associate_id"] == associate_id]
    role_ids = [row["role_id"] for row in links] or [_add_role(rows, associate_id)]
    right = rows.add(crm7.functionright, name=GENERAL_ADMINISTRATOR, isbuiltin=1)
    for role_id in role_ids:
        rows.add(crm7.functionrightrolelink, roleid=role_id, functionrightid=right["functionright_id"])


def _add_role(rows: SampleRows, associate_id: int) -> int:
    role = rows.add(crm7.role, name="User level 0", rank=1)
    rows.add(crm7.userrolelink, associate_id=associate_id, role_id=role["role_id"])
    return int(role["role_id"])
