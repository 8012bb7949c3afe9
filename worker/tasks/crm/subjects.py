"""The catalogue of fields: what can be printed of a company, person, sale, ... and asked of it.

A table of names, no logic. Names are those of the CRM's archive providers where they have one. A link leads to
another subject: `contact/city` of a sale. A link to many can only be asked: `sale/amount` of a company means that
there is such a sale, `withoutSale/amount` that there is none.
"""

from __future__ import annotations

from sqlalchemy import FromClause, and_, case, exists, func, select

from batchtask import crm7
from worker.tasks.crm.choices import (
    APPOINTMENT_STATES,
    BUSINESSES,
    CATEGORIES,
    COUNTRIES,
    GROUPS,
    SALE_STATES,
    TASKS,
    TEMPLATES,
    USERS,
    full_name,
    items,
)
from worker.tasks.crm.common_fields import (
    COMPANY_FAX,
    COMPANY_PHONE,
    DIRECT_PHONE,
    MOBILE,
    POSTAL,
    PRIVATE,
    STREET,
    activities_of,
    addresses,
    audit,
    documents_of,
    flag,
    is_activity,
    note,
    own_links,
    phone,
    reach,
    same,
    statistics,
)
from worker.tasks.crm.fields import Condition, Kind, chosen, computed, looked_up, stored
from worker.tasks.crm.subject import Link, Subject

_COMPLETED = 3


def _is_company(row: FromClause) -> Condition:
    return and_(func.coalesce(row.c.deleted, 0) == 0, row.c.deleteddate.is_(None))


def _members(base: FromClause, row: FromClause, key: str, of: str) -> Condition:
    member = crm7.projectmember.alias()
    found = select(member.c[of]).where(member.c[key] == base.c[key]).correlate(base)
    return row.c[of].in_(found)


_CONTACT = Subject(
    name="contact",
    table=crm7.contact,
    key="contact_id",
    udef_owner="contact",
    is_present=_is_company,
    fields={
        "contactId": stored("contact_id", Kind.NUMBER, "Company ID"),
        "name": stored("name", Kind.TEXT, "Company"),
        "department": stored("department", Kind.TEXT, "Department"),
        "nameDepartment": computed(
            Kind.TEXT,
            "Company",
            lambda base: func.concat_ws(", ", base.c.name, func.nullif(base.c.department, "")),
        ),
        "number": stored("number2", Kind.TEXT, "Number"),
        "code": stored("number1", Kind.TEXT, "Code"),
        "orgnr": stored("orgnr", Kind.TEXT, "VAT number"),
        "category": chosen("category_idx", "Category", CATEGORIES),
        "business": chosen("business_idx", "Business", BUSINESSES),
        "country": chosen("country_id", "Country", COUNTRIES),
        "countryId": stored("country_id", Kind.NUMBER, "Country ID"),
        "associateId": chosen("associate_id", "Our contact", USERS, Kind.USER),
        "group": chosen("group_id", "User group", GROUPS, Kind.GROUP),
        "stop": flag("xstop", "Stop"),
        "contactNoMail": flag("nomailing", "No mailings"),
        "contactPhone/formattedNumber": phone("contact_id", "Telephone", COMPANY_PHONE),
        "contactFax/formattedNumber": phone("contact_id", "Fax", COMPANY_FAX),
        "contactInfo/infoText": note(),
        **reach("contact_id"),
        **addresses(postAddress=("contact_id", POSTAL), streetAddress=("contact_id", STREET)),
        **audit(),
        **statistics("contact_id"),
    },
    aliases={
        "ourContact": "associateId", "contactAssociate/fullName": "associateId",
        "phone": "contactPhone/formattedNumber",
        "email": "email/emailAddress", "web": "url/URLAddress", "address": "postAddress/line1",
        "zip": "postAddress/zip", "city": "postAddress/city", "note": "contactInfo/infoText",
        "registered": "registeredDate", "updated": "updatedDate",
    },
    links={
        "person": Link(subject="person", on=same("contact_id"), many=True),
        "project": Link(
            subject="project", on=lambda base, row: _members(base, row, "contact_id", "project_id"), many=True
        ),
        **own_links("contact_id"),
    },
)  # fmt: skip

