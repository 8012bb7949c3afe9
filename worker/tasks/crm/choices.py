"""The lists that fields of the CRM's records choose from."""

from __future__ import annotations

from sqlalchemy import FromClause, Table, and_, func, select

from batchtask import crm7
from worker.tasks.crm.fields import Choices, Expression


def items(table: Table, key: str) -> Choices:
    return Choices(rows=select(table.c[key].label("key"), table.c.name.label("name")))


def full_name(row: FromClause) -> Expression:
    return func.concat_ws(
        " ", func.nullif(row.c.firstname, ""), func.nullif(row.c.middlename, ""), func.nullif(row.c.lastname, "")
    )


USERS = Choices(
    rows=select(
        crm7.associate.c.associate_id.label("key"),
        func.coalesce(func.nullif(full_name(crm7.person), ""), crm7.associate.c.name).label("name"),
        crm7.associate.c.name.label("code"),
    ).select_from(
        crm7.associate.outerjoin(
            crm7.person,
            and_(crm7.person.c.person_id == crm7.associate.c.person_id, crm7.associate.c.person_id != 0),
        )
    )
)
GROUPS = items(crm7.usergroup, "usergroup_id")
CATEGORIES = items(crm7.category, "category_id")
BUSINESSES = items(crm7.business, "business_id")
COUNTRIES = Choices(
    rows=select(
        crm7.country.c.country_id.label("key"),
        crm7.country.c.name.label("name"),
        crm7.country.c.english_name.label("code"),
    )
)
TASKS = items(crm7.task, "task_id")
TEMPLATES = items(crm7.doctmpl, "doctmpl_id")
SALE_STATES = Choices(words={1: "Open", 2: "Sold", 3: "Lost", 4: "Stalled"})
APPOINTMENT_STATES = Choices(
    words={
        1: "Not started", 2: "Started", 3: "Completed", 4: "Hidden", 5: "Invitation", 6: "Invitation moved",
        7: "Invitation seen", 8: "Invitation moved, seen", 9: "Declined", 10: "Cancelled", 11: "Assigned",
        12: "Assignment seen", 13: "Assignment declined",
    }
)  # fmt: skip
