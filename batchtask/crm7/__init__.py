"""The CRM's own tables that tasks work on: people, companies, their records, lists, rights, user-defined fields.

SQLAlchemy Core only; names are PostgreSQL-folded (lower case) as in the CRM. Rows are the CRM's: tasks read and
write them as the CRM does, the sample data set fills them. The batch tables of the same schema are in
`batchtask.tables`.
"""

from __future__ import annotations

from batchtask.crm7.columns import metadata
from batchtask.crm7.ids import allocate_ids
from batchtask.crm7.lists import (
    addressformat,
    business,
    category,
    country,
    perspos,
    projstatus,
    projtype,
    saletype,
    source,
    task,
    usergroup,
)
from batchtask.crm7.mail import email_account, email_attachment, email_folder, email_item, service_auth
from batchtask.crm7.mailings import (
    consentperson,
    consentpurpose,
    consentsource,
    s_message,
    s_shipment,
    s_shipment_addr,
    shipmenttype,
    shipmenttypereservation,
)
from batchtask.crm7.people import address, associate, contact, email, person, phone, url
from batchtask.crm7.records import appointment, document, project, projectmember, sale, texts
from batchtask.crm7.rights import dataright, functionright, functionrightrolelink, role, userrolelink, visiblefor
from batchtask.crm7.saint import amountclass, countervalue, intent, saintconfiguration, statusdef, statusvalue
from batchtask.crm7.searches import searchcriteria, searchcriteriagroup, searchcriterion, searchcriterionvalue
from batchtask.crm7.selections import doctmpl, selection, selectionmember
from batchtask.crm7.system import localetext, systemevent, userpreference
from batchtask.crm7.userdefined import (
    udappntlarge,
    udappntsmall,
    udcontactlarge,
    udcontactsmall,
    uddoclarge,
    uddocsmall,
    udpersonlarge,
    udpersonsmall,
    udprojectlarge,
    udprojectsmall,
    udsalelarge,
    udsalesmall,
    udtemplarge,
    udtempsmall,
)
from batchtask.crm7.userdefinitions import udeffield, udlist, udlistdefinition

__all__ = [
    "address",
    "addressformat",
    "allocate_ids",
    "amountclass",
    "appointment",
    "associate",
    "business",
    "category",
    "consentperson",
    "consentpurpose",
    "consentsource",
    "contact",
    "countervalue",
    "country",
    "dataright",
    "doctmpl",
    "document",
    "email",
    "email_account",
    "email_attachment",
    "email_folder",
    "email_item",
    "functionright",
    "functionrightrolelink",
    "intent",
    "localetext",
    "metadata",
    "person",
    "perspos",
    "phone",
    "project",
    "projectmember",
    "projstatus",
    "projtype",
    "role",
    "s_message",
    "s_shipment",
    "s_shipment_addr",
    "saintconfiguration",
    "sale",
    "saletype",
    "searchcriteria",
    "searchcriteriagroup",
    "searchcriterion",
    "searchcriterionvalue",
    "selection",
    "selectionmember",
    "service_auth",
    "shipmenttype",
    "shipmenttypereservation",
    "source",
    "statusdef",
    "statusvalue",
    "systemevent",
    "task",
    "texts",
    "udappntlarge",
    "udappntsmall",
    "udcontactlarge",
    "udcontactsmall",
    "uddoclarge",
    "uddocsmall",
    "udeffield",
    "udlist",
    "udlistdefinition",
    "udpersonlarge",
    "udpersonsmall",
    "udprojectlarge",
    "udprojectsmall",
    "udsalelarge",
    "udsalesmall",
    "udtemplarge",
    "udtempsmall",
    "url",
    "usergroup",
    "userpreference",
    "userrolelink",
    "visiblefor",
]