_PERSON = Subject(
    name="person",
    table=crm7.person,
    key="person_id",
    udef_owner="person",
    is_present=lambda row: row.c.deleteddate.is_(None),
    hidden_flag="retired",
    fields={
        "personId": stored("person_id", Kind.NUMBER, "Person ID"),
        "firstName": stored("firstname", Kind.TEXT, "First name"),
        "middleName": stored("middlename", Kind.TEXT, "Middle name"),
        "lastName": stored("lastname", Kind.TEXT, "Last name"),
        "fullName": computed(Kind.TEXT, "Name", full_name),
        "mrMrs": stored("mrmrs", Kind.TEXT, "Mr/Ms"),
        "title": stored("title", Kind.TEXT, "Title"),
        "department": stored("department", Kind.TEXT, "Department"),
        "position": chosen("position_idx", "Position", items(crm7.perspos, "perspos_id")),
        "personNumber": stored("person_number", Kind.TEXT, "Number"),
        "rank": stored("rank", Kind.NUMBER, "Rank"),
        "birthYear": stored("year_of_birth", Kind.NUMBER, "Year of birth"),
        "birthMonth": stored("month_of_birth", Kind.NUMBER, "Month of birth"),
        "birthDay": stored("day_of_birth", Kind.NUMBER, "Day of birth"),
        "retired": flag("retired", "Retired"),
        "hasCompany": flag("contact_id", "Has a company"),
        "useAsMailingAddress": flag("usepersonaddress", "Home address for mail"),
        "personNoMail": flag("nomailing", "No mailings"),
        "blockEMarketing": flag("blockemarketing", "No e-marketing"),
        "country": chosen("country_id", "Country", COUNTRIES),
        "countryId": stored("country_id", Kind.NUMBER, "Country ID"),
        "category": chosen("category_idx", "Category", CATEGORIES),
        "business": chosen("business_idx", "Business", BUSINESSES),
        "associateId": chosen("associate_id", "Our contact", USERS, Kind.USER),
        "group": chosen("group_id", "User group", GROUPS, Kind.GROUP),
        "personDirectPhone/formattedNumber": phone("person_id", "Telephone", DIRECT_PHONE),
        "personMobilePhone/formattedNumber": phone("person_id", "Mobile", MOBILE),
        "personInfo/infoText": note(),
        **reach("person_id"),
        **addresses(personAddress=("person_id", PRIVATE)),
        **audit(),
        **statistics("person_id"),
    },
    aliases={
        "name": "fullName", "phone": "personDirectPhone/formattedNumber",
        "mobile": "personMobilePhone/formattedNumber", "email": "email/emailAddress",
        "personCountry": "country", "personCategory": "category", "personBusiness": "business",
        "personAssociateId": "associateId", "note": "personInfo/infoText", "city": "personAddress/city",
        "registered": "registeredDate", "personRegisteredDate": "registeredDate",
        "updated": "updatedDate", "personUpdatedDate": "updatedDate",
    },
    links={"contact": Link(subject="contact", on=same("contact_id")), **own_links("person_id")},
)  # fmt: skip

_SALE = Subject(
    name="sale",
    table=crm7.sale,
    key="sale_id",
    udef_owner="sale",
    fields={
        "saleId": stored("sale_id", Kind.NUMBER, "Sale ID"),
        "heading": stored("heading", Kind.TEXT, "Sale"),
        "number": stored("number1", Kind.TEXT, "Number"),
        "date": stored("saledate", Kind.DATE, "Date"),
        "nextDueDate": stored("nextduedate", Kind.DATE, "Next activity"),
        "reopenDate": stored("reopendate", Kind.DATE, "Reopen"),
        "amount": stored("amount", Kind.DECIMAL, "Amount"),
        "earning": stored("earning", Kind.DECIMAL, "Profit"),
        "earningPercent": stored("earning_percent", Kind.DECIMAL, "Profit %"),
        "probability": stored("probability", Kind.NUMBER, "Probability"),
        "weightedAmount": computed(
            Kind.DECIMAL, "Weighted amount", lambda base: base.c.amount * func.coalesce(base.c.probability, 0) / 100
        ),
        "saleStatus": chosen("status", "Status", SALE_STATES),
        "completed": computed(Kind.FLAG, "Completed", lambda base: case((base.c.done == 2, 1), else_=0)),
        "saleType": chosen("saletype_id", "Sale type", items(crm7.saletype, "saletype_id")),
        "source": chosen("source_id", "Source", items(crm7.source, "source_id")),
        "associateId": chosen("associate_id", "Owner", USERS, Kind.USER),
        "group": chosen("group_idx", "User group", GROUPS, Kind.GROUP),
        "text": note("Description"),
        **audit(),
    },
    aliases={"status": "saleStatus", "owner": "associateId", "name": "heading", "saleDate": "date",
             "registered": "registeredDate", "updated": "updatedDate"},
    links={
        "contact": Link(subject="contact", on=same("contact_id")),
        "person": Link(subject="person", on=same("person_id")),
        "project": Link(subject="project", on=same("project_id")),
        "activity": Link(subject="appointment", on=activities_of("sale_id"), many=True),
        "document": Link(subject="document", on=documents_of("sale_id"), many=True),
    },
)  # fmt: skip

