"""Labels: whom the records of a report are addressed to, and the lines of the address.

The address is the person's own where the person wants mail there or has no company, else the company's postal
address, else its street address. Whoever wants no mail, or has no address, gets no label.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from batchtask.definitions import TaskContext, TaskFailure
from worker.tasks.crm.addresses import Address, Country, Layouts, first_filled, format_label
from worker.tasks.report.model import Label
from worker.tasks.report.records import Records

#: How to get from a subject to the company and the person that a label is for; None = there is none.
_WAYS: Mapping[str, tuple[str, str | None]] = {
    "contact": ("", None),
    "person": ("contact/", ""),
    "selection": ("contact/", "person/"),
    "sale": ("contact/", "person/"),
    "appointment": ("contact/", "person/"),
    "document": ("contact/", "person/"),
}
_ADDRESS = ("line1", "line2", "line3", "zip", "city", "county", "state")
_COMPANY = ("name", "department", "orgnr", "code", "number", "stop", "contactNoMail")
_PERSON = (
    "fullName", "firstName", "middleName", "lastName", "mrMrs", "title", "department", "position",
    "personNoMail", "retired", "useAsMailingAddress", "hasCompany",
)  # fmt: skip

#: Why somebody gets no label, in words.
REASONS = {"no-mailing": "no mailing", "retired": "retired", "no-address": "no address"}


class Addressees:
    """The labels of a report's records, and who gets none."""

    def __init__(
        self,
        context: TaskContext,
        records: Records,
        order: list[tuple[str, bool]],
        *,
        layouts: Layouts,
        countries: Mapping[int, Country],
        own_country: Country,
    ) -> None:
        if records.subject.name not in _WAYS:
            raise TaskFailure(f"A {records.subject.name} has no address: labels cannot be printed for it.")
        self._context = context
        self._records = records
        self._order = order
        self._layouts = layouts
        self._countries = countries
        self._own_country = own_country
        self._names = list(_fields(*_WAYS[records.subject.name]))
        self.left_out: Counter[str] = Counter()

    def labels(self) -> Iterator[Label]:
        """Yield the labels in order."""
        records = self._records
        query = records.select([records.field(path)[0].value for _, path in self._names])
        order = []
        for name, descending in self._order:
            field, _ = records.field(name)
            order.append(records.sorted_by(field, field.value, descending=descending))
        for row in records.stream(query.order_by(*order, records.subject.table.c[records.subject.key])):
            values_by_name = {name: value for (name, _), value in zip(self._names, row, strict=True)}
            if label := self._label(values_by_name):
                yield label

    def _label(self, row: Mapping[str, Any]) -> Label | None:
        address = self._address(row)
        if reason := _reason(row, address):
            self._leave_out(row, reason)
            return None
        values = self._variables(row, address)
        return Label(lines=format_label(self._layouts.label(address.country), values.get))

    def _address(self, row: Mapping[str, Any]) -> Address:
        company = self._countries.get(row["countryId"] or 0, Country())
        home_country = self._countries.get(row.get("person.countryId") or 0, company)
        home = _address(row, "home", home_country)
        addresses = [_address(row, "post", company), _address(row, "street", company)]
        # A company that the user may not read is no reason to print where its people live.
        uses_home = row.get("useAsMailingAddress") or not row.get("hasCompany")
        return first_filled([home, *addresses] if uses_home else addresses)

    def _leave_out(self, row: Mapping[str, Any], reason: str) -> None:
        self.left_out[REASONS[reason]] += 1
        label = ", ".join(str(part) for part in (row.get("fullName"), row["name"]) if part) or "(no name)"
        self._context.log.warning("left out: %s: %s", label, REASONS[reason], extra={"action": "left out"})

    def _variables(self, row: Mapping[str, Any], address: Address) -> dict[str, str]:
        country = address.country
        abroad = "" if country.code == self._own_country.code else country.name
        texts = {
            "name": row["name"], "dept": row["department"], "orgn": row["orgnr"], "code": row["number"],
            "numb": row["code"], "ndep": "\n".join(part for part in (row["name"], row["department"]) if part),
            "attn": row.get("fullName"), "atfn": row.get("firstName"), "atmn": row.get("middleName"),
            "atln": row.get("lastName"), "atmr": row.get("mrMrs"), "atti": row.get("title"),
            "adep": row.get("person.department"), "atpo": row.get("position"),
            "addr": address.line1, "padr": address.line1, "pad2": address.line2, "pad3": address.line3,
            "zipc": address.zipcode, "city": address.city, "zici": address.zip_city,
            "cszc": address.city_state_zip, "cnty": address.county, "stat": address.state,
            "cozi": address.prefixed_zip, "zino": country.zip_prefix, "cntr": country.name, "cnt?": abroad,
            "cicn": country.english_name, "ccid": country.code,
        }  # fmt: skip
        return {name: str(text or "") for name, text in texts.items()}


def _fields(company: str, person: str | None) -> Iterator[tuple[str, str]]:
    """Yield what a label is made of, and the path to it from the record."""
    yield from ((name, company + name) for name in (*_COMPANY, "countryId"))
    yield from ((f"post.{name}", f"{company}postAddress/{name}") for name in _ADDRESS)
    yield from ((f"street.{name}", f"{company}streetAddress/{name}") for name in _ADDRESS)
    if person is not None:
        named = ((name if name != "department" else "person.department", person + name) for name in _PERSON)
        yield from named
        yield "person.countryId", f"{person}countryId"
        yield from ((f"home.{name}", f"{person}personAddress/{name}") for name in _ADDRESS)


def _reason(row: Mapping[str, Any], address: Address) -> str:
    if row.get("stop") or row.get("contactNoMail") or row.get("personNoMail"):
        return "no-mailing"
    if row.get("retired"):
        return "retired"
    return "" if address else "no-address"


def _address(row: Mapping[str, Any], prefix: str, country: Country) -> Address:
    line1, line2, line3, zipcode, city, county, state = (row.get(f"{prefix}.{name}") or "" for name in _ADDRESS)
    return Address(
        line1=line1,
        line2=line2,
        line3=line3,
        zipcode=zipcode,
        city=city,
        county=county,
        state=state,
        country=country,
    )
