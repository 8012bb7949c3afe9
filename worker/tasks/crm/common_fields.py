"""Fields that several subjects have: addresses, ways to reach somebody, who wrote a record, what happened lately."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import FromClause, and_, case, func

from batchtask import crm7
from worker.tasks.crm.choices import USERS
from worker.tasks.crm.fields import (
    Condition,
    Definition,
    Expression,
    Kind,
    chosen,
    computed,
    counted,
    looked_up,
    stored,
)
from worker.tasks.crm.subject import Link, On

POSTAL, STREET, PRIVATE = 1, 2, 16387
COMPANY_PHONE, COMPANY_FAX, DIRECT_PHONE, MOBILE = 1, 3, 16385, 16389
_OPEN_SALE, _SOLD = 1, 2


def same(column: str, other: str | None = None) -> On:
    """Join on one column; 0 stands for no row, so it joins nothing."""
    return lambda base, row: and_(row.c[other or column] == base.c[column], base.c[column] != 0)


def _address(key: str, kind: int) -> dict[str, Definition]:
    def on(base: FromClause, row: FromClause) -> Condition:
        return and_(row.c.owner_id == base.c[key], row.c.atype_idx == kind)

    columns = {
        "line1": ("address1", "Address"), "line2": ("address2", "Address line 2"),
        "line3": ("address3", "Address line 3"), "zip": ("zipcode", "Postcode"), "city": ("city", "City"),
        "county": ("county", "County"), "state": ("state", "State"),
    }  # fmt: skip
    return {
        name: looked_up(Kind.TEXT, heading, crm7.address, column, on) for name, (column, heading) in columns.items()
    }


def addresses(**kinds: tuple[str, int]) -> dict[str, Definition]:
    return {
        f"{prefix}/{name}": definition
        for prefix, (key, kind) in kinds.items()
        for name, definition in _address(key, kind).items()
    }


def phone(key: str, heading: str, *kinds: int) -> Definition:
    def on(base: FromClause, row: FromClause) -> Condition:
        return and_(row.c.owner_id == base.c[key], row.c.ptype_idx.in_(kinds))

    return looked_up(Kind.TEXT, heading, crm7.phone, "phone", on, order=("rank", "phone_id"))


def reach(key: str) -> dict[str, Definition]:
    return {
        "email/emailAddress": looked_up(
            Kind.TEXT, "E-mail", crm7.email, "email_address", same(key), order=("rank", "email_id")
        ),
        "url/URLAddress": looked_up(Kind.TEXT, "Web", crm7.url, "url_address", same(key), order=("rank", "url_id")),
    }


def note(heading: str = "Note") -> Definition:
    return looked_up(Kind.TEXT, heading, crm7.texts, "text", same("text_id"))


def audit() -> dict[str, Definition]:
    return {
        "registeredDate": stored("registered", Kind.TIME, "Registered"),
        "registeredBy": chosen("registered_associate_id", "Registered by", USERS, Kind.USER),
        "updatedDate": stored("updated", Kind.TIME, "Updated"),
        "updatedBy": chosen("updated_associate_id", "Updated by", USERS, Kind.USER),
    }


def flag(column: str, heading: str) -> Definition:
    return computed(Kind.FLAG, heading, lambda base: case((func.coalesce(base.c[column], 0) != 0, 1), else_=0))


def is_activity(row: FromClause) -> Condition:
    return func.coalesce(row.c.document_id, 0) == 0


def activities_of(key: str) -> On:
    return lambda base, row: and_(row.c[key] == base.c[key], base.c[key] != 0, is_activity(row))


def documents_of(key: str) -> On:
    return lambda base, row: and_(row.c[key] == base.c[key], base.c[key] != 0, row.c.document_id > 0)


def own_links(key: str) -> dict[str, Link]:
    """The activities, documents and sales of a company, a person or a project."""
    return {
        "activity": Link(subject="appointment", on=activities_of(key), many=True),
        "document": Link(subject="document", on=documents_of(key), many=True),
        "sale": Link(subject="sale", on=same(key), many=True),
    }


def statistics(key: str) -> dict[str, Definition]:
    def activities(kind: Kind, heading: str, measure: Callable[[FromClause], Expression]) -> Definition:
        return counted(kind, heading, "appointment", crm7.appointment, on=activities_of(key), measure=measure)

    def sales(kind: Kind, heading: str, measure: Callable[[FromClause], Expression]) -> Definition:
        return counted(kind, heading, "sale", crm7.sale, on=same(key), measure=measure)

    def count(row: FromClause) -> Expression:
        return func.count()

    def sum_of(status: int) -> Callable[[FromClause], Expression]:
        return lambda row: func.coalesce(func.sum(row.c.amount).filter(row.c.status == status), 0)

    return {
        "activityCount": activities(Kind.NUMBER, "Activities", count),
        "lastActivity": activities(Kind.TIME, "Last activity", lambda row: func.max(row.c.activedate)),
        "saleCount": sales(Kind.NUMBER, "Sales", count),
        "lastSale": sales(Kind.DATE, "Last sale", lambda row: func.max(row.c.saledate)),
        "openAmount": sales(Kind.DECIMAL, "Open sales", sum_of(_OPEN_SALE)),
        "soldAmount": sales(Kind.DECIMAL, "Sold", sum_of(_SOLD)),
    }