_PROJECT = Subject(
    name="project",
    table=crm7.project,
    key="project_id",
    udef_owner="project",
    fields={
        "projectId": stored("project_id", Kind.NUMBER, "Project ID"),
        "name": stored("name", Kind.TEXT, "Project"),
        "number": stored("project_number", Kind.TEXT, "Number"),
        "type": chosen("type_idx", "Project type", items(crm7.projtype, "projtype_id")),
        "status": chosen("status_idx", "Status", items(crm7.projstatus, "projstatus_id")),
        "associateId": chosen("associate_id", "Project manager", USERS, Kind.USER),
        "group": chosen("group_id", "User group", GROUPS, Kind.GROUP),
        "completed": flag("done", "Completed"),
        "endDate": stored("enddate", Kind.DATE, "End date"),
        "nextMilestoneDate": stored("nextmilestonedate", Kind.DATE, "Next milestone"),
        "text": note("Description"),
        "email/emailAddress": reach("project_id")["email/emailAddress"],
        "url/URLAddress": reach("project_id")["url/URLAddress"],
        **audit(),
        **statistics("project_id"),
    },
    aliases={"owner": "associateId", "email": "email/emailAddress", "registered": "registeredDate",
             "updated": "updatedDate"},
    links={
        "contact": Link(
            subject="contact", on=lambda base, row: _members(base, row, "project_id", "contact_id"), many=True
        ),
        "person": Link(
            subject="person", on=lambda base, row: _members(base, row, "project_id", "person_id"), many=True
        ),
        **own_links("project_id"),
    },
)  # fmt: skip

_DIARY = {
    "appointmentId": stored("appointment_id", Kind.NUMBER, "Activity ID"),
    "date": stored("activedate", Kind.DATE, "Date"),
    "startTime": stored("activedate", Kind.TIME, "Start"),
    "endDate": stored("enddate", Kind.TIME, "End"),
    "completedDate": stored("done", Kind.DATE, "Completed on"),
    "completed": computed(Kind.FLAG, "Completed", lambda base: case((base.c.status == _COMPLETED, 1), else_=0)),
    "associateId": chosen("associate_id", "Owner", USERS, Kind.USER),
    "group": chosen("group_idx", "User group", GROUPS, Kind.GROUP),
    **audit(),
}
_DIARY_LINKS = {
    "contact": Link(subject="contact", on=same("contact_id")),
    "person": Link(subject="person", on=same("person_id")),
    "project": Link(subject="project", on=same("project_id")),
    "sale": Link(subject="sale", on=same("sale_id")),
}
_DIARY_ALIASES = {"owner": "associateId", "registered": "registeredDate", "updated": "updatedDate"}

_APPOINTMENT = Subject(
    name="appointment",
    table=crm7.appointment,
    key="appointment_id",
    udef_owner="appointment",
    is_present=is_activity,
    fields={
        **_DIARY,
        "type": chosen("task_idx", "Type", TASKS),
        "status": chosen("status", "Status", APPOINTMENT_STATES),
        "location": stored("location", Kind.TEXT, "Location"),
        "allDay": flag("alldayevent", "All day"),
        "milestone": flag("ismilestone", "Milestone"),
        "text": note("Description"),
    },
    aliases=_DIARY_ALIASES,
    links=_DIARY_LINKS,
)

_FILE = same("document_id")
#: A document is an appointment with a row in `document`: owner, company and visibility are the appointment's.
_DOCUMENT = Subject(
    name="document",
    table=crm7.appointment,
    key="appointment_id",
    udef_owner="document",
    udef_row=_FILE,
    is_present=lambda row: row.c.document_id > 0,
    fields={
        **_DIARY,
        "documentId": stored("document_id", Kind.NUMBER, "Document ID"),
        "type": chosen("task_idx", "Document type", TEMPLATES),
        "header": looked_up(Kind.TEXT, "Document", crm7.document, "header", _FILE),
        "fileName": looked_up(Kind.TEXT, "File name", crm7.document, "name", _FILE),
        "ourRef": looked_up(Kind.TEXT, "Our ref.", crm7.document, "our_ref", _FILE),
        "yourRef": looked_up(Kind.TEXT, "Your ref.", crm7.document, "your_ref", _FILE),
        "attention": looked_up(Kind.TEXT, "Attention", crm7.document, "attention", _FILE),
    },
    aliases={**_DIARY_ALIASES, "name": "header", "heading": "header"},
    links=_DIARY_LINKS,
)


def _has_company(member: FromClause) -> Condition:
    contact = crm7.contact.alias()
    return exists().where(contact.c.contact_id == member.c.contact_id, _is_company(contact)).correlate(member)


#: One row per member, so that a company can stand there with one of its persons.
_MEMBER = Subject(
    name="selection",
    table=crm7.selectionmember,
    key="selectionmember_id",
    is_present=_has_company,
    fields={
        "selectionId": stored("selection_id", Kind.NUMBER, "Selection ID"),
        "memberId": stored("selectionmember_id", Kind.NUMBER, "Member ID"),
        "selectionName": looked_up(Kind.TEXT, "Selection", crm7.selection, "name", same("selection_id")),
    },
    links={
        "contact": Link(subject="contact", on=same("contact_id")),
        "person": Link(subject="person", on=same("person_id")),
    },
)

#: Who takes part in a project: what its labels are for. No report can be about it by itself.
PROJECT_MEMBER = Subject(
    name="project member",
    table=crm7.projectmember,
    key="projectmember_id",
    fields={},
    links={
        "contact": Link(subject="contact", on=same("contact_id")),
        "person": Link(subject="person", on=same("person_id")),
        "project": Link(subject="project", on=same("project_id")),
    },
)

SUBJECTS = {
    subject.name: subject for subject in (_CONTACT, _PERSON, _SALE, _PROJECT, _APPOINTMENT, _DOCUMENT, _MEMBER)
}
