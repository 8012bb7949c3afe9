"""Labels: whom the records of a report are addressed to, and the lines of the address.

The address is the person's own where the person wants mail there or has no company, else the company's: the home of
one of its people where it uses that, its postal address, its street address. Whoever gets no label is named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from batchtask.definitions import TaskContext
from worker.tasks.crm.addresses import Address, Country, Layouts, first_filled, format_label
from worker.tasks.crm.fields import Expression
from worker.tasks.report.label_fields import ADDRESS, label_values
from worker.tasks.report.model import Label
from worker.tasks.report.records import Records

#: Why somebody gets no label, in words.
REASONS = {
    "company-gone": "company deleted or not yours to read",
    "person-gone": "person deleted or not yours to read",
    "elsewhere": "works for another company",
    "no-mailing": "no mailing",
    "retired": "retired",
    "no-address": "no address",
}


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
        self._context = context
        self._records = records
        self._order = order
        self._layouts = layouts
        self._countries = countries
        self._own_country = own_country
        self._values = label_values(records)
        self.left_out: Counter[str] = Counter()

    def labels(self) -> Iterator[Label]:
        """Yield the labels in order."""
        records = self._records
        query = records.select(list(self._values.values()))
        order: list[Expression] = []
        for name, descending in self._order:
            field, _ = records.field(name)
            order += records.sorted_by(field, field.value, descending=descending)
        for row in records.stream(query.order_by(*order, records.subject.table.c[records.subject.key])):
            if label := self._label(dict(zip(self._values, row, strict=True))):
                yield label

    def _label(self, row: Mapping[str, Any]) -> Label | None:
        address = self._address(row)
        if reason := self._reason(row, address):
            self._leave_out(row, reason)
            return None
        values = self._variables(row, address)
        return Label(lines=format_label(self._layouts.label(address.country), values.get))

    def _address(self, row: Mapping[str, Any]) -> Address:
        at_company = self._countries.get(row["countryId"] or 0, Country())
        company = [_address(row, "post", at_company), _address(row, "street", at_company)]
        if not row.get("personId"):
            return first_filled([self._home(row, "colleague", at_company), *company])
        # A company that the user may not read is no reason to print where its people live.
        uses_home = row["useAsMailingAddress"] or not row["namedCompany"]
        return first_filled([self._home(row, "home", at_company), *company] if uses_home else company)

    def _home(self, row: Mapping[str, Any], prefix: str, at_company: Country) -> Address:
        country = row["person.countryId"] if prefix == "home" else row["colleague.countryId"]
        return _address(row, prefix, self._countries.get(country or 0, at_company))

    def _reason(self, row: Mapping[str, Any], address: Address) -> str:
        # A person at home can be written to without a company; whoever stands for a company cannot.
        is_about_person = self._records.subject.name == "person"
        if row["namedCompany"] and not row["contactId"] and not (is_about_person and address):
            return "company-gone"
        if row["namedPerson"] and not row.get("personId"):
            return "person-gone"
        if row["worksElsewhere"]:
            return "elsewhere"
        if row["stop"] or row["contactNoMail"] or row.get("personNoMail"):
            return "no-mailing"
        if row.get("retired"):
            return "retired"
        return "" if address else "no-address"

    def _leave_out(self, row: Mapping[str, Any], reason: str) -> None:
        self.left_out[REASONS[reason]] += 1
        named = ", ".join(str(part) for part in (row.get("fullName"), row["name"]) if part)
        numbers = f"company {row['namedCompany']}, person {row['namedPerson']}"
        label = f"{named} ({numbers})" if named else numbers
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


def _address(row: Mapping[str, Any], prefix: str, country: Country) -> Address:
    line1, line2, line3, zipcode, city, county, state = (row.get(f"{prefix}.{name}") or "" for name in ADDRESS)
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
