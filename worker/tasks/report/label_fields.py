"""What a label is made of, as expressions over the records of a report.

The company and the person that a record names are read as the user may see them. That a record names one and there
is none to be seen is known as well, so that nobody is left out, or written to in the wrong place, without a word.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from sqlalchemy import FromClause, and_, exists, func, literal, select

from batchtask import crm7
from worker.tasks.crm.common_fields import PRIVATE
from worker.tasks.crm.fields import Condition, Expression
from worker.tasks.crm.subjects import PROJECT_MEMBER
from worker.tasks.report.records import Records

#: How to get from a subject to the company and the person that a label is for; None = there is none.
_WAYS: Mapping[str, tuple[str, str | None]] = {
    "contact": ("", None),
    "person": ("contact/", ""),
    "selection": ("contact/", "person/"),
    "sale": ("contact/", "person/"),
    "appointment": ("contact/", "person/"),
    "document": ("contact/", "person/"),
    PROJECT_MEMBER.name: ("contact/", "person/"),
}
#: Parts of an address, and their columns.
ADDRESS = {
    "line1": "address1", "line2": "address2", "line3": "address3", "zip": "zipcode", "city": "city",
    "county": "county", "state": "state",
}  # fmt: skip
_COMPANY = ("contactId", "name", "department", "orgnr", "code", "number", "stop", "contactNoMail", "countryId")
_PERSON = (
    "personId", "fullName", "firstName", "middleName", "lastName", "mrMrs", "title", "department", "position",
    "personNoMail", "retired", "useAsMailingAddress", "countryId",
)  # fmt: skip
#: These are called alike in a company and a person.
_SHARED = ("department", "countryId")


def label_values(records: Records) -> dict[str, Expression]:
    """Return what a label needs by name: `name`, `fullName`, `post.city`, `home.city`, ..."""
    company, person = _WAYS[records.subject.name]
    values = {name: records.field(path)[0].value for name, path in _paths(company, person)}
    row = records.subject.table
    has_person = "person_id" in row.c and person is not None
    return {
        **values,
        "namedCompany": func.coalesce(row.c.contact_id, 0),
        "namedPerson": func.coalesce(row.c.person_id, 0) if has_person else literal(0),
        "worksElsewhere": _works_elsewhere(row) if person else literal(False),
        **_colleague(records),
    }


def members_of(projects: Records) -> Records:
    """Turn projects into their members, who have the addresses that projects have not."""
    project, member = projects.subject.table, PROJECT_MEMBER.table
    found = select(project.c.project_id).where(projects.where)
    return replace(projects, subject=PROJECT_MEMBER, where=member.c.project_id.in_(found))


def _paths(company: str, person: str | None) -> Iterator[tuple[str, str]]:
    yield from ((name, company + name) for name in _COMPANY)
    yield from ((f"post.{name}", f"{company}postAddress/{name}") for name in ADDRESS)
    yield from ((f"street.{name}", f"{company}streetAddress/{name}") for name in ADDRESS)
    if person is not None:
        yield from ((f"person.{name}" if name in _SHARED else name, person + name) for name in _PERSON)
        yield from ((f"home.{name}", f"{person}personAddress/{name}") for name in ADDRESS)


def _works_elsewhere(row: FromClause) -> Condition:
    """Say that the record's person has moved on to another company than the record's."""
    person = crm7.person.alias()
    moved = and_(person.c.person_id == row.c.person_id, person.c.contact_id != row.c.contact_id)
    return and_(row.c.contact_id != 0, exists().where(moved).correlate(row))


def _colleague(records: Records) -> dict[str, Expression]:
    """Where a company wants its mail: at home with the first of its people whose address it uses, if there is one."""
    row, person, address = records.subject.table, crm7.person.alias(), crm7.address.alias()
    first = (
        select(person.c.person_id)
        .where(person.c.contact_id == row.c.contact_id, row.c.contact_id != 0, person.c.usepersonaddress == 1)
        .where(func.coalesce(person.c.retired, 0) == 0, person.c.deleteddate.is_(None))
        .where(records.catalogue.sees("person", person))
        .order_by(person.c.rank, person.c.person_id)
        .limit(1)
        .correlate(row)
        .scalar_subquery()
    )
    resident = crm7.person.alias()
    country = select(resident.c.country_id).where(resident.c.person_id == first)
    found: dict[str, Expression] = {"colleague.countryId": country.correlate(row).scalar_subquery()}
    for name, column in ADDRESS.items():
        at_home = select(address.c[column]).where(address.c.owner_id == first, address.c.atype_idx == PRIVATE)
        found[f"colleague.{name}"] = at_home.correlate(row).limit(1).scalar_subquery()
    return found
