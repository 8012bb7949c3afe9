"""A small CRM to try tasks on: companies, persons and selections in ten countries, the same for the same seed.

`load_sample_crm` writes it once. The awkward cases (nobody home, no address, names with braces) are in
`sample_awkward`, a letter to merge with it in `sample_template`.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from sqlalchemy import Connection, func, select

from batchtask import crm7
from batchtask.demo.names import LOCALES, NORWAY, Locale
from batchtask.demo.sample_awkward import add_awkward_selection
from batchtask.demo.sample_lists import add_lists
from batchtask.demo.sample_records import add_records
from batchtask.demo.sample_reports import add_reports
from batchtask.demo.sample_rows import Row, SampleRows
from batchtask.demo.sample_status_monitors import add_status_monitors
from batchtask.demo.sample_template import write_sample_template
from batchtask.demo.sample_udef import add_user_fields

__all__ = ["SampleCrm", "load_sample_crm", "write_sample_template"]

OWN_COMPANY = "Fjordlys Forlag AS"
NEWSLETTER = "Spring catalogue"
AWKWARD = "Awkward cases"
COMPANIES = 560
NEWSLETTER_MEMBERS = 250

_POSTAL, _STREET, _PRIVATE = 1, 2, 16387
_CONTACT_PHONE, _DIRECT_PHONE, _MOBILE = 1, 16385, 16389
_COUNTRY_WEIGHTS = (40, 10, 10, 12, 8, 6, 6, 4, 2, 2)


@dataclass(frozen=True, kw_only=True)
class SampleCrm:
    """Where to find things in the sample data."""

    associate_id: int  #: a user who may send letters
    own_company_id: int
    newsletter_selection_id: int  #: 250 members, twelve of which get no letter
    awkward_selection_id: int  #: one member per thing that can go wrong
    companies: int
    persons: int
    reports: dict[str, int]  #: standard reports and a favourite, by name
    label_layout_id: int  #: a sheet of fourteen labels


def load_sample_crm(connection: Connection, seed: int = 2025) -> SampleCrm:
    """Write the sample data, or find it if it is there; commit is the caller's.

    The rows get ids after those in use, so loading into a CRM that has data of its own leaves that alone.
    """
    if not _is_loaded(connection):
        rows = SampleRows(connection)
        _Generator(rows, seed).fill()
        rows.write(connection)
    return _find(connection)


def _is_loaded(connection: Connection) -> bool:
    named = select(crm7.selection.c.selection_id).where(crm7.selection.c.name == NEWSLETTER)
    return connection.execute(named).first() is not None


def _find(connection: Connection) -> SampleCrm:
    names = select(crm7.selection.c.name, crm7.selection.c.selection_id)
    selections = dict(connection.execute(names).all())
    contact, person, associate = crm7.contact.c, crm7.person.c, crm7.associate.c
    own = select(func.min(contact.contact_id)).where(contact.name == OWN_COMPANY).scalar_subquery()
    user = select(func.min(associate.associate_id)).join(crm7.person, person.person_id == associate.person_id)
    companies = select(func.count()).select_from(crm7.contact)
    persons = select(func.count()).select_from(crm7.person)
    return SampleCrm(
        associate_id=connection.execute(user.where(person.contact_id == own)).scalar_one(),
        own_company_id=connection.execute(select(own)).scalar_one(),
        newsletter_selection_id=selections[NEWSLETTER],
        awkward_selection_id=selections[AWKWARD],
        companies=connection.execute(companies).scalar_one(),
        persons=connection.execute(persons).scalar_one(),
        label_layout_id=connection.execute(select(func.min(crm7.sorlabellayout.c.sorlabellayout_id))).scalar_one(),
        reports={
            row.name: row.sorpublish_id
            for row in connection.execute(select(crm7.sorpublish).order_by(crm7.sorpublish.c.sorpublish_id.desc()))
        },
    )


class _Generator:
    """Fills `rows` from one source of chance, so the order of calls is part of the result."""

    def __init__(self, rows: SampleRows, seed: int) -> None:
        self._rows = rows
        self._seed = seed
        self._chance = Random(seed)  # noqa: S311 - sample data, nothing secret
        self._countries = add_lists(rows)
        self._positions = [row["perspos_id"] for row in rows.of(crm7.perspos)]
        self._businesses = [row["business_id"] for row in rows.of(crm7.business)]
        self._categories = [row["category_id"] for row in rows.of(crm7.category)]
        self._associates: list[int] = [0]

    def fill(self) -> None:
        self._associates = self._own_company()
        members: list[tuple[Row, Row]] = []
        for number in range(COMPANIES):
            locale = self._chance.choices(LOCALES, _COUNTRY_WEIGHTS)[0]
            company = self._company(number, locale)
            people = [self._person(company, locale, rank) for rank in range(1, 1 + self._staff())]
            if people and len(members) < NEWSLETTER_MEMBERS:
                members.append((company, people[0]))
        self._newsletter(members)
        add_awkward_selection(self._rows, AWKWARD, self._associates[0], self._countries)
        add_user_fields(self._rows, self._associates[0])
        add_records(self._rows, Random(self._seed))  # noqa: S311 - its own, for what comes before may grow
        add_reports(self._rows, self._associates[0], self._rows.of(crm7.selection)[0]["selection_id"])
        add_status_monitors(self._rows)

    def _staff(self) -> int:
        return self._chance.choices((0, 1, 2, 3, 4), (10, 40, 25, 15, 10))[0]

    def _own_company(self) -> list[int]:
        company = self._rows.add(
            crm7.contact, name=OWN_COMPANY, country_id=self._countries["NO"], orgnr="987 654 321 MVA"
        )
        owner = company["contact_id"]
        self._address(owner, _POSTAL, NORWAY, "Postboks 1234 Sentrum", ("0107", "OSLO"))
        self._address(owner, _STREET, NORWAY, "Fjordgata 12", ("0150", "OSLO"))
        self._rows.add(crm7.phone, owner_id=owner, ptype_idx=_CONTACT_PHONE, phone="+47 22 00 12 34", rank=1)
        self._rows.add(crm7.email, contact_id=owner, protocol="SMTP", email_address="post@fjordlys.example", rank=1)
        self._rows.add(crm7.url, contact_id=owner, url_address="https://www.fjordlys.example", rank=1)
        return [self._user(company, rank, login) for rank, login in enumerate(("IH", "HT", "SL", "OB"), 1)]

    def _user(self, company: Row, rank: int, login: str) -> int:
        person = self._person(company, NORWAY, rank)
        user = self._rows.add(
            crm7.associate, name=login, person_id=person["person_id"], rank=rank, type=0, group_idx=1
        )
        return int(user["associate_id"])

    def _company(self, number: int, locale: Locale) -> Row:
        choose = self._chance.choice
        name = choose(locale.firms).format(choose(locale.surnames))
        company = self._rows.add(
            crm7.contact,
            name=name,
            department=choose((None, None, None, "Purchasing", "Logistics")),
            number1=f"C-{number + 1:04}",
            number2=choose((None, "A", "B")),
            orgnr=str(self._chance.randrange(800_000_000, 999_999_999)),
            country_id=self._countries[locale.code],
            business_idx=choose(self._businesses),
            category_idx=choose(self._categories),
            associate_id=choose(self._associates),
            userdef_id=self._values(number),
        )
        self._reach_company(company["contact_id"], number, locale)
        return company

    def _reach_company(self, owner: int, number: int, locale: Locale) -> None:
        chance, town = self._chance, self._chance.choice(locale.towns)
        street = chance.choice(locale.streets).format(chance.randrange(1, 120))
        if chance.random() < 0.7:
            self._address(owner, _POSTAL, locale, locale.box.format(chance.randrange(10, 3000)), town)
        self._address(owner, _STREET, locale, street, town)
        phone = f"+{locale.dial} {chance.randrange(10**7, 10**8)}"
        self._rows.add(crm7.phone, owner_id=owner, ptype_idx=_CONTACT_PHONE, phone=phone, rank=1)
        self._rows.add(
            crm7.email, contact_id=owner, protocol="SMTP", email_address=f"info@c{number + 1:04}.example", rank=1
        )
        self._rows.add(crm7.url, contact_id=owner, url_address=f"https://c{number + 1:04}.example", rank=1)

    def _person(self, company: Row, locale: Locale, rank: int) -> Row:
        choose, gender = self._chance.choice, self._chance.choice((1, 2))
        person = self._rows.add(
            crm7.person,
            contact_id=company["contact_id"],
            rank=rank,
            firstname=choose(locale.women if gender == 1 else locale.men),
            middlename=choose((None, None, None, "M.")) if locale.zip_prefix else None,
            lastname=choose(locale.surnames),
            mrmrs=locale.ms if gender == 1 else locale.mr,
            gender=gender,
            title=choose((None, "Director", "Buyer")),
            position_idx=choose(self._positions),
            year_of_birth=self._chance.randrange(1955, 2002),
            month_of_birth=self._chance.randrange(1, 13),
            day_of_birth=self._chance.randrange(1, 29),
            country_id=company["country_id"],
            business_idx=company["business_idx"],
            category_idx=company["category_idx"],
            usepersonaddress=int(self._chance.random() < 0.04),
        )
        self._reach_person(person, locale)
        return person

    def _reach_person(self, person: Row, locale: Locale) -> None:
        owner, chance = person["person_id"], self._chance
        if person["usepersonaddress"]:
            street = chance.choice(locale.streets).format(chance.randrange(1, 120))
            self._address(owner, _PRIVATE, locale, street, chance.choice(locale.towns))
        self._rows.add(
            crm7.email, person_id=owner, protocol="SMTP", email_address=f"p{owner:05}@people.example", rank=1
        )
        phone = f"+{locale.dial} {chance.randrange(10**7, 10**8)}"
        self._rows.add(crm7.phone, owner_id=owner, ptype_idx=chance.choice((_DIRECT_PHONE, _MOBILE)), phone=phone)

    def _address(self, owner: int, kind: int, locale: Locale, line: str, town: tuple[str, str]) -> None:
        self._rows.add(
            crm7.address,
            owner_id=owner,
            atype_idx=kind,
            address1=line,
            zipcode=town[0],
            city=town[1],
            state=locale.state or None,
        )

    def _values(self, number: int) -> int:
        """Give every third company values in its user-defined fields: points and a customer group."""
        if number % 3:
            return 0
        points, group = self._chance.randrange(1000), self._chance.choice(("Gold", "Silver", "Bronze"))
        values = self._rows.add(crm7.udcontactsmall, long01=points, string05=group, double01=points / 8)
        return int(values["udcontactsmall_id"])

    def _newsletter(self, members: list[tuple[Row, Row]]) -> None:
        selection = self._rows.add(
            crm7.selection,
            associate_id=self._associates[0],
            name=NEWSLETTER,
            seltype=0,
            includeperson=0,
            targettablenumber=5,
            membercount=len(members),
        )
        for position, (company, person) in enumerate(members):
            self._trouble(position, company, person)
            self._rows.add(
                crm7.selectionmember,
                selection_id=selection["selection_id"],
                contact_id=company["contact_id"],
                person_id=person["person_id"] if position % 2 else 0,
                targettablenumber=5,
                targetrecordid=company["contact_id"],
            )

    def _trouble(self, position: int, company: Row, person: Row) -> None:
        """Let twelve of the 250 get no letter: 7 want no mail, 3 have no address, 2 have left."""
        if position in {20, 61, 100, 140}:
            company["nomailing"] = 1
        elif position in {33, 77, 181}:
            person["nomailing"] = 1
        elif position in {45, 91, 205}:
            person["usepersonaddress"] = 0
            self._no_address(company["contact_id"])
        elif position in {121, 231}:
            person["retired"] = 1

    def _no_address(self, owner: int) -> None:
        for row in [row for row in self._rows.of(crm7.address) if row["owner_id"] == owner]:
            if row["atype_idx"] in {_POSTAL, _STREET}:
                self._rows.remove(crm7.address, row)
