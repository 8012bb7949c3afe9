"""The CRM's own tables that tasks read: people, companies, selections, lists, user-defined fields.

SQLAlchemy Core only; names are PostgreSQL-folded (lower case) as in the CRM. Rows are the CRM's: tasks read them,
the sample data set writes them. The batch tables of the same schema are in `batchtask.tables`.
"""

from __future__ import annotations

from batchtask.crm7.columns import metadata
from batchtask.crm7.ids import allocate_ids
from batchtask.crm7.lists import addressformat, business, category, country, perspos
from batchtask.crm7.people import address, associate, contact, email, person, phone, url
from batchtask.crm7.selections import doctmpl, selection, selectionmember
from batchtask.crm7.userdefined import udcontactlarge, udcontactsmall, udpersonlarge, udpersonsmall

__all__ = [
    "address",
    "addressformat",
    "allocate_ids",
    "associate",
    "business",
    "category",
    "contact",
    "country",
    "doctmpl",
    "email",
    "metadata",
    "person",
    "perspos",
    "phone",
    "selection",
    "selectionmember",
    "udcontactlarge",
    "udcontactsmall",
    "udpersonlarge",
    "udpersonsmall",
    "url",
]
