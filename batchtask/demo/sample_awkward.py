"""A selection in which every member is a case that a merge must get right, or leave out with a reason."""

from __future__ import annotations

from typing import Any

from batchtask import crm7
from batchtask.demo.sample_rows import WRITTEN_AT, Row, SampleRows

_POSTAL, _STREET, _PRIVATE = 1, 2, 16387


def add_awkward_selection(rows: SampleRows, name: str, associate_id: int, countries: dict[str, int]) -> None:
    """Add the selection with its members; each company's `number1` says which case it is."""
    selection = rows.add(
        crm7.selection, associate_id=associate_id, name=name, seltype=0, includeperson=0, targettablenumber=5
    )
    cases = _Cases(rows, selection["selection_id"], countries["NO"])
    cases.left_out()
    cases.hard_names(countries)
    cases.addresses(countries)
    cases.members()
    selection["membercount"] = sum(
        row["selection_id"] == selection["selection_id"] for row in rows.of(crm7.selectionmember)
    )


class _Cases:
    def __init__(self, rows: SampleRows, selection_id: int, country_id: int) -> None:
        self._rows = rows
        self._selection_id = selection_id
        self._country_id = country_id
        self._count = 0

    def left_out(self) -> None:
        self._member(self._company("Wants no mail AS", nomailing=1))
        self._member(self._company("Stopped AS", xstop=1))
        self._member(self._company("Deleted AS", deleted=1))
        self._member(self._company("Deleted With A Date AS", deleteddate=WRITTEN_AT))
        self._member(self._company("Nowhere AS", address=False))
        company = self._company("Private Person Wants No Mail AS")
        self._member(company, self._person(company, "Nils", "Neitakk", nomailing=1))
        company = self._company("Somebody Left AS")
        self._member(company, self._person(company, "Rita", "Retired", retired=1))
        company = self._company("Somebody Was Deleted AS")
        self._member(company, self._person(company, "Didrik", "Deleted", deleteddate=WRITTEN_AT))

    def hard_names(self, countries: dict[str, int]) -> None:
        company = self._company('R&D <Tools> "Ltd" & Søn\'s')
        self._member(company, self._person(company, "A&B", "<script>"))
        company = self._company("Curly {name} {nosuch} AS")
        self._member(company, self._person(company, "{attn}", "Klammer"))
        self._member(self._company("Lang" * 54 + "as"))
        company = self._company("شركة النور للتجارة (دبي)", country_id=countries["AE"])
        self._member(company, self._person(company, "محمد", "الهاشمي", mrmrs="السيد"))
        company = self._company("北京图书进出口有限公司", country_id=countries["CN"])
        self._member(company, self._person(company, "建国", "欧阳", mrmrs="先生"))
        company = self._company("Smil 😀 AS")
        self._member(company, self._person(company, "Zoë", "O'Brien-Łukaszewicz"))

    def addresses(self, countries: dict[str, int]) -> None:
        company = self._company("Street Only AS", address=False)
        self._address(company["contact_id"], _STREET, "Sidegata 3", "5003", "BERGEN")
        self._member(company)
        company = self._company("Uses Home Address AS")
        person = self._person(company, "Hedda", "Hjemme", usepersonaddress=1)
        self._address(person["person_id"], _PRIVATE, "Villaveien 7", "1358", "JAR")
        self._member(company, person)
        company = self._company("Home Address Missing AS")
        self._member(company, self._person(company, "Ola", "Uten", usepersonaddress=1))
        self._member(self._company("Country Unknown AS", country_id=0))
        self._member(self._company("Abroad GmbH", country_id=countries["DE"]))

    def members(self) -> None:
        self._member(self._company("Nobody Works Here AS"))
        company = self._company("Twice In The Selection AS")
        for _ in range(2):
            self._member(company, self._person(company, "Tor", "Tvilling"))
        company = self._company("Same Person Twice AS")
        person = self._person(company, "Siri", "Samme")
        self._member(company, person)
        self._member(company, person)
        elsewhere = self._company("Works Elsewhere AS")
        self._member(self._company("Former Employer AS"), self._person(elsewhere, "Flytte", "Fugl"))
        self._add_member(contact_id=2_000_000_000, person_id=0)

    def _company(self, name: str, *, address: bool = True, **values: Any) -> Row:
        self._count += 1
        company = self._rows.add(
            crm7.contact,
            **{"name": name, "number1": f"X-{self._count:02}", "country_id": self._country_id, **values},
        )
        if address:
            self._address(company["contact_id"], _POSTAL, f"Postboks {self._count}", "0101", "OSLO")
        return company

    def _person(self, company: Row, first: str, last: str, **values: Any) -> Row:
        return self._rows.add(
            crm7.person,
            contact_id=company["contact_id"],
            firstname=first,
            lastname=last,
            rank=1,
            country_id=company["country_id"],
            **values,
        )

    def _address(self, owner: int, kind: int, line: str, zipcode: str, city: str) -> None:
        self._rows.add(crm7.address, owner_id=owner, atype_idx=kind, address1=line, zipcode=zipcode, city=city)

    def _member(self, company: Row, person: Row | None = None) -> None:
        self._add_member(company["contact_id"], person["person_id"] if person else 0)

    def _add_member(self, contact_id: int, person_id: int) -> None:
        self._rows.add(
            crm7.selectionmember,
            selection_id=self._selection_id,
            contact_id=contact_id,
            person_id=person_id,
            targettablenumber=5,
            targetrecordid=contact_id,
        )
