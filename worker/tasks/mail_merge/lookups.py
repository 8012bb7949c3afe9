"""Variables that the database answers by itself: subqueries of the query of recipients, where a template uses them.

`r` is a recipient, `c` its company, `p` its person; `readable_contact` and `readable_person` are those that the user
may read.
"""

from __future__ import annotations

from worker.tasks.mail_merge.derived import DIAL_PREFIX

_MOST_MEMBERS = 200  # of a selection that `{mbrs}` lists; a guess at what a letter can bear


def _phone(owner: str, kind: int, *, column: str = "phone", place: int = 0) -> str:
    return (
        f"SELECT {column} FROM crm7.phone WHERE owner_id = r.{owner} AND ptype_idx = {kind} "  # noqa: S608 - our own
        f"ORDER BY rank, phone_id LIMIT 1 OFFSET {place}"
    )


def _email(of: str, column: str = "email_address", kind: int = 0) -> str:
    return (
        f"SELECT {column} FROM crm7.email WHERE {of} AND type = {kind} "  # noqa: S608 - our own
        "ORDER BY rank, email_id LIMIT 1"
    )


def _url(owner: str, column: str = "url_address") -> str:
    return f"SELECT {column} FROM crm7.url WHERE {owner} = r.{owner} ORDER BY rank, url_id LIMIT 1"  # noqa: S608


def _coalesce(first: str, second: str) -> str:
    return f"SELECT coalesce(({first}), ({second}))"


def _full_name(associate: str) -> str:
    return (
        "SELECT concat_ws(' ', nullif(u.firstname, ''), nullif(u.middlename, ''), nullif(u.lastname, '')) "  # noqa: S608
        f"FROM crm7.associate s JOIN crm7.person u ON u.person_id = s.person_id WHERE s.associate_id = {associate}"
    )


_COMPANY, _PERSON = "contact_id", "person_id"
_OF_COMPANY = "contact_id = r.contact_id AND coalesce(person_id, 0) = 0"
_OF_PERSON = "person_id = r.person_id"
#: Kinds of telephone, https://docs.superoffice.com/en/database/tables/enums/phonetype.html
_PHONE, _FAX, _DIRECT, _DIRECT_FAX, _HOME, _MOBILE, _PAGER = 1, 3, 16385, 16387, 16388, 16389, 16390
_CHAT, _VOIP = 1, 2

LOOKUPS = {
    "cpho": _phone(_COMPANY, _PHONE),
    "cphi": _phone(_COMPANY, _PHONE, column="phone_id"),
    "apho": _phone(_PERSON, _DIRECT),
    "aphi": _phone(_PERSON, _DIRECT, column="phone_id"),
    "phon": _coalesce(_phone(_PERSON, _DIRECT), _phone(_COMPANY, _PHONE)),
    "phoi": _coalesce(_phone(_PERSON, _DIRECT, column="phone_id"), _phone(_COMPANY, _PHONE, column="phone_id")),
    "pho2": _coalesce(_phone(_PERSON, _DIRECT, place=1), _phone(_COMPANY, _PHONE, place=1)),
    "faxn": _coalesce(_phone(_PERSON, _DIRECT_FAX), _phone(_COMPANY, _FAX)),
    "faxi": _coalesce(_phone(_PERSON, _DIRECT_FAX, column="phone_id"), _phone(_COMPANY, _FAX, column="phone_id")),
    "atfa": _phone(_PERSON, _DIRECT_FAX),
    "atfi": _phone(_PERSON, _DIRECT_FAX, column="phone_id"),
    "atph": _phone(_PERSON, _HOME),
    "atpj": _phone(_PERSON, _HOME, column="phone_id"),
    "atpc": _phone(_PERSON, _MOBILE),
    "atpi": _phone(_PERSON, _MOBILE, column="phone_id"),
    "atpp": _phone(_PERSON, _PAGER),
    "atpk": _phone(_PERSON, _PAGER, column="phone_id"),
    "mail": _email(_OF_COMPANY),
    "maii": _email(_OF_COMPANY, "email_id"),
    "amai": _email(_OF_PERSON),
    "amid": _email(_OF_PERSON, "email_id"),
    "atem": _coalesce(_email(_OF_PERSON), _email(_OF_COMPANY)),
    "atei": _coalesce(_email(_OF_PERSON, "email_id"), _email(_OF_COMPANY, "email_id")),
    "acha": _email(_OF_PERSON, kind=_CHAT),
    "achi": _email(_OF_PERSON, "email_id", kind=_CHAT),
    "achp": _email(_OF_PERSON, "protocol", kind=_CHAT),
    "avoa": _email(_OF_PERSON, kind=_VOIP),
    "avoi": _email(_OF_PERSON, "email_id", kind=_VOIP),
    "avos": _email(_OF_PERSON, "description", kind=_VOIP),
    "cwww": _url(_COMPANY),
    "cwwi": _url(_COMPANY, "url_id"),
    "awww": _url(_PERSON),
    "awwi": _url(_PERSON, "url_id"),
    "cate": "SELECT name FROM crm7.category WHERE category_id = c.category_idx",
    "acat": "SELECT name FROM crm7.category WHERE category_id = p.category_idx",
    "busi": "SELECT name FROM crm7.business WHERE business_id = c.business_idx",
    "abus": "SELECT name FROM crm7.business WHERE business_id = p.business_idx",
    "atpo": "SELECT name FROM crm7.perspos WHERE perspos_id = p.position_idx",
    "attl": "SELECT name FROM crm7.associate WHERE person_id = nullif(p.person_id, 0) ORDER BY associate_id LIMIT 1",
    "cont": _full_name("c.associate_id"),
    "asci": "SELECT nullif(p.supportassociateid, 0)",
    "ascn": _full_name("p.supportassociateid"),
    DIAL_PREFIX: "SELECT dialinprefix FROM crm7.country "
    "WHERE country_id = coalesce(nullif(p.country_id, 0), c.country_id)",
    # The same for everybody, so the database answers it once.
    "mbrs": f"""
        SELECT string_agg(concat_ws(', ', nullif(name, ''), person), ' ' ORDER BY position) FROM (
               SELECT m.selectionmember_id AS position, k.name,
                      nullif(concat_ws(' ', nullif(h.firstname, ''), nullif(h.lastname, '')), '') AS person
                 FROM crm7.selectionmember m
                 JOIN crm7.contact k ON k.contact_id = m.contact_id
                 LEFT JOIN crm7.person h ON h.person_id = nullif(m.person_id, 0)
                      AND EXISTS (SELECT FROM readable_person n WHERE n.person_id = h.person_id)
                WHERE m.selection_id = :selection_id
                  AND EXISTS (SELECT FROM readable_contact n WHERE n.contact_id = k.contact_id)
                ORDER BY 1 LIMIT {_MOST_MEMBERS}) listed""",  # noqa: S608
}
